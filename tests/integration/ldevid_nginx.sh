#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A web server uses the LDevID as its own certificate, by nothing but the files
# that the pledge leaves for other programs; whoever has the domain's trust
# anchors knows it. A hook tells it of a renewal.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT
export PATH=$PATH:/usr/sbin

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a token' device_token router TOK-1
ok 'a device with a TPM' device_tpm gateway TPM-1
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start
# again LINE: the registrar, started again, issues so
again() {
    kill "$REG_PID" && wait "$REG_PID"
    sed -i "s/^\\[ca\\]/&\n$1/" "$WORLD/owner.ini"
    start owner "$WORLD/owner.out" \
        "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
    REG_PID=$STARTED
    REG_PORT=$(wait_listening "$WORLD/owner.out" "$STARTED")
}
ok 'and issues for servers, too' again 'servers = yes'
ok 'names its own CRL' registrar_crl "https://localhost:$REG_PORT/crl/ca.crl"
REGISTRAR=localhost:$REG_PORT

# Who is not root serves as himself.
AS=
AS_GROUP=$(id -gn)
if [ "$(id -u)" = 0 ]; then
    AS=nobody
    AS_GROUP=$(id -gn nobody)
    chmod 711 "$WORLD"
fi

mkdir -m 755 "$WORLD/hooks.d"
for d in router gateway; do
    mkdir -m 711 "$WORLD/$d.nginx"
    [ -z "$AS" ] || chown "$AS:$AS_GROUP" "$WORLD/$d.nginx"
    cat >>"$WORLD/$d.ini" <<END
[enroll]
output = $WORLD/$d.out
group = $AS_GROUP
key = new
[hooks]
directory = $WORLD/hooks.d
END
done
# as in the manual, without a service manager; SoftHSM's files are for the user
# alone who made the key, the token of others knows no users
cat >"$WORLD/hooks.d/nginx" <<END
#!/bin/sh
${AS:+chown -R $AS:$AS_GROUP $WORLD/tokens}
device=\${IDEVID_DIRECTORY%.out*}
[ "\$IDEVID_EVENT" = reset ] || [ ! -e "\$device.nginx/pid" ] ||
    exec kill -HUP "\$(cat "\$device.nginx/pid")"
END
chmod 755 "$WORLD/hooks.d/nginx"

# nginx_conf DEVICE ENV ...: variables that its workers need, too
nginx_conf() {
    local dir=$WORLD/$1.nginx files=$WORLD/$1.out/current
    shift
    cat <<END
daemon off;
worker_processes 2;
pid $dir/pid;
error_log $dir/log;
env OPENSSL_CONF;
$(printf 'env %s;\n' "$@")
events { }
http {
    access_log off;
    client_body_temp_path $dir/tmp;
    proxy_temp_path $dir/tmp;
    fastcgi_temp_path $dir/tmp;
    uwsgi_temp_path $dir/tmp;
    scgi_temp_path $dir/tmp;
    server {
        listen unix:$dir/sock ssl;
        ssl_certificate     $files/fullchain.pem;
        ssl_certificate_key $files/key.pem;
        ssl_verify_client optional;
        ssl_client_certificate $files/anchors.pem;
        ssl_crl $files/ca.crl.pem;
        location / { return 200 "served\n"; }
    }
}
END
}
# ask DEVICE: somebody who has the domain's trust anchors and no device
ask() {
    curl -sS --fail --max-time 30 --unix-socket "$WORLD/$1.nginx/sock" \
        --cacert "$WORLD/owner/domain-ca.pem" "https://$SERIAL/"
}
until_true() {
    local i=0
    until "$@" >/dev/null 2>"$WORLD/until.err"; do
        i=$((i + 1))
        kill -0 "$SERVER" 2>/dev/null && [ $i -lt 600 ] || {
            tail -n 20 "$WORLD/until.err" "$WORLD/$NAME.nginx/log" \
                "$WORLD/$NAME.web.err" >&2
            return 1
        }
        pause
    done
}
shown() {
    openssl s_client -unix "$WORLD/$NAME.nginx/sock" </dev/null 2>/dev/null |
        openssl x509 -noout -fingerprint -sha256
}
enrolled_with() {
    openssl x509 -in "$WORLD/$NAME.out/current/cert.pem" -noout -fingerprint \
        -sha256
}
shows_it() {
    [ "$(shown)" = "$(enrolled_with)" ]
}
# serve CMD ...: nginx by CMD, with what the files say, and no more
serve() {
    start "$NAME" "$WORLD/$NAME.web" env OPENSSL_MODULES="$BIN/.libs" \
        OPENSSL_CONF="$WORLD/$NAME.out/current/openssl.cnf" "$@" nginx \
        -c "$WORLD/$NAME.conf" -e "$WORLD/$NAME.nginx/log"
    SERVER=$STARTED
    until_true ask "$NAME"
}
check_server() {
    local before
    is "$NAME: curl verified it" "$(ask "$NAME")" served
    ok "$NAME: it shows the LDevID" shows_it
    [ -z "$AS" ] || is "$NAME: it works as $AS" \
        "$(ps -o user= --ppid "$SERVER" | sort -u)" "$AS"
    before=$(shown)
    ok "R-P-67: $NAME: renewed" pledge "$NAME" renew --registrar "$REGISTRAR"
    ok "$NAME: by the hook it shows the new one" until_true shows_it
    ok "$NAME: which is another" test "$(shown)" != "$before"
    is "$NAME: curl verified that" "$(until_true ask "$NAME" &&
        ask "$NAME")" served
    kill "$SERVER"
    ok "$NAME: nginx ends" wait "$SERVER"
}

# --- a token: root starts nginx, which serves as somebody else who has the
# token, and reads neither PIN nor key file ---
NAME=router SERIAL=TOK-1
ok 'the device with a token joins' pledge router join --registrar "$REGISTRAR"
nginx_conf router SOFTHSM2_CONF HWKEY_PKCS11_MODULE >"$WORLD/router.conf"
[ -z "$AS" ] || sed -i "1i user $AS $AS_GROUP;" "$WORLD/router.conf"
ok 'router: nginx starts' serve
check_server

# --- a TPM: all of nginx is of a user who is of the group ---
NAME=gateway SERIAL=TPM-1
ok 'the device with a TPM joins' pledge gateway join --registrar "$REGISTRAR"
# a TPM without a resource manager, so all take turns
touch "$WORLD/lock"
echo "export HWKEY_TPM_LOCK='$WORLD/lock'" >>"$WORLD/gateway.env"
nginx_conf gateway HWKEY_TCTI HWKEY_TPM_LOCK >"$WORLD/gateway.conf"
if [ -n "$AS" ]; then
    chmod 711 "$WORLD/gateway.tpm"
    chmod 666 "$WORLD"/gateway.tpm/sock*
    chown "$AS:$AS_GROUP" "$WORLD/lock"
    fails 1 'ermission denied' 'who is not of the group cannot read the key file' \
        setpriv --reuid="$AS" --regid=daemon --clear-groups \
        cat "$WORLD/gateway.out/current/key.pem"
    ok 'gateway: nginx starts, never as root' serve \
        setpriv --reuid="$AS" --regid="$AS_GROUP" --clear-groups
else
    ok 'gateway: nginx starts' serve
fi
check_server
done_testing
