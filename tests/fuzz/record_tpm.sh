#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Writes the corpus of fuzz_tpm anew: what a software TPM with a few keys and
# certificates answers to each of its scenes.
#
#   tests/fuzz/record_tpm.sh BUILD-FOLDER
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
fuzz=$(cd "$1" && pwd)/tests/fuzz/fuzz_tpm
out=$top/tests/fuzz/corpus/tpm
dir=$(mktemp -d)
mkdir "$dir/modules"
ln -s "$(cd "$1" && pwd)/.libs/hwkey.so" "$dir/modules/hwkey.so"
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -r "$dir"' EXIT
cd "$dir"

swtpm socket --tpm2 --tpmstate dir="$dir" --flags not-need-init,startup-clear \
    --server type=unixio,path="$dir/server" \
    --ctrl type=unixio,path="$dir/server.ctrl" 2>/dev/null &
pid=$!
while [ ! -S server.ctrl ]; do read -rt 0.05 <> <(:) || :; done
export TPM2TOOLS_TCTI=swtpm:path=$dir/server SCRIPT_TCTI=swtpm:path=$dir/server
export TSS2_LOG=all+none
export OPENSSL_MODULES=$dir/modules HWKEY_TCTI=$SCRIPT_TCTI
export HWKEY_TPM_LOCK=$dir/lock

# scene NAME LETTER [ARGUMENT-FILE]
scene() {
    printf %s "$2" >input
    if [ $# -gt 2 ]; then
        printf "\0\0\0\0\\x$(printf %02x $(($(wc -c <"$3") / 256)))\\x$(
            printf %02x $(($(wc -c <"$3") % 256)))" >>input
        cat "$3" >>input
    fi
    SCRIPT_OUT=$out/$1 "$fuzz" ./input >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
    tpm2_flushcontext -t && tpm2_flushcontext -l # what a manager would
}

# key ALGORITHM [OPTION ...]: at 0x81010001
key() {
    tpm2_evictcontrol -Q -C o -c 0x81010001 2>/dev/null || :
    tpm2_createprimary -Q -C o -g sha256 -c key.ctx -G "$@"
    tpm2_evictcontrol -Q -C o -c key.ctx 0x81010001
    tpm2_flushcontext -t
}

sign='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|noda'
key ecc256 -a "$sign"
scene ec k
scene ec_public u
key ecc256:ecdsa-sha256:null -a "$sign|restricted"
scene ec_restricted k
key ecc256 -a "$sign" -p 1234
scene ec_pin p
key ecc384:ecdh -a "${sign/sign/decrypt}"
scene ec_derive k
key rsa2048 -a "$sign|decrypt"
scene rsa k
key rsa2048:rsapss-sha256:null -a "$sign"
scene rsa_pss k
openssl req -x509 -newkey rsa:3072 -nodes -keyout /dev/null -subj /CN=x \
    -outform DER -out cert.der -addext "nsComment=$(printf %700s x)" 2>/dev/null
tpm2_nvdefine -Q 0x01c90200 -C o -s "$(wc -c <cert.der)" \
    -a 'ownerread|ownerwrite|authread'
tpm2_nvwrite -Q 0x01c90200 -C o -i cert.der
scene certificate c
scene all a
scene look l
scene random r

# file NAME OPTION ...: a key file made so
file() {
    local name=$1
    shift
    openssl genpkey -provider hwkey -provider default -propquery provider=hwkey \
        -algorithm EC -pkeyopt group:P-256 -pkeyopt uri:tpm2: "$@" \
        -out key.pem
    sed '/^---/d' key.pem | openssl base64 -d >key.der
    scene "$name" b key.der
}
file blob
file blob_rsa_parent -pkeyopt parent-type:rsa -pkeyopt usage:derive
file blob_pin -pkeyopt user-auth:1234
file blob_pcr -pkeyopt 'policy:pcr(sha256:16)'
tpm2_nvdefine -Q 0x01800a20 -C o -s 8 -a 'ownerread|ownerwrite|authread|no_da'
printf 12345678 | tpm2_nvwrite -Q 0x01800a20 -C o -i -
file blob_nv -pkeyopt 'policy:nv(0x01800a20 == 3132333435363738) | auth'

scene write w
tpm2_nvundefine -Q -C o 0x01800a20
key ecc256:ecdsa-sha256:null -a "$sign|restricted"
scene nv v
scene nv_bare x
scene make m
scene make_decrypt n
scene idevid_new d
scene idevid i
