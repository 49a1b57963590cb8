#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One list of checks on keys in each PKCS#11 module: SoftHSM2, tpm2-pkcs11
# (the keys are in a TPM), and p11-kit's proxy, which shows tokens of others.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
world_begin
. "$(dirname "$0")/module_use.inc"

# --- the checks ---

check_rsa() {
    local name=$1 uri=$2 md salt
    for md in sha256 sha384 sha512; do
        ok "$name RSA: PKCS1, $md" signs "$name" "$uri" $md
        ok "$name RSA: PSS, $md" signs "$name" "$uri" $md $(pss digest)
    done
    # what the module has not is padded by the provider
    for md in sha256 sha384 sha512 sha3-256; do
        for salt in max auto 0 20; do
            ok "$name RSA: PSS, $md, salt length $salt" \
                signs "$name" "$uri" $md $(pss $salt)
        done
    done
}

check_decrypt() {
    local name=$1 uri=$2
    ok "$name RSA: decrypts, PKCS1" decrypts "$name" "$uri" \
        rsa_padding_mode:pkcs1
    ok "$name RSA: decrypts, OAEP, sha1" decrypts "$name" "$uri" $(oaep sha1)
    ok "$name RSA: decrypts, OAEP, sha256" \
        decrypts "$name" "$uri" $(oaep sha256)
    ok "$name RSA: decrypts, OAEP, sha256, with a label" \
        decrypts "$name" "$uri" $(oaep sha256) rsa_oaep_label:6c00
    # a number that the key takes and that has no padding in it
    printf "\\0%0255d" 0 >"$WORLD/raw"
    openssl pkeyutl -encrypt -pubin -inkey "$WORLD/pub.pem" \
        -pkeyopt rsa_padding_mode:none -in "$WORLD/raw" -out "$WORLD/secret"
    refused 'C_Decrypt: CKR_' "$name RSA: a wrong ciphertext, PKCS1" \
        decrypt "$name" "$uri" -pkeyopt rsa_padding_mode:pkcs1
    refused 'the ciphertext is not for this key' \
        "$name RSA: a wrong ciphertext, OAEP" \
        decrypt "$name" "$uri" -pkeyopt rsa_padding_mode:oaep
}

check_derive() {
    if [ "$1" = tpm2 ]; then # tpm2-pkcs11 makes no keys for that
        refused 'this key may do no key agreement' \
            "$1 EC: does not agree, and says so" derives "$@"
    else
        ok "$1 EC: agrees with a software key" derives "$@"
    fi
}

check_certificate() { # NAME URI ALG ID
    local name=$1 uri=$2 alg=$3 id=$4 crt=$WORLD/$1.$3.crt
    ok "$name $alg: request" ssl "$name" req -new -key "$uri" \
        -subj /CN=localhost -out "$WORLD/req.pem"
    ok "$name $alg: openssl finds it signed" openssl req -in "$WORLD/req.pem" \
        -verify -noout
    ok "$name $alg: certificate" ssl "$name" req -x509 -new -key "$uri" \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 1 \
        -out "$crt"
    openssl x509 -in "$crt" -outform DER -out "$WORLD/crt.der"
    ok "$name $alg: the certificate goes into the token" tool "$name" \
        --write-object "$WORLD/crt.der" --type cert --id "$id" --label "$alg"
    ok "$name $alg: and is read by its URI" ssl "$name" x509 \
        -in "pkcs11:token=$name;id=%$id;type=cert" -outform DER \
        -out "$WORLD/again.der"
    ok "$name $alg: the same" cmp "$WORLD/crt.der" "$WORLD/again.der"
}

check_tls() { # NAME URI ALG
    local v
    END=$1 ALG=$3
    for v in tls1_2 tls1_3; do
        ok "$1 $3: server, $v" served "$WORLD/$1.$3.crt" "$2" $v \
            device_server plain
        ok "$1 $3: client, $v" served "$WORLD/soft.crt" "$WORLD/soft.key" $v \
            plain device_client -Verify 1 -verify_return_error \
            -CAfile "$WORLD/$1.$3.crt"
    done
}

check_key() { # NAME ALG ID TYPE
    local name=$1 alg=$2 id=$3 uri="pkcs11:token=$1;object=$2;type=private"
    ok "$name $alg: made by pkcs11-tool" tool "$name" --keypairgen \
        --key-type "$4" --label "$alg" --id "$id"
    ok "$name $alg: public key, by label" ssl "$name" pkey -in "$uri" \
        -pubout -out "$WORLD/pub.pem"
    ok "$name $alg: public key, by id" ssl "$name" pkey -pubout \
        -in "pkcs11:token=$name;id=%$id;type=private" -out "$WORLD/pub2.pem"
    ok "$name $alg: the same" cmp "$WORLD/pub.pem" "$WORLD/pub2.pem"
    ok "$name $alg: pkcs11-tool reads a public key" tool "$name" \
        --read-object --type pubkey --id "$id" -o "$WORLD/pub.der"
    ok "$name $alg: openssl can read that" openssl pkey -pubin \
        -inform DER -in "$WORLD/pub.der" -out "$WORLD/pub2.pem"
    ok "$name $alg: and it is that key" cmp "$WORLD/pub.pem" "$WORLD/pub2.pem"
    if [ "$alg" = RSA ]; then
        check_rsa "$name" "$uri"
        check_decrypt "$name" "$uri"
    else
        ok "$name EC: signs, sha256" signs "$name" "$uri" sha256
        ok "$name EC: signs, sha512, longer than the curve" \
            signs "$name" "$uri" sha512
        check_derive "$name" "$uri"
    fi
    check_certificate "$name" "$uri" "$alg" "$id"
    check_tls "$name" "$uri" "$alg"
}

check_token() {
    local name=$1 uri="pkcs11:token=$1;object=EC;type=private"
    is "$name: lists two keys and two certificates" \
        "$(ssl "$name" storeutl -noout "pkcs11:token=$name" 2>/dev/null |
            sed -n 's/^[0-9]*: //p' | sort | uniq -c | tr -s ' \n' '  ')" \
        ' 2 Certificate 2 Pkey '
    refused 'PIN incorrect' "$name: a wrong PIN" \
        ssl_pin 000000 "$name" pkey -in "$uri" -noout
    ok "$name: the right one afterwards" ssl "$name" pkey -in "$uri" -pubout \
        -out "$WORLD/pub2.pem"
    refused "token 'none' is not there" "$name: a token that is not there" \
        ssl "$name" pkey -in 'pkcs11:token=none;type=private' -noout
    refused 'Could not read' "$name: a key that is not there" ssl "$name" \
        pkey -in "pkcs11:token=$name;object=none;type=private" -noout
    uri="pkcs11:token=$name;object=bare;type=private"
    ok "$name: a key made without an identifier" tool "$name" --keypairgen \
        --key-type EC:prime256v1 --label bare
    ok "$name: has a public half" ssl "$name" pkey -in "$uri" -pubout \
        -out "$WORLD/pub.pem"
    ok "$name: and signs" signs "$name" "$uri" sha256
}

check_module() {
    check_key "$1" EC 01 EC:prime256v1
    check_key "$1" RSA 02 rsa:2048
    check_token "$1"
}

# --- the modules ---

ok 'softhsm2: up' device softhsm2 "$TOKEN_CTL" || bail 'no token'
check_module softhsm2

ok 'tpm2-pkcs11: up' device tpm2 "$TPM_TOKEN_CTL" || bail 'no token in a TPM'
check_module tpm2

ok 'p11-kit: up' device kit "$KIT_CTL" || bail 'no token behind the proxy'
check_module kit

# --- servers with processes: those of nginx sign, each of them, and one of
# haproxy. tpm2-pkcs11 has one TPM session for a process and its forks, so that
# only one of them can sign, unless each talks to a process of its own, which
# p11-kit's server starts. ---

nginx_conf() { # NAME
    cat <<EOF
daemon off;
worker_processes 3;
pid $WORLD/$1.pid;
error_log $WORLD/$1.log;
$(sed -n 's/^export \([A-Z0-9_]*\)=.*/env \1;/p' "$WORLD/$1.env")
env OPENSSL_CONF;
events { }
http {
    access_log off;
    client_body_temp_path $WORLD/$1.tmp;
    proxy_temp_path $WORLD/$1.tmp;
    fastcgi_temp_path $WORLD/$1.tmp;
    uwsgi_temp_path $WORLD/$1.tmp;
    scgi_temp_path $WORLD/$1.tmp;
    server {
        listen unix:$WORLD/$1.sock ssl;
        ssl_certificate $WORLD/$1.EC.crt;
        ssl_certificate_key $WORLD/$1.EC.key;
        ssl_protocols TLSv1.3;
        location / { return 200 hello; }
    }
}
EOF
}
# the paths of the modules, a line each
both=$(
    for name in softhsm2 tpm2; do
        sed -n "s/^export HWKEY_PKCS11_MODULE='\\(.*\\)'/\\1/p" \
            "$WORLD/$name.env"
    done
)
export PATH=$PATH:/usr/sbin
chmod 755 "$WORLD"
nginx_conf kit >"$WORLD/kit.conf"
ok 'kit: nginx serves with several workers' handshakes kit nginx \
    -g "user $(id -un);" -c "$WORLD/kit.conf" -e "$WORLD/kit.log"
ok 'tpm2-pkcs11 behind a server: up' device tpm2s "$TPM_TOKEN_CTL" --server
ok 'tpm2s EC: made by pkcs11-tool' tool tpm2s --keypairgen \
    --key-type EC:prime256v1 --label EC --id 01
check_certificate tpm2s 'pkcs11:token=tpm2s;object=EC;type=private' EC 01
nginx_conf tpm2s >"$WORLD/tpm2s.conf"
ok 'tpm2s: nginx serves with several workers' handshakes tpm2s nginx \
    -g "user $(id -un);" -c "$WORLD/tpm2s.conf" -e "$WORLD/tpm2s.log"
# key_of NAME in the environment ENV: found, and it signs
key_of() {
    local uri="pkcs11:token=$2;object=EC;type=private"
    ssl "$1" pkey -in "$uri" -pubout -out "$WORLD/pub.pem" &&
        signs "$1" "$uri" sha256
}

# without a server all but one are stopped before the TPM counts it
counted() {
    in_device tpm2 env TPM2TOOLS_TCTI=tabrmd:bus_type=session \
        tpm2_getcap properties-variable | sed -n 's/^TPM2_PT_LOCKOUT_COUNTER: *//p'
}
before=$(counted)
like 'tpm2: the lockout counter can be read' "$before" '^0x'
refused 'one TPM session for all processes of a fork' \
    'tpm2: processes that fork are told of the server' in_device tpm2 \
    env OPENSSL_CONF="$WORLD/openssl.cnf" "$BIN/tests/lib/forks" \
    'pkcs11:token=tpm2;object=EC;type=private' 3 5
is 'tpm2: the TPM has seen no wrong authorization' "$(counted)" "$before"
ok 'tpm2: one process signs as before' key_of tpm2 tpm2

# the server as hwkey-provider(7) has it
by_the_manual() {
    local i=0 code=0
    command=$(sed -n '/^\.Ss Modules that do not/,/^\.Ed/p' \
        "$top_srcdir/provider/man/hwkey-provider.7" |
        sed -n '/^\$ /,/^\.Ed/{/^\.Ed/!p}' | sed 's/^\$ //; s/\\e$//
            s|p11-kit server|exec & --foreground|
            s|/run/tpm2/p11-kit|'"$WORLD/manual.sock"'|
            s|/usr/lib/[^ ]*|'"${both#*$'\n'}"'|' | tr -d '\n')
    start tpm2 "$WORLD/manual.out" sh -c "$command"
    until [ -S "$WORLD/manual.sock" ] || [ $i -gt 200 ]; do
        i=$((i + 1))
        pause
    done
    {
        cat "$WORLD/tpm2s.env"
        echo "export P11_KIT_SERVER_ADDRESS=unix:path=$WORLD/manual.sock"
    } >"$WORLD/manual.env"
    in_device manual env OPENSSL_CONF="$WORLD/openssl.cnf" \
        "$BIN/tests/lib/forks" 'pkcs11:token=tpm2;object=EC;type=private' 2 2 ||
        code=$?
    kill "$STARTED" && wait "$STARTED"
    return $code
}
ok 'tpm2: processes that fork, by the server of the manual' by_the_manual
for name in softhsm2 kit tpm2s; do
    ok "$name: processes that fork sign side by side" in_device $name \
        env OPENSSL_CONF="$WORLD/openssl.cnf" "$BIN/tests/lib/forks" \
        "pkcs11:token=$name;object=EC;type=private" 3 5
done
haproxy_conf tpm2 >"$WORLD/tpm2.conf"
ok 'tpm2: haproxy serves with its one worker' handshakes tpm2 haproxy -W \
    -f "$WORLD/tpm2.conf"

# --- several modules at once ---

{
    cat "$WORLD/softhsm2.env" "$WORLD/tpm2.env"
    echo "export HWKEY_PKCS11_MODULE='${both/$'\n'/:}'"
} >"$WORLD/listed.env"
ok 'two modules listed: a key of the first' key_of listed softhsm2
ok 'two modules listed: a key of the second' key_of listed tpm2

# The proxy with a second module: its own configuration names it, or that of
# the system, which is all that root gets.
ok 'p11-kit: up, with tpm2-pkcs11' device kit2 "$KIT_CTL" \
    --module "${both#*$'\n'}"
{
    cat "$WORLD/tpm2.env" "$WORLD/kit2.env"
} >"$WORLD/proxied.env"
ok 'a key for the first token behind the proxy' in_device kit2 pkcs11-tool \
    --module "${both%$'\n'*}" --token-label kit2 --login --pin "$PIN" \
    --keypairgen --key-type EC:prime256v1 --label EC --id 01
ok 'two modules behind the proxy: a key of the first' key_of proxied kit2
ok 'two modules behind the proxy: a key of the second' key_of proxied tpm2

# somebody who is not root, as far as p11-kit can see
user_of_kit() {
    if [ "$(id -u)" = 0 ]; then
        in_device kit unshare --user --map-user=1 "$@"
    else
        in_device kit "$@"
    fi
}
if user_of_kit true 2>/dev/null; then
    is "p11-kit: no module but those of the device's own configuration" \
        "$(user_of_kit p11-kit list-modules |
            sed -n 's/^\([^ ].*\):.*/\1/p')" softhsm2
else
    skip 'p11-kit: its own configuration' 'root here, and no user namespaces'
fi
done_testing
