#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bad input: one clear line, the documented exit code, nothing half-done.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device' device_token router TOK-1
reg=localhost:1

# --- PIN, token, URI
echo 999999 >"$WORLD/wrong"
chmod 600 "$WORLD/wrong"
sed "s#pin-file = .*#pin-file = $WORLD/wrong#" "$WORLD/router.ini" \
    >"$WORLD/wrongpin.ini"
# the environment's PIN file would win
sed '/HWKEY_PIN_FILE/d' "$WORLD/router.env" >"$WORLD/nopin.env"
fails 3 'PIN' 'a wrong PIN is named' in_device nopin \
    "$BIN/idevid-pledge" -c "$WORLD/wrongpin.ini" join --registrar "$reg"
spy=$(find /usr/lib -name pkcs11-spy.so -print -quit)
in_device nopin env HWKEY_PKCS11_MODULE="$spy" \
    PKCS11SPY=/usr/lib/softhsm/libsofthsm2.so PKCS11SPY_OUTPUT="$WORLD/spy" \
    "$BIN/idevid-pledge" -c "$WORLD/wrongpin.ini" join --registrar "$reg" \
    >/dev/null 2>&1
is 'and tried once only' "$(grep -c ': C_Login' "$WORLD/spy")" 1
ok 'the token is not locked' pledge router status
fails 3 'nosuch' 'a missing token is named' in_device router \
    "$BIN/idevid-device" show pkcs11:token=nosuch
fails 2 'nosuch:thing' 'an unknown URI is named' in_device router \
    "$BIN/idevid-device" show nosuch:thing
fails 2 'pkcs11:' 'a malformed URI is named' in_device router \
    "$BIN/idevid-device" show 'pkcs11:token=%zz'
fails 3 'no-such-tpm' 'a missing TPM is named' env \
    HWKEY_TCTI=swtpm:path=/no-such-tpm "$BIN/idevid-device" show tpm2:

# --- files
head -c 200 "$WORLD/maker/issuing-ca.pem" >"$WORLD/cut.pem"
fails 1 'cut.pem' 'a truncated certificate is named' \
    "$BIN/idevid-voucher" verify -a "$WORLD/cut.pem" "$WORLD/router.ini"
fails 1 'router.ini' 'a file that is no voucher is named' \
    "$BIN/idevid-voucher" inspect "$WORLD/router.ini"
fails 5 'nowhere' 'a missing file is named' \
    "$BIN/idevid-voucher" inspect "$WORLD/nowhere"

# --- configuration
fails 5 'nowhere.ini' 'a configuration that is not there' \
    "$BIN/idevid-pledge" -c "$WORLD/nowhere.ini" status
printf '[device]\nurl = tpm2:\n' >"$WORLD/bad.ini"
fails 2 'bad.ini:2:' 'an unknown key, with file and line' \
    "$BIN/idevid-pledge" -c "$WORLD/bad.ini" status
printf '[idevid]\nanchors = x\n[policy]\nattempts = many\n' >"$WORLD/bad.ini"
fails 2 'bad.ini:4:' 'a bad value, with file and line' \
    "$BIN/idevid-pledge" -c "$WORLD/bad.ini" --test
fails 2 'frobnicate' 'an unknown command' "$BIN/idevid-pledge" frobnicate
fails 2 '--frob' 'an unknown option' "$BIN/idevid-pledge" join --frob

# --- network
fails 4 '127.0.0.1:1' 'nobody listens there' pledge router join \
    --registrar 127.0.0.1:1
sed "s/^listen = .*/listen = 127.0.0.1:$MASA_PORT/" "$WORLD/masa.ini" \
    >"$WORLD/masa2.ini"
fails 4 "127.0.0.1:$MASA_PORT" 'a port in use is named' in_device maker \
    "$BIN/idevid-masa" -q -c "$WORLD/masa2.ini" run

# --- no room
if [ "$(id -u)" = 0 ] && mkdir "$WORLD/small" &&
    mount -t tmpfs -o size=2m tmpfs "$WORLD/small" 2>/dev/null; then
    dd if=/dev/zero of="$WORLD/small/fill" bs=1k count=2048 2>/dev/null
    sed "s#^directory = .*#directory = $WORLD/small/state#" \
        "$WORLD/router.ini" >"$WORLD/full.ini"
    sed -e "s#^database = .*#database = $WORLD/small/masa.db#" \
        -e 's#^admin = .*#admin =#' "$WORLD/masa.ini" >"$WORLD/masa3.ini"
    fails 5 'small' 'a full disk is named' in_device maker \
        "$BIN/idevid-masa" -c "$WORLD/masa3.ini" list
    rm "$WORLD/small/fill"
    ok 'with room again it goes on' in_device maker \
        "$BIN/idevid-masa" -c "$WORLD/masa3.ini" list
    umount "$WORLD/small"
else
    skip 'a full disk is named' 'needs root to mount a small tmpfs'
    skip 'with room again it goes on' 'needs root to mount a small tmpfs'
fi
fails 5 'standard output' 'a full standard output' sh -c \
    '"$1" --sample >/dev/full' - "$BIN/idevid-masa"

# --- a file planted under the name of a device URI
mkdir "$WORLD/planted"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
    -out "$WORLD/planted/pkcs11:token=router;object=idevid;type=private" \
    2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
    -out "$WORLD/planted/pkcs11:token=nosuch" 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
    -out "$WORLD/planted/tpm2:handle=0x81020000" 2>/dev/null
rm_keys() { rm -f "$WORLD"/planted/*; }
"$BIN/idevid-voucher" make --serial X -o "$WORLD/x.json"
fails 3 nosuch 'a planted key file is not loaded (token)' in_device router \
    sh -c 'cd "$1" && exec "$2" sign "$3" -k pkcs11:token=nosuch -c "$4"' - \
    "$WORLD/planted" "$BIN/idevid-voucher" "$WORLD/x.json" \
    "$WORLD/maker/masa.pem"
fails 3 . 'a planted key file is not loaded (TPM)' env \
    HWKEY_TCTI=swtpm:path=/no-such-tpm sh -c \
    'cd "$1" && exec "$2" sign "$3" -k tpm2:handle=0x81020000 -c "$4"' - \
    "$WORLD/planted" "$BIN/idevid-voucher" "$WORLD/x.json" \
    "$WORLD/maker/masa.pem"
rm_keys
done_testing
