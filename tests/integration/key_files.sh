#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Key files of a TPM (TSS2 PRIVATE KEY): those that tpm2-openssl and tpm2-tools
# make are read here, those that are written here are read there, and both sign.
# $DEVICE is a TPM, or one behind tpm2-abrmd.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
unset HWKEY_PIN HWKEY_PIN_FILE HWKEY_PARENT_PIN TPM2OPENSSL_PARENT_AUTH

world_begin
openssl_conf
ok "a TPM: ${DEVICE:=tpm}" some_tpm_up "$DEVICE" device || bail 'no TPM'
cat >>"$WORLD/device.env" <<EOF
export TPM2OPENSSL_TCTI=\$HWKEY_TCTI HWKEY_TPM_LOCK=$WORLD/lock
export HWKEY_DER_FILES=yes TSS2_LOG=all+NONE
EOF
cat >"$WORLD/theirs.cnf" <<EOF
openssl_conf = main
[main]
providers = providers
[providers]
default = active
tpm2 = active
[active]
activate = 1
EOF
cd "$WORLD" || bail 'no directory'
echo 'what is signed' >data

ours() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device device timeout 60 openssl "$@"
}
# tpm2-openssl; it wants to be asked for by name
theirs() {
    local what=$1
    shift
    OPENSSL_CONF=$WORLD/theirs.cnf in_device device timeout 60 \
        openssl "$what" -provider tpm2 -provider default \
        -propquery '?provider=tpm2' "$@"
}
# what tpm2-tools leave in a TPM without a manager, they leave to the next
tool() {
    local code=0 name=$1
    shift
    in_device device timeout 60 "tpm2_$name" -Q "$@" || code=$?
    flush
    return $code
}
flush() {
    [ "$DEVICE" = abrmd ] && return
    in_device device tpm2_flushcontext -t
    in_device device tpm2_flushcontext -l
}
# several, with what the one leaves the next needs
tools() {
    in_device device sh -ec "$1"
}

# signs WHO FILE PUBLIC [ARG ...]: by that provider, verified by software
signs() {
    local who=$1 key=$2 pub=$3
    shift 3
    rm -f sig
    "$who" pkeyutl -sign -inkey "$key" -rawin -digest sha256 -in data -out sig \
        "$@" </dev/null &&
        openssl dgst -sha256 -verify "$pub" -signature sig data
}
# nothing_left WHAT
nothing_left() {
    is "$1: nothing is left in the TPM" "$(in_device device sh -c \
        'tpm2_getcap handles-transient; tpm2_getcap handles-loaded-session')" ''
}
# refuses TEXT WHAT KEY [ARG ...]: one line of ours says TEXT
refuses() {
    local text=$1 what=$2
    shift 2
    if ours pkey -noout -in "$@" </dev/null >/dev/null 2>"$WORLD/said"; then
        is "$what" 'taken' 'refused'
    else
        like "$what" "$(grep ':hwkey:' "$WORLD/said")" "$text"
    fi
}
# file_of OUT TYPE PARENT PUBLIC PRIVATE [SECRET]: a key file as the draft has
# it, put together from what tpm2-tools give
file_of() {
    local secret=
    hex() {
        od -An -v -tx1 "$1" | tr -d ' \n'
    }
    [ -z "${6-}" ] || secret="s = EXP:2,FORMAT:HEX,OCTETSTRING:$(hex "$6")"
    cat >file.cnf <<EOF
asn1 = SEQUENCE:key
[key]
t = OID:2.23.133.10.1.$2
e = EXP:0,BOOLEAN:TRUE
$secret
p = INTEGER:$3
b = FORMAT:HEX,OCTETSTRING:$(hex "$4")
v = FORMAT:HEX,OCTETSTRING:$(hex "$5")
EOF
    openssl asn1parse -genconf file.cnf -noout -out file.der &&
        {
            echo '-----BEGIN TSS2 PRIVATE KEY-----'
            openssl base64 -in file.der
            echo '-----END TSS2 PRIVATE KEY-----'
        } >"$1"
}

# --- a storage root key, as the TCG's guidance has it ---
SRK='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted'
SRK="$SRK|decrypt"
ok 'a storage root key at 0x81000001' tools "
    tpm2_createprimary -Q -C o -G ecc -a '$SRK' -c srk.ctx
    tpm2_evictcontrol -Q -C o -c srk.ctx -o srk.handle 0x81000001"
flush

# both NAME PUBLIC [ARG ...]: NAME.pem, made elsewhere, here; what is written
# here of it, there and here
both() {
    local n=$1
    shift
    ok "$n: read and signs" signs ours "$n.pem" "$n.pub" "$@"
    ok "$n: written as PEM" ours pkey -in "$n.pem" -out "$n.copy" "$@"
    like "$n: that is a key file again" "$(head -n 1 "$n.copy")" \
        'BEGIN TSS2 PRIVATE KEY'
    ok "$n: written as DER" ours pkey -in "$n.pem" -outform DER \
        -out "$n.der" "$@"
    ok "$n: the DER reads and signs" signs ours "$n.der" "$n.pub" \
        -keyform DER "$@"
    ok "$n: by object=" signs ours "tpm2:object=$n.der" "$n.pub" "$@"
    ok "$n: as a file: of OSSL_STORE" signs ours "file:$WORLD/$n.copy" \
        "$n.pub" "$@"
}

# --- tpm2-openssl ---
theirs_here() {
    OPENSSL_CONF=$WORLD/theirs.cnf in_device device openssl list -providers |
        grep -q '^  tpm2'
}
if theirs_here; then
    make_theirs() {
        local n=$1
        shift
        theirs genpkey "$@" -out "$n.pem"
    }
    for n in ec rsa ec-parent rsa-parent rsa-auth; do
        arg=() user=()
        case $n in
        ec*) arg=(-algorithm EC -pkeyopt group:P-256) ;;
        rsa*) arg=(-algorithm RSA -pkeyopt bits:2048) ;;
        esac
        case $n in
        *-parent) arg+=(-pkeyopt parent:0x81000001) ;;
        *-auth)
            arg+=(-pkeyopt user-auth:sesame)
            user=(-passin pass:sesame)
            ;;
        esac
        ok "$n: made by tpm2-openssl" make_theirs $n "${arg[@]}"
        ok "$n: its public half" ours pkey -in $n.pem -pubout -out $n.pub \
            "${user[@]}"
        both $n "${user[@]}"
        ok "$n: tpm2-openssl signs with what was written here" \
            signs theirs $n.copy $n.pub "${user[@]}"
    done
    export HWKEY_PIN=sesame
    ok 'the value of a key from the environment' signs ours rsa-auth.pem \
        rsa-auth.pub
    unset HWKEY_PIN
    refuses 'nobody gave a PIN' 'a value that nobody gives' rsa-auth.pem
else
    skip 'key files of tpm2-openssl' 'tpm2-openssl is not installed'
fi

# --- tpm2-tools: files, saved contexts, handles, halves ---
ok 'a key by tpm2_create' tool create -C 0x81000001 -G rsa2048 -u t.pub-half \
    -r t.priv-half -f pem -o t.pub
# -p says that there is no value, whatever the manual says of it
ok 'its file by tpm2_encodeobject' tool encodeobject -C 0x81000001 \
    -u t.pub-half -r t.priv-half -p -o t.pem
ok 'its public half' ours pkey -in t.pem -pubout -out t.pub
both t
ok 'its context by tpm2_load' tool load -C 0x81000001 -u t.pub-half \
    -r t.priv-half -c t.ctx
ok 'a saved context is a key' signs ours tpm2:object=t.ctx t.pub
ok 'a handle by tpm2_evictcontrol' tool evictcontrol -C o -c t.ctx \
    -o t.handle 0x81010001
ok 'is the key there' signs ours object:t.handle t.pub
ok 'a handle by tpm2_readpublic' tool readpublic -c 0x81010001 -t t.handle2
ok 'is the key there, too' signs ours object:t.handle2 t.pub
ours pkey -in object:t.handle -out wrapped.pem
like 'a key at a handle is written as its URI' "$(head -n 1 wrapped.pem)" \
    'BEGIN HWKEY URI'
refuses 'tpm2_encodeobject' 'a public half alone' object:t.pub-half
refuses 'tpm2_encodeobject' 'a private half alone' object:t.priv-half

# --- hierarchies: what tpm2_encodeobject cannot say, the format can ---
for h in owner:o:0x40000001 endorsement:e:0x4000000b null:n:0x40000007; do
    n=${h%%:*}
    c=${h#*:}
    ok "$n: a key under its storage root key" tools "
        tpm2_createprimary -Q -C ${c%:*} -G ecc -a '$SRK' -c p.ctx
        tpm2_create -Q -C p.ctx -G ecc -u $n.h1 -r $n.h2"
    flush
    ok "$n: a file" file_of "$n.pem" 3 "${h##*:}" "$n.h1" "$n.h2"
    ok "$n: its public half" ours pkey -in "$n.pem" -pubout -out "$n.pub"
    both "$n"
done

# --- keys to be imported ---
ok 'a key that may be duplicated, for 0x81000001' tools "
    tpm2_startauthsession -Q -S trial
    tpm2_policycommandcode -Q -S trial -L policy TPM2_CC_Duplicate
    tpm2_flushcontext trial
    tpm2_createprimary -Q -C o -G ecc -c p.ctx
    tpm2_create -Q -C p.ctx -G ecc -L policy -u i.h1 -r i.h2 \
        -a 'sensitivedataorigin|userwithauth|sign' -c i.ctx
    rm p.ctx"
flush
ok 'it is duplicated' tools "
    tpm2_startauthsession -Q --policy-session -S s
    tpm2_policycommandcode -Q -S s TPM2_CC_Duplicate
    tpm2_duplicate -Q -C 0x81000001 -c i.ctx -G null -p session:s -r i.dup \
        -s i.seed"
flush
ok 'its file' file_of import.pem 4 0x81000001 i.h1 i.dup i.seed
ok 'import: its public half' ours pkey -in import.pem -pubout -out import.pub
both import
ok 'what is written says so again' cmp file.der import.der
file_of import2.pem 4 0x4000000b i.h1 i.dup i.seed
refuses 'Import under 0x4000000b' 'not for that parent' import2.pem

# --- authorization values of parents ---
ok 'a parent with a value at 0x81000002' tools "
    tpm2_createprimary -Q -C o -G ecc -a '$SRK' -p upper -c p.ctx
    tpm2_evictcontrol -Q -C o -c p.ctx 0x81000002
    tpm2_flushcontext -t
    tpm2_create -Q -C p.ctx -P upper -G ecc -u v.h1 -r v.h2"
flush
file_of v.pem 3 0x81000002 v.h1 v.h2
refuses 'parent-pin-source' 'no value for the parent' v.pem
export HWKEY_PARENT_PIN=upper
ok 'v: its public half' ours pkey -in v.pem -pubout -out v.pub
both v
export HWKEY_PARENT_PIN=lower
refuses 'another authorization value' 'a wrong one' v.pem
unset HWKEY_PARENT_PIN
export TPM2OPENSSL_PARENT_AUTH=upper
ok 'the value as tpm2-openssl is given it' signs ours v.pem v.pub
unset TPM2OPENSSL_PARENT_AUTH
printf 'upper\n' >upper
ok 'the value from a file that the URI names' signs ours \
    'tpm2:object=v.pem?parent-pin-source=upper' v.pub

# --- what is wrong ---
file_of sealed.pem 5 0x81000001 t.pub-half t.priv-half
refuses 'sealed data' 'sealed data is no key' sealed.pem
file_of none.pem 3 0x80000001 t.pub-half t.priv-half
refuses 'no parent' 'a parent that is none' none.pem
file_of other.pem 3 0x4000000b t.pub-half t.priv-half
refuses 'another parent or another TPM' 'another parent' other.pem
file_of absent.pem 3 0x81000077 t.pub-half t.priv-half
refuses '0x81000077' 'a parent that is not there' absent.pem
file_of signing.pem 3 0x81010001 t.pub-half t.priv-half
refuses 'no storage key' 'a parent that signs' signing.pem
head -c 300 t.der >cut.der
refuses 'no serialised handle\|ASN.1' 'a file cut short' object:cut.der
# what is left of it is no file that anyone else should try to read
for line in 2 3 4 5; do
    sed "${line}s/./#/" t.pem >spoilt.pem
    refuses 'is not base64' "PEM that is spoilt in line $line" spoilt.pem
    is "line $line: that is all there is to say" \
        "$(grep -c ':error:' "$WORLD/said")" 1
done

[ "$DEVICE" = abrmd ] || nothing_left 'after all that'
done_testing
