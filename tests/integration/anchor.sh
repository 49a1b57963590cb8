#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# idevid-anchor in a TPM and in a token: what a user sees, and what is refused.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a TPM' device_tpm gateway TPM-0001
ok 'a device with a token' device_token router TOK-0002
ok 'owner' owner
ok 'a certificate of the owner, by hand' cp "$WORLD/owner/domain-ca.pem" \
    "$WORLD/ca.pem"

for d in gateway router; do
    like "$d: shows that it belongs to nobody" "$(anchor $d show)" 'state *none'
    fails 1 'not imprinted' "$d: check says so" anchor $d check
    fails 1 'physical-presence' "$d: no certificate without presence" \
        anchor $d imprint --certificate "$WORLD/ca.pem" </dev/null
    fails 1 'yes-i-am-present' "$d: nobody to ask" anchor $d imprint \
        --certificate "$WORLD/ca.pem" --physical-presence </dev/null
    ok "$d: imprinted by hand" anchor $d imprint --certificate \
        "$WORLD/ca.pem" --physical-presence --yes-i-am-present </dev/null
    like "$d: and it is logged" "$(cat "$tap_dir/err")" \
        'imprint-by-hand.*physical-presence=confirmed'
    like "$d: imprinted" "$(anchor $d show)" 'state *imprinted'
    like "$d: by hand" "$(anchor $d show)" 'voucher *none: imprinted by hand'
    ok "$d: check agrees" anchor $d check
    fails 1 'imprinted already' "$d: never again" anchor $d imprint \
        --certificate "$WORLD/ca.pem" --physical-presence \
        --yes-i-am-present </dev/null
    fails 1 '--yes' "$d: reset asks" anchor $d reset </dev/null
    ok "$d: still imprinted" anchor $d check
    ok "$d: reset" anchor $d reset --yes
    fails 1 'not imprinted' "$d: nothing is left" anchor $d check
    ok "$d: profile" anchor $d profile
done
done_testing
