#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# valgrind.sh [--quick] [PROGRAM ...]: unit programs under valgrind, as many at
# a time as there are cores: no case fails, no error, nothing lost.
#
# Without names, all that the Makefile knows; --quick: those of QUICK only.
# Run in the build directory, where everything is built. TAP, a case for each.
. "$(dirname "$0")/../lib/story.sh"
supp=$(cd "$(dirname "$0")/.." && pwd)/valgrind.supp
export supp
cd "${top_builddir:-.}" || bail 'no build'
unset MAKEFLAGS MFLAGS MAKELEVEL

QUICK='test_codec test_csr tests/unit/test_voucher tests/unit/test_envelope
    tests/unit/test_voucher_check tests/unit/test_trust
    tests/unit/test_trust_cut tests/unit/test_pledge'
[ "${1:-}" != --quick ] || set -- $QUICK

command -v valgrind >/dev/null || {
    skip 'units under valgrind' 'valgrind is missing'
    done_testing
    exit
}
programs=${*:-$(make -s list-units)}
[ -n "$programs" ] || bail 'no programs'

# its output, exit code and seconds on a core stay in $tap_dir
one() {
    local code=0 out=$1/${2##*/} TIMEFORMAT=%U
    { time under_valgrind "$2" >"$out.out" 2>&1 </dev/null || code=$?; } \
        2>"$out.time"
    echo $code >"$out.code"
}
under_valgrind() {
    local leaks=full
    [[ " ${ENDS//$'\n'/ } " != *" $1 "* ]] || leaks=no
    IDEVID_PATIENCE=20 \
        ./libtool --quiet --mode=execute valgrind -q --leak-check=$leaks \
        --errors-for-leak-kinds=definite,indirect \
        --show-leak-kinds=definite,indirect --error-exitcode=77 \
        --suppressions="$supp" "./$1"
}
# their processes end in the middle of it, with all they have
export ENDS='test_p11_exit test_p11_exit_softhsm test_p11_fork
    test_twin_tokens test_use_threads test_p11_family
    tests/unit/test_tpm2_session tests/unit/test_tpm2_session_abrmd
    tests/unit/test_tpm2_resident tests/unit/test_tpm2_registry
    tests/unit/test_tpm2_idle test_tpm2_fork test_tpm2_fork_abrmd'
export -f one under_valgrind
export CMOCKA_MESSAGE_OUTPUT=TAP
printf '%s\n' $programs >"$tap_dir/programs"
xargs -P "${JOBS:-$(nproc 2>/dev/null || echo 2)}" -I '{}' \
    bash -c 'one "$@"' one "$tap_dir" '{}' <"$tap_dir/programs"

# a warning is an error too: of a child, of a stack, of a system call
clean() {
    [ "$(cat "$1.code")" = 0 ] && ! grep -q '^==' "$1.out" && return
    grep -v '^ok ' "$1.out" | head -n 60
    return 1
}
while read -r p; do
    ok "${p##*/} under valgrind" clean "$tap_dir/${p##*/}"
    echo "# $(cat "$tap_dir/${p##*/}.time") s"
done <"$tap_dir/programs"
done_testing
