#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nginx in other places: before a registrar as a stream, which hands on the TLS
# of devices as it is; before a MASA and before a cloud registrar as a proxy
# that ends it, and hands on who asks.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/plain.inc"
. "$(dirname "$0")/cloud.inc"
. "$(dirname "$0")/front.inc"
trap world_end EXIT
export PATH=$PATH:/usr/sbin

# proxy NAME AS CERTIFICATE KEY: nginx before what listens on NAME.front
proxy() {
    {
        nginx_head
        echo 'http {'
        nginx_http_head "$1"
        sed -e "s|unix:/run/idevid/front.sock|unix:$WORLD/$1.front|" \
            -e '/listen \[::\]/d' -e 's|listen 8443|listen 127.0.0.1:@PORT@|' \
            -e "s|/etc/idevid/registrar.pem|$3|" \
            -e "s|/etc/idevid/registrar-key.pem|$4|" \
            "$top_srcdir/tools/conf/nginx-registrar.conf"
        echo '}'
    } >"$WORLD/$1.conf"
    nginx_start "$1" "$2"
}
front_section() { # NAME
    printf '[front]\nlisten = unix:%s\nclient-certificate = escaped-pem\n' \
        "$WORLD/$1.front"
}

world_begin
ok 'maker' maker || bail 'no maker'
ok 'owner' owner || bail 'no owner'

# --- a MASA behind a proxy, and nowhere else ---
openssl_conf
ok "the MASA's key of TLS, for nginx" in_device maker "$BIN/idevid-device" wrap \
    'pkcs11:token=maker;object=masa-tls;type=private' -o "$WORLD/masa-key.pem"
ok 'nginx is there for the MASA' proxy masa-nginx maker \
    "$WORLD/maker/masa-tls.pem" "$WORLD/masa-key.pem" || bail 'no nginx'
MASA_PORT=$NGINX_PORT
masa_conf
sed -i 's/^listen = .*/listen =/' "$WORLD/masa.ini"
front_section masa-nginx >>"$WORLD/masa.ini"
start maker "$WORLD/masa.out" "$BIN/idevid-masa" -v -c "$WORLD/masa.ini" run
ok 'the MASA serves it alone' wait_text '.*"\(fronted\)","address":"unix:.*' \
    "$WORLD/masa.out" "$STARTED"
is 'and nobody else' "$(grep -c '"listening"' "$WORLD/masa.out")" 0
ok 'a device' device_token router TOK-1 || bail 'no device'
ok 'another' device_token toaster TOK-2 || bail 'no device'
ok 'MASA learns of them' learn_devices
ok 'the registrar serves' registrar_start || bail 'no registrar'

# --- a stream before the registrar ---
if [ ! -e /usr/lib/nginx/modules/ngx_stream_module.so ]; then
    skip 'nginx hands on streams' 'its module is not here'
    done_testing
    exit
fi
{
    nginx_head ngx_stream_module
    echo "stream { server { listen 127.0.0.1:@PORT@; proxy_pass 127.0.0.1:$REG_PORT; } }"
} >"$WORLD/stream.conf"
ok 'nginx hands on streams to it' nginx_start stream owner || bail 'no stream'
ok 'R-R-13, R-R-39: a device joins by the stream, a MASA behind nginx vouches' \
    pledge router join --registrar "localhost:$NGINX_PORT"
like 'which knows where the registrar is' \
    "$(cat "$WORLD/masa.out.err")" \
    'served peer=127.0.0.1 path=/.well-known/brski/requestvoucher status=200'
ok 'R-R-44: and renews' pledge router renew --registrar "localhost:$NGINX_PORT"
is 'the chain is that of the registrar' \
    "$(openssl s_client -connect "localhost:$NGINX_PORT" </dev/null 2>/dev/null |
        openssl x509 -fingerprint -noout)" \
    "$(openssl x509 -in "$WORLD/owner/registrar.pem" -fingerprint -noout)"

# --- whence the MASA is asked, told by nginx alone ---
is 'a stranger says he is elsewhere' "$(curl -sk -o /dev/null -w '%{http_code}' \
    -H 'X-Forwarded-For: 192.0.2.99' -H 'Content-Type: application/cms' \
    --data-binary no "https://localhost:$MASA_PORT/.well-known/brski/requestvoucher")" \
    415
like 'and is where nginx saw him' "$(cat "$WORLD/masa.out.err")" \
    'served peer=127.0.0.1 path=/.well-known/brski/requestvoucher status=415'
is 'R-M-27: what it does not offer is not there' "$(curl -sk -o /dev/null \
    -w '%{http_code}' "https://localhost:$MASA_PORT/.well-known/est/cacerts")" 404

# --- a cloud registrar behind a proxy ---
cloud_web
CLOUD_LISTEN= CLOUD_FRONT=$(front_section cloud-nginx)
cloud_conf "$WORLD/owner.maker.ini"
ok 'nginx is there for it' proxy cloud-nginx cloud "$PLAIN/cloud.pem" \
    "$PLAIN/cloud.key" || bail 'no nginx'
cloud_start -v
ok 'a cloud registrar serves it' wait_text \
    '.*"\(fronted\)","address":"unix:.*' "$WORLD/cloud.out" "$STARTED"
cloud_is_at toaster "$NGINX_PORT"
fails 1 . 'R-C-2: a device whose owner is not known' pledge toaster -q join
like 'R-C-3: is known by the certificate that nginx handed on' \
    "$(cat "$WORLD/cloud.out.err")" 'why=no-owner status=401 device=TOK-2'
ok 'its owner is told' cloud owner set TOK-2 --to "https://localhost:$REG_PORT"
ok 'R-C-4: it is sent on to him, and joins' pledge toaster join
is 'R-C-5: no EST there' "$(curl -s -o /dev/null -w '%{http_code}' --cacert \
    "$PLAIN/web-ca.pem" "https://localhost:$NGINX_PORT/.well-known/est/cacerts")" 404
done_testing
