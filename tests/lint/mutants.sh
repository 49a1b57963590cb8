#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every mutant can still be made of the source, and names a test there is.
# Whether that test notices is for tests/mutants/run.sh, which takes long.
. "$(dirname "$0")/../lib/story.sh"
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}

command -v patch >/dev/null || {
    skip 'every mutant applies' 'patch is missing'
    done_testing
    exit
}
applies() {
    patch -s -p1 -f --dry-run -d "$src" <"$1"
}
# "# test: NAME", then what it allows
says() {
    local t
    t=$(sed -n '1s/^# test: *\(long:\)\{0,1\}//p' "$1")
    [ -n "$t" ] && { [ -e "$src/tests/unit/$t.c" ] || is_story "$t"; } &&
        sed -n 2p "$1" | grep -q '^# .'
}
is_story() {
    [ "$1" != "${1#story:}" ] && [ -e "$src/tests/integration/${1#story:}.sh" ]
}
for p in "$src"/tests/mutants/*.patch; do
    ok "$(basename "$p" .patch) applies" applies "$p"
    ok "$(basename "$p" .patch) names its test" says "$p"
done
done_testing
