#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [--sample N] [NAME ...]: does a test notice when a check is gone?
#
# Each patch here removes one check; its first line names the test that has to
# fail then ("# test: test_envelope", or "# test: long:test_envelope" where it has
# to do all of what it does some of in "make check", or "# test:
# story:transparency", of tests/integration, where the check is a program's), its
# second says what is allowed by it.
# The source is copied, configured and built once; then each patch is applied,
# that test built and run, and the patch taken out again. TAP, one case each;
# with --sample only N of them, drawn by lot.
. "$(dirname "$0")/../lib/story.sh"
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
here=$src/tests/mutants
jobs=$(nproc 2>/dev/null || echo 2)
unset MAKEFLAGS MFLAGS MAKELEVEL CMOCKA_XML_FILE

sample=
if [ "${1:-}" = --sample ]; then
    sample=$2
    shift 2
fi
if [ $# -gt 0 ]; then
    names=$*
else
    names=$(cd "$here" && ls *.patch | sed 's/\.patch$//')
    [ -z "$sample" ] || names=$(shuf -n "$sample" -e $names | sort)
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/idevid-mutants.XXXXXX")
trap 'rm -rf "$scratch" "$tap_dir"' EXIT
copy() {
    mkdir "$scratch/src" && cd "$src" &&
        tar cf - --exclude=./.git --exclude='./*.tar.*' --exclude='*.o' \
            --exclude='*.lo' --exclude=.libs --exclude=.deps \
            --exclude=./config.status --exclude=./Makefile \
            provider idevid tools tests hsm-configs m4 build-aux .ci \
            $(find . -maxdepth 1 -type f) |
        tar xf - -C "$scratch/src" && mkdir "$scratch/build" &&
        cd "$scratch/build" && ../src/configure -q CFLAGS='-O0 -g'
}
ok 'the source can be copied and configured' copy || bail 'nothing to change'
cd "$scratch/build" || bail 'no scratch'
export top_srcdir=$scratch/src top_builddir=$scratch/build
export CMOCKA_MESSAGE_OUTPUT=TAP

test_of() {
    sed -n '1s/^# test: *//p' "$here/$1.patch"
}
program() {
    if [ "$1" != "${1#story:}" ]; then
        echo all
    elif grep -q "^tests/unit/${1#long:}\$(EXEEXT):" Makefile; then
        echo "tests/unit/${1#long:}"
    else
        echo "${1#long:}"
    fi
}
# with what it opens: the provider and the tests' modules; a story, with those
# who come to it
build() {
    local more=
    [ "$1" != all ] || more='tests/lib/crowd tests/lib/findkeys'
    make -s -j"$jobs" check-modules "$1" && {
        [ -z "$more" ] || make -s -j"$jobs" $more
    }
}
change() {
    patch -s -p1 -f -d "$scratch/src" "$@" <"$here/$name.patch"
}
# run TEST: a cut off test is not one that noticed
run() {
    local long=0 seconds=300
    [ "$1" = "${1#long:}" ] || long=1 seconds=1800
    set -- "$1" "./$(program "$1")"
    [ "$1" = "${1#story:}" ] ||
        set -- "$1" bash "$top_srcdir/tests/integration/${1#story:}.sh"
    shift
    IDEVID_LONG=$long timeout $seconds "$@" >"$scratch/run.out" 2>&1
}

# what fails anyhow proves nothing
for t in $(for name in $names; do test_of "$name"; done | sort -u); do
    p=$(program "$t")
    ok "$t is built" build "$p"
    ok "$t passes as it is" run "$t" || tail -n 20 "$scratch/run.out"
done

notices() {
    local code=0
    run "$1" || code=$?
    [ $code != 124 ] && [ $code != 0 ]
}
for name in $names; do
    p=$(program "$(test_of "$name")")
    what="$name: $(sed -n '2s/^# *//p' "$here/$name.patch")"
    if ! change; then
        ok "$what (the patch applies)" false
    elif ! build "$p" >"$scratch/make.out" 2>&1; then
        ok "$what (it can be built)" false
        tap_show "$scratch/make.out"
        change -R
    else
        ok "$what: $(test_of "$name") notices" notices "$(test_of "$name")"
        change -R
    fi
done
done_testing
