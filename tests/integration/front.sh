#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nginx in front of the registrar, by the site that is shipped, and haproxy by
# RFC 9440: devices of ours and of curl join and renew through it; whose request
# it is is told by the proxy alone, and judged for each request.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/plain.inc"
. "$(dirname "$0")/plain_device.inc"
. "$(dirname "$0")/front.inc"
trap world_end EXIT
export PATH=$PATH:/usr/sbin WORKERS=2

world_begin
ok 'maker' maker || bail 'no maker'
PLAIN=$WORLD/plain
mkdir "$PLAIN"
ok 'a CA of openssl' root maker-ca P-256 '/O=Plain Maker/CN=IDevIDs'
cat "$PLAIN/maker-ca.pem" >>"$WORLD/maker/anchors.pem"
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device' device_token router TOK-1 || bail 'no device'
ok 'a device with a TPM' device_tpm gateway TPM-1 || bail 'no device'
printf '[voucher]\nform = jws\n' >>"$WORLD/gateway.ini"
ok 'MASA learns of them' learn_devices
ok 'a device of files' idevid one PLAIN-1
ok 'another' idevid two PLAIN-2
ok 'a third' idevid three PLAIN-3
ok 'owner' owner || bail 'no owner'
ok 'the registrar serves a proxy' registrar_front escaped-pem ||
    bail 'no registrar'
ok 'the key stays in the token' front_key
ok 'nginx is in front' front_nginx || bail 'no nginx'
REG_PORT=$FRONT
said() { # PATTERN: what the registrar logged
    grep -c "$1" "$WORLD/owner.out.err"
}

# --- devices of ours ---
until curl -sk -o /dev/null "https://127.0.0.1:$FRONT/"; do
    kill -0 "$FRONT_PID" || bail "nginx: $(cat "$WORLD/nginx.log")"
    pause
done
ok 'R-R-1, R-R-13, R-R-39: a device joins through nginx, by CMS' \
    pledge router join --registrar "localhost:$FRONT"
ok 'R-R-22: another by JWS' pledge gateway join --registrar "localhost:$FRONT"
ok 'R-R-44: and renews with its LDevID' pledge router renew \
    --registrar "localhost:$FRONT"
like 'R-R-47: it tells over the certificate that it got' \
    "$(cat "$WORLD/owner.out.err")" \
    'enrollstatus device=TOK-1 status=1 .*cert-matches=1'
like 'where it is, not where nginx is' "$(cat "$WORLD/owner.out.err")" \
    'served peer=127.0.0.1 path=/.well-known/brski/requestvoucher status=200'

# --- curl and openssl ---
AS=one
cp "$WORLD/owner/registrar.pem" "$PLAIN/registrar.pem"
join() { # NAME SERIAL
    AS=$1
    request "$1" "$2" "$PLAIN/registrar.pem" && signed "$1" "$1" &&
        [ "$(post $VOUCHER "$PLAIN/$1.vcj" brski/requestvoucher)" = 200 ] &&
        echo '{"version":1,"status":true}' >"$PLAIN/status" &&
        [ "$(post application/json "$PLAIN/status" \
            brski/voucher_status)" = 200 ] &&
        openssl req -new -key "$PLAIN/$1.key" -subj "/serialNumber=$2" \
            -outform DER | base64 >"$PLAIN/$1.csr" &&
        [ "$(post application/pkcs10 "$PLAIN/$1.csr" \
            est/simpleenroll)" = 200 ] &&
        base64 -d "$PLAIN/body" | openssl pkcs7 -inform DER -print_certs |
        openssl x509 >"$PLAIN/ldevid-$1.pem" &&
        cp "$PLAIN/$1.key" "$PLAIN/ldevid-$1.key"
}
ok 'R-R-1, R-R-39: a device of curl and openssl joins' join one PLAIN-1
ok 'openssl verifies its LDevID' openssl verify -CAfile \
    "$WORLD/owner/domain-ca.pem" "$PLAIN/ldevid-one.pem"
ok 'another does' join two PLAIN-2
renewal() { # NAME: a request under the name of its LDevID
    openssl req -new -key "$PLAIN/$1.key" -outform DER -subj "/$(openssl x509 \
        -in "$PLAIN/ldevid-$1.pem" -noout -subject -nameopt sep_multiline,sname |
        sed -n 's/^ *//; 2,$p' | paste -sd/)" | base64 >"$PLAIN/$1.renew"
}
renewal one
renewal two
renew() { # AS NAME: the status of the renewal of NAME's certificate
    AS=$1
    post application/pkcs10 "$PLAIN/$2.renew" est/simplereenroll
}

# --- one connection of nginx, many clients ---
is 'R-R-44: one renews' "$(renew ldevid-one one)" 200
is 'the other behind it, on the same connection' \
    "$(renew ldevid-two two)" 200
like 'R-R-44: but not as the one before it' \
    "$(renew ldevid-two one)" '40[03]'
is 'nor does somebody without a certificate' "$(curl -sk -o /dev/null \
    -w '%{http_code}' -H 'Content-Type: application/pkcs10' \
    --data-binary "@$PLAIN/one.renew" \
    "https://127.0.0.1:$FRONT/.well-known/est/simplereenroll")" 403
is 'one still does' "$(renew ldevid-one one)" 200
is 'all of that was one connection of nginx' \
    "$(ss -Hxa | grep -c "ESTAB.* $WORLD/front.sock ")" 1

# --- what a client says of itself ---
ESCAPED=$(python3 -c 'import sys, urllib.parse
print(urllib.parse.quote(open(sys.argv[1]).read(), safe=""))' \
    "$PLAIN/ldevid-one.pem")
SEQUENCE=:$(openssl x509 -in "$PLAIN/ldevid-one.pem" -outform DER | base64 -w 0):
claim() { # URL OPTION ...: one's renewal, without one's key
    curl -sk -o "$PLAIN/body" -w '%{http_code}' --data-binary \
        "@$PLAIN/one.renew" -H 'Content-Type: application/pkcs10' "${@:2}" \
        "$1/.well-known/est/simplereenroll"
}
AT=https://127.0.0.1:$FRONT
is 'R-R-6: a certificate in a field is not handed on by nginx' \
    "$(claim "$AT" -H "X-SSL-Client-Cert: $ESCAPED")" 403
is 'nor beside that of another' "$(claim "$AT" \
    -H "X-SSL-Client-Cert: $ESCAPED" --cert "$PLAIN/two.pem" \
    --key "$PLAIN/two.key")" 403
is 'nor in the other form' \
    "$(claim "$AT" -H "Client-Cert: $SEQUENCE")" 403
is 'nor an address' "$(claim "$AT" -H 'X-Forwarded-For: 192.0.2.99')" 403
is 'which is seen nowhere' "$(said 'peer=192.0.2.99')" 0
AT=https://127.0.0.1:$DIRECT
is 'R-R-6: who passes by nginx says so in vain' \
    "$(claim "$AT" -H "X-SSL-Client-Cert: $ESCAPED" \
        -H 'X-Forwarded-For: 192.0.2.99')" 403
like 'which is noticed' "$(cat "$WORLD/owner.out.err")" \
    'front-ignored peer=127.0.0.1 field=X-SSL-Client-Cert'

# --- a proxy that says two things, or nothing that is one ---
AT=http://127.0.0.1:$PLAIN_HTTP
FROM='X-Forwarded-For: 192.0.2.1'
is 'a trusted proxy is believed' "$(claim "$AT" -H "$FROM" \
    -H "X-SSL-Client-Cert: $ESCAPED")" 200
for what in "X-SSL-Client-Cert: ${ESCAPED:0:300}" 'X-SSL-Client-Cert;' \
    "X-SSL-Client-Cert: $ESCAPED$ESCAPED" 'X-SSL-Client-Cert: (null)' \
    "Client-Cert: $SEQUENCE"; do
    is "not: ${what:0:40}" "$(claim "$AT" -H "$FROM" -H "$what")" 400
done
is 'not both' "$(claim "$AT" -H "$FROM" -H "X-SSL-Client-Cert: $ESCAPED" \
    -H "Client-Cert: $SEQUENCE")" 400
is 'not two' "$(claim "$AT" -H "$FROM" -H "X-SSL-Client-Cert: $ESCAPED" \
    -H "X-SSL-Client-Cert: $ESCAPED")" 400
is 'not without an address' \
    "$(claim "$AT" -H "X-SSL-Client-Cert: $ESCAPED")" 400
like 'each is told' "$(cat "$WORLD/owner.out.err")" 'front-misused peer='

# --- proof of possession ---
csr_with() { # CHALLENGE
    printf '[req]\nprompt=no\ndistinguished_name=d\nattributes=a\n[d]\nserialNumber=PLAIN-1\n[a]\nchallengePassword=%s\n' \
        "$1" >"$PLAIN/challenge.cnf"
    openssl req -new -config "$PLAIN/challenge.cnf" -key "$PLAIN/one.key" \
        -outform DER | base64 >"$PLAIN/bound.csr"
}
csr_with "$(openssl rand -base64 32)"
AS=one
is 'R-R-42: a request that is bound to a connection is refused, which only nginx knows' \
    "$(post application/pkcs10 "$PLAIN/bound.csr" est/simpleenroll)" 403

# --- requests with two readings ---
RAW=$(python3 "$top_srcdir/tests/lib/front_raw.py" "$FRONT")
while read -r name first more; do
    like "$name: refused, and nothing behind it heard" "$first$more" \
        '^[45][0-9][0-9]$'
done <<<"$RAW"
is 'the registrar was never asked for it' "$(said 'path=/inner')" 0

# --- nobody else ---
kill "$REG_PID" && wait "$REG_PID"
TRUSTED=192.0.2.0/24
ok 'a registrar that trusts another proxy' registrar_front escaped-pem
is 'R-R-6: hears nobody else' "$(claim "http://127.0.0.1:$PLAIN_HTTP" \
    -H "$FROM" -H "X-SSL-Client-Cert: $ESCAPED" 2>/dev/null)" 000
like 'and says so' "$(cat "$WORLD/owner.out.err")" \
    'front-refused peer=127.0.0.1'
is 'nginx, on the socket of files, goes on' "$(renew ldevid-one one)" 200
kill "$FRONT_PID"
ok 'nginx ends' wait "$FRONT_PID"

# --- another proxy, which says it as RFC 9440 does, chain and all --------------
haproxy_conf() {
    cat "$WORLD/owner/registrar.pem" "$WORLD/front-key.pem" \
        >"$WORLD/haproxy.pem" && cat >"$WORLD/haproxy.cfg" <<EOF
global
    stats socket $WORLD/haproxy.sock
defaults
    mode http
    timeout connect 5s
    timeout client 15s
    timeout server 60s
frontend devices
    bind fd@9 ssl crt $WORLD/haproxy.pem verify optional ca-file $WORLD/idevid-anchors.pem ca-ignore-err all crt-ignore-err all
    http-request del-header X-SSL-Client-Cert
    http-request del-header Client-Cert
    http-request del-header Client-Cert-Chain
    http-request set-header Client-Cert :%[ssl_c_der,base64]: if { ssl_c_used }
    http-request set-header X-Forwarded-For %[src]
    default_backend registrar
backend registrar
    http-reuse always
    server one unix@$WORLD/front.sock
EOF
}
front_haproxy() {
    haproxy_conf || return
    start owner "$WORLD/haproxy.out" env OPENSSL_CONF="$WORLD/openssl.cnf" \
        bash -c ". '$top_srcdir/tests/integration/front.inc'; on_port \"\$@\"" \
        bash "$WORLD/haproxy.cfg" haproxy -db -f "$WORLD/haproxy.cfg"
    FRONT_PID=$STARTED
    REG_PORT=$(wait_listening "$WORLD/haproxy.out" "$STARTED")
}
kill "$REG_PID" && wait "$REG_PID"
ok 'a registrar for RFC 9440' registrar_front client-cert
ok 'haproxy is in front' front_haproxy
ok 'R-R-1, R-R-39: a device joins through haproxy' join three PLAIN-3
is 'R-R-44: and renews' "$(renewal three && renew ldevid-three three)" 200
like 'R-R-44: not for another' "$(renew ldevid-three one)" '40[03]'
is 'R-R-6: nor by what it says of itself' \
    "$(claim "https://127.0.0.1:$REG_PORT" -H "Client-Cert: $SEQUENCE")" 403
kill "$FRONT_PID"

# --- a configuration that cannot work ---
check() { # LINE ...: what -t says of it
    cp "$WORLD/owner.ini" "$WORLD/other.ini" && printf '%s\n' "$@" \
        >>"$WORLD/other.ini"
    in_device owner "$BIN/idevid-registrar" -c "$WORLD/other.ini" run --test
}
fails 2 'channel-binding: not with front' \
    'R-R-42: a proxy and channel-binding do not go together' \
    check '[est]' 'channel-binding = yes'
fails 2 "'front.sock' is not an address\|not host:port" \
    'an address that is none' check '[front]' 'trusted-proxy = front.sock'
fails 2 'no group' 'a group that is none' check '[front]' 'group = no-such'
ok 'another key' root stranger P-256 /CN=registrar
fails 2 'another key than requests are signed with' \
    'R-R-13: a certificate in front of another key' check '[front]' \
    "certificate = $PLAIN/stranger.pem"
ok 'one of the same key' eval 'OPENSSL_CONF=$WORLD/openssl.cnf in_device owner \
    openssl x509 -x509toreq -in "$WORLD/owner/registrar.pem" \
    -signkey "$WORLD/front-key.pem" -out "$PLAIN/front.csr" &&
    openssl x509 -req -in "$PLAIN/front.csr" -CA "$PLAIN/stranger.pem" \
        -CAkey "$PLAIN/stranger.key" -out "$PLAIN/front.pem" \
        -extfile <(echo extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28)'
fails 2 'does not verify by what vouchers pin' \
    'R-R-13: one that vouchers do not pin' check '[front]' \
    "certificate = $PLAIN/front.pem"
ok 'the registrar'"'"'s own is in order' check '[front]' \
    "certificate = $WORLD/owner/registrar.pem"
done_testing
