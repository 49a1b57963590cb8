#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A MASA over HTTP: requests in each form and the answers to them, read by
# programs that are not ours.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
trap world_end EXIT

media_of() {
    sed -n 's/^content-type: *\([^;[:space:]]*\).*/\1/Ip' "$REPLY_FILE.head"
}

world_begin
ok 'a MASA' bare_masa || bail 'no MASA'
request raw --nonce aaa
is 'a request in CMS' "$(ask $BRSKI/requestvoucher raw.vcj)" 200
is 'a voucher in CMS' "$(media_of)" application/voucher-cms+json
ok 'R-M-15: openssl verifies it' openssl cms -verify -binary -inform DER \
    -in "$REPLY_FILE" -CAfile "$WORLD/maker.pem" -purpose any \
    -out "$WORLD/said.json"
like 'it is for that nonce' "$(cat "$WORLD/said.json")" '"nonce":"aaa"'
cp "$REPLY_FILE" "$WORLD/first"

# --- base64 -----------------------------------------------------------------

openssl base64 -in "$WORLD/raw.vcj" -out "$WORLD/raw.b64"
is 'R-M-3: the same in base64' "$(ask $BRSKI/requestvoucher raw.b64)" 200
openssl base64 -d -in "$REPLY_FILE" -out "$WORLD/second"
ok 'the same voucher in base64' cmp "$WORLD/first" "$WORLD/second"
is 'the audit log, too' "$(ask $BRSKI/requestauditlog raw.b64)" 200
like 'with one event' "$(python3 -c 'import json, sys
print(len(json.load(open(sys.argv[1]))["events"]))' "$REPLY_FILE")" '^1$'
head -c 200 "$WORLD/raw.b64" >"$WORLD/cut.b64"
is 'base64 that is cut' "$(ask $BRSKI/requestvoucher cut.b64)" 400
like 'R-M-23: a text says so' "$(media_of) $(cat "$REPLY_FILE")" \
    '^text/plain malformed request'

# --- Accept -----------------------------------------------------------------

request jws --nonce bbb
is 'R-M-22: the registrar accepts JWS' "$(ask $BRSKI/requestvoucher jws.vcj \
    -H 'Accept: application/voucher-jws+json')" 200
is 'and has it' "$(media_of)" application/voucher-jws+json
ok 'from the maker' "$BIN/idevid-voucher" verify -a "$WORLD/maker.pem" \
    "$REPLY_FILE"
for python in /usr/bin/python3 python3 ''; do
    "${python:-true}" -c 'import jwcrypto' 2>/dev/null && break
done
if [ -n "$python" ]; then
    like 'R-M-15: jwcrypto verifies it, for that nonce' "$("$python" \
        "$top_srcdir/tests/lib/jws_peer.py" verify "$REPLY_FILE")" \
        '"nonce":"bbb"'
else
    skip 'jwcrypto verifies it' 'no jwcrypto here'
fi
request none --nonce ccc
is 'R-M-22: COSE only' "$(ask $BRSKI/requestvoucher none.vcj \
    -H 'Accept: application/voucher+cose')" 406
is 'R-M-3: a request in COSE' "$(MEDIA='Content-Type: application/voucher+cose' \
    ask $BRSKI/requestvoucher none.vcj)" 415

# --- one number of two issuers ----------------------------------------------

ca other 'Another CA of the maker'
ok 'a device of that number by another issuer' know_device BARE-1 other
request shared --nonce ddd
is 'R-M-18: whose it is has to be said' \
    "$(ask $BRSKI/requestvoucher shared.vcj)" 404
request shared --nonce ddd --idevid-issuer-of "$WORLD/idevid.pem"
is 'R-M-18: when it is said' "$(ask $BRSKI/requestvoucher shared.vcj)" 200
signer_of "$REPLY_FILE" >/dev/null
like 'R-M-18: the voucher says it, too' "$(cat "$WORLD/said.json")" \
    '"idevid-issuer"'

# --- the log elsewhere ------------------------------------------------------

location_of() {
    sed -n 's/^location: *\([^[:space:]]*\).*/\1/Ip' "$REPLY_FILE.head"
}
fetch() { # URL
    curl -sS --max-time 20 --cacert "$WORLD/maker.pem" -o "$REPLY_FILE" \
        -w '%{http_code}' "$1"
}
MASA_LOG="location = https://localhost:$MASA_PORT
location-secret = $WORLD/secret"
head -c 32 /dev/urandom >"$WORLD/secret"
chmod 644 "$WORLD/secret"
bare_stop
bare_masa_conf
fails 1 'secret: ' 'a secret that all may read' masa run -t
chmod 600 "$WORLD/secret"
ok 'logs at places of their own' bare_start
request log --nonce fff --idevid-issuer-of "$WORLD/idevid.pem"
is 'a voucher' "$(ask $BRSKI/requestvoucher log.vcj)" 200
is 'R-M-25: its log is elsewhere' "$(ask $BRSKI/requestauditlog log.vcj)" 201
place=$(location_of)
is 'R-M-25: there it is' "$(fetch "$place")" 200
like 'with that nonce' "$(cat "$REPLY_FILE")" '"nonce":"fff"'
is 'R-M-25: not at a place that was guessed' "$(fetch "${place%?????}AAAAA")" 404
bare_stop
ok 'another process with the secret' bare_start
is 'has it there, too' "$(fetch "$place")" 200

# --- before there were vouchers ---------------------------------------------

old() { # PATH
    MEDIA='Content-Type: application/pkcs7-mime' \
        ask "/.well-known/est/$1" old.p7
}
printf '{"nonce":"0011223344556677","serialnumber":"OLD-1"}' >"$WORLD/old.json"
openssl cms -sign -binary -nodetach -outform DER -in "$WORLD/old.json" \
    -signer "$WORLD/registrar.pem" -inkey "$WORLD/registrar.key" \
    -certfile "$WORLD/domain.pem" -out "$WORLD/old.p7"
ok 'a device of then' know_device OLD-1
is 'audit tokens are off' "$(old requestaudittoken)" 404
is 'and the log of them' "$(old requestMASAlog)" 404
POLICY='draft-era = yes'
bare_stop
ok 'audit tokens are on' bare_start
is 'a token' "$(old requestaudittoken)" 200
is 'in PKCS #7' "$(media_of)" application/pkcs7-mime
ok 'openssl verifies it' openssl cms -verify -binary -inform DER \
    -in "$REPLY_FILE" -CAfile "$WORLD/maker.pem" -purpose any \
    -out "$WORLD/said.json"
domain=$(openssl x509 -in "$WORLD/domain.pem" -noout -pubkey |
    openssl pkey -pubin -outform DER | tail -c 65 |
    openssl dgst -sha1 -binary | openssl base64)
is 'for this nonce, device and domain' "$(cat "$WORLD/said.json")" \
    "{\"nonce\":\"0011223344556677\",\"serialnumber\":\"OLD-1\",\"domainID\":\"$domain\"}"
is 'the log of it' "$(old requestMASAlog)" 200
like 'R-M-25: has it once' "$(cat "$REPLY_FILE")" \
    "^{\"log\":\[{\"date\":\"[^\"]*\",\"domainID\":\"$domain\",\"nonce\":\"0011223344556677\"}]}\$"
is 'not by GET' "$(fetch \
    "https://localhost:$MASA_PORT/.well-known/est/requestMASAlog")" 405

# --- pins -------------------------------------------------------------------

POLICY='pin = registrar-key'
bare_stop
ok 'keys are pinned' bare_start
request key --nonce eee --idevid-issuer-of "$WORLD/idevid.pem"
is 'a voucher' "$(ask $BRSKI/requestvoucher key.vcj)" 200
signer_of "$REPLY_FILE" >/dev/null
is 'R-M-14: it pins the key of the registrar' "$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["ietf-voucher:voucher"]
    ["pinned-domain-pubk"])' "$WORLD/said.json")" \
    "$(openssl pkey -pubin -in "$WORLD/registrar.pub" -outform DER |
        openssl base64 -A)"
done_testing
