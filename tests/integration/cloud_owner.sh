#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A maker's cloud registrar, ours: it learns whose a device is, and the device
# comes to its owner, by a redirection, or by a voucher that names an EST server.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/plain.inc"
. "$(dirname "$0")/cloud.inc"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device' device_token router TOK-1 || bail 'no device'
ok 'MASA learns of it' learn_devices
ok 'owner' owner || bail 'no owner'
ok "the owner's registrar" registrar_start || bail 'no registrar'
cat "$WORLD/maker/anchors.pem" "$WORLD/maker/issuing-ca.pem" \
    >"$WORLD/idevid-anchors.pem"

# --- the cloud registrar, with a web server's certificate ---
cloud_web
cat >"$WORLD/cloud.maker.ini" <<EOF
[maker]
name = acme
idevid-anchors = $WORLD/idevid-anchors.pem
EOF
CLOUD_LINES="voucher-key = pkcs11:token=maker;object=masa;type=private
voucher-certificate = $WORLD/maker/masa.pem"
cloud_conf "$WORLD/cloud.maker.ini"
sed 's/^mode = yes/mode = no/' "$WORLD/cloud.ini" >"$WORLD/owner.none.ini"
fails 2 'ca: one of key and upstream is needed' \
    'who is no cloud registrar needs a CA' \
    "$BIN/idevid-registrar" -c "$WORLD/owner.none.ini" -t
cloud_start
CLOUD_PORT=$(wait_listening "$WORLD/cloud.out" "$STARTED") || bail 'no cloud'
cloud_is_at router "$CLOUD_PORT"
status_of() { # PATH
    curl -sS -o /dev/null -w '%{http_code}' --cacert "$PLAIN/web-ca.pem" \
        "https://localhost:$CLOUD_PORT/.well-known/$1"
}
is 'R-C-5: it has no EST' "$(status_of est/csrattrs) $(status_of est/cacerts)" \
    '404 404'
ok 'R-C-7: who names it (SNI) and verifies it by that name is served' \
    openssl s_client -connect "127.0.0.1:$CLOUD_PORT" -servername localhost \
    -verify_hostname localhost -CAfile "$PLAIN/web-ca.pem" \
    -verify_return_error </dev/null
like 'R-C-1: it asks for a certificate' "$(openssl s_client -connect \
    "localhost:$CLOUD_PORT" </dev/null 2>&1)" 'Requested Signature Algorithms'

# --- an owner who is not known yet ---
fails 1 . 'R-C-3: a device whose owner is not known' pledge router -q join
like 'R-C-3: is told 401' "$(cat "$WORLD/cloud.out.err")" \
    'why=no-owner status=401 device=TOK-1'
fails 2 'one of --to' 'whose it is has to be said' cloud owner set TOK-1
fails 1 'only https' 'and by https' cloud owner set TOK-1 --to http://localhost
ok 'it is told' cloud owner set TOK-1 --to "https://localhost:$REG_PORT"
ok 'R-C-4: the device joins its owner' pledge router join
like 'by a redirection' "$(cat "$WORLD/cloud.out.err")" \
    "sent-on device=TOK-1 .*localhost:$REG_PORT/.well-known/brski/requestvoucher"
like 'it is enrolled' "$(pledge router status)" '^state *enrolled'
like 'with its owner' "$(registrar log TOK-1)" 'certificate-accepted'
like 'owners are listed' "$(cloud owner list)" '^TOK-1 .*redirect'
ok 'reset' pledge router reset

# --- by a voucher ---
ok 'an owner with nothing but an EST server' plain_world small P-256
ok 'serves' plain_start
ok 'the device is told to be his' cloud owner set TOK-1 \
    --est-domain "localhost:$PLAIN_PORT" --pin "$PLAIN/domain-ca.pem" \
    --more https://plain.example/more
ok 'R-C-4, R-C-6: it enrolls there, by the voucher of the cloud' \
    pledge router join
is 'R-C-6: which pinned that server' "$(saw)" \
    'cacerts=200 csrattrs=204 simpleenroll=200 enrollstatus=200 '
like 'and said where more is' "$(pledge router status)" \
    '^configuration *https://plain.example/more'
ok 'reset once more' pledge router reset

# --- no longer ---
ok 'it is nobody of ours' cloud owner set TOK-1 --nobody
fails 1 . 'R-C-2: it is not known' pledge router -q join
like 'R-C-2: and told 404' "$(cat "$WORLD/cloud.out.err")" \
    'why=owner-nobody status=404'
ok 'forgotten' cloud owner remove TOK-1
fails 1 . 'once' cloud owner remove TOK-1
is 'nobody is listed' "$(cloud owner list)" ''
done_testing
