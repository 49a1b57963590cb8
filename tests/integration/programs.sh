#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Other people's programs with a device's keys: servers with processes and with
# threads, each under load and reloaded, and clients. Each handshake must show
# the certificate of the key and cost the device exactly one signature, which
# something before the real device counts: $DEVICE is a token, a TPM or a TPM
# behind tpm2-abrmd. With KEY_FILES the keys are in files that the TPM wrapped.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
export PATH=$PATH:/usr/sbin
N=32

world_begin
touch "$WORLD/signatures"
openssl_conf
# Servers that root starts become somebody else, who may use the device, but
# read neither the PIN nor the files that stand for keys.
AS=
if [ "$(id -u)" = 0 ]; then
    AS=nobody
    AS_GROUP=$(id -gn nobody)
    chmod 711 "$WORLD"
fi
# FORMAT ...: prints it with the user and the group, if it is root who starts
as_somebody() {
    [ -z "$AS" ] || printf "$1\n" "$AS" "$AS_GROUP"
}

case ${DEVICE:=token} in
token) . "$(dirname "$0")/programs_token.inc" ;;
*) . "$(dirname "$0")/programs_tpm.inc" ;;
esac
ok "a device: $DEVICE" device_up || bail 'no device'
echo "export OPENSSL_CONF=$WORLD/openssl.cnf" >>"$WORLD/device.env"

# --- keys ---

stand_in() {
    if [ -n "${KEY_FILES:-}" ]; then
        cp "$(uri "$1")" "$WORLD/$1.key"
    else
        in_device device "$BIN/idevid-device" wrap "$(uri "$1")" \
            -o "$WORLD/$1.key"
    fi
}
# ALG: a key, ALG.crt, ALG.key (which stands for the key), ALG.pem (both)
make_key() {
    device_pair "$1" &&
        in_device device openssl req -x509 -new -key "$(uri "$1")" \
            -subj "/CN=key $1" -addext subjectAltName=DNS:localhost -days 1 \
            -out "$WORLD/$1.crt" &&
        stand_in "$1" &&
        cat "$WORLD/$1.crt" "$WORLD/$1.key" >"$WORLD/$1.pem"
}
ok 'an EC key, its certificate and its file' make_key EC
ok 'an RSA key, its certificate and its file' make_key RSA
chmod 600 "$WORLD"/*.key "$WORLD"/*.pem
[ -z "$AS" ] || device_give "$AS" "$AS_GROUP"

# --- a server ---

# signatures CMD ...: CMD; SIGNED is how many the token made meanwhile
signatures() {
    local before code=0
    before=$(stat -c %s "$WORLD/signatures")
    "$@" || code=$?
    SIGNED=$(($(stat -c %s "$WORLD/signatures") - before))
    return $code
}
# load NUMBER ALG [3 | 2]: so many handshakes with the server's ALG address
load() {
    local where=$EC
    [ "$2" = EC ] || where=$RSA
    set -- "$1" "$2" "${3:-3}"
    "$BIN/tests/lib/handshakes" "-$3" -n "$1" -j 4 "$where" "$WORLD/$2.crt"
}

# until_true CMD ...: waits for it as long as the server lives
until_true() {
    local i=0
    until "$@"; do
        i=$((i + 1))
        kill -0 "$SERVER" 2>/dev/null && [ $i -lt 600 ] || {
            tail -n 20 "$WORLD/$NAME".{out,out.err,log} >&2 2>/dev/null
            return 1
        }
        pause
    done
}
answers() {
    load 1 EC >/dev/null 2>&1 && load 1 RSA >/dev/null 2>&1
}

# serve CMD ...: in the background; ready when both its addresses answer
serve() {
    start device "$WORLD/$NAME.out" "$@"
    SERVER=$STARTED
    until_true answers
}
sockets() {
    EC=$WORLD/$NAME.EC.sock
    RSA=$WORLD/$NAME.RSA.sock
}

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}
# serve_ports WRITE CMD ...: the same for a server that must be told its ports,
# by a configuration that WRITE EC_PORT RSA_PORT makes. Somebody else may have
# taken one of them meanwhile.
serve_ports() {
    local write=$1 try p q
    shift
    for try in 1 2 3 4 5; do
        p=$(free_port)
        q=$(free_port)
        EC=127.0.0.1:$p
        RSA=127.0.0.1:$q
        [ "$p" != "$q" ] && "$write" "$p" "$q" &&
            serve "$@" 2>"$WORLD/$NAME.try" && return
        kill "$SERVER" 2>/dev/null && wait "$SERVER"
    done
    cat "$WORLD/$NAME.try" >&2
    return 1
}

# by its pid; it ends what it started
stopped() {
    kill "$SERVER" && wait "$SERVER"
    ! pgrep -f "$WORLD/$NAME[.]" && device_empty
}

# the processes that serve are not root's
check_user() {
    [ -n "$AS" ] || return 0
    is "$NAME: works as $AS" "$(ps -o user= --ppid "$SERVER" | sort -u)" "$AS"
}

check_handshakes() {
    local alg v
    for alg in EC RSA; do
        for v in 3 2; do
            ok "$NAME: $N handshakes, $alg, TLS 1.$v" \
                signatures load $N $alg $v
            is "$NAME: $N signatures of the device" "$SIGNED" $N
        done
    done
}

# reloaded SIGNAL CMD ...: SIGNAL makes CMD print something else
reloaded() {
    local signal=$1 before
    shift
    before=$("$@")
    kill -"$signal" "$SERVER" && until_true differs "$before" "$@"
}
differs() {
    local before=$1
    shift
    [ "$("$@")" != "$before" ]
}
# In the middle of a load, of which nobody may notice anything.
check_reload() {
    local pid
    load 300 EC >"$WORLD/load.out" 2>&1 &
    pid=$!
    ok "$NAME: reloads" reloaded "$@"
    ok "$NAME: no handshake failed meanwhile" wait "$pid" ||
        tap_show "$WORLD/load.out"
    ok "$NAME: serves afterwards" signatures load $N RSA
    is "$NAME: $N signatures of the device" "$SIGNED" $N
}
children() {
    pgrep -P "$SERVER" | sort -n | tr '\n' ' '
}

# --- nginx: a master, worker processes ---

nginx_server() { # ALG MORE
    cat <<EOF
    server {
        listen unix:$WORLD/nginx.$1.sock ssl;
        ssl_certificate $WORLD/$1.crt;
        ssl_certificate_key $WORLD/$1.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_verify_client optional;
        ssl_client_certificate $WORLD/$1.crt;
        location / { return 200 "\$ssl_client_verify \$ssl_client_s_dn\n"; }
    }
EOF
}
nginx_conf() {
    as_somebody 'user %s %s;'
    cat <<EOF
daemon off;
worker_processes 4;
pid $WORLD/nginx.pid;
error_log $WORLD/nginx.log;
env OPENSSL_CONF;
EOF
    printf 'env %s;\n' $DEVICE_ENV
    cat <<EOF
events { }
http {
    access_log off;
    client_body_temp_path $WORLD/nginx.tmp;
    proxy_temp_path $WORLD/nginx.tmp;
    fastcgi_temp_path $WORLD/nginx.tmp;
    uwsgi_temp_path $WORLD/nginx.tmp;
    scgi_temp_path $WORLD/nginx.tmp;
EOF
    nginx_server EC
    nginx_server RSA
    echo '}'
}
NAME=nginx
sockets
nginx_conf >"$WORLD/nginx.conf"
ok 'nginx: starts' serve nginx -c "$WORLD/nginx.conf" -e "$WORLD/nginx.log"
check_user
check_handshakes
check_reload HUP children

# --- clients, of which nginx says who they are ---

check_client() { # WHAT ALG CMD ...
    local what=$1 alg=$2
    shift 2
    ok "$what: $alg key" signatures client "$WORLD/client.out" "$@"
    is "$what: two signatures of the device, one for each end" "$SIGNED" 2
    like "$what: nginx knows who it is" "$(cat "$WORLD/client.out")" \
        "^SUCCESS CN=key $alg"
}
client() {
    local out=$1
    shift
    in_device device timeout 30 "$@" >"$out"
}
get() { # s_client ARGS ...
    printf 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n' |
        openssl s_client -quiet -ign_eof "$@" 2>"$WORLD/get.err"
}
export -f get
export WORLD
for alg in EC RSA; do
    sock=$WORLD/nginx.$alg.sock crt=$WORLD/$alg.crt
    for v in 2 3; do
        check_client "curl, TLS 1.$v" $alg curl -sS --fail --tlsv1.$v \
            --tls-max 1.$v --unix-socket "$sock" --cacert "$crt" \
            --cert "$crt" --key "$WORLD/$alg.key" https://localhost/
        check_client "s_client, key by URI, TLS 1.$v" $alg bash -c 'get "$@"' - \
            -tls1_$v -unix "$sock" -CAfile "$crt" -verify_return_error \
            -cert "$crt" -key "$(uri $alg)"
    done
    check_client "s_client, key by file" $alg bash -c 'get "$@"' - \
        -unix "$sock" -CAfile "$crt" -verify_return_error \
        -cert "$WORLD/$alg.pem" -key "$WORLD/$alg.key"
done
NAME=nginx
ok 'nginx: stops' stopped

# --- apache: processes (prefork), and processes with threads (event); it ends
# its process group, which must not be ours ---

apache_server() { # ALG PORT KEY
    cat <<EOF
Listen 127.0.0.1:$2
<VirtualHost 127.0.0.1:$2>
    SSLEngine on
    SSLCertificateFile $WORLD/$1.crt
    SSLCertificateKeyFile "$3"
</VirtualHost>
EOF
}
apache_conf() { # EC_PORT RSA_PORT
    as_somebody 'User %s\nGroup %s'
    cat <<EOF
ServerRoot $WORLD
ServerName localhost
DefaultRuntimeDir $WORLD
PidFile $WORLD/$NAME.pid
ErrorLog $WORLD/$NAME.log
DocumentRoot $WORLD/htdocs
LoadModule mpm_${NAME#apache-}_module $APACHE_MODULES/mod_mpm_${NAME#apache-}.so
LoadModule authz_core_module $APACHE_MODULES/mod_authz_core.so
LoadModule ssl_module $APACHE_MODULES/mod_ssl.so
StartServers 3
MaxRequestWorkers 75
SSLSessionCache none
EOF
    apache_server EC "$1" "$WORLD/EC.key"
    apache_server RSA "$2" "$APACHE_RSA"
}
write_apache_conf() {
    apache_conf "$@" >"$WORLD/$NAME.conf"
}
APACHE_MODULES=/usr/lib/apache2/modules
mkdir "$WORLD/htdocs"
# apache takes URIs of tokens, and no others
APACHE_RSA=$(uri RSA)
[ "$DEVICE" = token ] || APACHE_RSA=$WORLD/RSA.key
for NAME in apache-prefork apache-event; do
    ok "$NAME: starts, keys by file, those of tokens by URI, too" \
        serve_ports write_apache_conf setsid apache2 -DFOREGROUND \
        -f "$WORLD/$NAME.conf"
    check_user
    check_handshakes
    check_reload USR1 children
    ok "$NAME: stops" stopped
done

# --- haproxy: a master, a worker with threads ---

haproxy_conf() {
    echo global
    as_somebody '    user %s\n    group %s'
    cat <<EOF
    nbthread 2
    stats socket $WORLD/haproxy.ctl expose-fd listeners
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 30s
EOF
    for alg in EC RSA; do
        cat <<EOF
frontend $alg
    bind unix@$WORLD/haproxy.$alg.sock ssl crt $WORLD/$alg.pem
    http-request return status 200 content-type text/plain string hello
EOF
    done
}
NAME=haproxy
sockets
haproxy_conf >"$WORLD/haproxy.conf"
ok 'haproxy: starts' serve haproxy -W -f "$WORLD/haproxy.conf"
check_user
check_handshakes
check_reload USR2 children
ok 'haproxy: stops' stopped

# --- stunnel: threads; it reads its files again as the user that it became ---

stunnel_conf() { # EC_PORT RSA_PORT
    as_somebody 'setuid = %s\nsetgid = %s'
    cat <<EOF
foreground = yes
pid =
[EC]
accept = 127.0.0.1:$1
exec = $WORLD/answer
cert = $WORLD/EC.pem
[RSA]
accept = 127.0.0.1:$2
exec = $WORLD/answer
cert = $WORLD/RSA.crt
key = $WORLD/RSA.key
EOF
}
write_stunnel_conf() {
    stunnel_conf "$@" >"$WORLD/stunnel.conf"
    [ -z "$AS" ] || chown "$AS" "$WORLD"/{EC.pem,RSA.key,stunnel.conf}
}
cat >"$WORLD/answer" <<'EOF'
#!/bin/sh
while read -r line && [ ${#line} -gt 1 ]; do :; done
printf 'HTTP/1.0 200 OK\r\n\r\nhello\n'
EOF
chmod 755 "$WORLD/answer"
configured() {
    grep -c 'Configuration successful' "$WORLD/stunnel.out.err"
}
NAME=stunnel
ok 'stunnel: starts' serve_ports write_stunnel_conf stunnel4 \
    "$WORLD/stunnel.conf"
check_handshakes
ok 'stunnel: reloads' reloaded HUP configured
ok 'stunnel: serves afterwards' signatures load $N RSA
is "stunnel: $N signatures of the device" "$SIGNED" $N
ok 'stunnel: stops' stopped

# --- openssl s_server, keys by URI ---

NAME=s_server
s_server() { # ALG
    rm -f "$WORLD/$NAME.out" # of the one before
    start device "$WORLD/$NAME.out" openssl s_server -accept 127.0.0.1:0 -www \
        -cert "$WORLD/$1.crt" -key "$(uri "$1")"
    SERVER=$STARTED
    EC=127.0.0.1:$(wait_text '^ACCEPT .*:\([0-9]*\)$' "$WORLD/$NAME.out" \
        "$SERVER") || return
    RSA=$EC
}
for alg in EC RSA; do
    ok "s_server: starts, $alg" s_server $alg
    for v in 3 2; do
        ok "s_server: $N handshakes, $alg, TLS 1.$v" \
            signatures load $N $alg $v
        is "s_server: $N signatures of the device" "$SIGNED" $N
    done
    kill "$SERVER" && wait "$SERVER" 2>/dev/null
done

[ "$DEVICE" = token ] || {
    done_testing
    exit
}
# --- what hwkey-provider(7) has of configurations, with these keys in it ---

manual() { # NAME
    sed -n "/^\.Sy $1\$/,/^\.Ed/p" \
        "$top_srcdir/provider/man/hwkey-provider.7" |
        sed -n '/^\.Bd/,/^\.Ed/{/^\.[BE]d/!p}' | sed "
            s|/etc/keys/web.crt|$WORLD/EC.crt|; s|/etc/keys/web.key|$WORLD/EC.key|
            s|/etc/keys/web.pem|$WORLD/EC.pem|; s|pkcs11:token=web;object=k|pkcs11:token=device;object=EC|"
}
accepted() { # NAME CMD ...
    local name=$1
    shift
    [ "$(wc -l <"$WORLD/manual.$name")" -gt 4 ] && in_device device "$@"
}
{
    echo "events { } pid $WORLD/manual.pid; env P11TALLY_REAL;"
    manual nginx | sed "s|listen 443|listen unix:$WORLD/manual.sock|
        s|^http {|&$(printf " %s_temp_path $WORLD/t;" client_body proxy \
            fastcgi uwsgi scgi)|"
} >"$WORLD/manual.nginx"
ok "the manual's nginx.conf" accepted nginx nginx -t -c "$WORLD/manual.nginx" \
    -e "$WORLD/manual.log"
{
    echo "ServerRoot $WORLD"
    echo 'ServerName localhost'
    echo "ErrorLog $WORLD/manual.log"
    for m in mpm_event authz_core ssl; do
        echo "LoadModule ${m}_module $APACHE_MODULES/mod_$m.so"
    done
    manual apache
} >"$WORLD/manual.apache"
ok "the manual's configuration of apache" accepted apache apache2 -t \
    -f "$WORLD/manual.apache"
{
    printf 'defaults\n    mode http\n    timeout client 30s\n'
    printf '    timeout server 30s\n    timeout connect 30s\n'
    manual haproxy
} >"$WORLD/manual.haproxy"
ok "the manual's haproxy.cfg" accepted haproxy haproxy -c \
    -f "$WORLD/manual.haproxy"
like "the manual's stunnel.conf" "$(manual stunnel)" "^key = $WORLD/EC.key"
done_testing
