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
ok 'dishonest registrar' fake_world

# verdict NAME VOUCHER: what join says of it
verdict() {
    fake_start "$WORLD/$1.vcj" || return
    pledge camera --json join --registrar "localhost:$FAKE_PORT" 2>/dev/null |
        sed -n 's/.*"verdict":"\([^"]*\)".*/\1/p'
}

is 'R-P-36: serial number of another device' "$(verdict other-serial)" \
    serial-mismatch
is 'R-P-35: signed by a stranger' "$(verdict stranger)" signer-unknown
is 'R-P-47: pins a CA that did not sign this connection' \
    "$(verdict other-pin)" chain-mismatch
voucher_make expired TPM-0003 2020-01-01T00:00:00Z "$WORLD/fake.pem"
voucher_sign expired maker
is 'R-P-40: expired' "$(verdict expired)" expired
head -c 700 "$WORLD/other-pin.vcj" >"$WORLD/cut.vcj"
is 'R-P-18: cut off' "$(verdict cut)" format
like 'R-P-53: the failure is reported' "$(cat "$WORLD/fake.status")" \
    '"status":false'
fails 1 . 'R-P-48: exit code 1, one line' pledge camera join \
    --registrar "localhost:$FAKE_PORT"
like 'R-P-50: nothing was imprinted' "$(pledge camera status)" 'state *none'

ok 'rogue owner' rogue_world
fails 1 . 'R-M-35: sold to another owner, no voucher' pledge camera join \
    --registrar "localhost:$ROGUE_PORT"
like 'still as it left the factory' "$(pledge camera status)" 'state *none'
ok 'its own registrar still gets it' pledge camera join \
    --registrar "localhost:$REG_PORT"
done_testing
