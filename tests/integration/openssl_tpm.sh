#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The commands of openssl with a TPM's keys, by URI, by a file that stands for
# the key, and by a TSS2 key file: what each makes is good, and costs the TPM no
# more signatures than there are in it. Nothing is left in the TPM.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
world_begin
touch "$WORLD/signatures"
openssl_conf
. "$(dirname "$0")/programs_tpm.inc"
ok "a device: ${DEVICE:=tpm}" device_up || bail 'no device'
echo "export OPENSSL_CONF=$WORLD/openssl.cnf" >>"$WORLD/device.env"
cd "$WORLD" || bail 'no world'

o() {
    in_device device timeout 60 openssl "$@"
}
# signed NUMBER WHAT CMD ...: so many signatures
signed() {
    local want=$1 what=$2 before
    shift 2
    before=$(stat -c %s signatures)
    ok "$what" "$@"
    is "$what: $want signatures" $(($(stat -c %s signatures) - before)) "$want"
}

# --- keys ---

# USAGE ALG OPTION URI
made() {
    o genpkey -propquery provider=hwkey -algorithm "$2" -pkeyopt "$3" \
        -pkeyopt "usage:$1" -pkeyopt "uri:$4" -out made.pem
}
for alg in EC RSA; do
    ok "$alg: a key" device_pair $alg
    ok "$alg: the file that stands for it" in_device device \
        "$BIN/idevid-device" wrap "$(uri $alg)" -o $alg.key
    uri $alg >$alg.uri
    ok "$alg: a key file" device_file $alg
done
ok 'a key that decrypts' made decrypt RSA rsa_keygen_bits:2048 \
    tpm2:handle=0x81020003
ok 'a key that agrees' made derive EC group:P-256 tpm2:handle=0x81020004

# --- what one key signs ---

cat >ca.cnf <<'EOT'
[ca]
default_ca = here
[here]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
default_days = 1
default_crl_days = 1
policy = any
[any]
commonName = supplied
EOT
echo a message >text
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout other.key -subj /CN=other -out other.csr 2>other.err
openssl req -x509 -new -key other.key -subj /CN=other -days 1 -out other.crt

# WHAT KEY: what is made of it is looked at without the TPM
sign_all() {
    local what=$1 key=$2
    ok "$what: public key" o pkey -in "$key" -pubout -out pub
    signed 1 "$what: dgst -sign" o dgst -sha256 -sign "$key" -out sig text
    ok "$what: dgst -verify" openssl dgst -sha256 -verify pub -signature sig text
    signed 1 "$what: pkeyutl -sign" o pkeyutl -sign -inkey "$key" -rawin \
        -in text -out sig
    ok "$what: pkeyutl -verify" openssl pkeyutl -verify -pubin -inkey pub \
        -rawin -in text -sigfile sig
    signed 1 "$what: req -x509" o req -x509 -new -key "$key" -subj /CN=ca \
        -days 1 -out ca.crt
    signed 1 "$what: req -new" o req -new -key "$key" -subj /CN=a -out a.csr
    ok "$what: req -verify" openssl req -in a.csr -verify -noout
    signed 1 "$what: x509 -req" o x509 -req -in other.csr -CA ca.crt \
        -CAkey "$key" -days 1 -out issued.crt
    ok "$what: verify" openssl verify -CAfile ca.crt issued.crt
    signed 1 "$what: cms -sign" o cms -sign -nodetach -in text -signer ca.crt \
        -inkey "$key" -outform DER -out cms
    ok "$what: cms -verify" openssl cms -verify -in cms -inform DER \
        -CAfile ca.crt -purpose any -out back
    : >index
    echo 01 >serial
    signed 1 "$what: ca" o ca -config ca.cnf -batch -notext -cert ca.crt \
        -keyfile "$key" -in other.csr -out issued.crt
    ok "$what: ca: verify" openssl verify -CAfile ca.crt issued.crt
    signed 1 "$what: ca -gencrl" o ca -config ca.cnf -gencrl -cert ca.crt \
        -keyfile "$key" -out crl
    ok "$what: crl: verify" openssl crl -in crl -CAfile ca.crt -noout
}
for alg in EC RSA; do
    sign_all "$alg by URI" "$(cat $alg.uri)"
    sign_all "$alg by file" $alg.key
    sign_all "$alg by key file" $alg.tss
done
ok 'RSA-PSS' o dgst -sha384 -sigopt rsa_padding_mode:pss \
    -sigopt rsa_pss_saltlen:digest -sign RSA.tss -out sig text
ok 'RSA-PSS is good' openssl dgst -sha384 -sigopt rsa_padding_mode:pss \
    -sigopt rsa_pss_saltlen:digest -verify pub -signature sig text

# --- what others encrypt ---

ok 'a key that decrypts: its public key' o pkey -in tpm2:handle=0x81020003 \
    -pubout -out pub
ok 'pkeyutl -encrypt' openssl pkeyutl -encrypt -pubin -inkey pub -in text \
    -pkeyopt rsa_padding_mode:oaep -out box
ok 'pkeyutl -decrypt' o pkeyutl -decrypt -inkey tpm2:handle=0x81020003 -in box \
    -pkeyopt rsa_padding_mode:oaep -out back
ok 'it is the same' cmp text back
ok 'a certificate of it' openssl x509 -new -force_pubkey pub -subj /CN=box \
    -CA other.crt -CAkey other.key -days 1 -out box.crt
ok 'cms -encrypt' openssl cms -encrypt -in text -binary -outform DER -out box \
    box.crt
ok 'cms -decrypt' o cms -decrypt -in box -inform DER -recip box.crt \
    -inkey tpm2:handle=0x81020003 -out back
ok 'it is the same' cmp text back
ok 'a key that agrees: its public key' o pkey -in tpm2:handle=0x81020004 \
    -pubout -out pub
openssl pkey -in other.key -pubout -out other.pub
ok 'pkeyutl -derive' o pkeyutl -derive -inkey tpm2:handle=0x81020004 \
    -peerkey other.pub -out a
ok 'pkeyutl -derive by the other' openssl pkeyutl -derive -inkey other.key \
    -peerkey pub -out b
ok 'it is the same' cmp a b

# --- CMP: a client and a server whose keys are in the TPM ---

# KEY ...: asks for a certificate of the first key, as who has the certificate
# EC.crt; the answer is issued.crt, whatever was asked for
enroll() {
    local new=$1 port code=0
    start device cmp.out openssl cmp -port 0 -srv_cert RSA.crt -srv_key RSA.tss \
        -srv_trusted EC.crt -rsp_cert new.crt -max_msgs 2
    port=$(wait_text '^ACCEPT .*:\([0-9]*\) PID=.*$' cmp.out "$STARTED") ||
        return
    o cmp -cmd ir -server "127.0.0.1:$port" -path / -cert EC.crt -key EC.key \
        -srvcert RSA.crt -newkey "$new" -subject /CN=new -certout enrolled.crt \
        -popo 1 || code=$?
    wait "$STARTED" || kill "$STARTED"
    [ $code = 0 ] && cmp -s <(openssl x509 -in enrolled.crt -noout -pubkey) \
        <(openssl x509 -in new.crt -noout -pubkey)
}
for alg in EC RSA; do
    key=$alg.tss
    [ $alg = RSA ] || key=EC.key
    ok "cmp: certificate of $alg" o req -x509 -new -key $key -subj /CN=$alg \
        -days 1 -addext keyUsage=digitalSignature -out $alg.crt
done
ok 'cmp: request' o req -new -key EC.tss -subj /CN=new -out new.csr
ok 'cmp: what is to be issued' o x509 -req -in new.csr -CA RSA.crt \
    -CAkey RSA.tss -days 1 -out new.crt
# that it has the new key, two messages, and their two answers
signed 5 'cmp' enroll EC.tss

ok 'nothing is left in the TPM' device_empty
done_testing
