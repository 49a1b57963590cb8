#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The line engineer's page: each of its commands, as it stands there.
. "$(dirname "$0")/../lib/story.sh"
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
src=$(cd "$src" && pwd)
bin=$(cd "${top_builddir:-$src/build}" && pwd)
page=$src/tools/man/idevid-factory-line.7
dir=$(mktemp -d /tmp/idevid.XXXXXX) || bail 'no directory'

end() {
    local d
    for d in "$dir"/tpm?; do
        [ ! -d "$d" ] || "$src/hsm-configs/swtpm/swtpm-device" down "$d"
    done
    rm -rf "$dir"
}
trap end EXIT

# block N: the N-th literal text of the page
block() {
    gawk -v n="$1" '/^\.Bd -literal/ { b++; on = b == n; next }
        /^\.Ed/ { on = 0 } on { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print }' \
        "$page"
}
blocks=$(grep -c '^\.Bd -literal' "$page")
ok 'the page has commands' [ "$blocks" -ge 10 ]

export PATH=$bin:$src/hsm-configs/softhsm2:$src/hsm-configs/swtpm:$PATH
cd "$dir" || bail 'no directory'
# what a block exports is there for the next one
run() {
    block "$1" >"block.$1"
    bash -ec "[ ! -e env ] || . ./env; . ./block.$1; export -p >env" \
        >"out.$1" 2>&1 </dev/null || {
        tail -n 12 "out.$1"
        return 1
    }
}
for n in $(seq "$blocks"); do
    ok "block $n: $(block "$n" | head -n 1)" run "$n"
done

like 'ten devices are done' "$(cat out.*)" '10 done, 0 had theirs already'
like 'and left alone' "$(cat out.*)" '0 done, 10 had theirs already, 0 failed'
is 'the feed has them' "$(wc -l <feed.jsonl)" 10
is 'so has the table, with its header' "$(wc -l <devices.csv)" 11
ok 'labels are a PDF' grep -q '^%PDF' labels.pdf
done_testing
