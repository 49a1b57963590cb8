#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keys made in a TPM and brought into one by the openssl program: the examples
# of hwkey-provider(7) as they stand, what is refused, and that tpm2-tools and
# tpm2-openssl use what came of it. $DEVICE is a TPM, or one behind tpm2-abrmd.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
unset HWKEY_PIN HWKEY_PIN_FILE HWKEY_PARENT_PIN TPM2OPENSSL_PARENT_AUTH
PAGE=$top_srcdir/provider/man/hwkey-provider.7

world_begin
openssl_conf
ok "a TPM: ${DEVICE:=tpm}" some_tpm_up "$DEVICE" device || bail 'no TPM'
cat >>"$WORLD/device.env" <<EOF2
export TPM2OPENSSL_TCTI=\$HWKEY_TCTI HWKEY_TPM_LOCK=$WORLD/lock TSS2_LOG=all+NONE
EOF2
cd "$WORLD" || bail 'no directory'
echo 'what is signed' >data

ours() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device device timeout 60 openssl "$@"
}
theirs() {
    local what=$1
    shift
    OPENSSL_CONF=/dev/null in_device device timeout 60 \
        openssl "$what" -provider tpm2 -provider default \
        -propquery '?provider=tpm2' "$@"
}
tool() {
    in_device device timeout 60 "tpm2_$1" "${@:2}"
}
# what other programs leave in a TPM without a manager is not ours
flush() {
    [ "$DEVICE" = abrmd ] && return
    tool flushcontext -t
    tool flushcontext -l
}
# handles of transient objects and sessions that are there
left() {
    tool getcap handles-transient
    tool getcap handles-loaded-session
}
# the commands of the manual's section, as they stand
manual() {
    sed -n "/^\.S[hs] $1\$/,/^\.S[hs] /p" "$PAGE" |
        sed -n '/^\.Bd/,/^\.Ed/{/^\.[BE]d/!p}' |
        sed 's/^\$ //; s/\\e$/\\/'
}
# each of them, a case of its own
examples() {
    local line command=
    manual "$1" >manual.txt
    while IFS= read -r line; do
        command=$command$line
        case $line in
        *\\)
            command=${command%\\}
            continue
            ;;
        esac
        ok "manual: $command" in_device device env \
            OPENSSL_CONF="$WORLD/openssl.cnf" timeout 60 sh -c "$command"
        command=
    done <manual.txt
}
# signs WHO FILE [ARG ...]: by that provider, verified by software
signs() {
    local who=$1 key=$2
    shift 2
    ours pkey -in "$key" -pubout -out pub.pem "${PASSIN[@]}" &&
        "$who" dgst -sha256 -sign "$key" "${PASSIN[@]}" "$@" -out sig data &&
        openssl dgst -sha256 -verify pub.pem "$@" -signature sig data
}
PASSIN=()
# genpkey FILE ALGORITHM OPTION ...
genpkey() {
    local out=$1 alg=$2 o args=()
    shift 2
    for o in "$@"; do
        args+=(-pkeyopt "$o")
    done
    ours genpkey -propquery provider=hwkey -algorithm "$alg" "${args[@]}" \
        -out "$out"
}
# refuses TEXT WHAT FILE ALGORITHM OPTION ...: genpkey fails and says TEXT
refuses() {
    local text=$1 what=$2 out
    shift 2
    if out=$(genpkey "$@" 2>&1); then
        is "$what" 'it was done' 'it was refused'
        return
    fi
    like "$what" "$out" "$text"
}

# --- the manual ---

printf 'a value' >pin
examples 'Keys in a TPM'
is 'the manual has six of them' "$(grep -c '^openssl' manual.txt)" 6
openssl genpkey -algorithm EC -pkeyopt group:P-256 -out soft.pem
refuses 'does not allow-import' 'a key of a file, not allowed' no.pem EC \
    uri:tpm2: import:soft.pem
echo 'allow-import = yes' >>openssl.cnf
examples 'Importing keys'
is 'nothing is left in the TPM' "$(left)" ''

like 'a handle is what its file holds' "$(cat handle.pem)" 'BEGIN HWKEY URI'
for f in file rsa pss ak; do
    like "$f.pem is a key file" "$(cat $f.pem)" 'BEGIN TSS2 PRIVATE KEY'
done
for f in handle rsa req; do
    ok "$f.pem signs" signs ours $f.pem
done
ok 'ak.pem signs with its digest' sh -c \
    '. ./device.env; export OPENSSL_CONF=openssl.cnf
    openssl pkey -in ak.pem -pubout -out pub.pem &&
    openssl dgst -sha384 -sign ak.pem -out sig data &&
    openssl dgst -sha384 -verify pub.pem -signature sig data'
ok 'pss.pem signs with PSS and its digest' sh -c \
    '. ./device.env; export OPENSSL_CONF=openssl.cnf
    openssl pkey -in pss.pem -pubout -out pub.pem &&
    openssl dgst -sha384 -sign pss.pem -out sig data &&
    openssl dgst -sha384 -verify pub.pem -signature sig data'
like 'it is of that type' "$(openssl pkey -pubin -in pub.pem -noout -text)" \
    '^PSS parameter restrictions'
ok 'the request verifies' openssl req -in req.csr -noout -verify
PASSIN=(-passin 'pass:a value')
ok 'file.pem signs, with its value' signs ours file.pem
PASSIN=(-passin pass:wrong)
ok 'and not with another' sh -c '! "$@"' - \
    env OPENSSL_CONF=openssl.cnf sh -c '. ./device.env
    openssl dgst -sha256 -sign file.pem -passin pass:wrong -out sig data'
PASSIN=()
openssl pkey -in soft.pem -pubout -out soft.pub
ours pkey -in tpm2:handle=0x81010003 -pubout -out in.pub
ok 'what came in is that key' cmp soft.pub in.pub
is 'and nothing is left in the TPM' "$(left)" ''

# --- what the TPM says of them ---

attributes() {
    tool readpublic -c "$1" | sed -n '/^attributes/,/^type/s/^ *value: //p'
}
is 'a key of this TPM' "$(attributes 0x81010001)" \
    'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign'
is 'a key that came from elsewhere, whose value is counted' \
    "$(attributes 0x81010003)" 'userwithauth|sign'
flush

# --- others use them ---

sign_tools() { # HANDLE [AUTH]
    tool sign -Q -c "$1" ${2:+-p "$2"} -g sha256 -f plain -o sig data &&
        ours pkey -in "tpm2:handle=$1" -pubout -out pub.pem &&
        openssl dgst -sha256 -verify pub.pem -signature sig data
}
ok 'tpm2_sign, by handle' sign_tools 0x81010001
ok 'tpm2_sign, the key that came in' sign_tools 0x81010003 'a value'
flush
ok 'tpm2-openssl, the RSA key file' signs theirs rsa.pem
flush
ok 'tpm2-openssl, a handle' sh -c '. ./device.env
    openssl dgst -provider tpm2 -provider default -propquery ?provider=tpm2 \
        -sha256 -sign handle:0x81010001 -out sig data'
flush
PASSIN=(-passin 'pass:a value')
ok 'tpm2-openssl, the key file with a value' signs theirs file.pem
PASSIN=()
flush
ok 'a key file that came in, under the RSA parent' genpkey in2.pem EC \
    uri:tpm2:parent=owner parent-type:rsa import:soft.pem
ok 'signs' signs ours in2.pem
ok 'tpm2-openssl, a key file that came in, under the usual parent' sh -c \
    '"$@" && . ./device.env && openssl dgst -provider tpm2 -provider default \
        -propquery ?provider=tpm2 -sha256 -sign in3.pem -out sig data &&
    openssl dgst -sha256 -verify soft.pub -signature sig data' - \
    env OPENSSL_CONF=openssl.cnf sh -c '. ./device.env
    openssl genpkey -propquery provider=hwkey -algorithm EC \
        -pkeyopt parent:0x40000001 -pkeyopt import:soft.pem -out in3.pem'
flush

ok 'an RSA key that came in for PSS alone' sh -c \
    '. ./device.env; export OPENSSL_CONF=openssl.cnf
    OPENSSL_CONF=/dev/null openssl genpkey -quiet -algorithm RSA -out r.pem &&
    openssl genpkey -propquery provider=hwkey -algorithm RSA-PSS \
        -pkeyopt uri:tpm2: -pkeyopt import:r.pem -out in4.pem &&
    openssl pkey -in in4.pem -pubout -out pub.pem &&
    openssl dgst -sha256 -sign in4.pem -out sig data &&
    openssl dgst -sha256 -verify pub.pem -signature sig data'
ok 'a key for OAEP alone decrypts' sh -c \
    '. ./device.env; export OPENSSL_CONF=openssl.cnf
    oaep="-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256"
    openssl genpkey -propquery provider=hwkey -algorithm RSA \
        -pkeyopt uri:tpm2: -pkeyopt usage:decrypt -pkeyopt digest:sha256 \
        -out d.pem && openssl pkey -in d.pem -pubout -out pub.pem &&
    openssl pkeyutl -encrypt -pubin -inkey pub.pem $oaep -in data -out box &&
    openssl pkeyutl -decrypt -inkey d.pem $oaep -in box | cmp - data'

# --- command lines of tpm2-openssl's users ---

ok 'bits' genpkey t.pem RSA bits:2048 parent:0x40000001
ok 'it signs' signs ours t.pem
ok 'group, user-auth' genpkey t.pem EC group:P-256 user-auth:abc
PASSIN=(-passin pass:abc)
ok 'it signs' signs ours t.pem
PASSIN=()
ok 'digest' genpkey t.pem EC group:P-384 digest:sha384
ok 'without a parent, and nothing of a TPM: software' genpkey t.pem EC \
    group:P-256
like 'it is' "$(cat t.pem)" 'BEGIN PRIVATE KEY'

# --- policies ---

ok 'policy: PCR 16 as it is' genpkey t.pem EC uri:tpm2: \
    'policy:pcr(sha256:16)'
ok 'it signs' signs ours t.pem
ok 'the PCR changes' tool pcrextend -Q \
    16:sha256=0000000000000000000000000000000000000000000000000000000000000001
flush
like 'it signs no more, and the error names the PCR' \
    "$(ours dgst -sha256 -sign t.pem -out sig data 2>&1)" 'sha256:16'
ok 'policy: a value of its own as well' genpkey t.pem EC uri:tpm2: \
    user-auth:abc 'policy:auth & pcr(sha256:16)'
PASSIN=(-passin pass:abc)
ok 'it signs' signs ours t.pem
PASSIN=()

# --- auth values of others ---

ok 'the owner has a value' tool changeauth -Q -c owner owner-value
flush
refuses 'PIN' 'no value of the owner' no.pem EC uri:tpm2:handle=0x81010009
ok 'hierarchy-auth' genpkey t.pem EC uri:tpm2:handle=0x81010004 \
    hierarchy-auth:owner-value
ok 'it signs' signs ours t.pem
ok 'parent-auth' genpkey t.pem EC uri:tpm2:parent=owner parent-auth:owner-value
ok 'or in the URI' genpkey t.pem EC \
    'uri:tpm2:parent=owner?parent-pin-value=owner-value'
ok 'in hexadecimal digits' genpkey t.pem EC uri:tpm2:parent=owner \
    parent-auth:hex:6f776e65722d76616c7565
ok 'it has none again' tool changeauth -Q -c owner -p owner-value ''
flush

# --- what is refused ---

refuses 'there is a key at 0x81010001' 'a handle that is taken' no.pem EC \
    uri:tpm2:handle=0x81010001
refuses 'noda: only of keys in a TPM' 'of a TPM, in a token' no.pem EC \
    uri:pkcs11:token=x noda:no
refuses 'extractable, sensitive: only of keys in a token' 'of a token, in a TPM' \
    no.pem EC uri:tpm2: extractable:yes
refuses 'parent: the URI names another' 'two parents' no.pem EC \
    uri:tpm2:parent=owner parent:null
refuses 'parent: ' 'no parent' no.pem EC uri:tpm2: parent:nobody
refuses 'parent-type: ecc or rsa' 'no type of parent' no.pem EC uri:tpm2: \
    parent-type:dsa
refuses 'scheme: none of' 'no scheme' no.pem EC uri:tpm2: scheme:dsa
refuses 'scheme: OAEP is not of such a key' 'a scheme of others' no.pem EC \
    uri:tpm2: scheme:oaep
refuses 'name-digest: no digest of ours' 'no digest' no.pem EC uri:tpm2: \
    name-digest:md9
refuses 'no TPM names keys by' 'a digest for no name' no.pem EC uri:tpm2: \
    name-digest:SHA1
refuses 'user-auth: not hexadecimal' 'no hexadecimal digits' no.pem EC \
    uri:tpm2: user-auth:hex:xx
refuses 'nofile' 'no file' no.pem EC uri:tpm2: user-auth:file:nofile
refuses 'policy: ' 'no policy' no.pem EC uri:tpm2: policy:12
refuses 'policy-or-auth: there is no policy' 'no policy at all' no.pem EC \
    uri:tpm2: policy-or-auth:yes
refuses 'cannot be kept' 'the null hierarchy at a handle' no.pem EC \
    'uri:tpm2:handle=0x81010009;parent=null'
refuses 'makes no such key: RSA 2048, e = 3' 'another exponent' no.pem RSA \
    uri:tpm2: e:3
refuses 'makes no such key: RSA 8192' 'RSA 8192' no.pem RSA uri:tpm2: bits:8192
ok 'nothing came of them' test ! -s no.pem
is 'and nothing is left in the TPM' "$(left)" ''

done_testing
