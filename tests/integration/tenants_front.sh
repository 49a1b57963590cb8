#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nginx in front of several makers: as a stream, which hands on TLS as it is, by
# the name in the handshake, to two of one process and to one of another; then
# as a proxy that ends it.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
. "$(dirname "$0")/tenants.inc"
. "$(dirname "$0")/front.inc"
trap world_end EXIT
export PATH=$PATH:/usr/sbin

# www PATH FILE [OPTION ...]: POSTs to the third name
www() {
    local path=$1 file=$2
    shift 2
    curl -sS --max-time 20 --cacert "$WORLD/bolt-tls.ca" -o "$REPLY_FILE" \
        -w '%{http_code}' -H "$VCJ" "$@" --data-binary "@$WORLD/$file" \
        --resolve "www.bolt.test:$MASA_PORT:127.0.0.1" \
        "https://www.bolt.test:$MASA_PORT$path"
}
# turns NAME OTHER: on one connection to NAME, Host of it, of OTHER, of it; the
# status of each, and how often it had to connect for that
turns() {
    local host url="https://$1:$MASA_PORT$BRSKI/requestvoucher" next=
    for host in "$1" "$2" "$1"; do
        printf '%surl = "%s"\nheader = "%s"\nheader = "Host: %s"\n' "$next" \
            "$url" "$VCJ" "$host"
        printf 'data-binary = "@%s"\noutput = "%s"\n' "$WORLD/two.vcj" \
            "$REPLY_FILE"
        printf 'cacert = "%s"\nresolve = "%s:%s:127.0.0.1"\n' \
            "$WORLD/both.ca" "$1" "$MASA_PORT"
        printf 'write-out = "%%{http_code}/%%{num_connects} "\n'
        next='next
'
    done | curl -sS --max-time 20 -K -
}
fronted() { # NAME FILE: as nginx hands it on
    curl -sS --max-time 20 --unix-socket "$WORLD/makers.front" \
        -o "$REPLY_FILE" -w '%{http_code}' -H "$VCJ" \
        -H 'X-Forwarded-For: 192.0.2.7' \
        --data-binary "@$WORLD/$2" "http://$1$BRSKI/requestvoucher"
}
entries() {
    echo "$(masa log | grep -c nonce) $(masa --tenant bolt log |
        grep -c nonce)"
}
# another process, with the second maker alone, by its other name
bolt_alone() {
    sed -e "s|^\[server\]|&\nlisten = 127.0.0.1:0\nadmin = $WORLD/alone.sock\n\
names = www.bolt.test\nunknown-name = refuse\nworkers = 1|" \
        "$WORLD/bolt.ini" >"$WORLD/alone.ini"
    start maker "$WORLD/alone.out" "$BIN/idevid-masa" -c "$WORLD/alone.ini" run
    ALONE=$(wait_listening "$WORLD/alone.out" "$STARTED")
}
stream_conf() {
    nginx_head ngx_stream_module
    cat <<EOF
stream {
    map \$ssl_preread_server_name \$masa {
        www.bolt.test 127.0.0.1:$ALONE;
        default       127.0.0.1:$MASA_PORT;
    }
    server {
        listen 127.0.0.1:@PORT@;
        ssl_preread on;
        proxy_pass \$masa;
    }
}
EOF
}
# site NAME KEY: of one maker, by the server that is shipped
site() {
    sed -n -e '/^server {/,$p' "$top_srcdir/tools/conf/nginx-registrar.conf" |
        sed -e "s|^server {|&\n    server_name $1;|" -e '/listen \[::\]/d' \
            -e 's|listen 8443|listen 127.0.0.1:@PORT@|' \
            -e "s|/etc/idevid/registrar.pem|$WORLD/$2.pem|" \
            -e "s|/etc/idevid/registrar-key.pem|$WORLD/$2.key|"
}
proxy_conf() {
    nginx_head
    echo 'http {'
    nginx_http_head makers
    echo "upstream idevid-registrar { server unix:$WORLD/makers.front; }"
    site localhost tls
    site bolt.example bolt-tls
    echo '}'
}

world_begin
bolt_made
bolt_conf
SERVER="tenants = $WORLD/bolt.ini"
MASA_LOG="key = $WORLD/acme-log.key
[front]
listen = unix:$WORLD/makers.front
client-certificate = escaped-pem"
ok 'a MASA of two makers' bare_masa || bail 'no MASA'
cat "$WORLD/maker.pem" "$WORLD/bolt.pem" >"$WORLD/both.ca"
ok 'a device of the second, of the same number' know bolt BARE-1 bolt
openssl_conf

# --- a stream ----------------------------------------------------------------

if [ -e /usr/lib/nginx/modules/ngx_stream_module.so ]; then
    ok 'one of the makers in a process of its own, too' bolt_alone ||
        bail 'no second process'
    stream_conf >"$WORLD/stream.conf"
    ok 'nginx hands on streams by the name' nginx_start stream maker ||
        bail "nginx: $(cat "$WORLD/stream.log")"
    MASA_PORT=$NGINX_PORT
    is 'R-M-33: the first has its certificate' "$(shown localhost)" \
        'CN = localhost'
    is 'R-M-33: the second its own' "$(shown bolt.example)" 'CN = bolt'
    is 'as in TLS 1.2' "$(shown bolt.example -tls1_2)" 'CN = bolt'
    is 'and in the other process' "$(shown www.bolt.test)" 'CN = bolt'
    request one --nonce aaa
    is 'a voucher of the first' "$(ask $BRSKI/requestvoucher one.vcj)" 200
    like 'R-M-33: is by its key' "$(signer_of "$REPLY_FILE")" 'Voucher Signer'
    is 'a voucher of the second' "$(at bolt $BRSKI/requestvoucher one.vcj)" 200
    like 'R-M-33: is by its own' "$(signer_of "$REPLY_FILE")" 'Bolt Signer'
    cp "$REPLY_FILE" "$WORLD/bolt.one"
    is 'the same request to the other process' \
        "$(www $BRSKI/requestvoucher one.vcj)" 200
    ok 'has the same voucher' cmp "$REPLY_FILE" "$WORLD/bolt.one"
    is 'each has its entry' "$(entries)" '1 1'

    # --- another in Host than in the handshake -------------------------------

    request two --nonce bbb
    is 'R-M-33: the first, asked for the second: refused' \
        "$(ask $BRSKI/requestvoucher two.vcj -H 'Host: bolt.example')" 421
    like 'with a text' "$(cat "$REPLY_FILE")" 'not served on this connection'
    is 'R-M-33: the second, asked for the first' \
        "$(at bolt $BRSKI/requestvoucher two.vcj -H 'Host: localhost')" 421
    is 'R-M-33: the other process, asked for one that it does not have' \
        "$(www $BRSKI/requestvoucher two.vcj -H 'Host: localhost')" 421
    is 'of all that there is no entry' "$(entries)" '1 1'
    is 'R-M-33: nor is it answered on a connection that is kept' \
        "$(turns bolt.example localhost)" '200/1 421/0 200/1 '
    is 'of either' "$(turns localhost bolt.example)" '200/1 421/0 200/1 '
    is 'where each had its own' "$(entries)" '2 2'
    kill "$NGINX_PID"
    ok 'nginx ends' wait "$NGINX_PID"
else
    skip 'nginx hands on streams' 'its module is not here'
fi

# --- a proxy -----------------------------------------------------------------

proxy_conf >"$WORLD/makers.conf"
ok 'nginx ends TLS for both' nginx_start makers maker ||
    bail "nginx: $(cat "$WORLD/makers.log")"
MASA_PORT=$NGINX_PORT
request three --nonce ccc
is 'a voucher of the first' "$(ask $BRSKI/requestvoucher three.vcj)" 200
like 'R-M-33: is by its key' "$(signer_of "$REPLY_FILE")" 'Voucher Signer'
is 'a voucher of the second' "$(at bolt $BRSKI/requestvoucher three.vcj)" 200
like 'R-M-33: is by its own' "$(signer_of "$REPLY_FILE")" 'Bolt Signer'
is 'each has its entry' "$(entries | tr ' ' '\n' | sort -u | wc -l)" 1
request four --nonce ddd
is 'R-M-33: nginx itself refuses another in Host than in the handshake' \
    "$(at bolt $BRSKI/requestvoucher four.vcj -H 'Host: localhost')" 421
is 'at the socket that nginx has' "$(fronted localhost four.vcj)" 200
like 'R-M-33: Host decides' "$(signer_of "$REPLY_FILE")" 'Voucher Signer'
is 'which is the same socket' "$(fronted bolt.example four.vcj)" 200
like 'R-M-33: alone' "$(signer_of "$REPLY_FILE")" 'Bolt Signer'
done_testing
