#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device proves its anchor to a verifier without a TPM; what the TPM signed is
# looked at by tpm2-tools and openssl, too. And what proves nothing.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

NONCE=00112233445566778899aabbccddeeff

tpm() {
    in_device gateway "$@"
}
anchor() {
    local name=$1
    shift
    in_device "$name" "$BIN/idevid-anchor" -c "$WORLD/$name.ini" "$@"
}
# without a TPM, a configuration or any of the device's files
verify() {
    env -i PATH="$PATH" "$BIN/idevid-anchor" verify-evidence "$@"
}

# --- a restricted key, and a CA that says so -----------------------------------

iak() {
    (cd "$WORLD" && tpm tpm2_createprimary -Q -C e -G ecc256:ecdsa-sha256:null \
        -g sha256 -c iak.ctx -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda' &&
        tpm tpm2_evictcontrol -Q -C o -c iak.ctx 0x81020001 &&
        tpm tpm2_readpublic -Q -c 0x81020001 -f pem -o iak.pub &&
        tpm tpm2_flushcontext -t)
}
ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj '/CN=TPM CA' -days 30 -keyout "$WORLD/ca.key" \
        -out "$WORLD/ca.pem" 2>/dev/null
}
# certify PUBLIC EXTENSIONS OUT: a restricted key cannot sign a request
certify() {
    printf '%s\n' "$2" >"$WORLD/ext" &&
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj '/CN=IAK of GW-0001' -keyout "$WORLD/any.key" \
            -out "$WORLD/any.csr" 2>/dev/null &&
        openssl x509 -req -in "$WORLD/any.csr" -force_pubkey "$1" -days 10 \
            -CA "$WORLD/ca.pem" -CAkey "$WORLD/ca.key" -CAcreateserial \
            -extfile "$WORLD/ext" -out "$3" 2>/dev/null
}

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a TPM' device_tpm gateway GW-0001
ok 'a device with a token' device_token router RT-0002
ok 'the domain' openssl req -x509 -newkey ec -pkeyopt \
    ec_paramgen_curve:P-256 -nodes -subj '/CN=Domain' -days 30 \
    -keyout "$WORLD/domain.key" -out "$WORLD/domain.pem"
ok 'a CA for keys of TPMs' ca
ok 'a restricted key' iak || bail 'no restricted key'
ok 'its certificate' certify "$WORLD/iak.pub" \
    'extendedKeyUsage=2.23.133.8.3' "$WORLD/iak.pem"
ok 'one that says nothing' certify "$WORLD/iak.pub" \
    'keyUsage=digitalSignature' "$WORLD/silent.pem"
cat >>"$WORLD/gateway.ini" <<END
[anchor]
iak = tpm2:handle=0x81020001
iak-certificate = $WORLD/iak.pem
END

# --- nothing yet ------------------------------------------------------------------

fails 1 'not imprinted' 'a device of nobody proves nothing' \
    anchor gateway evidence --nonce $NONCE
for d in gateway router; do
    ok "$d: imprinted" anchor $d imprint --certificate "$WORLD/domain.pem" \
        --physical-presence --yes-i-am-present
done
fails 2 '--nonce' 'not without a nonce' anchor gateway evidence
fails 2 '8 to 32' 'not with half a nonce' anchor gateway evidence --nonce 0011
fails 3 'unavailable' 'a token attests nothing' \
    anchor router evidence --nonce $NONCE --iak pkcs11:token=router
fails 3 'unavailable' 'the IDevID never stands in' anchor gateway evidence \
    --nonce $NONCE --iak tpm2:handle=0x81020000
fails 3 'unavailable.*does not say' 'nor a key that nobody certified' \
    anchor gateway evidence --nonce $NONCE --iak-certificate "$WORLD/silent.pem"

# --- proved -----------------------------------------------------------------------

E=$WORLD/evidence.pem
ok 'evidence' anchor gateway evidence --nonce $NONCE -o "$E"
ok 'proved, without a TPM' verify --nonce $NONCE --ca "$WORLD/ca.pem" \
    --pin "$WORLD/domain.pem" "$E"
cp "$tap_dir/out" "$WORLD/report"
is 'every statement' "$(grep -c '^proved ' "$WORLD/report")" 16
like 'sound' "$(cat "$WORLD/report")" '^verdict: sound'
like 'an endorsement key' "$(cat "$WORLD/report")" 'of the endorsement hier'
value() {
    sed -n "s/^$1: *//p" "$WORLD/report"
}
# (openssl and tpm2-tools have the last word)
is 'the certificate that is pinned' "$(value pin-sha256)" \
    "$(openssl x509 -in "$WORLD/domain.pem" -outform DER | sha256sum |
        cut -d ' ' -f 1)"
tools_name() {
    tpm tpm2_nvreadpublic "$1" | sed -n 's/^ *name: *//p'
}
is "the anchor's Name" "$(value anchor-name)" "$(tools_name 0x01800A01)"
is "the counter's Name" "$(value counter-name)" "$(tools_name 0x01800A00)"
is 'the counter' "$(printf '%016x' "$(value counter)")" \
    "$(tpm tpm2_nvread -s 8 0x01800A00 | od -An -tx1 | tr -d ' \n')"
like 'script' "$(verify --json --nonce $NONCE --ca "$WORLD/ca.pem" "$E")" \
    '"verdict":"sound"'
ok 'evidence in JSON' anchor gateway evidence --json --nonce $NONCE
cp "$tap_dir/out" "$WORLD/json"
sed 's/.*"evidence":"\([^"]*\)".*/\1/' "$WORLD/json" | base64 -d \
    >"$WORLD/evidence.der"
ok 'the same in JSON' verify --nonce $NONCE --ca "$WORLD/ca.pem" \
    "$WORLD/evidence.der"
ok 'and by standard input' sh -c 'cat "$1" | "$0" verify-evidence \
    --nonce "$2" --ca "$3" -' "$BIN/idevid-anchor" "$E" $NONCE "$WORLD/ca.pem"

# --- what the TPM signed, by other tools ------------------------------------------

# part N: the N-th OCTET STRING of the file
openssl asn1parse -in "$E" -out "$WORLD/e.der" -noout
part() {
    openssl asn1parse -inform DER -in "$WORLD/e.der" |
        sed -n 's/^ *\([0-9]*\):d=[12] *hl=\([0-9]*\) *l= *\([0-9]*\) prim: OCTET STRING.*/\1 \2 \3/p' |
        sed -n "$1p" | {
        read -r at head n
        tail -c +$((at + head + 1)) "$WORLD/e.der" | head -c "$n"
    }
}
n=0
for what in anchor counter; do
    part $((3 * n + 3)) >"$WORLD/$what.attest"
    part $((3 * n + 4)) >"$WORLD/$what.sig"
    n=$((n + 1))
    ok "openssl: the signature over the $what's attestation" openssl dgst \
        -sha256 -verify "$WORLD/iak.pub" -signature "$WORLD/$what.sig" \
        "$WORLD/$what.attest"
    attest=$(od -An -v -tx1 "$WORLD/$what.attest" | tr -d ' \n')
    like "the $what's attestation has the nonce" "$attest" "0010$NONCE"
    like "and the index's Name" "$attest" "0022$(value $what-name)0000"
done
like "the anchor's attestation has what is in the TPM" "$(od -An -v -tx1 \
    "$WORLD/anchor.attest" | tr -d ' \n')" \
    "0070$(tpm tpm2_nvread -s 112 0x01800A01 | od -An -v -tx1 | tr -d ' \n')\$"

# a pair by tpm2-tools has the same contents
ok 'tpm2-tools certify the anchor' tpm tpm2_nvcertify -Q -C 0x81020001 \
    -c 0x01800A01 -g sha256 -f plain --size 112 -q $NONCE \
    -o "$WORLD/tools.sig" --attestation "$WORLD/tools.attest" 0x01800A01
# (all but clock and firmware, the 25 bytes between nonce and Name)
is 'and attest the same' "$(head -c 60 "$WORLD/tools.attest" | sha256sum)" \
    "$(head -c 60 "$WORLD/anchor.attest" | sha256sum)"
is 'of the same index' "$(tail -c 152 "$WORLD/tools.attest" | sha256sum)" \
    "$(tail -c 152 "$WORLD/anchor.attest" | sha256sum)"
# (tpm2_print stops at what an attestation of this type has at its end)
like 'tpm2_print knows what it is' "$(tpm2_print -t TPMS_ATTEST \
    "$WORLD/anchor.attest" 2>/dev/null)" 'type: 8014'
ok 'tpm2_checkquote: key, signature and nonce' tpm tpm2_checkquote \
    -u "$WORLD/iak.pub" -g sha256 -q $NONCE -m "$WORLD/anchor.attest" \
    -s "$WORLD/anchor.sig"

# --- what proves nothing ----------------------------------------------------------

fails 1 'another nonce' 'for somebody else' verify \
    --nonce 00112233445566778899aabbccddeefe --ca "$WORLD/ca.pem" "$E"
fails 1 'may be old' 'without a nonce' verify --ca "$WORLD/ca.pem" "$E"
fails 1 'not checked' 'without a root' verify --nonce $NONCE "$E"
is 'a claim, then' "$(verify --nonce $NONCE "$E" 2>/dev/null |
    grep -c '^claimed')" 11
fails 1 'certificate' 'under the wrong root' verify --nonce $NONCE \
    --ca "$WORLD/domain.pem" "$E"
fails 1 'pinned' 'for another domain' verify --nonce $NONCE \
    --ca "$WORLD/ca.pem" --pin "$WORLD/ca.pem" "$E"
fails 1 '0x01800a01' 'at another place' verify --nonce $NONCE \
    --ca "$WORLD/ca.pem" --anchor 0x01800A09 "$E"
fails 1 'evidence' 'no evidence at all' verify "$WORLD/ca.pem"
cut_byte() { # FILE AT: another byte there
    local byte='\125'
    [ "$(od -An -tx1 -j "$2" -N 1 "$WORLD/e.der")" != ' 55' ] || byte='\252'
    cp "$WORLD/e.der" "$1" &&
        printf "$byte" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
size=$(wc -c <"$WORLD/anchor.attest")
at=$(grep -obUaP '\xffTCG' "$WORLD/e.der" | head -n 1 | cut -d : -f 1)
cut_byte "$WORLD/bad.der" $((at + size - 40))
fails 1 'signature over the attestation of the anchor' 'a byte of the record' \
    verify --nonce $NONCE --ca "$WORLD/ca.pem" "$WORLD/bad.der"

# --- and what it proves no more ---------------------------------------------------

ok 'the fuse is one for good: counted on' tpm tpm2_nvincrement 0x01800A00 -C o
fails 1 'a reset was cut short' 'no evidence of what has ended' \
    anchor gateway evidence --nonce $NONCE
ok 'reset' anchor gateway reset --yes
fails 1 'not imprinted' 'nothing left to prove' anchor gateway evidence \
    --nonce $NONCE
done_testing
