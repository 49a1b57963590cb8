#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The registrar as an EST server and CA, for a device and for curl and openssl:
# names by a template, forms of requests, users, labels, keys made by the
# server, revocation and CRLs, another EST server that issues instead.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

EST=.well-known/est

# --- another EST server, of other make, and a CA for a label ---------------------
other_ca() {
    CA=$WORLD/other
    mkdir "$CA" && : >"$CA/index" && openssl req -x509 -newkey ec -pkeyopt \
        ec_paramgen_curve:P-256 -nodes -keyout "$CA/ca.key" \
        -subj '/CN=Other CA' -days 30 -out "$CA/ca.pem" 2>/dev/null || return
    cat >"$CA/ca.cnf" <<EOF
[ca]
default_ca = it
[it]
database = $CA/index
new_certs_dir = $CA
certificate = $CA/ca.pem
private_key = $CA/ca.key
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
x509_extensions = client
default_days = 10
[any]
commonName = supplied
[client]
authorityKeyIdentifier = keyid
keyUsage = critical, digitalSignature
EOF
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$CA/server.key" -subj /CN=localhost -out "$CA/server.csr" \
        2>/dev/null && echo subjectAltName=DNS:localhost >"$CA/server.ext" &&
        openssl x509 -req -in "$CA/server.csr" -CA "$CA/ca.pem" -CAkey \
            "$CA/ca.key" -days 30 -extfile "$CA/server.ext" \
            -out "$CA/server.crt" 2>/dev/null &&
        cat "$CA/server.crt" "$CA/server.key" >"$CA/server.pem" &&
        cp "$WORLD/owner/domain-ca.pem" "$CA/client-anchors.pem" &&
        echo issue >"$CA/mode" || return
    start owner "$WORLD/est.out" python3 \
        "$top_srcdir/tests/lib/est_server.py" "$CA"
    EST_PORT=$(wait_listening "$WORLD/est.out" "$STARTED")
}
write_labels() {
    printf 'alice:%s\n' "$(openssl passwd -6 -salt somesalt secret)" \
        >"$WORLD/users" && chmod 600 "$WORLD/users" || return
    cat >"$WORLD/plant.ini" <<EOF
[label]
name = plant
[ca]
key = $CA/ca.key
certificate = $CA/ca.pem
[est]
users = users
users-subject = CN={serial}, OU=plant
serverkeygen = yes
EOF
    cat >"$WORLD/line.ini" <<EOF
[label]
name = line
[ca]
upstream = https://localhost:$EST_PORT/$EST/line
upstream-anchors = $CA/ca.pem
certificate = $CA/ca.pem
[est]
users = users
users-subject = CN={serial}
EOF
}
again() {
    kill "$REG_PID" && wait "$REG_PID"
    sed -i '/^\[ca\]/a\
dns-names = {serial}.devices.example\
acp-domain = acp.example\
policies = 2.999.7\
crl-url = http://crl.example/ca.crl' "$WORLD/owner.ini"
    printf '[est]\ntemplate = yes\nusers = users\nlabels = %s %s\n' \
        "$WORLD/plant.ini" "$WORLD/line.ini" >>"$WORLD/owner.ini"
    start owner "$WORLD/owner.out" \
        "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
    REG_PID=$STARTED
    REG_PORT=$(wait_listening "$WORLD/owner.out" "$STARTED")
}

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device' device_token router TOK-1 || bail 'no device'
ok 'MASA learns of it' learn_devices
ok 'owner' owner
ok 'an EST server of other make' other_ca || bail 'no EST server'
ok 'registrar serves' registrar_start
ok 'files of labels' write_labels
ok 'the registrar with all of it' again || bail 'no registrar'

# --- a device -----------------------------------------------------------------
ok 'R-R-39: a device joins' pledge router join --registrar \
    "localhost:$REG_PORT"
pledge router status --pem >"$WORLD/router.pem"
TEXT=$(openssl x509 -in "$WORLD/router.pem" -noout -text)
like 'R-R-40: and has the name that csrattrs told it' "$TEXT" \
    'DNS:TOK-1.devices.example'
like 'and one in the ACP' "$(openssl asn1parse -in "$WORLD/router.pem" \
    -strparse "$(openssl asn1parse -in "$WORLD/router.pem" |
        sed -n '/Subject Alternative/{n;s/^ *\([0-9]*\):.*/\1/p}')")" \
    'fd[0-9a-f]\{10\}0000[0-9a-f]\{12\}0002@acp.example'
like 'a policy' "$TEXT" 'Policy: 2.999.7'
like 'and where the CRL is' "$TEXT" 'URI:http://crl.example/ca.crl'

# --- curl ---------------------------------------------------------------------
# est PATH OPTION ...: the status; the answer is in $WORLD/answer
est() {
    local path=$1
    shift
    curl -sS --max-time 30 --cacert "$WORLD/owner/domain-ca.pem" \
        -o "$WORLD/answer" -D "$WORLD/header" -w '%{http_code}' "$@" \
        "https://localhost:$REG_PORT/$path"
}
# enroll FILE OPTION ...: as a user; the certificate goes to $WORLD/got.pem
enroll() {
    local body=$1
    shift
    est "${LABEL:+$EST/$LABEL/simpleenroll}${NOLABEL-}" \
        -H 'Content-Type: application/pkcs10' --data-binary "@$body" "$@"
}
taken() {
    openssl base64 -d -in "$WORLD/answer" | openssl pkcs7 -inform DER \
        -print_certs -out "$WORLD/got.pem" && openssl verify -CAfile \
        "${1:-$WORLD/owner/domain-ca.pem}" "$WORLD/got.pem"
}
csr() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$WORLD/alice.key" -subj "${1:-/CN=alice}" -outform DER \
        -out "$WORLD/csr.der" 2>/dev/null &&
        openssl base64 -A -in "$WORLD/csr.der" -out "$WORLD/one" &&
        openssl base64 -in "$WORLD/csr.der" -out "$WORLD/lf" &&
        sed 's/$/\r/' "$WORLD/lf" >"$WORLD/crlf" &&
        openssl req -inform DER -in "$WORLD/csr.der" -out "$WORLD/pem" &&
        { cat "$WORLD/one" && echo ' !'; } >"$WORLD/trailing" &&
        { cat "$WORLD/pem" && echo more; } >"$WORLD/behind"
}
NOLABEL=$EST/simpleenroll
ok 'a key and a request' csr
is 'a stranger is asked for a password' "$(enroll "$WORLD/lf")" 401
like 'by Basic' "$(cat "$WORLD/header")" 'WWW-Authenticate: Basic'
is 'a wrong one will not do' "$(enroll "$WORLD/lf" -u alice:wrong)" 401
for form in one lf crlf pem; do
    is "R-R-46: the request as $form" \
        "$(enroll "$WORLD/$form" -u alice:secret)" 200
    ok "and openssl verifies the certificate" taken
done
is 'R-R-46: in chunks' "$(enroll "$WORLD/lf" -u alice:secret \
    -H 'Transfer-Encoding: chunked')" 200
is 'R-R-46: whatever Content-Transfer-Encoding says' \
    "$(enroll "$WORLD/lf" -u alice:secret \
        -H 'Content-Transfer-Encoding: binary')" 200
for form in trailing behind; do
    is "R-R-45: nothing may follow ($form)" \
        "$(enroll "$WORLD/$form" -u alice:secret)" 400
done
like 'the certificate is a user'"'"'s' "$(openssl x509 -in "$WORLD/got.pem" \
    -noout -subject)" 'CN = alice, OU = users'
is 'which renews by itself' "$(openssl req -new -key "$WORLD/alice.key" \
    -subj '/CN=alice/OU=users' -outform DER | openssl base64 |
    est $EST/simplereenroll -H 'Content-Type: application/pkcs10' \
        --data-binary @- --cert "$WORLD/got.pem" \
        --key "$WORLD/alice.key")" 200
ok 'and is verified' taken
is 'Full CMC is not served' "$(est $EST/fullcmc --data-binary "@$WORLD/lf" \
    -H 'Content-Type: application/pkcs7-mime')" 501
is 'nor keys without a label' "$(est $EST/serverkeygen -u alice:secret \
    -H 'Content-Type: application/pkcs10' --data-binary "@$WORLD/lf")" 404

# --- bound to its connection ----------------------------------------------------
# bound VERSION [OF]: the status of an enrollment whose request says what binds
# it to the connection of openssl that it goes over: tls-unique, the client's
# Finished message, or the 32 bytes of tls-exporter. OF: says that instead.
bound() {
    local line= binding= exported=
    coproc TLS {
        exec openssl s_client "-$1" -connect "localhost:$REG_PORT" -CAfile \
            "$WORLD/owner/domain-ca.pem" -verify_return_error -nocommands \
            -ign_eof -msg -keymatexport EXPORTER-Channel-Binding \
            -keymatexportlen 32 2>&1
    }
    local tls=$TLS_PID in out
    exec {in}<&"${TLS[0]}" {out}>&"${TLS[1]}"
    until [ -n "$exported" ] || ! IFS= read -r line <&"$in"; do
        case $line in
        *'Keying material: '*) exported=${line##*: } ;;
        '>>> TLS 1.2, Handshake'*Finished*)
            IFS= read -r line <&"$in"
            binding=$(tr -d ' ' <<<"$line" | cut -c 9-32)
            ;;
        esac
    done
    [ "$1" != tls1_3 ] || binding=$exported
    printf '%s\n' "$binding" >"$WORLD/binding"
    body_bound "${2:-$binding}" >"$WORLD/bound" || return
    {
        printf 'POST /%s/simpleenroll HTTP/1.1\r\nHost: localhost\r\n' $EST
        printf 'Authorization: Basic %s\r\n' "$(printf alice:secret | base64)"
        printf 'Content-Type: application/pkcs10\r\nConnection: close\r\n'
        printf 'Content-Length: %s\r\n\r\n' "$(wc -c <"$WORLD/bound")"
        cat "$WORLD/bound"
    } >&"$out"
    tr -d '\0' <&"$in" | sed -n 's#^HTTP/1.1 \([0-9]*\) .*#\1#p'
    wait "$tls" 2>/dev/null
}
body_bound() { # HEX
    printf '[req]\nprompt=no\ndistinguished_name=d\nattributes=a\n[d]\nCN=alice\n[a]\nchallengePassword=%s\n' \
        "$(xxd -r -p <<<"$1" | base64 -w 0)" >"$WORLD/bound.cnf"
    openssl req -new -config "$WORLD/bound.cnf" -key "$WORLD/alice.key" \
        -outform DER | openssl base64
}
for version in tls1_2 tls1_3; do
    is "R-R-42: bound to its connection ($version)" "$(bound $version)" 200
    BEFORE=$(cat "$WORLD/binding")
    is 'R-R-42: to the one before it' "$(bound $version "$BEFORE")" 403
    is 'two connections are not bound alike' \
        "$([ "$BEFORE" != "$(cat "$WORLD/binding")" ] && echo other)" other
done
is 'R-R-42: what binds in TLS 1.3 has its 32 bytes' "${#BEFORE}" 64
is 'R-R-42: the other kind does not' "$(bound tls1_2 "$BEFORE")" 403

# --- by label -----------------------------------------------------------------
NOLABEL=
LABEL=plant
is 'another CA by label' "$(enroll "$WORLD/lf" -u alice:secret)" 200
ok 'issues, too' taken "$CA/ca.pem"
is 'no such label' "$(LABEL=other enroll "$WORLD/lf" -u alice:secret)" 404
is 'the server makes a key' "$(est $EST/plant/serverkeygen -u alice:secret \
    -H 'Content-Type: application/pkcs10' --data-binary "@$WORLD/lf")" 200
like 'in parts' "$(cat "$WORLD/header")" 'multipart/mixed; boundary='
# part TYPE: what is in it
part() {
    tr -d '\r' <"$WORLD/answer" | awk -v type="Content-Type: $1" '
        /^--/ { on = 0 }
        index($0, type) == 1 { on = 1 }
        on == 2 && NF
        on && !NF { on = 2 }'
}
part application/pkcs8 | openssl base64 -d >"$WORLD/made.key"
part application/pkcs7-mime | openssl base64 -d |
    openssl pkcs7 -inform DER -print_certs -out "$WORLD/made.pem"
is 'the key is that of the certificate' \
    "$(openssl pkey -inform DER -in "$WORLD/made.key" -pubout)" \
    "$(openssl x509 -in "$WORLD/made.pem" -noout -pubkey)"
LABEL=line
echo later >"$CA/mode"
is 'the other EST server wants time' "$(enroll "$WORLD/lf" -u alice:secret)" 202
like 'R-R-45: which is passed on' "$(cat "$WORLD/header")" 'Retry-After: 1'
echo issue >"$CA/mode"
is 'then it issues' "$(enroll "$WORLD/lf" -u alice:secret)" 200
ok 'for this key' taken "$CA/ca.pem"
cp "$WORLD/answer" "$WORLD/first"
is 'asked again' "$(enroll "$WORLD/lf" -u alice:secret)" 200
ok 'it is the same certificate' cmp "$WORLD/first" "$WORLD/answer"
is 'and nobody was asked' "$(grep -c simpleenroll "$CA/asked")" 2
ok 'a request for another' csr /CN=registrar
is 'is not passed on' "$(enroll "$WORLD/lf" -u alice:secret)" 403
echo refuse >"$CA/mode"
ok 'one more request' csr
is 'refused there, refused here' "$(enroll "$WORLD/lf" -u alice:secret)" 403

# --- revocation ---------------------------------------------------------------
crl_says() {
    is "$1: served" "$(est crl/ca.crl)" 200
    openssl crl -inform DER -in "$WORLD/answer" -out "$WORLD/crl.pem"
    like "$1" "$(openssl verify -crl_check -CAfile "$WORLD/owner/domain-ca.pem" \
        -CRLfile "$WORLD/crl.pem" "$WORLD/router.pem" 2>&1)" "$2"
}
crl_says 'the device is on no list' 'router.pem: OK'
like 'which may be kept' "$(cat "$WORLD/header")" 'Cache-Control: max-age='
like 'people revoke' "$(registrar revoke TOK-1 --reason keyCompromise)" \
    '1 revoked'
like 'or one certificate' "$(registrar revoke --certificate \
    "$WORLD/made.pem")" '1 revoked'
crl_says 'the device is on the list' 'certificate revoked'
like 'with its reason' "$(openssl crl -in "$WORLD/crl.pem" -noout -text)" \
    'Key Compromise'
fails 1 '403' 'R-R-44: it renews no more' pledge router renew \
    --registrar "localhost:$REG_PORT"
fails 1 'in force' 'twice is once' registrar revoke TOK-1
ok 'the list in a file' registrar crl --out "$WORLD/ca.crl"
ok 'is the one that is served' cmp "$WORLD/ca.crl" "$WORLD/answer"
number() {
    echo $((16#$(openssl crl -in "$1" -noout -crlnumber | sed 's/.*=\(0x\)*//')))
}
ok 'a new one, if it must be' eval 'registrar crl --again >"$WORLD/new.pem"'
is 'has the next number' "$(number "$WORLD/new.pem")" \
    "$(($(number "$WORLD/crl.pem") + 1))"
is 'no password is in a log' "$(grep -rl secret "$WORLD"/*.out "$WORLD"/*.err \
    2>/dev/null)" ''
done_testing
