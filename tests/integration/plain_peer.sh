#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device made of openssl and curl, and one of Python, join our registrar and
# our MASA: what those send is what plain tools understand, and the other way
# round; then it is a client of EST.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/plain.inc"
. "$(dirname "$0")/plain_device.inc"
trap world_end EXIT

# --- a maker of plain files, known to our MASA ---
world_begin
ok 'maker' maker || bail 'no maker'
PLAIN=$WORLD/plain
mkdir "$PLAIN"
ok 'a CA of openssl' root maker-ca P-256 '/O=Plain Maker/CN=IDevIDs'
cat "$PLAIN/maker-ca.pem" >>"$WORLD/maker/anchors.pem"
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device of files' idevid one PLAIN-1
ok 'another' idevid two PLAIN-2
ok 'owner' owner || bail 'no owner'
ok 'registrar serves' registrar_start || bail 'no registrar'

# --- one command makes a domain ---
DOMAIN=$WORLD/domain
init() {
    in_device owner "$BIN/idevid-registrar" init "$DOMAIN" \
        --token pkcs11:token=other --domain 'Other Networks' "$@"
}
ok 'another token' token_up other
fails 2 'not absolute' 'init wants to find a maker again' init --maker x.ini
ok 'init makes a domain' init --maker "$WORLD/owner.maker.ini"
ok 'whose configuration is in order' in_device owner "$BIN/idevid-registrar" \
    -c "$DOMAIN/registrar.ini" -t
ok 'all is kept when it is made again' eval 'sum=$(cat "$DOMAIN"/* | cksum) &&
    init && [ "$(cat "$DOMAIN"/* | cksum)" = "$sum" ]'
sed -i "s#^listen = .*#listen = 127.0.0.1:0\\nadmin = $WORLD/domain.sock#" \
    "$DOMAIN/registrar.ini"
start owner "$WORLD/domain.out" "$BIN/idevid-registrar" \
    -c "$DOMAIN/registrar.ini" run
ok 'and serves' wait_listening "$WORLD/domain.out" "$STARTED"
kill "$STARTED"
ok 'until it is told to end' wait "$STARTED"

# --- what both sides say ---
AS=one
openssl s_client -connect "127.0.0.1:$REG_PORT" </dev/null 2>/dev/null |
    openssl x509 >"$PLAIN/registrar.pem"
like 'R-R-49: the registrar has a subject key identifier' \
    "$(openssl x509 -in "$PLAIN/registrar.pem" -noout -ext \
        subjectKeyIdentifier)" '[0-9A-F][0-9A-F]:'
like 'R-R-48: and is authority, server and client' \
    "$(openssl x509 -in "$PLAIN/registrar.pem" -noout -ext extendedKeyUsage)" \
    'TLS Web Server Authentication.*TLS Web Client Authentication.*1.3.6.1.5.5.7.3.28\|1.3.6.1.5.5.7.3.28.*TLS Web\|CMC'
for off in 'mode = required' 'allow-foreign = no' 'allow-nonceless = no' \
    'unauthenticated-devices = no' 'unreadable-vouchers = no' \
    'renew-by-ra = no' 'renew-expired-days = 0' 'own-history = yes'; do
    like "R-R-8: what makes it less careful is off: $off" \
        "$("$BIN/idevid-registrar" --sample)" "^#*$off"
done
for off in 'admit = listed' 'ignore-expiry = no' 'unauthenticated = no' \
    'stored-vouchers = never'; do
    like "R-R-8: what makes it less careful is off: $off" \
        "$("$BIN/idevid-registrar" --maker-sample)" "^#*$off"
done

# --- what is refused ---
openssl req -new -key "$PLAIN/one.key" -subj /serialNumber=PLAIN-1 -outform DER |
    base64 >"$PLAIN/one.csr"
is 'R-R-43: nobody enrolls before a voucher' \
    "$(post application/pkcs10 "$PLAIN/one.csr" est/simpleenroll)" 403
is 'R-R-45: and is told why, in plain text' "$(media)" text/plain
request pvr PLAIN-1 "$PLAIN/maker-ca.pem"
ok 'a request for somebody else' signed pvr one
is 'R-R-13: is refused' \
    "$(post $VOUCHER "$PLAIN/pvr.vcj" brski/requestvoucher)" 401
like 'R-R-13: and the connection closed' "$(cat "$PLAIN/head")" \
    'Connection: close'
request pvr PLAIN-2 "$PLAIN/registrar.pem"
ok 'a request with the serial number of another' signed pvr one
is 'R-R-11: is refused' \
    "$(post $VOUCHER "$PLAIN/pvr.vcj" brski/requestvoucher)" 403
request pvr PLAIN-1 "$PLAIN/registrar.pem"
ok 'a request signed by another' signed pvr two
is 'R-R-14: is refused' \
    "$(post $VOUCHER "$PLAIN/pvr.vcj" brski/requestvoucher)" 403
ok 'one that is in order' signed pvr one
is 'R-R-15: of a type that is not known: 415' \
    "$(post text/html "$PLAIN/pvr.vcj" brski/requestvoucher)" 415
is 'R-R-15: for an answer that cannot be had: 406' \
    "$(post $VOUCHER "$PLAIN/pvr.vcj" brski/requestvoucher \
        -H 'Accept: text/html')" 406
ok 'somebody who signs himself' root stranger P-256 /serialNumber=PLAIN-1
AS=stranger
is 'R-R-6: a device of no known maker: 403' \
    "$(post $VOUCHER "$PLAIN/pvr.vcj" brski/requestvoucher)" 403
AS=one
is 'R-R-7: without a certificate: 403' "$(curl -sk -o /dev/null \
    -w '%{http_code}' -H "Content-Type: $VOUCHER" \
    --data-binary "@$PLAIN/pvr.vcj" \
    "https://127.0.0.1:$REG_PORT/.well-known/brski/requestvoucher")" 403

# --- the whole way ---
is 'R-R-1: the voucher is there' "$(post $VOUCHER "$PLAIN/pvr.vcj" \
    brski/requestvoucher)" 200
is 'R-R-22: in the form of the request' "$(media)" "$VOUCHER"
cp "$PLAIN/body" "$PLAIN/voucher.vcj"
ok 'R-R-30: openssl verifies that it is as the MASA signed it' openssl cms \
    -verify -inform DER -in "$PLAIN/voucher.vcj" -purpose any -CAfile \
    "$WORLD/maker/voucher-anchors.pem" -out "$PLAIN/voucher.json"
like 'R-R-23: with our nonce' "$(cat "$PLAIN/voucher.json")" "\"nonce\":\"$NONCE\""
like 'R-R-12: and serial number' "$(cat "$PLAIN/voucher.json")" \
    '"serial-number":"PLAIN-1"'
like 'R-R-25, R-R-26: whose proximity was proved' "$(cat "$PLAIN/voucher.json")" \
    '"assertion":"proximity"'
sed -n 's/.*"pinned-domain-cert":"\([^"]*\)".*/\1/p' "$PLAIN/voucher.json" |
    tr -d '\\' | base64 -d | openssl x509 -inform DER >"$PLAIN/pin.pem"
ok 'R-R-29: the registrar is below what is pinned' openssl verify \
    -partial_chain -purpose any -trusted "$PLAIN/pin.pem" "$PLAIN/registrar.pem"
is 'R-R-31: the same request again' "$(post $VOUCHER "$PLAIN/pvr.vcj" \
    brski/requestvoucher)" 200
ok 'R-R-31: has the same answer' cmp "$PLAIN/body" "$PLAIN/voucher.vcj"
echo '{"version":1,"status":true,"reason":"fine","new-one":7}' >"$PLAIN/status"
is 'R-R-33: its status is taken' "$(post application/json "$PLAIN/status" \
    brski/voucher_status)" 200
is 'R-R-39: cacerts' "$(ask est/cacerts)" 200
base64 -d "$PLAIN/body" | openssl pkcs7 -inform DER -print_certs \
    >"$PLAIN/cacerts.pem"
like 'R-R-39: has the domain CA' "$(cat "$PLAIN/cacerts.pem")" 'subject=.*Domain CA'
like 'R-R-39: csrattrs' "$(ask est/csrattrs)" '20[04]'
base64 -d "$PLAIN/one.csr" | base64 -w 0 >"$PLAIN/line.csr"
is 'R-R-39: simpleenroll' "$(post application/pkcs10 "$PLAIN/line.csr" \
    est/simpleenroll -H 'Content-Transfer-Encoding: 7bit')" 200
base64 -d "$PLAIN/body" | openssl pkcs7 -inform DER -print_certs |
    openssl x509 >"$PLAIN/ldevid.pem"
cp "$PLAIN/one.key" "$PLAIN/ldevid.key"
ok 'openssl verifies the LDevID' openssl verify -CAfile \
    "$WORLD/owner/domain-ca.pem" "$PLAIN/ldevid.pem"
sed 's/$/\r/' "$PLAIN/one.csr" >"$PLAIN/crlf.csr"
is 'R-R-46: base64 in lines that end with CR LF, another name of its encoding' \
    "$(post application/pkcs10 "$PLAIN/crlf.csr" est/simpleenroll \
        -H 'Content-Transfer-Encoding: base64')" 200
AS=ldevid
is 'R-R-47: enrollstatus over the new certificate' \
    "$(post application/json "$PLAIN/status" brski/enrollstatus)" 200
like 'R-R-47: which is noticed' "$(cat "$WORLD/owner.out.err")" \
    'enrollstatus device=PLAIN-1 status=1 .*cert-matches=1'
openssl req -new -key "$PLAIN/ldevid.key" -outform DER -subj "/$(openssl x509 \
    -in "$PLAIN/ldevid.pem" -noout -subject -nameopt sep_multiline,sname |
    sed -n 's/^ *//; 2,$p' | paste -sd/)" | base64 >"$PLAIN/renew.csr"
is 'R-R-44: renewed under its name' \
    "$(post application/pkcs10 "$PLAIN/renew.csr" est/simplereenroll)" 200
openssl req -new -key "$PLAIN/ldevid.key" -outform DER -subj /CN=PLAIN-2 |
    base64 >"$PLAIN/other.csr"
like 'R-R-44: not under another' \
    "$(post application/pkcs10 "$PLAIN/other.csr" est/simplereenroll)" '40[03]'
like 'R-R-70: each step is on record' "$(registrar log PLAIN-1)" \
    'certificate-accepted'

# --- TLS, names ---
AS=one
is 'R-R-4: TLS 1.2' "$(ask --tls-max 1.2 est/cacerts)" 200
is 'R-R-4: TLS 1.3' "$(ask --tlsv1.3 est/cacerts)" 200
like 'R-R-4: it asks for a certificate' "$(openssl s_client -connect \
    "localhost:$REG_PORT" </dev/null 2>&1)" 'Requested Signature Algorithms'
is 'R-R-5: whatever SNI and Host say' "$(curl -sk -o /dev/null \
    -w '%{http_code}' -H 'Host: elsewhere.example' \
    --connect-to "nobody.example:443:127.0.0.1:$REG_PORT" \
    https://nobody.example/.well-known/est/cacerts)" 200

# --- another form, in Python ---
AS=two
for python in /usr/bin/python3 python3 ''; do
    [ -n "$python" ] && "$python" -c 'import jwcrypto, cryptography' \
        2>/dev/null && break
done
if [ -n "$python" ]; then
    request jws PLAIN-2 "$PLAIN/registrar.pem"
    "$python" "$top_srcdir/tests/lib/jws_peer.py" sign ES256 "$PLAIN/two.key" \
        "$PLAIN/two.pem" "$PLAIN/jws.json" >"$PLAIN/jws.vjj"
    is 'R-R-22: JWS for JWS' "$(post $JWS "$PLAIN/jws.vjj" \
        brski/requestvoucher)" 200
    is 'R-R-22: by its name' "$(media)" "$JWS"
    like 'which jwcrypto verifies' "$("$python" \
        "$top_srcdir/tests/lib/jws_peer.py" verify "$PLAIN/body")" \
        '"serial-number": *"PLAIN-2"'
else
    skip 'JWS' 'python3-jwcrypto is missing'
fi
done_testing
