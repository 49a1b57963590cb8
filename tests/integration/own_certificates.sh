#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registrar with certificates of an operator's own making: those that are not
# a registrar's are refused by name, by a look at the configuration, at the
# start and while it serves; what they should have is asked for.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
trap world_end EXIT

world_begin
ok 'a registrar before a crowd' crowd_world 4 || bail 'no registrar'
cd "$WORLD/crowd" || bail 'no crowd'
cp registrar.pem good.pem
cp domain-ca.pem good-ca.pem
RA=1.3.6.1.5.5.7.3.28

# own EXTENSION ...: a certificate of the registrar's key, by its domain
own() {
    printf '%s\n' 'subjectAltName=DNS:localhost,IP:127.0.0.1' "$@" >own.ext
    openssl x509 -x509toreq -in good.pem -signkey registrar.key -out own.csr \
        2>own.log
    openssl x509 -req -in own.csr -CA domain-ca.pem -CAkey domain-ca.key \
        -days 1 -extfile own.ext -out own.pem 2>own.log || cat own.log
    cat own.pem domain-ca.pem >registrar.pem
}
look() {
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run --test
}
begin() {
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
}
begins_not() { # NOTE: nor does it, and it says why
    local code=0
    begin >"$WORLD/begin" 2>&1 || code=$?
    [ $code = 2 ] && grep "$1" "$WORLD/begin" && return
    cat "$WORLD/begin"
    return 1
}
refused() { # WHAT NOTE
    fails 2 "$2" "$1: the configuration is not in order" look
    ok "$1: it does not serve" begins_not "$2"
}

# --- while it serves ---
own keyUsage=digitalSignature "extendedKeyUsage=serverAuth,clientAuth"
mv registrar.pem other.pem
cp good.pem registrar.pem
sed -i 's#/registrar.pem#/other.pem#' "$WORLD/owner.ini"
kill -HUP "$REG_PID"
ok 'a reload says what is wrong with another' wait_text \
    '.*\(lacks the extended key usage cmcRA\).*' "$WORLD/owner.out.err" "$REG_PID"
for pid in $(cat "/proc/$REG_PID/task/$REG_PID/children"); do
    kill -9 "$pid"
done
like 'workers that begin then show the one before' \
    "$(crowd vouchers 2 2 again)" '"good":2'
kill "$REG_PID"
wait "$REG_PID"
crowd_confs
mv other.pem registrar.pem

# --- what a registrar is ---
refused 'R-R-48: no registration authority' \
    'its certificate lacks the extended key usage cmcRA'
own
refused 'R-R-48: no purpose at all' \
    'its certificate lacks the extended key usage cmcRA'
own extendedKeyUsage=$RA,clientAuth
refused 'R-R-48: no server' \
    'its certificate lacks the extended key usage serverAuth'
own extendedKeyUsage=$RA,serverAuth
refused 'R-R-48: no client, for a MASA that wants one' \
    'which it shows to a MASA.*lacks the extended key usage clientAuth'
sed -i 's/^client-certificate = .*/client-certificate = no/' \
    "$WORLD/owner.maker.ini"
ok 'R-R-48: for one that does not it is none' look

# --- what a CA is ---
cp good.pem registrar.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout root.key -out root.pem -subj '/CN=Root' -days 1 2>root.log
below() { # NAME EXTENSION ...: NAME.pem, of the CA's key, below a root
    local name=$1
    shift
    printf '%s\n' "$@" >below.ext
    openssl x509 -x509toreq -in good-ca.pem -signkey domain-ca.key \
        -out below.csr 2>below.log
    openssl x509 -req -in below.csr -CA root.pem -CAkey root.key -days 1 \
        -extfile below.ext -out "$name.pem" 2>below.log || cat below.log
}
with_ca() { # FILE: the CA's certificates
    sed -i "s#^certificate = .*/[a-z-]*ca.pem#certificate = $WORLD/crowd/$1#" \
        "$WORLD/owner.ini"
}
below sub-ca basicConstraints=critical,CA:TRUE keyUsage=keyCertSign,cRLSign
cat sub-ca.pem root.pem >whole-ca.pem
below no-ca basicConstraints=CA:FALSE
cp root.pem other-ca.pem
with_ca other-ca.pem
fails 2 'ca: key and certificate differ' 'the CA has another key' look
with_ca no-ca.pem
fails 2 "ca: its certificate is no CA's" 'it is none' look
with_ca sub-ca.pem
fails 2 'ca: .* do not lead up to a root' 'its root is not there' look
with_ca whole-ca.pem
ok 'with that it is in order' look

# --- what was only looked at is forgotten ---
ok 'the first one serves again, though it is older than all of these' \
    crowd_registrar
kill "$REG_PID"
wait "$REG_PID"
sed -i 's/^client-certificate = .*/client-certificate = no/' \
    "$WORLD/owner.maker.ini"

# --- what it should have ---
quiet() { # WHAT: it is in order, and nothing is said of key identifiers
    look >"$WORLD/look" 2>&1 && ! grep no-key-identifier "$WORLD/look"
}
own extendedKeyUsage=$RA,serverAuth,clientAuth subjectKeyIdentifier=hash
ok 'with a subject key identifier there is nothing to say' quiet
own extendedKeyUsage=$RA,serverAuth,clientAuth subjectKeyIdentifier=none
ok 'R-R-49: without it is in order' look
like 'R-R-49: but it is said' "$(look 2>&1)" \
    'no-key-identifier certificate=.*Registrar'
openssl req -x509 -key domain-ca.key -subj '/CN=Domain CA' -days 1 \
    -out domain-ca.pem -addext subjectKeyIdentifier=none \
    -addext authorityKeyIdentifier=none -addext keyUsage=keyCertSign,cRLSign
own extendedKeyUsage=$RA,serverAuth,clientAuth subjectKeyIdentifier=hash \
    authorityKeyIdentifier=none
like 'R-R-49: nor has what vouchers pin' "$(look 2>&1)" \
    'no-key-identifier certificate=.*Domain CA'
ok 'it serves' crowd_registrar
like 'R-R-49: and says so' "$(cat "$WORLD/owner.out.err")" \
    'no-key-identifier certificate=.*Domain CA'
ok 'devices get vouchers that pin it, and as it finds itself in their history' \
    crowd_members 2 3
like 'certificates, too' "$(cat "$WORLD/members.begin")" '"good":2'
done_testing
