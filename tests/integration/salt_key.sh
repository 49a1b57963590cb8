#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual's way to pin the TPM's Name, step by step: a key for the salt, its
# Name in the configuration, a key with a PIN that signs; and another Name.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
world_begin
ok 'a TPM' tpm_up tpm || bail 'no TPM'
openssl_conf
cp "$WORLD/openssl.cnf" "$WORLD/plain.cnf"
cd "$WORLD" || bail 'no world'

# example TEXT: the commands of the example after the line that has TEXT
example() {
    sed -n "/^\.Ss The way to the TPM/,/^\.Ss Sharing/p" \
        "$top_srcdir/provider/man/hwkey-provider.7" |
        sed -n "/$1/,/^\.Ed/{/^\.Bd/,/^\.Ed/s/^\\$ //p}" | sed 's/\\e/\\/g'
}
by_the_manual() {
    example "$1" >"$2.sh"
    [ "$(wc -l <"$2.sh")" -eq 2 ] && in_device tpm sh -e "$2.sh" >"$2.out"
}
o() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device tpm timeout 60 openssl "$@"
}
URI='tpm2:handle=0x81020001?pin-value=1234'
signs() {
    o dgst -sha256 -sign "$URI" -out sig data 2>err &&
        openssl dgst -sha256 -verify pub.pem -signature sig data
}
no() {
    ! "$@"
}
echo data >data

ok 'a key with a PIN' o genpkey -propquery provider=hwkey -algorithm EC \
    -pkeyopt group:P-256 -pkeyopt "uri:$URI" -out made.pem
ok 'its public key' o pkey -in "$URI" -pubout -out pub.pem
ok 'signs where there is no salt key' signs
ok 'a salt key for good' by_the_manual 'given one for good' srk
ok 'tpm2-tools leave theirs loaded where no manager takes it away' \
    in_device tpm tpm2_flushcontext -t
ok 'its Name' by_the_manual 'To pin one' name
like 'the setting' "$(cat name.out)" '^salt-key = 0x81000001 000b[0-9a-f]\{64\}$'
cat name.out >>openssl.cnf
ok 'signs with the Name pinned' signs
export HWKEY_DEBUG=$WORLD/log:info
ok 'pinned: signs' signs
is 'pinned: nothing to tell' "$(grep tpm-salt log)" ''
cp plain.cnf openssl.cnf
ok 'not pinned: signs' signs
is 'not pinned: said once, with the Name' \
    "$(sed -n 's/^tpm-salt .*key=\(0x[0-9a-f]*\) name=\([0-9a-f]*\).*/salt-key = \1 \2/p' log)" \
    "$(cat name.out)"
unset HWKEY_DEBUG

# --- a Name that is not the TPM's ---
echo "salt-key = 0x81000001 000b$(printf '5%.0s' {1..64})" >>openssl.cnf
rm -f sig
ok 'another Name: nothing is signed' no signs
like 'and why' "$(cat err)" 'not the expected one'
echo "tpm-sessions = never" >>openssl.cnf
ok 'who wants no sessions is not asked' signs
is 'nothing is left in the TPM' "$(in_device tpm tpm2_getcap handles-transient &&
    in_device tpm tpm2_getcap handles-loaded-session)" ''
done_testing
