#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manuals of libidevid say what its headers declare, and their examples
# compile, run and succeed. cc_command and cc_libs come from the makefile.
set -u
include=$top_srcdir/idevid/include
man=$top_srcdir/idevid/man
work=$(mktemp -d "${TMPDIR:-/tmp}/manuals.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

tests=0
result() { # STATUS TEXT: "ok" for 0
    tests=$((tests + 1))
    if [ "$1" = 0 ]; then
        echo "ok $tests - $2"
    else
        echo "not ok $tests - $2"
    fi
}

without_comments() {
    awk '{
        line = $0
        out = ""
        while ((i = index(line, inside ? "*/" : "/*")) > 0) {
            if (!inside)
                out = out substr(line, 1, i - 1) " "
            line = substr(line, i + 2)
            inside = !inside
        }
        print out (inside ? "" : line)
    }' "$1"
}

without_directives() {
    awk '{ on = goes_on || $0 ~ /^[ \t]*#/; goes_on = on && $0 ~ /\\$/ }
        !on'
}

# "type name(arguments);" without blanks, one line each, for every function
# that a header declares; inline ones are not in the library
declared() {
    without_comments "$1" | without_directives | tr '\n\t' '  ' | awk '{
        n = length($0)
        for (i = 1; i <= n; i++) {
            c = substr($0, i, 1)
            if (c == "{")
                depth++
            else if (c == "}" && --depth == 0 && st ~ /^ *static/)
                st = ""
            else if (depth == 0 && c == ";") {
                gsub(/IDV_PRINTF\([^)]*\)|IDV_CHECKED/, "", st)
                if (st ~ /idv_[a-z0-9_]+ *\(/ && st !~ /^ *(typedef|static)/) {
                    gsub(/ /, "", st)
                    print st ";"
                }
                st = ""
            } else if (depth == 0 && c != "}")
                st = st c
        }
    }' | sort
}

# the same from .Ft, .Fo, .Fa, .Fc
documented() {
    awk '
    /^\.Ft / { type = substr($0, 5) }
    /^\.Fo / { call = substr($0, 5); args = "" }
    /^\.Fa / && call != "" {
        arg = substr($0, 5)
        gsub(/^"|"$/, "", arg)
        args = args (args == "" ? "" : ",") arg
    }
    /^\.Fc/ {
        all = type call "(" args ");"
        gsub(/[ \t]/, "", all)
        print all
        call = ""
    }' "$1" | sort
}

# functions and function-like macros that any header has
known=$work/known
cat "$include"/idevid/*.h |
    grep -oE '\bidv_[a-z0-9_]+ ?\(|#define idv_[a-z]+\(' |
    sed 's/#define //; s/ *($//' | sort -u >"$known"

# names in .Fn that nobody declares
strangers() {
    sed -nE 's/^\.F[no] "?(idv_[a-z0-9_]+).*/\1/p' "$1" | sort -u |
        comm -23 - "$known"
}

# functions that stand in the synopsis and nowhere else
unexplained() {
    sed -nE 's/^\.Fo (.*)/\1/p' "$1" | sort >"$work/synopsis"
    sed -nE 's/^\.Fn ([a-z0-9_]+).*/\1/p' "$1" | sort -u |
        comm -13 - "$work/synopsis"
}

# literal blocks with "struct" or "enum" stand so in a header
blocks() { # PAGE HEADER
    tr -d ' \t\n' <"$2" >"$work/header"
    awk '/^\.Bd -literal -compact/ { on = 1; next }
        /^\.Ed/ { if (on) print ""; on = 0 }
        on { sub(/^\\&/, ""); gsub(/\\e/, "\\"); gsub(/[ \t]/, "")
             printf "%s", $0 }' "$1" >"$work/blocks"
    while IFS= read -r block; do
        grep -qF -e "$block" "$work/header" || return 1
    done <"$work/blocks"
}

# the C program of EXAMPLES
example() {
    awk '/^\.Sh / { in_examples = $2 == "EXAMPLES" }
        /^\.Ed/ { on = 0 }
        on { sub(/^\\&/, ""); gsub(/\\e/, "\\"); print }
        in_examples && /^\.Bd -literal$/ { on = 1 }' "$1"
}

runs() { # NAME PAGE
    example "$2" >"$work/$1.c"
    [ -s "$work/$1.c" ] || return 1
    (cd "$top_builddir" &&
        $cc_command -I"$include" "$work/$1.c" -o "$work/$1" \
            libidevid.la $cc_libs) >"$work/$1.out" 2>&1 || return 1
    "$work/$1" >"$work/$1.out" 2>&1 </dev/null
}

for header in "$include"/idevid/*.h; do
    name=$(basename "$header" .h)
    page=$man/idv_$name.3
    [ -f "$page" ]
    result $? "idv_$name(3) is there"
    [ -f "$page" ] || continue
    declared "$header" >"$work/declared"
    documented "$page" >"$work/documented"
    diff "$work/declared" "$work/documented" >"$work/diff"
    result $? "idv_$name(3) has what <idevid/$name.h> declares"
    sed 's/^/# /' "$work/diff"
    unexplained "$page" >"$work/unexplained"
    [ ! -s "$work/unexplained" ]
    result $? "idv_$name(3) explains every function"
    sed 's/^/# /' "$work/unexplained"
    blocks "$page" "$header"
    result $? "idv_$name(3) quotes its structures as they are"
done

for page in "$man"/*.3; do
    name=$(basename "$page" .3)
    grep -q "/$name\.3" "$man/Makefile.inc"
    result $? "$name(3) is installed"
    strangers "$page" >"$work/strangers"
    [ ! -s "$work/strangers" ]
    result $? "$name(3) names no function that is not there"
    sed 's/^/# /' "$work/strangers"
    runs "$name" "$page"
    result $? "$name(3): its example compiles, runs and succeeds"
    sed 's/^/# /' "$work/$name.out"
    if command -v mandoc >/dev/null; then
        mandoc -T lint -W warning "$page" >"$work/lint" 2>&1
        result $? "$name(3): mandoc has nothing to say"
        sed 's/^/# /' "$work/lint"
    else
        tests=$((tests + 1))
        echo "ok $tests - $name(3) # SKIP no mandoc"
    fi
done
echo "1..$tests"
