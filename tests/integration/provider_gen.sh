#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keys made in, brought into and listed from tokens by the openssl program, and
# the files that stand for them.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'a token' token_up web || bail 'no token'
ok 'another' token_up two || bail 'no token'
openssl_conf

ssl() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device web timeout 60 openssl "$@"
}

# the same without a PIN, and nobody to ask
ssl_no_pin() {
    (
        . "$WORLD/web.env"
        unset HWKEY_PIN_FILE
        OPENSSL_CONF=$WORLD/openssl.cnf exec timeout 60 openssl "$@" </dev/null
    )
}

# refuses TEXT WHAT CMD ...: CMD must fail and say TEXT
refuses() {
    local text=$1 what=$2 out
    shift 2
    if out=$("$@" 2>&1); then
        is "$what" 'it was done' 'it was refused'
        return
    fi
    like "$what" "$out" "$text"
}

# genpkey FILE ALGORITHM URI [OPTION ...]
genpkey() {
    local out=$1 alg=$2 uri=$3 o
    local args=()
    shift 3
    for o in "$@"; do
        args+=(-pkeyopt "$o")
    done
    ssl genpkey -propquery provider=hwkey -algorithm "$alg" \
        -pkeyopt "uri:$uri" "${args[@]}" -out "$WORLD/$out"
}

# signs FILE: the key in the file signs, software verifies
signs() {
    local key=$WORLD/$1
    ssl pkey -in "$key" -pubout -out "$key.pub" &&
        ssl dgst -sha256 -sign "$key" -out "$key.sig" "$WORLD/pin" &&
        openssl dgst -sha256 -verify "$key.pub" -signature "$key.sig" \
            "$WORLD/pin"
}

tool() {
    in_device web pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so \
        --token-label web --login --pin "$PIN" "$@" 2>/dev/null
}

# --- making ---

T=pkcs11:token=web
ok 'genpkey: EC' genpkey ec.pem EC "$T;object=ec" group:P-384 usage:sign+derive
ok 'it signs' signs ec.pem
like 'the file holds a URI and nothing else' "$(cat "$WORLD/ec.pem")" 'BEGIN HWKEY URI'
ok 'genpkey: RSA, 3072 bits, e = 3' genpkey rsa.pem RSA "$T;object=rsa;id=%42" \
    rsa_keygen_bits:3072 rsa_keygen_pubexp:3 usage:sign+decrypt
ok 'it signs' signs rsa.pem
like 'it has that exponent' \
    "$(openssl pkey -pubin -in "$WORLD/rsa.pem.pub" -noout -text_pub)" \
    'Exponent: 3 (0x3)'
like 'the token says what they are for' "$(tool -O | grep -A4 'Private.*RSA')" \
    'Usage: *decrypt, sign$'
like 'and that they stay' "$(tool -O | grep -A4 'Private.*RSA')" \
    'never extractable'
ok 'genpkey: extractable' genpkey x.pem EC "$T;object=x" extractable:yes
like 'the token says so' "$(tool -O | grep -A4 'label: *x')" \
    ', extractable'
ok 'req -newkey' ssl req -new -x509 -newkey ec -pkeyopt group:P-256 -noenc \
    -propquery provider=hwkey -pkeyopt "uri:$T;object=req" -subj /CN=made \
    -keyout "$WORLD/req.pem" -out "$WORLD/req.crt"
ok 'its certificate verifies' openssl verify -CAfile "$WORLD/req.crt" \
    "$WORLD/req.crt"
ok 'its key signs' signs req.pem
ok 'genpkey: Ed25519' genpkey ed.pem ED25519 "$T;object=ed"
like 'the file is its key' "$(ssl pkey -in "$WORLD/ed.pem" -noout -text)" \
    'Ed25519 in a device'
like 'which only signs' "$(ssl pkey -in "$WORLD/ed.pem" -noout -text)" \
    '^Use: sign$'
ok 'genpkey: RSA-PSS' genpkey pss.pem RSA-PSS "$T;object=pss" \
    rsa_pss_keygen_md:sha256
ok 'it signs' signs pss.pem
refuses "token 'web' has a key of that label" 'a label that is taken' \
    genpkey no.pem EC "$T;object=ec"
refuses "token 'web' has a key of that id" 'an identifier that is taken' \
    genpkey no.pem EC "$T;id=%42"
refuses "say where the key with 'usage' is to be made" 'no URI' \
    ssl genpkey -propquery provider=hwkey -algorithm EC -pkeyopt usage:sign \
    -out "$WORLD/no.pem"
refuses 'several tokens fit' 'no token' genpkey no.pem EC 'pkcs11:object=n'
refuses 'no PIN in the URI, the environment or a file' 'no PIN' \
    ssl_no_pin genpkey -propquery provider=hwkey -algorithm EC \
    -pkeyopt 'uri:pkcs11:token=web;object=n' -out "$WORLD/no.pem"
refuses 'usage: such a key can sign decrypt only' 'what it cannot' \
    genpkey no.pem RSA "$T;object=n" usage:derive
ok 'nothing is left of what was refused' test ! -s "$WORLD/no.pem"
is 'and nothing in the token' "$(tool -O | grep -c 'label: *n$')" 0

# --- without a place, and nothing said of a device: a key of software ---
ok 'genpkey: no URI' ssl genpkey -propquery provider=hwkey -algorithm EC \
    -pkeyopt group:P-384 -out "$WORLD/software.pem"
like 'a key of software' "$(cat "$WORLD/software.pem")" \
    '^-----BEGIN PRIVATE KEY-----$'
ok 'it signs' signs software.pem

# --- importing ---

openssl genpkey -algorithm EC -pkeyopt group:P-256 -out "$WORLD/soft.pem"
openssl pkey -in "$WORLD/soft.pem" -pubout -out "$WORLD/soft.pub"
refuses 'does not allow-import' 'a key of a file, not allowed' \
    genpkey imported.pem EC "$T;object=imported" "import:$WORLD/soft.pem"
echo 'allow-import = yes' >>"$WORLD/openssl.cnf"
ok 'allowed' \
    genpkey imported.pem EC "$T;object=imported" "import:$WORLD/soft.pem"
ok 'it signs' signs imported.pem
ok 'and is that key' cmp "$WORLD/soft.pub" "$WORLD/imported.pem.pub"
refuses "token 'web' has a key of that label" 'once' \
    genpkey again.pem EC "$T;object=imported" "import:$WORLD/soft.pem"

# --- listing ---

# install OPTION ...: stores what req made
install() {
    in_device web "$BIN/idevid-factory" install "$WORLD/req.crt" "$@"
}
C="$T;object=req;type=cert"
fails 1 "is not the certificate's" 'a certificate of another key is not stored' \
    install --cert-uri "$C" --key-uri "$T;object=ec;type=private"
ok 'a certificate is stored' \
    install --cert-uri "$C" --key-uri "$T;object=req;type=private"
fails 1 'exists' 'once' install --cert-uri "$C"
ok 'it can be replaced' install --cert-uri "$C" --replace
ok 'and is the one' sh -c \
    '. "$1/web.env"; "$2/idevid-device" cert "$3" | cmp - "$1/req.crt"' - \
    "$WORLD" "$BIN" "$C"
like 'storeutl: tokens' "$(ssl storeutl pkcs11:)" 'Total found: 2'
names=$(ssl storeutl -noout "$T?list=names" | sed -n 's/^[0-9]*: Name: //p')
is 'storeutl: names of eight objects' "$(printf '%s\n' "$names" | wc -l)" 8
for name in $names; do
    like "$name finds itself" "$(ssl storeutl -noout "$name")" 'Total found: 1'
done
like 'certificates without a PIN' "$(ssl_no_pin storeutl -noout -certs "$T")" \
    'Total found: 1'
like 'public keys without a PIN' \
    "$(ssl_no_pin pkey -pubin -in "$T;object=ec;type=public" -pubout)" \
    'BEGIN PUBLIC KEY'
like 'by subject' "$(ssl storeutl -noout -certs -subject /CN=made "$T")" \
    'Total found: 1'
like 'by another subject' \
    "$(ssl storeutl -noout -certs -subject /CN=other "$T")" 'Total found: 0'
like 'by label' "$(ssl storeutl -noout -keys -alias rsa "$T")" 'Total found: 1'
ok 'a store of CA certificates' ssl_no_pin verify -CAstore "$T;type=cert" \
    "$WORLD/req.crt"

# a second module: the tests' own, with a token that needs nothing
printf 'slot 1 label=soft serial=0001 pin=1234\n' >"$WORLD/soft.conf"
both() {
    (
        . "$WORLD/web.env"
        export P11SOFT_CONF=$WORLD/soft.conf
        export HWKEY_PKCS11_MODULE=$HWKEY_PKCS11_MODULE:$BIN/.libs/p11soft.so
        OPENSSL_CONF=$WORLD/openssl.cnf exec timeout 60 openssl "$@"
    )
}
like 'two modules: tokens of both' "$(both storeutl pkcs11:)" 'Total found: 3'
like 'two modules: one by its name' \
    "$(both storeutl 'pkcs11:?module-name=p11soft')" 'token=soft'
ok 'two modules: a key by token' both pkey -in "$T;object=ec" -noout
refuses 'module-path: is not absolute' 'a relative module-path' \
    both storeutl 'pkcs11:?module-path=p11soft.so'

# --- the other kind of file ---

cat >"$WORLD/asn1.cnf" <<EOF2
asn1 = SEQUENCE:key
[key]
description = VISIBLESTRING:PKCS\\#11 Provider URI v1.0
uri = UTF8:$T;object=ec;type=private
EOF2
other_kind() {
    openssl asn1parse -genconf "$WORLD/asn1.cnf" -noout -out "$WORLD/o.der" &&
        {
            echo '-----BEGIN PKCS#11 PROVIDER URI-----'
            openssl base64 -in "$WORLD/o.der"
            echo '-----END PKCS#11 PROVIDER URI-----'
        } >"$WORLD/other.pem"
}
ok 'a file as another provider writes it' other_kind
ok 'it is read, and signs' signs other.pem
ok 'and is the same key' cmp "$WORLD/ec.pem.pub" "$WORLD/other.pem.pub"
cat "$WORLD/req.crt" "$WORLD/req.pem" >"$WORLD/both.pem"
ok 'certificate and key in one file' ssl pkey -in "$WORLD/both.pem" -noout

done_testing
