#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device whose maker has a cloud registrar: it believes nobody else there, and
# comes to its owner by a redirection, or by a voucher that names an EST server.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/plain.inc"
trap world_end EXIT

command -v python3 >/dev/null || {
    skip 'joins by a cloud registrar' 'python3 is missing'
    done_testing
    exit
}

# cloud NAME OPTION ...: a cloud registrar with that certificate
cloud() {
    local name=$1
    shift
    plain_start cert="$name" "$@" || return
    CLOUD_OUT=$PLAIN_OUT
    sed -i "s|^uri = https:.*|uri = https://localhost:$PLAIN_PORT|" \
        "$WORLD/router.ini"
}
saw_in() {
    (PLAIN_OUT=$1 && saw)
}

world_begin
ok 'maker' maker || bail 'no maker'
MASA_PORT=9443
ok 'a device' device_token router TOK-0002 || bail 'no device'
cat "$WORLD/maker/anchors.pem" "$WORLD/maker/issuing-ca.pem" \
    >"$WORLD/idevid-anchors.pem"
ok 'a MASA and a domain of plain tools' plain_world plain P-256 ||
    bail 'no plain tools'
ok 'the Implicit TA' root web-ca P-256 '/CN=Implicit TA'
ok 'a server that it vouches for' below web-ca cloud P-256 /CN=cloud \
    'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n'
ok 'and another one' below web-ca other P-256 /CN=other \
    'subjectAltName=DNS:other.example\nextendedKeyUsage=serverAuth\n'
sed -i "s|^anchors = .*|anchors = $PLAIN/masa-ca.pem|" "$WORLD/router.ini"
cat >>"$WORLD/router.ini" <<EOT
[discovery]
method = none
[cloud]
uri = https://localhost:1
anchors = $PLAIN/web-ca.pem
EOT

# --- whom it does not believe -------------------------------------------------

cloud other
fails 1 'is not for localhost' 'R-P-89: a server of another name' \
    pledge router -q join
is 'R-P-89: it was asked for nothing' "$(saw_in "$CLOUD_OUT")" ''
cloud registrar
fails 1 . 'R-P-89: a server that the Implicit TA does not vouch for' \
    pledge router -q join
is 'R-P-89: nor was that' "$(saw_in "$CLOUD_OUT")" ''
like 'it is as its maker left it' "$(pledge router status)" '^state *none'

# --- sent on ------------------------------------------------------------------

ok "the owner's registrar" plain_start
OWNER_OUT=$PLAIN_OUT OWNER_PORT=$PLAIN_PORT
cloud cloud to="https://localhost:$OWNER_PORT/.well-known/brski/requestvoucher"
ok 'R-P-90, R-P-34: sent on, it joins its owner' pledge router join
is 'R-P-90: the cloud was asked once' "$(saw_in "$CLOUD_OUT")" \
    'requestvoucher=307 '
is 'R-P-34: the owner everything' "$(saw_in "$OWNER_OUT")" \
    'requestvoucher=200 voucher_status=200 cacerts=200 csrattrs=204 simpleenroll=200 enrollstatus=200 '
nonce='s/.*"nonce":"\([^"]*\)".*/\1/p'
is 'R-P-90: by a request with another nonce' "$(sed -n "$nonce" "$CLOUD_OUT" \
    "$OWNER_OUT" | sort -u | wc -l)" 2
like 'it is enrolled' "$(pledge router status)" '^state *enrolled'
ok 'reset' pledge router reset

# --- the same with the power lost on the way ----------------------------------

ok "the owner's registrar, which is slow" plain_start stall=cacerts
OWNER_OUT=$PLAIN_OUT OWNER_PORT=$PLAIN_PORT
cloud cloud to="https://localhost:$OWNER_PORT/.well-known/brski/requestvoucher"
start router "$WORLD/cut.out" "$BIN/idevid-pledge" -c "$WORLD/router.ini" join
until grep -q '"event":"stalls"' "$OWNER_OUT"; do
    kill -0 "$STARTED" 2>/dev/null || break
    pause
done
kill -9 "$STARTED"
wait "$STARTED" 2>/dev/null
like 'killed when it was imprinted' "$(pledge router status)" \
    '^state *imprinted'
ok 'R-P-69, R-P-90: it goes on with the registrar that it was sent to' \
    pledge router join
is 'R-P-90: the cloud was not asked again' "$(saw_in "$CLOUD_OUT")" \
    'requestvoucher=307 '
is 'R-P-69: the owner for what was left' "$(saw_in "$OWNER_OUT")" \
    'requestvoucher=200 voucher_status=200 cacerts=200 csrattrs=204 simpleenroll=200 enrollstatus=200 '
ok 'reset after that' pledge router reset

# --- by a voucher that names an EST server ------------------------------------

ok "the owner's EST server" plain_start
OWNER_OUT=$PLAIN_OUT OWNER_PORT=$PLAIN_PORT
cloud cloud est="localhost:$OWNER_PORT"
ok 'R-P-92: by the voucher of the cloud, it enrolls with its owner' \
    in_device router sh -c '"$@" >"$0"' "$WORLD/said" "$BIN/idevid-pledge" \
    -c "$WORLD/router.ini" join
is 'R-P-91: the cloud was asked for a voucher alone' \
    "$(saw_in "$CLOUD_OUT")" 'requestvoucher=200 '
is 'R-P-92: the EST server for all else' "$(saw_in "$OWNER_OUT")" \
    'cacerts=200 csrattrs=204 simpleenroll=200 enrollstatus=200 '
like 'where more is configured is said' "$(cat "$WORLD/said")" \
    '^additional-configuration-url *https://plain.example/more'
like 'and shown' "$(pledge router status)" \
    '^configuration *https://plain.example/more'
ok 'reset once more' pledge router reset
cloud cloud est="127.0.0.1:$OWNER_PORT"
fails 1 'is not for 127.0.0.1' 'R-P-92: not with a server of another name' \
    pledge router -q join
is 'R-P-92: which got nothing more' "$(saw_in "$OWNER_OUT" | wc -w)" 4
like 'and pinned nothing' "$(pledge router status)" '^state *none'
done_testing
