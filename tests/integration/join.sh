#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device joins, on a TPM and on a token: the main job, and what follows.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device with a TPM' device_tpm gateway TPM-0001
ok 'device with a token' device_token router TOK-0002
ok 'a provisioned device is left as it is' provision gateway TPM-0001 tpm2:
fails 1 'TPM-0001' 'another serial number for it is refused' \
    provision gateway OTHER-1 tpm2:
fails 1 'already is TOK-0002' 'nor a serial number that another device has' \
    provision router TPM-0001 pkcs11:token=router
ok 'factory verifies the TPM device' in_device gateway \
    "$BIN/idevid-factory" verify "$WORLD/maker" --device tpm2:
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

for d in gateway router; do
    ok "$d joins" pledge "$d" join --registrar "localhost:$REG_PORT"
    like "$d is enrolled" "$(pledge "$d" status)" '^state *enrolled'
    before=$(cd "$WORLD/$d.state" && cat ./*.* | sha256sum)
    ok "R-P-2: $d: a second join" pledge "$d" join --registrar "localhost:$REG_PORT"
    is "$d: it changed nothing" "$(cd "$WORLD/$d.state" && cat ./*.* |
        sha256sum)" "$before"
    like "R-P-2: $d: nor did it ask for anything" "$(pledge "$d" --json join \
        --registrar "localhost:1")" '"result":"ok"'
done

like 'LDevID carries the serial number' "$(pledge gateway status --pem |
    openssl x509 -noout -subject -nameopt RFC2253)" 'serialNumber=TPM-0001'
ok 'LDevID opens mutual TLS with curl' ldevid_curl gateway
ok 'LDevID opens mutual TLS with openssl' ldevid_s_client router
is 'audit log: one voucher for each' "$(masa log | wc -l)" 2
like 'audit log: proximity' "$(masa log TPM-0001)" proximity
like 'registrar saw it through' "$(registrar log TPM-0001)" certificate-accepted
ok 'R-P-95: no private key outside token and TPM' no_key_on_disk

for f in "$WORLD/router.state/anchor.der"; do
    printf X | dd of="$f" bs=1 seek=100 conv=notrunc 2>/dev/null
done
fails 1 tampered 'a changed anchor file counts as tampered with' \
    pledge router status
fails 1 tampered 'and nothing is joined then' pledge router join \
    --registrar "localhost:$REG_PORT"
ok 'reset of what was tampered with' pledge router reset
like 'back to the factory state' "$(pledge router status)" 'state *none'
ok 'it joins again' pledge router join --registrar "localhost:$REG_PORT"

ok 'reset' pledge gateway reset
like 'R-P-96: reset leaves the factory state' "$(pledge gateway status)" 'state *none'
like 'it joins again, with four signatures of the device' \
    "$(pledge gateway --json join --registrar "localhost:$REG_PORT")" \
    '"signatures":4,'
is 'audit log: a second voucher' "$(masa log TPM-0001 | wc -l)" 2
is 'R-P-12, R-P-68: each start of the program has a nonce of its own' \
    "$(masa log --json | grep -o '"nonce":"[^"]*"' | sort -u | wc -l)" 4
done_testing
