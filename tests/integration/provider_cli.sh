#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hwkey.so in other people's programs: openssl, curl, nginx, on both devices.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'nginx_stop; world_end' EXIT
NGINX_PID=
nginx_stop() {
    [ -z "$NGINX_PID" ] || kill "$NGINX_PID" 2>/dev/null
    NGINX_PID=
}

world_begin
ok 'a token' token_up token || bail 'no token'
ok 'a TPM' tpm_up tpm || bail 'no TPM'
openssl_conf

# ssl NAME ARGS ...: openssl with hwkey.so and that device
ssl() {
    local name=$1
    shift
    OPENSSL_CONF=$WORLD/openssl.cnf in_device "$name" timeout 60 openssl "$@"
}

# check_key NAME URI EC|RSA: one key in every use
check_key() {
    local d=$1 uri=$2 alg=$3 n="$1 $3"
    ok "$n: public key" ssl "$d" pkey -in "$uri" -pubout -out "$WORLD/pub.pem"
    ok "$n: text" ssl "$d" pkey -pubin -in "$WORLD/pub.pem" -noout -text_pub
    echo data >"$WORLD/data"
    ok "$n: dgst signs" ssl "$d" dgst -sha256 -sign "$uri" \
        -out "$WORLD/sig" "$WORLD/data"
    ok "$n: software verifies" openssl dgst -sha256 -verify "$WORLD/pub.pem" \
        -signature "$WORLD/sig" "$WORLD/data"
    if [ "$alg" = RSA ]; then
        ok "$n: PSS" ssl "$d" dgst -sha256 -sign "$uri" \
            -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
            -out "$WORLD/sig" "$WORLD/data"
        ok "$n: software verifies PSS" openssl dgst -sha256 \
            -verify "$WORLD/pub.pem" -sigopt rsa_padding_mode:pss \
            -signature "$WORLD/sig" "$WORLD/data"
    fi
    ok "$n: request" ssl "$d" req -new -key "$uri" -subj "/CN=localhost" \
        -out "$WORLD/req.pem"
    ok "$n: the request verifies" openssl req -in "$WORLD/req.pem" -verify \
        -noout
    ok "$n: self-signed certificate" ssl "$d" req -x509 -new -key "$uri" \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 1 \
        -out "$WORLD/$d.$alg.crt"
    ok "$n: CMS" ssl "$d" cms -sign -nodetach -in "$WORLD/data" -binary -outform DER \
        -signer "$WORLD/$d.$alg.crt" -inkey "$uri" -out "$WORLD/cms.der"
    ok "$n: software verifies CMS" openssl cms -verify -inform DER \
        -in "$WORLD/cms.der" -CAfile "$WORLD/$d.$alg.crt" -purpose any \
        -out /dev/null
    ok "$n: wrapper file" in_device "$d" "$BIN/idevid-device" wrap "$uri" \
        -o "$WORLD/$d.$alg.key.pem"
    ok "$n: the wrapper file is the key" ssl "$d" pkey \
        -in "$WORLD/$d.$alg.key.pem" -pubout -out "$WORLD/pub2.pem"
    ok "$n: the same key" cmp "$WORLD/pub.pem" "$WORLD/pub2.pem"
}

# Keys made by the devices' own tools, so that nothing here is our word alone.
token_key() {
    in_device token pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so \
        --token-label token --login --pin "$PIN" --keypairgen \
        --key-type "$1" --label "$2" --id "$3"
}
tpm_key() {
    local d=$WORLD/tpmkey
    mkdir -p "$d"
    in_device tpm sh -c 'tpm2_createprimary -Q -C o -G ecc -c "$1/p" &&
        tpm2_create -Q -C "$1/p" -G "$2" -u "$1/u" -r "$1/r" \
            -a "sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth" &&
        tpm2_flushcontext -t &&
        tpm2_load -Q -C "$1/p" -u "$1/u" -r "$1/r" -c "$1/k" &&
        tpm2_flushcontext -t &&
        tpm2_evictcontrol -Q -C o -c "$1/k" "$3" &&
        tpm2_flushcontext -t' - "$d" "$1" "$2"
}

T='pkcs11:token=token;object'
ok 'token: EC key by pkcs11-tool' token_key EC:prime256v1 ec 01
ok 'token: RSA key by pkcs11-tool' token_key rsa:2048 rsa 02
ok 'TPM: EC key by tpm2-tools' tpm_key ecc256 0x81000101
ok 'TPM: RSA key by tpm2-tools' tpm_key rsa2048 0x81000102
check_key token "$T=ec;type=private" EC
check_key token "$T=rsa;type=private" RSA
check_key tpm tpm2:handle=0x81000101 EC
check_key tpm tpm2:handle=0x81000102 RSA
like 'token: storeutl lists what finds itself' \
    "$(ssl token storeutl -noout pkcs11:token=token 2>&1)" 'Total found'

# serve NAME ALG VERSION: s_server with the wrapper file, plain s_client
serve() {
    local d=$1 alg=$2 v=$3 pid port code
    rm -f "$WORLD/srv.out"
    (
        . "$WORLD/$d.env"
        OPENSSL_CONF=$WORLD/openssl.cnf exec openssl s_server \
            -accept 127.0.0.1:0 -cert "$WORLD/$d.$alg.crt" \
            -key "$WORLD/$d.$alg.key.pem" -naccept 1 -rev
    ) >"$WORLD/srv.out" 2>"$WORLD/srv.out.err" &
    pid=$!
    port=$(wait_text '^ACCEPT .*:\([0-9]*\)$' "$WORLD/srv.out" "$pid") ||
        return 1
    printf 'hello\nCLOSE\n' | timeout 30 openssl s_client "-$v" -ign_eof \
        -connect "127.0.0.1:$port" -CAfile "$WORLD/$d.$alg.crt" \
        -verify_return_error -brief
    code=$?
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    return $code
}
for d in token tpm; do
    for alg in EC RSA; do
        for v in tls1_2 tls1_3; do
            ok "$d $alg: TLS server, $v" serve "$d" "$alg" "$v"
        done
    done
done

# nginx with a token key and curl with a TPM key as its client
cat >"$WORLD/nginx.conf" <<EOF
daemon off;
worker_processes 2;
pid $WORLD/nginx.pid;
error_log $WORLD/nginx.err;
env SOFTHSM2_CONF;
env HWKEY_PKCS11_MODULE;
env HWKEY_PIN_FILE;
env OPENSSL_CONF;
events { }
http {
    access_log off;
    client_body_temp_path $WORLD/nginx.tmp;
    proxy_temp_path $WORLD/nginx.tmp;
    fastcgi_temp_path $WORLD/nginx.tmp;
    uwsgi_temp_path $WORLD/nginx.tmp;
    scgi_temp_path $WORLD/nginx.tmp;
    server {
        listen unix:$WORLD/nginx.sock ssl;
        ssl_certificate $WORLD/token.EC.crt;
        ssl_certificate_key $WORLD/token.EC.key.pem;
        ssl_client_certificate $WORLD/tpm.EC.crt;
        ssl_verify_client on;
        location / { return 200 "\$ssl_client_s_dn\n"; }
    }
}
EOF
chmod 755 "$WORLD"
nginx_up() {
    local i=0
    (
        . "$WORLD/token.env"
        OPENSSL_CONF=$WORLD/openssl.cnf exec nginx -c "$WORLD/nginx.conf" \
            -g "user $(id -un);" -e "$WORLD/nginx.err"
    ) >"$WORLD/nginx.out" 2>&1 &
    NGINX_PID=$!
    until [ -S "$WORLD/nginx.sock" ] && [ -s "$WORLD/nginx.pid" ]; do
        i=$((i + 1))
        kill -0 "$NGINX_PID" 2>/dev/null && [ $i -lt 200 ] || {
            cat "$WORLD/nginx.out" "$WORLD/nginx.err" >&2
            return 1
        }
        pause
    done
}
ok 'nginx serves with a key in the token' nginx_up
curl_nginx() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device tpm curl -sS --fail \
        --max-time 30 --unix-socket "$WORLD/nginx.sock" \
        --cacert "$WORLD/token.EC.crt" --cert "$WORLD/tpm.EC.crt" \
        --key "$WORLD/tpm.EC.key.pem" https://localhost/ >"$WORLD/curl.out"
}
for i in 1 2 3 4; do
    ok "curl with a key in the TPM, request $i" curl_nginx
done
like 'nginx saw whose certificate it was' "$(cat "$WORLD/curl.out")" CN=localhost
nginx_stop

ok 'nothing transient is left in the TPM' sh -c \
    '. "$1"; [ -z "$(tpm2_getcap handles-transient)" ]' - "$WORLD/tpm.env"
ok 'no session is left in the TPM' sh -c \
    '. "$1"; [ -z "$(tpm2_getcap handles-loaded-session)" ]' - "$WORLD/tpm.env"
done_testing
