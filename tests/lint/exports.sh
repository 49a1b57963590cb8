#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the libraries export is what their headers declare, no more, no less.
. "$(dirname "$0")/../lib/story.sh"
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${top_builddir:-$src/build}

exported() {
    nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' |
        sed 's/@.*//' | sort -u
}

# Functions and objects that headers declare: comments, preprocessor lines and
# bodies of inline functions left out.
declared() {
    cat "$@" | sed 's/\r//' | awk '
        { line = line $0 "\n" }
        END {
            gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, " ", line)
            n = split(line, l, "\n")
            for (i = 1; i <= n; i++) {
                s = l[i]
                if (skip || s ~ /^ *#/) { skip = s ~ /\\$/; continue }
                printf "%s ", s
            }
        }' | sed 's/{/\n{/g; s/}/}\n/g; s/;/;\n/g' | awk '
        /^ *\{/ { next }
        /static inline/ { next }
        { while (match($0, /idv_[a-z0-9_]+\(/)) {
              s = substr($0, RSTART, RLENGTH); sub(/\($/, "", s)
              if (!(s in seen) && !inner) print s
              seen[s] = 1
              break
          }
          if ($0 ~ /extern /) {
              match($0, /idv_[a-z0-9_]+ *(\[[^\]]*\])*;/)
              s = substr($0, RSTART, RLENGTH); sub(/[ \[;].*/, "", s); print s
          } }' | sort -u
}

exported "$build/.libs/libidevid.so" >"$tap_dir/exported"
declared "$src"/idevid/include/idevid/*.h >"$tap_dir/declared"

ok 'libidevid.so exports something' grep -q '^idv_' "$tap_dir/exported"
is 'libidevid.so exports idv_* only' \
    "$(grep -v '^idv_' "$tap_dir/exported")" ''
is 'every export is declared in a public header' \
    "$(comm -23 "$tap_dir/exported" "$tap_dir/declared")" ''
is 'every declaration of a public header is exported' \
    "$(comm -13 "$tap_dir/exported" "$tap_dir/declared")" ''
# libcrypto calls it back when what it made is freed, whenever that is
like 'libidevid.so stays where it is loaded' \
    "$(readelf -d "$build/.libs/libidevid.so")" NODELETE
is 'hwkey.so exports its entry point only' \
    "$(exported "$build/.libs/hwkey.so")" OSSL_provider_init
is 'every public header is installed' \
    "$(cd "$src/idevid/include/idevid" && for h in *.h; do
        grep -q "include/idevid/$h" ../../Makefile.inc || echo "$h"
    done)" ''

# a header that needs another includes it
for h in "$src"/idevid/include/idevid/*.h; do
    ok "${h##*/} stands alone" ${CC:-cc} -std=gnu11 \
        -Wall -Werror -fsyntax-only -I"$src/idevid/include" -x c "$h"
done
done_testing
