#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# idevid-anchor imprint: by a voucher, judged as the pledge does, and by hand,
# by a person at a terminal; every input that is wrong.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

# voucher NAME SERIAL PIN MAKE-OPTION ...: made, and signed by the MASA
voucher() {
    local name=$1 serial=$2 pin=$3
    shift 3
    "$BIN/idevid-voucher" make --serial "$serial" --assertion logged \
        --created-on "$(date -u +%FT%TZ)" --pin "$pin" "$@" \
        -o "$WORLD/$name.json" && voucher_sign "$name" maker
}

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a TPM' device_tpm gateway TPM-0001
ok 'a device with a token' device_token router TOK-0002
ok 'owner' owner
ca=$WORLD/owner/domain-ca.pem
chain=$WORLD/owner/registrar.pem
soon=$(date -u -d '+10 minutes' +%FT%TZ)
ok 'a stranger' fake_world
ok 'a voucher with a nonce' voucher nonced TPM-0001 "$ca" --nonce 'A B+c/=='
ok 'one without' voucher free TPM-0001 "$ca" --expires-on "$soon"
ok 'one without that never ends' voucher endless TPM-0001 "$ca"
ok 'one that has ended' voucher ended TPM-0001 "$ca" \
    --expires-on 2026-01-01T00:00:00Z
ok 'one for another device' voucher other TOK-0002 "$ca" --expires-on "$soon"
by_voucher() {
    local name=$1 file=$2
    shift 2
    anchor "$name" imprint --voucher "$WORLD/$file" --tls-chain "$chain" "$@"
}

# --- what the pledge would refuse
fails 1 'nonce-mismatch' 'a nonce that was not asked for' \
    by_voucher gateway nonced.vcj
fails 1 'nonce-mismatch' 'another nonce' \
    by_voucher gateway nonced.vcj --nonce 'A B+c/='
fails 1 'nonceless' 'no nonce, no end' by_voucher gateway endless.vcj
fails 1 'expired' 'too late' by_voucher gateway ended.vcj
fails 1 'serial-mismatch' 'for another device' by_voucher gateway other.vcj
fails 1 'signature\|signer-unknown' 'signed by a stranger' \
    by_voucher gateway stranger.vcj
fails 1 'registrar-not-pinned' 'another registrar' anchor gateway imprint \
    --voucher "$WORLD/free.vcj" --tls-chain "$WORLD/fake.pem"
ok 'a member of the domain that is no registrar' voucher member TPM-0001 \
    "$ca" --expires-on "$soon"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -keyout "$WORLD/ca2-key.pem" -out "$WORLD/ca2.pem" -subj '/CN=Second CA' \
    2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=host \
    -keyout "$WORLD/host-key.pem" -out "$WORLD/host.csr" 2>/dev/null
openssl x509 -req -in "$WORLD/host.csr" -CA "$WORLD/ca2.pem" \
    -CAkey "$WORLD/ca2-key.pem" -out "$WORLD/host.pem" -days 1 2>/dev/null
ok 'a voucher for its CA' voucher second TPM-0001 "$WORLD/ca2.pem" \
    --expires-on "$soon"
fails 1 'no registration authority' 'it does not speak for its domain' \
    anchor gateway imprint --voucher "$WORLD/second.vcj" \
    --tls-chain "$WORLD/host.pem"
sed 's/^\[policy\]/&\nrefuse-nonceless = yes/' "$WORLD/gateway.ini" \
    >"$WORLD/strict.ini"
cp "$WORLD/gateway.env" "$WORLD/strict.env"
fails 1 'nonceless' 'no nonce, where policy wants one' \
    by_voucher strict free.vcj

# --- files and options
fails 1 'free.json.*not signed' 'a voucher nobody signed' \
    by_voucher gateway free.json
fails 1 'fake.pem' 'a file that is no voucher' by_voucher gateway fake.pem
fails 5 'nowhere' 'a file that is not there' by_voucher gateway nowhere
fails 1 'free.vcj' 'a chain that is none' anchor gateway imprint \
    --voucher "$WORLD/free.vcj" --tls-chain "$WORLD/free.vcj"
fails 2 'tls-chain' 'a voucher without its connection' anchor gateway imprint \
    --voucher "$WORLD/free.vcj"
fails 2 'voucher FILE' 'nothing to imprint on' anchor gateway imprint
fails 2 'voucher FILE' 'two things at once' anchor gateway imprint \
    --voucher "$WORLD/free.vcj" --certificate "$ca"
fails 2 'presence' 'a voucher and presence' \
    by_voucher gateway free.vcj --physical-presence
fails 2 'without a voucher' 'a certificate and a nonce' anchor gateway \
    imprint --certificate "$ca" --physical-presence --nonce x
cat "$ca" "$WORLD/fake.pem" >"$WORLD/two.pem"
fails 1 'two.pem: 2 certificates' 'two certificates' anchor gateway imprint \
    --certificate "$WORLD/two.pem" --physical-presence --yes-i-am-present
like 'nothing of all this has imprinted it' "$(anchor gateway show)" \
    'state *none'

# --- configuration and device
for wrong in 'profile = palace' 'cap = noon' 'cap = pcr:24' 'cap = pcr:23' \
    'gate-pcrs = 7, 99' 'index = 0x81000000' 'counter = many' \
    'maker-anchors = maybe'; do
    { cat "$WORLD/gateway.ini" && printf '[anchor]\n%s\n' "$wrong"; } \
        >"$WORLD/wrong.ini"
    cp "$WORLD/gateway.env" "$WORLD/wrong.env"
    fails 2 "wrong.ini:$(grep -c '' "$WORLD/wrong.ini"):" \
        "a configuration with $wrong" anchor wrong check
done
sed '/HWKEY_PIN_FILE/d' "$WORLD/router.env" >"$WORLD/nopin.env"
sed '/pin-file/d' "$WORLD/router.ini" >"$WORLD/nopin.ini"
fails 3 'PIN' 'no PIN' anchor nopin imprint --certificate "$ca" \
    --physical-presence --yes-i-am-present </dev/null
echo "export HWKEY_TCTI=swtpm:path=/no-such-tpm" >"$WORLD/notpm.env"
cp "$WORLD/gateway.ini" "$WORLD/notpm.ini"
fails 3 'no-such-tpm' 'no TPM' anchor notpm show

# --- what is accepted
ok 'with the nonce that was asked for' by_voucher gateway nonced.vcj \
    --nonce 'A B+c/=='
shown=$(anchor gateway show)
like 'imprinted' "$shown" 'state *imprinted'
like 'on the owner' "$shown" 'pin .*Example Networks'
like 'by that voucher' "$shown" 'voucher .*TPM-0001.*logged.*with a nonce'
ok 'check agrees' anchor gateway check
ok 'left again' anchor gateway reset --yes
ok 'without a nonce' by_voucher gateway free.vcj
like 'and it shows' "$(anchor gateway show)" 'voucher .*without a nonce'
ok 'left' anchor gateway reset --yes

# --- the pledge, by a voucher from a file, before there is a registrar
offline() { pledge gateway join --voucher "$WORLD/$1"; }
sed -i 's/^\[policy\]/[discovery]\nmethod = none\n&/' "$WORLD/gateway.ini"
fails 1 'nonced.vcj.*nonce-mismatch' 'R-P-38: not one for another request' \
    offline nonced.vcj
fails 1 'expired' 'R-P-40: none that has ended' offline ended.vcj
fails 1 'serial-mismatch' 'R-P-36: nor another device'"'"'s' offline other.vcj
fails 1 'signature\|signer-unknown' 'R-P-35: nor a stranger'"'"'s' \
    offline stranger.vcj
fails 1 'free.json.*not signed' 'nor one that nobody signed' offline free.json
like 'nothing happened' "$(pledge gateway status)" 'state *none'
ok 'R-P-39: one without a nonce imprints' offline free.vcj
like 'it is imprinted on the owner' "$(anchor gateway show)" \
    'pin .*Example Networks'
fails 1 'imprinted already' 'not twice' offline free.vcj
ok 'reset' pledge gateway reset

# --- at a terminal (script makes one)
at_terminal() {
    local answer=$1
    shift
    printf '%s\n' "$answer" | in_device gateway script -qec "$*" /dev/null
}
by_hand="$BIN/idevid-anchor -c $WORLD/gateway.ini imprint --certificate $ca \
    --physical-presence"
asked_at_a_terminal() {
    local said fingerprint
    like 'another word is no consent' "$(at_terminal yes "$by_hand")" \
        'not confirmed'
    like 'nor is the option, where somebody can be asked' \
        "$(at_terminal no "$by_hand --yes-i-am-present")" 'not confirmed'
    like 'nothing happened' "$(anchor gateway show)" 'state *none'
    said=$(at_terminal present "$by_hand")
    fingerprint=$(openssl x509 -in "$ca" -outform DER | sha256sum |
        cut -d' ' -f1)
    like 'the fingerprint is on the screen' "$said" "$fingerprint"
    like 'the word was taken' "$said" 'state *imprinted'
    like 'and it is logged' "$said" \
        'imprint-by-hand.*physical-presence=confirmed'
    said=$(at_terminal no "$BIN/idevid-anchor -c $WORLD/gateway.ini reset")
    like 'a reset says what dies' "$said" 'trust anchor.*Example Networks'
    like 'and does nothing against a no' "$(anchor gateway show)" \
        'state *imprinted'
    ok 'a yes' at_terminal yes "$BIN/idevid-anchor -c $WORLD/gateway.ini reset"
    like 'gone' "$(anchor gateway show)" 'state *none'
}
# Root at a terminal, the fingerprint given, and only where the configuration
# lets him.
present_at_a_terminal() {
    local by_pledge sha256
    sha256=$(openssl x509 -in "$ca" -noout -fingerprint -sha256 | cut -d= -f2)
    by_pledge="$BIN/idevid-pledge -c $WORLD/gateway.ini imprint \
        --certificate $ca --fingerprint"
    like 'R-P-52: not unless configured' \
        "$(at_terminal present "$by_pledge $sha256")" 'presence = no'
    sed -i 's/^\[policy\]/&\npresence = yes/' "$WORLD/gateway.ini"
    fails 1 'terminal' 'R-P-50: nor without a terminal' pledge gateway \
        imprint --certificate "$ca" --fingerprint "$sha256"
    like 'R-P-52: nor with another fingerprint' \
        "$(at_terminal present "$by_pledge 00${sha256:2}")" 'not the one given'
    like 'nor without the word' "$(at_terminal yes "$by_pledge $sha256")" \
        'not confirmed'
    like 'nothing happened' "$(pledge gateway status)" 'state *none'
    like 'R-P-51: who stands at the device imprints it' \
        "$(at_terminal present "$by_pledge $sha256")" \
        'imprint-by-hand.*physical-presence=confirmed'
    like 'the record says that there was no voucher' \
        "$(anchor gateway show)" 'voucher *none'
    like 'R-P-52: once' "$(at_terminal present "$by_pledge $sha256")" \
        'imprinted already'
    ok 'reset' pledge gateway reset
}
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    asked_at_a_terminal
    if [ "$(id -u)" = 0 ]; then
        present_at_a_terminal
    else
        skip 'imprinting by presence' 'not root'
    fi
else
    skip 'what is asked at a terminal' 'no pseudo-terminal to be had here'
fi
done_testing
