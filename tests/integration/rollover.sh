#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An owner's CA is replaced, twice, and devices follow without a new imprint.
# With DEVICE=abrmd their TPMs are behind tpm2-abrmd.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT
[ "${DEVICE:-tpm}" = tpm ] ||
    TPM_CTL=$top_srcdir/hsm-configs/tpm2-abrmd/tpm2-abrmd-device

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device with a TPM' device_tpm gateway TPM-0001
ok 'device with a token' device_token router TOK-0002
ok 'a third one' device_tpm late TPM-0003
[ "${DEVICE:-tpm}" = tpm ] ||
    like 'behind its manager' "$(cat "$WORLD/gateway.env")" 'tabrmd'
ok 'MASA learns of them' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

stop() {
    kill "$REG_PID" && wait "$REG_PID"
    REG_PORT=
}
# again CA REGISTRAR: serves with these, at a port of its own
again() {
    stop
    sed -i -e '/^\[ca\]/,/^\[/s#^key = .*#key = pkcs11:token=owner;object='"$1"';type=private#' \
        -e '/^\[ca\]/,/^\[/s#^certificate = .*#certificate = '"$WORLD/owner/$1.pem"'#' \
        -e '/^\[registrar\]/,/^\[/s#^certificate = .*#certificate = '"$2"'#' \
        "$WORLD/owner.ini"
    start owner "$WORLD/owner.out" \
        "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
    REG_PID=$STARTED
    REG_PORT=$(wait_listening "$WORLD/owner.out" "$STARTED")
}
roll() {
    in_device owner "$@" "$BIN/idevid-registrar" rollover "$WORLD/owner" \
        --token pkcs11:token=owner
}
begins() {
    date -d "$(openssl x509 -in "$1" -noout -startdate | cut -d= -f2)" +%s
}
# alone N: the registrar's certificate under CA N, that CA's own behind it
alone() {
    {
        openssl x509 -in "$WORLD/owner/registrar-$1.pem"
        openssl x509 -in "$WORLD/owner/domain-ca-$1.pem"
    } >"$WORLD/owner/alone-$1.pem"
    echo "$WORLD/owner/alone-$1.pem"
}
renew() {
    pledge "$1" renew --registrar "localhost:$REG_PORT"
}
# issuer NAME: SHA-256 of the key that its LDevID is signed by
issuer() {
    pledge "$1" status --pem | openssl x509 -noout -ext authorityKeyIdentifier |
        sed -n 's/^ *\(keyid:\)*\([0-9A-F:]\{20,\}\)$/\2/p'
}
key_of() {
    openssl x509 -in "$1" -noout -ext subjectKeyIdentifier |
        sed -n 's/^ *\([0-9A-F:]\{20,\}\)$/\1/p'
}
pin() {
    pledge "$1" --json status | sed -n 's/.*"pin-sha256":"\([^"]*\)".*/\1/p'
}
count() {
    grep -c 'BEGIN CERT' "$1"
}

for d in gateway router late; do
    ok "$d joins" pledge "$d" join --registrar "localhost:$REG_PORT"
done
PINNED=$(pin gateway)

# --- the operator's command ---

ok 'rollover' roll
is 'four certificates: new and old, each by each' \
    "$(count "$WORLD/owner/domain-ca-2.pem")" 4
ok 'the new key is signed for by the old one' sh -c '
    csplit -s -f "$0/c" -z "$0/owner/domain-ca-2.pem" "/BEGIN/" "{*}"
    openssl verify -partial_chain -trusted "$0/owner/domain-ca.pem" "$0/c01" &&
    openssl verify -partial_chain -trusted "$0/c00" "$0/c02" &&
    cmp "$0/c03" "$0/owner/domain-ca.pem"' "$WORLD"
rm "$WORLD/owner/registrar-2.pem"
cp "$WORLD/owner/domain-ca-2.pem" "$WORLD/before.pem"
ok 'cut before the registrar: it is completed' roll
ok 'and the CA is the same' cmp "$WORLD/before.pem" \
    "$WORLD/owner/domain-ca-2.pem"

# --- devices follow ---

ok 'the new CA issues; the registrar is as it was' again domain-ca-2 \
    "$WORLD/owner/registrar.pem"
for d in gateway router; do
    ok "$d renews" renew $d
    is "$d: its certificate is of the new CA" "$(issuer $d)" \
        "$(key_of "$WORLD/owner/domain-ca-2.pem")"
    ok "$d keeps it beside the anchor" test -s "$WORLD/$d.state/rollover.json"
done
is 'the pin is what it was' "$(pin gateway)" "$PINNED"

ok 'the registrar under the new CA alone' again domain-ca-2 "$(alone 2)"
ok 'gateway believes it' renew gateway
ok 'router believes it' renew router
fails 1 'chain' 'late has not heard of it' renew late
ok 'the registrar as rollover has it' again domain-ca-2 \
    "$WORLD/owner/registrar-2.pem"
ok 'late follows' renew late
is 'late: its certificate is of the new CA' "$(issuer late)" \
    "$(key_of "$WORLD/owner/domain-ca-2.pem")"

# --- once more ---

# the newest one is the one to show, whatever the clock said when it was made
ok 'rollover, the clock an hour back' roll env CLOCK_SHIFT=-3600 \
    LD_PRELOAD="$BIN/.libs/clockshift.so"
ok 'its registrar begins later all the same' test \
    "$(begins "$WORLD/owner/registrar-3.pem")" -gt \
    "$(begins "$WORLD/owner/registrar-2.pem")"
is 'six certificates' "$(count "$WORLD/owner/domain-ca-3.pem")" 6
ok 'the third CA issues' again domain-ca-3 "$WORLD/owner/registrar-2.pem"
ok 'gateway renews' renew gateway
ok 'the registrar under the third CA alone' again domain-ca-3 "$(alone 3)"
ok 'gateway believes it' renew gateway
is 'gateway: its certificate is of the third CA' "$(issuer gateway)" \
    "$(key_of "$WORLD/owner/domain-ca-3.pem")"
is 'the pin is what it was' "$(pin gateway)" "$PINNED"

# --- what does not lead from the pin ---

ok 'another owner' owner rogue 'Example Networks'
ok 'rolls over, too' sh -c '. "$0/rogue.env"
    "$1/idevid-registrar" rollover "$0/rogue" --token pkcs11:token=rogue' \
    "$WORLD" "$BIN"
stop
registrar_start rogue >/dev/null
fails 1 'chain' 'its registrar is not believed' pledge gateway renew \
    --registrar "localhost:$ROGUE_PORT"
json=$WORLD/gateway.state/rollover.json
cp "$json" "$WORLD/saved.json"
sed -i 's/MII/MIJ/' "$json"
fails 1 'tampered: ' 'a changed file is tampered with' pledge gateway status
cp "$WORLD/router.state/rollover.json" "$json"
fails 1 'tampered: rollover: of another imprint' \
    'the file of another device as well' pledge gateway status
cp "$WORLD/saved.json" "$json"
like 'as it was, it is none' "$(pledge gateway status)" '^state *enrolled'
ok 'reset' pledge gateway reset
ok 'takes it away' test ! -e "$json"
done_testing
