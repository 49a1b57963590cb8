#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The maker's trust anchors that a device was made with: remembered by TPM and
# token, by whom one likes, and another file is refused.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

seal() {
    local name=$1 uri=$2
    shift 2
    in_device "$name" "$BIN/idevid-factory" seal --device "$uri" "$@"
}
join() {
    pledge "$1" -v join --registrar "localhost:$REG_PORT"
}
# NAME FILE [required]: its configuration with that file
with_file() {
    pledge_conf "$1" "${uri[$1]}"
    sed -i "s|^anchors = .*|anchors = $WORLD/$2|" "$WORLD/$1.ini"
    [ $# -lt 3 ] ||
        printf '[anchor]\nmaker-anchors = required\n' >>"$WORLD/$1.ini"
}
hash_of() {
    openssl x509 -in "$1" -outform DER | sha256sum | cut -d' ' -f1
}

declare -A uri=([gateway]=tpm2: [router]=pkcs11:token=router)
world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a TPM' device_tpm gateway TPM-0001
ok 'a device with a token' device_token router TOK-0002
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

# --- files: the true one, the same in other words, a stranger's, both
true=$WORLD/maker/voucher-anchors.pem
{
    echo 'the same, with words around it, twice'
    cat "$true"
    echo
    cat "$true"
} >"$WORLD/same.pem"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj '/CN=stranger' -keyout "$WORLD/s.key" -out "$WORLD/stranger.pem" \
    2>/dev/null
cat "$true" "$WORLD/stranger.pem" >"$WORLD/both.pem"

for d in gateway router; do
    with_file "$d" same.pem required
    fails 1 'maker-anchors = required' "$d remembers none and must" join "$d"
    with_file "$d" same.pem
    ok "$d: sealed" seal "$d" "${uri[$d]}" "$true"
    like "$d: sealed again, with what it is" \
        "$(seal "$d" "${uri[$d]}" --json "$WORLD/same.pem")" \
        "\"sha256\":\"$(hash_of "$true")\""
    fails 1 "$(hash_of "$true")" "$d: not with another" \
        seal "$d" "${uri[$d]}" "$WORLD/stranger.pem"
    with_file "$d" stranger.pem
    fails 1 "$(hash_of "$WORLD/stranger.pem")" "$d: a stranger's file" join "$d"
    fails 1 "$(hash_of "$true")" "$d: and what it was made with" join "$d"
    with_file "$d" both.pem
    fails 1 'not the maker' "$d: an anchor added to the file" join "$d"
    like "$d: nothing was begun" "$(pledge "$d" status)" 'state *none'
    with_file "$d" same.pem required
    ok "$d joins with the same in other words" join "$d"
    ok "$d: reset" pledge "$d" reset
done

fails 2 'no platform' 'a token has no platform' \
    seal router "${uri[router]}" --platform "$true"
fails 2 'no security officer' 'a TPM has no officer' \
    seal gateway tpm2: --so "$true"
fails 2 'no NV index' 'an index that is none' \
    seal gateway tpm2: --index 0x81000001 "$true"

# --- of the owner: an attacker who is one can replace it, as the manual says
nv_undefine() {
    in_device gateway tpm2_nvundefine -Q -C "$1" "$2"
}
ok 'the owner removes it' nv_undefine o 0x01800A02
with_file gateway stranger.pem
ok 'and seals a file of his own' seal gateway tpm2: "$WORLD/stranger.pem"
with_file gateway same.pem
fails 1 'not the maker' 'the true file is the wrong one now' join gateway

# --- of the platform: it decides, and the owner has nothing to say
ok 'the platform seals, whatever the owner has' \
    seal gateway tpm2: --platform "$true"
fails 1 "$(hash_of "$true")" 'once and for all' \
    seal gateway tpm2: --platform "$WORLD/stranger.pem"
with_file gateway stranger.pem
fails 1 '0x01400A02' 'his file is refused all the same' join gateway
not() {
    ! "$@" >/dev/null 2>&1
}
ok 'he cannot remove that of the platform' not nv_undefine o 0x01400A02
with_file gateway same.pem required
ok 'the device joins' join gateway
ok 'reset' pledge gateway reset
done_testing
