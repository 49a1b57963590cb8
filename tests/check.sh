#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh JOBS [MAKE ARGUMENTS]: make check in the current build directory,
# with the reasons of what failed and a closing line that counts the cases.
set -u

jobs=${1:-1}
[ $# -gt 0 ] && shift

make -k -j"$jobs" check "$@" >check.out 2>&1
code=$?

found=$(find . -name '*.trs' -newer config.status -print)
[ -n "$found" ] || {
    grep -nE 'error|Error' check.out | head -n 20 >&2
    echo "check.sh: no test ran, see check.out" >&2
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

count() {
    cat $found | grep -c "^:test-result: $1"
}
passed=$(($(count PASS) + $(count XFAIL)))
failed=$(($(count FAIL) + $(count ERROR) + $(count XPASS)))
skipped=$(count SKIP)

for trs in $found; do
    grep -qE '^:test-result: (FAIL|ERROR|XPASS)' "$trs" || continue
    log=${trs%.trs}.log
    echo "--- $log"
    grep -vE '^ok ' "$log" | tail -n 40
done
# a test that could not be built has no log
if [ $code != 0 ] && [ $failed = 0 ]; then
    grep -nE 'error|Error' check.out | head -n 20
    failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
