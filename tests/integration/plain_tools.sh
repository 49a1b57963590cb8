#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Devices of each kind join a registrar made of Python, openssl and nginx: what
# they send is what plain tools understand, and the other way round.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/plain.inc"
trap world_end EXIT

command -v python3 >/dev/null || {
    skip 'joins with plain tools' 'python3 is missing'
    done_testing
    exit
}

WHOLE='requestvoucher=200 voucher_status=200 cacerts=200 csrattrs=204 simpleenroll=200 enrollstatus=200 '

# joins DEVICE WHERE WHAT: and its certificate is one of the domain
joins() {
    sed -i "s|^anchors = .*|anchors = $PLAIN/masa-ca.pem|" "$WORLD/$1.ini"
    ok "R-P-16, R-P-23, R-P-60: $3" pledge "$1" join --registrar "$2"
    is "R-P-24, R-P-25, R-P-26, R-P-62: $3: openssl found all in order" \
        "$(saw)" "$WHOLE" || tap_show "$PLAIN_OUT"
    is "R-P-20, R-P-63: $3: over two connections" \
        "$(sed -n 's/.*"connection":\([0-9]*\).*/\1/p' "$PLAIN_OUT" |
            uniq -c | tr -s ' \n' ' ')" ' 5 1 1 2 ' || tap_show "$PLAIN_OUT"
    pledge "$1" status --pem >"$WORLD/$1.ldevid.pem"
    ok "$3: openssl verifies the certificate" openssl verify -CAfile \
        "$PLAIN/domain-ca.pem" "$WORLD/$1.ldevid.pem"
    ok "$3: reset" pledge "$1" reset
}

world_begin
ok 'maker' maker || bail 'no maker'
MASA_PORT=9443
device() {
    local kind=$1 name=$2
    shift 2
    if [ "$kind" = tpm ]; then
        tpm_up "$name" && pledge_conf "$name" tpm2: &&
            provision "$name" "$@"
    else
        token_up "$name" && pledge_conf "$name" "pkcs11:token=$name" &&
            provision "$name" "$@" --hw-type 2.999.1
    fi
}
ok 'a TPM with P-256' device tpm gate PLAIN-1 tpm2: --type P-256
ok 'a TPM with RSA' device tpm rsagate PLAIN-2 tpm2: --type RSA-2048
ok 'a token with P-384' device token card PLAIN-3 pkcs11:token=card \
    --type P-384
ok 'a token with RSA' device token rsacard PLAIN-4 pkcs11:token=rsacard \
    --type RSA-2048
cat "$WORLD/maker/anchors.pem" "$WORLD/maker/issuing-ca.pem" \
    >"$WORLD/idevid-anchors.pem"
ok 'plain keys on P-256' plain_world small P-256
ok 'plain keys with RSA' plain_world rsa RSA-2048
ok 'plain keys on P-384' plain_world large P-384

PLAIN=$WORLD/small
plain_start type=anima
joins gate "127.0.0.1:$PLAIN_PORT" 'P-256 in a TPM, IPv4'
PLAIN=$WORLD/rsa
plain_start type=data host=::1
joins card "[::1]:$PLAIN_PORT" 'P-384 in a token, RSA signers, IPv6'
PLAIN=$WORLD/large
plain_start type=anima host=::1
joins rsagate "[::1]:$PLAIN_PORT" 'RSA in a TPM, P-384 signers, IPv6'

# --- a TLS terminator in front -------------------------------------------------
nginx_conf() {
    local t
    echo "daemon off; master_process off; pid $WORLD/nginx.pid;"
    echo 'error_log stderr; events {} http { access_log off;'
    for t in client_body proxy fastcgi uwsgi scgi; do
        echo "${t}_temp_path $WORLD/nginx.$t;"
    done
    echo "server { listen unix:$WORLD/nginx.sock ssl;"
    echo "ssl_certificate $PLAIN/registrar.pem;"
    echo "ssl_certificate_key $PLAIN/registrar.key;"
    echo "ssl_stapling on; ssl_stapling_file $WORLD/$1.der;"
    echo "ssl_verify_client on; ssl_verify_depth 3;"
    echo "ssl_client_certificate $WORLD/clients.pem;"
    echo "location / { proxy_pass http://127.0.0.1:$PLAIN_PORT;"
    echo 'proxy_set_header X-Client-Cert $ssl_client_escaped_cert;'
    echo 'proxy_set_header Connection ""; proxy_http_version 1.1; } } }'
}
# nginx_up STAPLE
nginx_up() {
    nginx_conf "$1" >"$WORLD/nginx.conf"
    start maker "$WORLD/nginx.out" nginx -p "$WORLD" -e stderr \
        -c "$WORLD/nginx.conf"
    NGINX_PID=$STARTED
    until [ -S "$WORLD/nginx.sock" ]; do
        kill -0 "$NGINX_PID" || bail 'nginx ended'
        pause
    done
}
if command -v nginx >/dev/null; then
    PLAIN=$WORLD/small
    sed -i "s|^anchors = .*|anchors = $PLAIN/masa-ca.pem|" "$WORLD/rsacard.ini"
    plain_start type=data revocation=yes
    like 'R-P-46: revocation checks demanded, nothing stapled' \
        "$(pledge rsacard --json join --registrar \
            "localhost:$PLAIN_PORT" 2>&1)" \
        '"verdict":"revocation-not-shown-good"'
    ok 'openssl ocsp answers' \
        eval 'plain_ocsp R "$WORLD/revoked.der" && plain_ocsp V "$WORLD/good.der"'
    plain_start type=data revocation=yes "behind=$PLAIN/registrar.pem"
    cat "$WORLD/idevid-anchors.pem" "$PLAIN/domain-ca.pem" \
        >"$WORLD/clients.pem"
    nginx_up revoked
    start maker "$WORLD/forward.out" python3 \
        "$top_srcdir/tests/lib/forward.py" "$WORLD/nginx.sock"
    port=$(wait_listening "$WORLD/forward.out" "$STARTED")
    like 'R-P-46: nginx staples what openssl ocsp said: revoked' \
        "$(pledge rsacard join --registrar "localhost:$port" 2>&1)" \
        "registrar.* is revoked"
    kill "$NGINX_PID" && wait "$NGINX_PID"
    rm -f "$WORLD/nginx.sock"
    nginx_up good
    : >"$PLAIN_OUT"
    ok 'R-P-46, R-P-61: RSA in a token, nginx in front, good: it joins' \
        pledge rsacard join --registrar "localhost:$port"
    is 'R-P-61: nginx in front: the whole way' "$(saw)" "$WHOLE" ||
        tap_show "$PLAIN_OUT" "$WORLD/nginx.out.err"
    ok 'nginx in front: openssl verifies the certificate' \
        eval 'pledge rsacard status --pem >"$WORLD/rsacard.pem" &&
        openssl verify -CAfile "$PLAIN/domain-ca.pem" "$WORLD/rsacard.pem"'
else
    skip 'nginx in front' 'nginx is missing'
fi

# --- a registrar that has no time ------------------------------------------------
PLAIN=$WORLD/large
plain_start type=data busy=429
sed -i "s|^anchors = .*|anchors = $PLAIN/masa-ca.pem|" "$WORLD/card.ini"
ok 'it has no time, and the device joins later' pledge card join \
    --registrar "localhost:$PLAIN_PORT"
is 'a 429 is no refusal, and the same is asked again' "$(saw)" \
    'requestvoucher=429 requestvoucher=200 voucher_status=200 cacerts=200 csrattrs=204 simpleenroll=429 simpleenroll=200 enrollstatus=200 ' ||
    tap_show "$PLAIN_OUT"
is 'the same to the byte' "$(grep -c '"same":true' "$PLAIN_OUT")" 2

# --- other forms of vouchers -----------------------------------------------------
PLAIN=$WORLD/small
plain_start type=data nonce=no
joins gate "localhost:$PLAIN_PORT" 'R-P-39: without a nonce'
is 'nobody asked for evidence, none came' "$(wc -c <"$PLAIN/evidence.der")" 0
ok 'an attestation key' device_iak gate
plain_start form=jws evidence=request
printf '[voucher]\nform = jws\n' >>"$WORLD/gate.ini"
joins gate "127.0.0.1:$PLAIN_PORT" 'vouchers in JWS'
ok 'R-P-54: asked for evidence, it proves the imprint that this request led to' \
    env -i PATH="$PATH" "$BIN/idevid-anchor" verify-evidence \
    --nonce "$(sha256sum "$PLAIN/request" | cut -d ' ' -f 1)" \
    --ca "$WORLD/maker/anchors.pem" --pin "$PLAIN/domain-ca.pem" \
    "$PLAIN/evidence.der"
printf '[pledge]\nevidence = never\n' >>"$WORLD/gate.ini"
plain_start form=jws evidence=request
joins gate "127.0.0.1:$PLAIN_PORT" 'asked, and configured not to'
is 'none came' "$(wc -c <"$PLAIN/evidence.der")" 0

# --- somebody in the middle -------------------------------------------------------
# The MASA believes his registrar's certificate and pins the owner's domain.
cp -r "$WORLD/small" "$WORLD/middle"
cp "$WORLD/large/registrar.pem" "$WORLD/large/registrar.key" "$WORLD/middle"
PLAIN=$WORLD/middle
plain_start form=jws
like 'R-S-1: a registrar in the middle has a voucher for another' \
    "$(pledge gate --json join --registrar "127.0.0.1:$PLAIN_PORT" 2>&1)" \
    '"verdict":"registrar-not-pinned"'
is 'R-P-48, R-P-53, R-S-26: it is told no more than that' \
    "$(grep '"what":"voucher_status"' "$PLAIN_OUT" |
        grep -o '"status":false.*')" \
    '"status":false,"reason":"voucher not accepted","members":["reason","status","version"]}'
like 'R-P-50: nothing was imprinted' "$(pledge gate status)" '^state *none'
done_testing
