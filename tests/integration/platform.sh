#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Profile platform: the factory makes the anchor, firmware disables the platform
# hierarchy, and the device joins whom the MASA approves and nobody else.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
openssl ecparam -name prime256v1 -genkey -noout -out "$WORLD/approval.key"
openssl ec -in "$WORLD/approval.key" -pubout -out "$WORLD/approval.pem" \
    2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out "$WORLD/other.key"
openssl ec -in "$WORLD/other.key" -pubout -out "$WORLD/other.pem" 2>/dev/null
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device with a TPM' device_tpm gateway TPM-0001 || bail 'no device'
factory() {
    in_device gateway "$BIN/idevid-factory" anchor --device tpm2: \
        --serial TPM-0001 "$@"
}
ok 'and a key that attests' device_iak gateway
ok 'the factory makes its anchor' factory "$WORLD/approval.pem"
ok 'and nothing more, asked again' factory "$WORLD/approval.pem"
fails 1 'another approval key' 'but not for another key' \
    factory "$WORLD/other.pem"

# --- at indices of one's own ---

indices() {
    in_device gateway tpm2_getcap handles-nv-index | tr '[:lower:]' '[:upper:]'
}
none_left() {
    ! indices | grep -q '1400A1[01]'
}
own() {
    factory --index 0x01400A11 --counter 0x01400A10 "$@"
}
fails 2 '--counter: .* is no NV index' 'a counter is an NV index' \
    factory --counter 0x81000000 "$WORLD/other.pem"
ok 'another anchor at other indices' own "$WORLD/other.pem"
like 'it is there' "$(indices)" '1400A11'
like 'and its counter' "$(indices)" '1400A10'
ok 'it is taken away again' own --remove "$WORLD/other.pem"
ok 'nothing of it is left' none_left
like 'the first one stays' "$(indices)" '1400A01'
ok 'firmware disables the platform hierarchy' in_device gateway \
    tpm2_hierarchycontrol -C p phEnable clear
printf 'profile = platform\napproval-key = %s\n' \
    "$WORLD/approval.pem" >>"$WORLD/gateway.ini"
join() {
    pledge gateway join --registrar "localhost:$REG_PORT"
}
not() {
    ! "$@"
}
refused() { # WHAT COMMAND ...
    local what=$1
    shift
    ok "$what" not "$@"
}
state() {
    pledge gateway --json status | sed -n 's/.*"state":"\([^"]*\)".*/\1/p'
}

# --- a MASA that approves nothing ---

# the registrar wants proof of the anchor, and has the key that approved it
eval "$(declare -f registrar_conf | sed '1s/registrar_conf/plain_conf/')"
registrar_conf() {
    plain_conf "$@"
    sed -i 's/^retry-after/evidence = require\n&/' "$WORLD/owner.ini"
    sed -i "s#^admit#approval-key = $WORLD/approval.pem\n&#" \
        "$WORLD/owner.maker.ini"
}

ok 'MASA learns of it' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start
refused 'without an approval it does not join' join
is 'it belongs to nobody' "$(state)" none

# --- one that does ---

kill "$MASA_PID"
wait "$MASA_PID" 2>/dev/null
APPROVAL_KEY=$WORLD/approval.key
ok 'MASA serves, with the approval key' masa_start
ok 'the device joins' join
is 'it is enrolled' "$(state)" enrolled
like 'the registrar has proof of the anchor, under the key that approved it' \
    "$(registrar show TPM-0001 --json)" '"evidence":"sound"'
like 'and says how strongly it is kept' "$(anchor gateway show 2>&1)" enforce
refused 'root cannot take the anchor away' in_device gateway \
    tpm2_nvundefine -C o 0x01400A01
sed -i "s|approval-key = .*|approval-key = $WORLD/other.pem|" \
    "$WORLD/gateway.ini"
like 'a replaced key is noticed' "$(anchor gateway check 2>&1)" \
    'another approval key'
done_testing
