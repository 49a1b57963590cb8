#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh TEST ...: what "make check" does in the build directory when all is
# built: runs the tests, shows why those failed that did, and closes with a
# line that counts the cases of all of them. What automake says is in check.out.
#
# From the environment: MAKE, SUITE (automake's log of everything), UNIT_ONLY=yes,
# which leaves out the stories, and LEAVE_OUT, names of tests that are not run.
set -u

results() {
    find . -maxdepth 1 -name '*.trs'
    [ ! -d tests ] || find tests -name '*.trs'
}

# an earlier run must not be counted
results | sed 'p;s/trs$/log/' | xargs rm -f "$SUITE"

logs=
for t; do
    case " ${LEAVE_OUT:-} " in
    *" ${t##*/} "*) continue ;;
    esac
    case $t in
    tests/integration/*) [ "$UNIT_ONLY" = yes ] || logs="$logs ${t%.sh}.log" ;;
    *.sh) logs="$logs ${t%.sh}.log" ;;
    *) logs="$logs $t.log" ;;
    esac
done
$MAKE -k "$SUITE" TEST_LOGS="$logs" >check.out 2>&1
code=$?

found=$(results)
if [ -z "$found" ]; then
    grep -nE 'error|Error' check.out | head -n 20 >&2
    echo "check.sh: no test ran, see check.out" >&2
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

for trs in $found; do
    grep -qE '^:test-result: (FAIL|ERROR|XPASS)' "$trs" || continue
    log=${trs%.trs}.log
    echo "--- $log"
    grep -E '^:test-result: ERROR' "$trs" | sed 's/^:test-result: //'
    grep -vE '^ok ' "$log" | tail -n 40
done

# A program that failed cases, or broke, also ends with an error: count it once.
set -- $(awk '
    function add() { failed += fail ? fail : error > 0; fail = error = 0 }
    FNR == 1 { add() }
    /^:test-result: (PASS|XFAIL)/ { passed++ }
    /^:test-result: (FAIL|XPASS)/ { fail++ }
    /^:test-result: ERROR/ { error++ }
    /^:test-result: SKIP/ { skipped++ }
    END { add(); print passed + 0, failed + 0, skipped + 0 }' $found)
failed=$2
# whatever was ended before it told anything
if [ $code != 0 ] && [ "$failed" = 0 ]; then
    grep -nE 'error|Error' check.out | head -n 20
    failed=1
fi
echo "$1 passed, $failed failed, $3 skipped"
[ "$failed" = 0 ]
