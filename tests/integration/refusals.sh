#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a pledge refuses, each with its verdict, and nothing is left behind.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device' device_token camera TPM-0003
ok 'MASA learns of it' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start
OWNER_PID=$REG_PID
ok 'dishonest registrar' fake_world

# verdict R-ID NAME WANT: join with that voucher must end with that verdict
verdict() {
    fake_start "$WORLD/$2.vcj" || bail 'no dishonest registrar'
    is "$1: $2" "$(pledge camera --json join --registrar \
        "localhost:$FAKE_PORT" 2>/dev/null |
        sed -n 's/.*"verdict":"\([^"]*\)".*/\1/p')" "$3"
}

verdict R-P-36 other-serial serial-mismatch
verdict R-P-35 stranger signer-unknown
verdict R-P-47 other-pin registrar-not-pinned
voucher_make expired TPM-0003 2020-01-01T00:00:00Z "$WORLD/fake.pem"
voucher_sign expired maker
verdict R-P-40 expired expired
head -c 700 "$WORLD/other-pin.vcj" >"$WORLD/cut.vcj"
verdict R-P-18 cut format
like 'R-P-53: the failure is reported' "$(cat "$WORLD/fake.status")" \
    '"status":false'
fails 1 . 'R-P-48: exit code 1, one line' pledge camera join \
    --registrar "localhost:$FAKE_PORT"
like 'R-P-50: nothing was imprinted' "$(pledge camera status)" 'state *none'

ok 'rogue owner' rogue_world
fails 1 . 'R-M-35: sold to another owner, no voucher' pledge camera join \
    --registrar "localhost:$ROGUE_PORT"
like 'still as it left the factory' "$(pledge camera status)" 'state *none'
# a year ago it knew the time, or did not
year_ago() {
    in_device camera env CLOCK_SHIFT=-31536000 \
        LD_PRELOAD="$BIN/.libs/clockshift.so" "$BIN/idevid-pledge" \
        -c "$WORLD/camera.ini" --json join --registrar "localhost:$REG_PORT"
}
like 'R-P-41: nothing is valid yet to a clock that is a year slow' \
    "$(year_ago 2>&1)" '"verdict":"signer-unknown"'
like 'R-P-41: still as it left the factory' "$(pledge camera status)" \
    'state *none'
sed -i 's/^clock = .*/clock = none/' "$WORLD/camera.ini"
ok 'R-P-42: who does not trust that clock joins' year_ago
ok 'reset' pledge camera reset
sed -i 's/^clock = .*/clock = trusted/' "$WORLD/camera.ini"
sed -i 's/^\[policy\]/&\nrefuse-assertions = verified, proximity/' \
    "$WORLD/camera.ini"
like 'R-P-43: an assertion that policy refuses' "$(pledge camera --json join \
    --registrar "localhost:$REG_PORT" 2>/dev/null)" \
    '"verdict":"assertion-refused"'
sed -i '/^refuse-assertions/d' "$WORLD/camera.ini"
ok 'its own registrar still gets it' pledge camera join \
    --registrar "localhost:$REG_PORT"

# --- a CA that everybody trusts -------------------------------------------------

is 'R-S-22: a CA of its own is nothing to warn of' \
    "$(grep -c public-ca "$WORLD/owner.out.err")" 0
kill "$OWNER_PID" && wait "$OWNER_PID"
SSL_CERT_FILE=$WORLD/owner/domain-ca.pem
export SSL_CERT_FILE
ok 'R-S-22: a registrar below a CA that the system trusts serves' \
    registrar_start
like 'R-S-22: and warns of what a voucher would pin' \
    "$(cat "$WORLD/owner.out.err")" 'public-ca.*certificate=.*Domain CA.*pins'
done_testing
