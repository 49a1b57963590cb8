#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each requirement is tested, or something says why not; each citation in the
# tests is of one; and idevid-conformance(7) says the same.
. "$(dirname "$0")/../lib/story.sh"
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}

command -v python3 >/dev/null || {
    skip 'the table of conformance is in order' 'python3 is missing'
    done_testing
    exit
}
conformance() {
    PYTHONDONTWRITEBYTECODE=1 python3 \
        "$src/tests/conformance/conformance.py" "$1" "${2:-$src}"
}
is 'every requirement has a test or a reason, every citation a requirement' \
    "$(conformance faults)" ''
ok 'idevid-conformance(7) is what "make update-manual" makes' \
    diff <(conformance page) "$src/tools/man/idevid-conformance.7"

# what it has to notice
copy=$tap_dir/copy/tests
mkdir -p "$copy/unit" "$copy/fuzz" "$copy/integration" "$copy/lib" \
    "$copy/conformance"
cp "$src/tests/conformance/requirements.txt" "$copy/conformance"
echo . >"$copy/integration/world.sh"
cat >"$copy/unit/test_x.c" <<'END'
/* R-P-12 */
static void one(void **state)
END
cat >"$copy/integration/y.sh" <<'END'
ok 'R-P-999: a title' true
# R-P-13
ok 'R-P-66: a title' true
END
noticed() {
    like "noticed: $1" "$(conformance faults "$tap_dir/copy")" "$1"
}
noticed 'unit/test_x.c:1: one is not run'
noticed 'R-P-999 is cited and does not exist'
noticed 'R-P-66 is tested and still counted as later'
noticed 'integration/y.sh:2: cited in a comment'
noticed 'R-P-12 has no test, and nothing says why'
sed -i '/^R-P-5 /d' "$copy/conformance/requirements.txt"
noticed 'R-P-5 is not in the table'
done_testing
