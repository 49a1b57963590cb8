#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What holds for a model, a customer, a device: set while the MASA runs, and
# who set it; what it means for registrars that ask with curl.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
trap world_end EXIT

# asks NAME: a new request, with the pledge's own inside unless NO_PRIOR
asks() {
    if [ -n "$NO_PRIOR" ]; then
        request "$1" --nonce "$1"
    else
        pledge_request "$1" &&
            request "$1" --nonce "$1" --prior "$WORLD/pvr.vcj"
    fi && ask $BRSKI/requestvoucher "$1.vcj"
}
NO_PRIOR=''

# pledge_request NONCE: what the device itself says, of what it saw
pledge_request() {
    "$BIN/idevid-voucher" make --request --serial BARE-1 --nonce "$1" \
        --assertion proximity --proximity "$WORLD/registrar.pem" \
        --created-on "$(date -u +%FT%TZ)" -o "$WORLD/pvr.json" &&
        sign pvr idevid
}

world_begin
ok 'a MASA' bare_masa || bail 'no MASA'
openssl x509 -new -force_pubkey "$WORLD/idevid.pub" -days 300 \
    -subj /CN=device/serialNumber=BARE-1 -extfile "$WORLD/idevid.ext" \
    -CA "$WORLD/maker.pem" -CAkey "$WORLD/maker.key" -out "$WORLD/idevid.pem"
printf '{"serial-number":"BARE-1","idevid-issuer":"%s","model":"G 2"}\n' \
    "$(cat "$WORLD/issuer")" >"$WORLD/feed"
ok 'a device of a model' masa import "$WORLD/feed"
NO_PRIOR=1
is 'without proof' "$(asks one)" 200
ok 'from now on it takes one' masa policy set model 'G 2' proximity=yes
is 'R-M-10: without proof no more' "$(asks two)" 403
like 'R-M-23: a text says so' "$(cat "$REPLY_FILE")" '^no proof of proximity'
NO_PRIOR=
is 'R-M-10: with the device'"'"'s own request' "$(asks three)" 200
ok 'this one need not' masa policy set device BARE-1 proximity=no \
    device-hourly=5
NO_PRIOR=1
is 'without proof again' "$(asks four)" 200

# --- what is shown ----------------------------------------------------------

out=$(masa device show BARE-1)
like 'where a value is from: the device' "$out" \
    'proximity  *no  *(device BARE-1)'
like 'the configuration' "$out" 'claim  *no  *(configuration)'
ok 'it is taken back' masa policy clear device BARE-1 proximity
like 'the model' "$(masa device show BARE-1)" 'proximity  *yes  *(model G 2)'
is 'R-M-10: without proof no more' "$(asks five)" 403
out=$(masa policy show device BARE-1)
like 'who said so' "$out" 'unix:uid=[0-9]*  *proximity: taken back'
like 'and what is so' "$out" '  device-hourly  *5'
is 'all of them' "$(masa policy list | wc -l)" 2
is 'as JSON' "$(masa policy list --json | python3 -c 'import json, sys
print(sorted(json.loads(l)["setting"] for l in sys.stdin))')" \
    "['device-hourly', 'proximity']"

# --- what is no setting -----------------------------------------------------

fails 2 "there is no setting 'moon'" 'an unknown setting' \
    masa policy set model 'G 2' moon=full
fails 2 'pin: .all. is none of: farthest' 'an unknown value' \
    masa policy set model 'G 2' claim=yes pin=all
fails 2 'is none of: model, customer, device' 'an unknown kind' \
    masa policy set brand X claim=yes
fails 2 'not SETTING=VALUE' 'no value' masa policy set model 'G 2' claim
fails 1 'none, or several' 'a device that is not there' \
    masa policy set device NONE claim=yes
is 'nothing of that was taken' "$(masa policy list | wc -l)" 2

# --- who claims -------------------------------------------------------------

printf 'BARE-1,,Example Ltd\n' >"$WORLD/sales"
ok 'it is sold to a customer' masa sales "$WORLD/sales"
ok 'who has to claim' masa policy set customer 'Example Ltd' claim=yes
ok 'without proof' masa policy set customer 'Example Ltd' proximity=no
is 'R-M-35: not claimed' "$(asks six)" 403
ok 'claimed' masa owner claim BARE-1 "$WORLD/domain.pem"
is 'R-M-35: claimed' "$(asks seven)" 200
signer_of "$REPLY_FILE" >/dev/null
like 'verified' "$(cat "$WORLD/said.json")" '"assertion":"verified"'
request eight
is 'R-M-7: without nonce' "$(ask $BRSKI/requestvoucher eight.vcj)" 403
ok 'its owner may' masa policy set customer 'Example Ltd' nonceless=owner
is 'R-M-7: the owner without nonce' \
    "$(ask $BRSKI/requestvoucher eight.vcj)" 200
# --- where a domain comes from ----------------------------------------------

ok 'its owner is forgotten' masa owner forget BARE-1
ok 'domains are bound to their networks' masa policy set device BARE-1 \
    origin=bind claim=no nonceless=named
is 'R-M-40: at first sight' "$(asks ten)" 200
like 'R-M-40: from there' "$(masa origin show "$WORLD/domain.pem")" \
    '^127.0.0.0/24 *since '
like 'it has moved' "$(masa origin forget "$WORLD/domain.pem")" 'no network'
fails 2 'show CERT, or forget CERT' 'no such verb' masa origin lose \
    "$WORLD/domain.pem"
bare_stop
ok 'with no service' masa policy set model 'G 2' form=jws
ok 'another process' bare_start
is 'R-M-22: in that form' "$(asks nine)" 200
like 'it is JWS' "$(cat "$REPLY_FILE.head")" 'voucher-jws+json'
done_testing
