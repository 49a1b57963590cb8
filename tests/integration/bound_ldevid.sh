#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The LDevID key of a device with a TPM: bound to the trust anchor, used by
# programs that know nothing of that, renewed, and dead after a reset.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device with a TPM' device_tpm gateway TPM-0001 || bail 'no device'
ok 'MASA learns of it' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start
openssl_conf
STATE=$WORLD/gateway.state

value() { # NAME: of the pledge's status
    pledge gateway --json status |
        sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p"
}
keys() {
    (cd "$STATE" && echo ldevid-*)
}
join() {
    pledge gateway join --registrar "localhost:$REG_PORT"
}
device_openssl() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device gateway timeout 60 openssl "$@"
}
# signs FILE: with a key file as it is, verified by software
signs() {
    pledge gateway status --pem >"$WORLD/leaf.pem"
    echo data >"$WORLD/data"
    device_openssl dgst -sha256 -sign "$1" -out "$WORLD/sig" "$WORLD/data" &&
        device_openssl pkey -in "$1" -pubout -out "$WORLD/pub.pem" &&
        openssl dgst -sha256 -verify "$WORLD/pub.pem" \
            -signature "$WORLD/sig" "$WORLD/data"
}
# refused FILE: the TPM does not sign with it, and the error says why
refused() {
    ! device_openssl dgst -sha256 -sign "$1" -out "$WORLD/sig" "$WORLD/data" \
        2>"$WORLD/refused" && grep -q "$2" "$WORLD/refused" ||
        { cat "$WORLD/refused"; return 1; }
}

# --- made, used ---

ok 'it joins' join
FIRST=$(keys)
like 'its key is one file' "$FIRST" '^ldevid-[0-9]*-1\.pem$'
is 'the enrollment names it' "$(value ldevid-key)" "tpm2:object=$STATE/$FIRST"
is 'nobody else may read it' "$(stat -c %a "$STATE/$FIRST")" 600
like 'it is a key file' "$(head -n 1 "$STATE/$FIRST")" 'TSS2 PRIVATE KEY'
ok 'the TPM has no such key at a handle' sh -c '. "$0"
    ! tpm2_readpublic -Q -c 0x81020010 2>/dev/null' "$WORLD/gateway.env"
ok 'it signs' signs "$STATE/$FIRST"
ok 'curl, by a file that names the key' ldevid_curl gateway
ok 's_client, by the same' ldevid_s_client gateway
cp "$STATE/$FIRST" "$WORLD/gateway.key.pem"
ok 'curl, by the key file itself' env OPENSSL_CONF="$WORLD/openssl.cnf" \
    sh -c '. "$0"; exec curl -sS --fail --max-time 30 --cacert "$1" \
        --cert "$2" --key "$3" -o /dev/null "$4"' "$WORLD/gateway.env" \
    "$WORLD/gateway.anchors.pem" "$WORLD/gateway.ldevid.pem" \
    "$WORLD/gateway.key.pem" \
    "https://localhost:$REG_PORT/.well-known/est/cacerts"

# --- renewed ---

before=$(value ldevid-key)
ok 'it renews' pledge gateway renew
SECOND=$(keys)
like 'there is a new key, and no other' "$SECOND" '^ldevid-[0-9]*-2\.pem$'
is 'the enrollment names it' "$(value ldevid-key)" \
    "tpm2:object=$STATE/$SECOND"
ok 'it signs' signs "$STATE/$SECOND"
ok 'the certificate is for it' sh -c 'openssl x509 -in "$0" -noout -pubkey |
    cmp - "$1"' "$WORLD/leaf.pem" "$WORLD/pub.pem"
kill "$REG_PID"
wait "$REG_PID" 2>/dev/null
pledge gateway renew --registrar "localhost:$REG_PORT" >/dev/null 2>&1
is 'nothing comes of a renewal, and the key in use stays' \
    "$(value ldevid-key)" "tpm2:object=$STATE/$SECOND"
ok 'the registrar serves again' registrar_start

# --- a server with it, that is never told ---

nginx_conf() {
    local t
    echo "daemon off; master_process off; pid $WORLD/nginx.pid;"
    echo 'error_log stderr; events {} http { access_log off;'
    for t in client_body proxy fastcgi uwsgi scgi; do
        echo "${t}_temp_path $WORLD/nginx.$t;"
    done
    echo "server { listen unix:$WORLD/nginx.sock ssl;"
    echo "ssl_certificate $WORLD/leaf.pem;"
    echo "ssl_certificate_key $STATE/$SECOND;"
    echo 'location / { return 200 hello; } } }'
}
nginx_start() {
    nginx_conf >"$WORLD/nginx.conf"
    start gateway "$WORLD/nginx.out" env OPENSSL_CONF="$WORLD/openssl.cnf" \
        nginx -p "$WORLD" -e stderr -c "$WORLD/nginx.conf"
    NGINX_PID=$STARTED
    until [ -S "$WORLD/nginx.sock" ]; do
        kill -0 "$NGINX_PID" || { cat "$WORLD/nginx.out.err"; return 1; }
        pause
    done
}
ask_nginx() {
    curl -sS --insecure --max-time 30 --unix-socket "$WORLD/nginx.sock" \
        https://localhost/
}
have_nginx=$(command -v nginx)
if [ -n "$have_nginx" ]; then
    ok 'nginx starts with the key file' nginx_start
    is 'nginx serves' "$(ask_nginx)" hello
else
    skip 'nginx starts with the key file' 'no nginx'
    skip 'nginx serves' 'no nginx'
fi

# --- dead ---

cp "$STATE/$SECOND" "$WORLD/stolen.pem"
ok 'what was copied works, as long as it is' signs "$WORLD/stolen.pem"
ok 'reset' pledge gateway reset
is 'the file is gone' "$(keys)" 'ldevid-*'
if [ -n "$have_nginx" ]; then
    is 'the running server has lost its key' \
        "$(ask_nginx 2>/dev/null || echo refused)" refused
    kill "$NGINX_PID" && wait "$NGINX_PID"
else
    skip 'the running server has lost its key' 'no nginx'
fi
ok 'the copy is of no use' refused "$WORLD/stolen.pem" 0x01800
ok 'it joins again, the same domain' join
ok 'nor is it now' refused "$WORLD/stolen.pem" 0x01800
ok 'the new one is' signs "$STATE/$(keys)"

# --- not bound ---

ok 'reset' pledge gateway reset
printf '[anchor]\nbind-ldevid = no\n' >>"$WORLD/gateway.ini"
ok 'it joins, without' join
is 'the key is at a handle' "$(value ldevid-key)" tpm2:handle=0x81020010
ok 'it renews' pledge gateway renew
is 'and keeps its key' "$(value ldevid-key)" tpm2:handle=0x81020010
sed -i 's/^bind-ldevid.*/bind-ldevid = yes/' "$WORLD/gateway.ini"
ok 'it renews, bound now' pledge gateway renew
like 'the key is a file' "$(value ldevid-key)" '-1\.pem$'
ok 'and gone from the handle' sh -c '. "$0"
    ! tpm2_readpublic -Q -c 0x81020010 2>/dev/null' "$WORLD/gateway.env"
sed -i 's/^\[ldevid\]//; $a [ldevid]\nkey = tpm2:handle=0x81020011' \
    "$WORLD/gateway.ini"
fails 2 'bind-ldevid' 'a place for a key that is bound' pledge gateway renew
done_testing
