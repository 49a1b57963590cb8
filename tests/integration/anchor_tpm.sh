#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The anchor in a TPM when something is wrong with it, or with the TPM: each
# named, each with its way out.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

by_hand() {
    local name=$1
    shift
    anchor "$name" imprint --certificate "$WORLD/owner/domain-ca.pem" \
        --physical-presence --yes-i-am-present "$@" </dev/null
}
tpm() {
    in_device gateway "$@" >/dev/null
}
power_cycle() {
    "$TPM_CTL" reset "$WORLD/gateway.tpm" >/dev/null
}
# Everything of the anchor is gone from TPM and disk, whatever it was.
clean() {
    anchor gateway reset --yes >/dev/null
}
state=
damaged() {
    fails 1 "$2" "check: $1" anchor gateway check
    like "show: $1" "$(anchor gateway show 2>&1)" 'state *tampered'
    fails 1 'tampered' "join: $1" pledge gateway join --registrar localhost:1
}

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device' device_tpm gateway TPM-0001
ok 'owner' owner
state=$WORLD/gateway.state

# --- what show says
ok 'imprinted' by_hand gateway
shown=$(anchor gateway show)
like 'the profile' "$shown" 'profile *owner'
like 'what it is worth' "$shown" 'assurance *detect'
like 'its generation' "$shown" 'generation *1$'
like 'not capped before a reset of the TPM' "$shown" 'capped *no'
like 'the owner hierarchy is open' "$shown" 'owner-value *empty'
like 'no lockout' "$shown" 'in-lockout *no'
ok 'the TPM is switched off and on' power_cycle
like 'now it is' "$(anchor gateway show)" 'capped *yes'
like 'JSON has it too' "$(anchor gateway --json show)" \
    '"state":"imprinted".*"profile":"owner".*"capped":true'
like 'so does idevid-device' "$(in_device gateway "$BIN/idevid-device" show)" \
    'profile *owner (detect)'

# --- files
cp -r "$state" "$WORLD/kept"
restore() {
    cp "$WORLD/kept/"* "$state/"
}
rm "$state/anchor.der"
damaged 'no certificate' 'anchor.der is missing'
restore
openssl x509 -in "$WORLD/maker/issuing-ca.pem" -outform DER \
    -out "$state/anchor.der"
damaged 'another certificate' 'anchor.der is not what the record seals'
restore
ok 'put back, it is as it was' anchor gateway check

# --- the TPM
ok 'root removes the index' tpm tpm2_nvundefine 0x01800A01 -C o
damaged 'no index' 'the anchor is gone'
ok 'reset takes the rest away' clean
fails 1 'not imprinted' 'and nobody is the owner' anchor gateway check
ok 'imprinted again' by_hand gateway
ok 'root clears the TPM' tpm tpm2_clear -c p
damaged 'a TPM that was cleared' 'the anchor is gone'
ok 'reset' clean
ok 'imprinted' by_hand gateway
like 'the generation went on' "$(anchor gateway show)" 'generation *[3-9]'
ok 'root counts on' tpm tpm2_nvincrement 0x01800A00 -C o
fails 1 'reset was cut short' 'that is a reset' anchor gateway check
ok 'and is completed as one' clean
fails 1 'not imprinted' 'nothing is left' anchor gateway check

ok 'imprinted once more' by_hand gateway
ok 'root puts another index in the place of the counter' tpm sh -c \
    'tpm2_nvundefine 0x01800A00 -C o && tpm2_nvdefine 0x01800A00 -C o -s 8 \
    -a "ownerwrite|ownerread|authread" && printf "\0\0\0\0\0\0\0\7" |
    tpm2_nvwrite 0x01800A00 -C o -i -'
damaged 'no counter' 'the generation, is no counter'
ok 'root removes it' tpm tpm2_nvundefine 0x01800A00 -C o
damaged 'the counter is missing' 'the generation counter, is missing'
ok 'reset takes away what it finds' clean
fails 1 'not imprinted' 'all of it' anchor gateway check

# --- room
fill() {
    local i=0
    while in_device gateway tpm2_nvdefine $((0x01900000 + i)) -C o -s "$1" \
        -a 'ownerwrite|ownerread' >/dev/null 2>&1; do
        i=$((i + 1))
        [ $i -lt 200 ] || return 1
    done
}
empty() {
    local i=0
    while in_device gateway tpm2_nvundefine $((0x01900000 + i)) -C o \
        >/dev/null 2>&1; do
        i=$((i + 1))
    done
}
ok 'the NV is filled up' fill 2048
fill_more() {
    local i=0
    while in_device gateway tpm2_nvdefine $((0x01901000 + i)) -C o -s 8 \
        -a 'ownerwrite|ownerread' >/dev/null 2>&1; do
        i=$((i + 1))
        [ $i -lt 500 ] || return 1
    done
    filled=$i
}
ok 'to the last' fill_more
fails 3 'no room' 'no room for an anchor' by_hand gateway
like 'nothing has happened' "$(anchor gateway show)" 'state *none'
for ((i = 0; i < filled; i++)); do
    in_device gateway tpm2_nvundefine $((0x01901000 + i)) -C o >/dev/null
done
empty
ok 'with room, imprinted' by_hand gateway

# --- lockout
ok 'a value that counts' tpm sh -c 'tpm2_nvdefine 0x01900000 -C o -s 8 \
    -a "authwrite|authread" -p good && tpm2_dictionarylockout \
    --setup-parameters --max-tries=1 --recovery-time=1000 \
    --lockout-recovery-time=1000'
in_device gateway tpm2_nvwrite 0x01900000 -C 0x01900000 -P wrong \
    -i /dev/null >/dev/null 2>&1
in_device gateway tpm2_nvread 0x01900000 -C 0x01900000 -P wrong >/dev/null 2>&1
like 'the TPM locks up' "$(anchor gateway show)" 'in-lockout *yes'
ok 'the anchor is read all the same' anchor gateway check
ok 'and reset' clean
ok 'and made' by_hand gateway
ok 'the lockout ends' tpm tpm2_dictionarylockout --clear-lockout
ok 'left' clean
ok 'that index goes' tpm tpm2_nvundefine 0x01900000 -C o

ok 'somebody else uses the index' tpm tpm2_nvdefine 0x01800A01 -C o -s 8 \
    -a 'ownerwrite|ownerread|authread'
fails 1 '0x01800[aA]01' 'it is not touched' by_hand gateway
printf '[anchor]\nindex = 0x01800B01\ncounter = 0x01800B00\n' |
    cat "$WORLD/gateway.ini" - >"$WORLD/elsewhere.ini"
cp "$WORLD/gateway.env" "$WORLD/elsewhere.env"
ok 'another place is the way out' by_hand elsewhere
ok 'and holds' anchor elsewhere check
ok 'left' anchor elsewhere reset --yes
ok 'theirs is still there' tpm tpm2_nvreadpublic 0x01800A01
ok 'they go' tpm tpm2_nvundefine 0x01800A01 -C o

ok 'the owner hierarchy gets a value' tpm tpm2_changeauth -c owner secret
fails 3 'owner' 'nothing can be made without it' by_hand gateway
like 'show says so' "$(anchor gateway show)" 'owner-value *set'
printf 'secret\n' >"$WORLD/owner-value"
chmod 600 "$WORLD/owner-value"
sed "s#^\[device\]#&\nowner-pin-file = $WORLD/owner-value#" \
    "$WORLD/gateway.ini" >"$WORLD/owned.ini"
cp "$WORLD/gateway.env" "$WORLD/owned.env"
ok 'with it, imprinted' by_hand owned
ok 'read without it' anchor gateway check
ok 'the value is taken away' tpm tpm2_changeauth -c owner -p secret
ok 'reset' clean
done_testing
