#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A domain whose CA is in a TPM: only for those who accept that it dies with
# the mainboard.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok "the owner's machine has a TPM" tpm_up owner || bail 'no TPM'
init() {
    in_device owner "$BIN/idevid-registrar" init "$WORLD/owner" \
        --domain 'Example Networks' "$@"
}

# --- refused ---
fails 2 'dies with the mainboard.*--accept-loss' \
    'a CA in a TPM only with the word for it' init --device tpm2:
ok 'nothing was made' test ! -e "$WORLD/owner"
fails 2 'tpm2:handle=0x81020099: the TPM here is tpm2:' 'no handle is given' \
    init --device tpm2:handle=0x81020099 --accept-loss
fails 2 'neither:: not a pkcs11: URI' 'what is no device' init --device neither:
fails 2 '--device URI and --domain' 'none' init
rm -rf "$WORLD/owner"

# --- made ---
ok 'with that word it is made' init --device tpm2: --accept-loss
like 'its keys are in the TPM' "$(cat "$WORLD/owner/registrar.ini")" \
    '^key = tpm2:handle=0x8102004[01]$'
ok 'and nowhere else' no_key_on_disk
before=$(cat "$WORLD/owner"/*.pem)
ok 'made again, it is kept' init --device tpm2: --accept-loss
is 'as it was' "$(cat "$WORLD/owner"/*.pem)" "$before"

# --- in use ---
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device' device_token router TOK-1
ok 'MASA learns of it' learn_devices
registrar_conf() {
    local r=$WORLD/owner
    cat >"$WORLD/owner.maker.ini" <<EOF
[maker]
name = acme
idevid-anchors = $WORLD/idevid-anchors.pem
admit = all
[masa]
anchors = $WORLD/maker/anchors.pem
client-certificate = yes
EOF
    sed -e 's/127.0.0.1:8443/127.0.0.1:0/' \
        -e "s#^\[server\]#&\nadmin = $WORLD/owner.sock\nworkers = 1#" \
        -e "s%^# makers = .*%makers = $WORLD/owner.maker.ini\nretry-after = 1%" \
        "$r/registrar.ini" >"$r/run.ini"
    ln -sf owner/run.ini "$WORLD/owner.ini"
    sed -i "s#^certificate = #&$r/#; s#^database = #&$r/#" "$r/run.ini"
}
ok 'the registrar serves' registrar_start || bail 'no registrar'
ok 'a device joins' pledge router join --registrar "localhost:$REG_PORT"
like 'and is enrolled' "$(pledge router status)" 'state *enrolled'

# --- another CA ---
fails 2 'rollover: .*--accept-loss' 'the next one only with that word, too' \
    in_device owner "$BIN/idevid-registrar" rollover "$WORLD/owner" \
    --device tpm2:
ok 'with it there is one' in_device owner "$BIN/idevid-registrar" \
    rollover "$WORLD/owner" --device tpm2: --accept-loss
ok 'which the first one signs for' openssl verify \
    -CAfile "$WORLD/owner/domain-ca.pem" \
    -untrusted "$WORLD/owner/registrar-2.pem" "$WORLD/owner/registrar-2.pem"
done_testing
