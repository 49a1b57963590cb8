#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes devices, measures, takes everything away again. Run by make bench:
#
#   BENCH_SECONDS   of each measurement (1)
#   BENCH_JSON      a file that gets one JSON object per line of the tables
#   BENCH_PARTS     which tables (operations anchor desk line joins
#                   rest ledger masa-load registrar masa)
#   BENCH_DEVICES   of a line, whose CPU is measured (30)
#   BENCH_ROWS      rows of the ledger's tables, and before a registrar; devices
#                   of a feed (1000000); entries of a log, and devices before a
#                   MASA (200000)
#   BENCH_LONG      10000000 of them; 100000 requests to a registrar and a MASA
#   BENCH_REQUESTS  instead of those (10000, 4000)
#   BENCH_REST_S    how long an agent at rest is looked at (60)
#
# calls are Cryptoki functions or TPM commands per operation; ratio is against
# the first line of its group, in interleaved rounds, medians; KiB is the
# largest a process became that did only that. Instructions are callgrind's, the
# difference of two runs of different length. "bare" is a provider that does
# nothing (bare.c): what libcrypto asks of any. The second table holds the
# figures against what the project promises of tokens, the third and fourth what
# it promises of TPMs, directly and behind tpm2-abrmd; those of the sealed anchor
# list what commands they count, and why each that is not the seal itself is
# sent.
set -u

. "$(dirname "$0")/../integration/world.sh"

BENCH=$top_builddir/tests/bench/bench
export BENCH_MODULES=$top_builddir/.libs
case ${BENCH_JSON:-} in
'' | /*) ;;
*) BENCH_JSON=$PWD/$BENCH_JSON ;;
esac
export BENCH_SECONDS=${BENCH_SECONDS:-1} BENCH_JSON=${BENCH_JSON:-}
failed=0

finish() {
    world_end
    trap - EXIT
}
trap finish EXIT
trap 'exit 130' INT TERM

# For operations only: joins have devices of their own.
bench_env() {
    . "$WORLD/bench.env"
    export BENCH_DIR=$WORLD HWKEY_PIN=1234
    # The counting modules stand before the real ones; the TCTI only where it is
    # asked to, never where time matters: it is opened and closed often.
    export P11COUNT_REAL=$HWKEY_PKCS11_MODULE
    export HWKEY_PKCS11_MODULE=$top_builddir/.libs/p11count.so
    export TCTICOUNT=$top_builddir/.libs/tcticount.so:$HWKEY_TCTI
}

devices() {
    "$TOKEN_CTL" up "$WORLD/bench.token" --label bench --pin 1234 \
        >"$WORLD/bench.env" || return
    WORLD_DEVICES="$WORLD_DEVICES $TOKEN_CTL=$WORLD/bench.token"
    "$TPM_CTL" up "$WORLD/bench.tpm" >>"$WORLD/bench.env" || return
    WORLD_DEVICES="$WORLD_DEVICES $TPM_CTL=$WORLD/bench.tpm"
}

# Keys of the TPM's table: in files, one that is restricted, one with an
# authorization value, and one that wants two NV indices to say what they say.
make_key() { # OPTION ...
    local o options=
    for o in "$@"; do
        options="$options -pkeyopt $o"
    done
    OPENSSL_CONF=$WORLD/openssl.cnf openssl genpkey \
        -propquery provider=hwkey -algorithm EC -pkeyopt group:P-256 \
        -out "$WORLD/key.tss.new" $options
}
index() { # HANDLE BYTE
    tpm2_nvdefine -Q -C o -s 8 -a 'ownerwrite|ownerread|authread|policywrite' \
        "$1" && printf "\\0\\0\\0\\0\\0\\0\\0\\$2" |
        tpm2_nvwrite -Q -C o -i - "$1"
}
table_keys() {
    index 0x01800A30 7 && index 0x01800A31 5 &&
        make_key uri:tpm2:handle=0x81020003 restricted:yes scheme:ecdsa &&
        make_key uri:tpm2:handle=0x81020004 user-auth:1234 &&
        make_key uri:tpm2: parent:owner &&
        mv "$WORLD/key.tss.new" "$WORLD/made.tss" &&
        make_key uri:tpm2: \
            'policy:nv(0x01800A30==count:7)&nv(0x01800A31==count:5)' &&
        mv "$WORLD/key.tss.new" "$WORLD/policy.tss"
}
root_key() {
    tpm2_createprimary -Q -C o -G ecc256 -c "$WORLD/primary" &&
        tpm2_evictcontrol -Q -C o -c "$WORLD/primary" 0x81000001 &&
        tpm2_flushcontext -t
}
# the parent of the key in key.tss: persistent
file_key() {
    root_key && make_key uri:tpm2: parent:0x81000001 &&
        mv "$WORLD/key.tss.new" "$WORLD/key.tss"
}

# behind the resource manager: COMMAND ... of the TPM of the environment
managed() {
    local code=0
    ABRMD_CTL=$top_srcdir/hsm-configs/tpm2-abrmd/tpm2-abrmd-device
    "$ABRMD_CTL" up "$WORLD/bench.abrmd" --tcti "$HWKEY_TCTI" \
        >"$WORLD/abrmd.env" || return
    . "$WORLD/abrmd.env"
    # hwkey sees by the name that there is a manager
    ln -sf "$top_builddir/.libs/tcticount.so" "$WORLD/tabrmd-tcticount.so"
    export TCTICOUNT=$WORLD/tabrmd-tcticount.so:$HWKEY_TCTI
    "$@" || code=$?
    "$ABRMD_CTL" down "$WORLD/bench.abrmd"
    return $code
}

# the same TPM directly and behind its resource manager
tpm_table() {
    openssl_conf && file_key && table_keys && "$BENCH" tpm directly &&
        managed "$BENCH" tpm 'behind tpm2-abrmd'
}

# a TPM of its own, as operating systems leave it: with a storage root key
anchor_table() {
    "$TPM_CTL" up "$WORLD/anchor.tpm" >"$WORLD/anchor.env" || return
    WORLD_DEVICES="$WORLD_DEVICES $TPM_CTL=$WORLD/anchor.tpm"
    (
        . "$WORLD/anchor.env"
        export BENCH_DIR=$WORLD
        export TCTICOUNT=$top_builddir/.libs/tcticount.so:$HWKEY_TCTI
        root_key && "$BENCH" anchor directly && "$BENCH" anchor-times directly &&
            managed "$BENCH" anchor 'behind tpm2-abrmd'
    )
}

operations() {
    devices && (bench_env && "$BENCH" keys && "$BENCH" run && tpm_table)
}

. "$top_srcdir/tests/bench/pledge.inc"
. "$top_srcdir/tests/bench/line.inc"
. "$top_srcdir/tests/bench/ledger.inc"
. "$top_srcdir/tests/bench/registrar.inc"
. "$top_srcdir/tests/bench/masa.inc"

world_begin
[ -z "$BENCH_JSON" ] || : >"$BENCH_JSON" || exit
for part in ${BENCH_PARTS:-operations anchor desk line joins rest ledger masa-load registrar masa}; do
    case $part in
    operations | joins | rest) "$part" || failed=1 ;;
    anchor) anchor_table || failed=1 ;;
    desk) "$BENCH" desk || failed=1 ;;
    line) line_table || failed=1 ;;
    ledger) ledger_table || failed=1 ;;
    masa-load) masa_load_table || failed=1 ;;
    registrar) registrar_table || failed=1 ;;
    masa) masa_table || failed=1 ;;
    *)
        echo "bench: BENCH_PARTS: no part is named $part" >&2
        failed=1
        ;;
    esac
done
exit $failed
