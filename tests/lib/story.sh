# SPDX-License-Identifier: Apache-2.0
# TAP for stories written in shell. Sourced; then:
#
#   ok WHAT CMD ...          CMD must end with 0
#   fails CODE TEXT WHAT CMD ...   CMD must end with CODE and say TEXT (a grep
#                            pattern) in exactly one line on standard error
#   is WHAT GOT WANT         two strings are equal
#   like WHAT GOT PATTERN    a string matches a grep pattern
#   skip WHAT WHY            counted as skipped
#   bail WHY                 the story cannot go on
#   done_testing             last; prints the plan
#
# What a command printed is shown when its case fails.
set -u

tap_n=0
tap_failed=0
tap_dir=$(mktemp -d "${TMPDIR:-/tmp}/idevid-tap.XXXXXX")

tap_result() {
    tap_n=$((tap_n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $tap_n - $2"
    else
        echo "not ok $tap_n - $2"
        tap_failed=$((tap_failed + 1))
    fi
    return "$1"
}

tap_show() {
    sed 's/^/# /' "$@"
}

ok() {
    local what=$1 code=0
    shift
    "$@" >"$tap_dir/out" 2>"$tap_dir/err" || code=$?
    [ $code = 0 ] && tap_result 0 "$what" && return
    tap_result 1 "$what"
    echo "# exit code $code of: $*"
    tap_show "$tap_dir/out" "$tap_dir/err"
    return 1
}

fails() {
    local want=$1 text=$2 what=$3 code=0 lines
    shift 3
    "$@" >"$tap_dir/out" 2>"$tap_dir/err" || code=$?
    lines=$(grep -c . "$tap_dir/err")
    if [ "$code" = "$want" ] && [ "$lines" = 1 ] &&
        grep -q -- "$text" "$tap_dir/err"; then
        tap_result 0 "$what"
        return
    fi
    tap_result 1 "$what"
    echo "# exit code $code, wanted $want and one line like '$text', of: $*"
    tap_show "$tap_dir/out" "$tap_dir/err"
    return 1
}

is() {
    [ "$2" = "$3" ] && tap_result 0 "$1" && return
    tap_result 1 "$1"
    printf '# got: %s\n# want: %s\n' "$2" "$3"
    return 1
}

like() {
    printf '%s\n' "$2" | grep -q -- "$3" && tap_result 0 "$1" && return
    tap_result 1 "$1"
    printf '%s\n' "$2" | sed 's/^/# got: /'
    printf '# want: %s\n' "$3"
    return 1
}

skip() {
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $1 # SKIP $2"
}

bail() {
    echo "Bail out! $*"
    exit 99
}

done_testing() {
    echo "1..$tap_n"
    rm -rf "$tap_dir"
    [ "$tap_failed" = 0 ]
}
