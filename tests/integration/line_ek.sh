#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TPMs whose EK certificates are not in NV: fetched from where their vendor has
# them, as a step of its own, and then provisioned by file or folder.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/line.inc"
trap world_end EXIT

for program in swtpm swtpm_setup softhsm2-util python3 tpm2_nvundefine; do
    command -v $program >/dev/null || {
        skip 'EK certificates from elsewhere' "$program is missing"
        done_testing
        exit
    }
done

tpm() { # NUMBER COMMAND ...: of tpm2-tools
    local n=$1
    shift
    TPM2TOOLS_TCTI=swtpm:path=$WORLD/$n.tpm/sock "$@" >/dev/null
}
# as it is where the vendor keeps the certificates himself
bare() { # NUMBER
    local at
    for at in 0x01c00002 0x01c00016; do
        tpm "$1" tpm2_nvread -C o -o "$WORLD/$1.$at.nv" $at &&
            tpm "$1" tpm2_nvundefine -C p $at &&
            openssl x509 -inform DER -in "$WORLD/$1.$at.nv" -outform DER \
                -out "$WORLD/all/$1.$at.der" || return
    done
}
on_tpm() { # NUMBER VERB ...
    (
        . "$WORLD/station.env"
        . "$WORLD/$1.env"
        verb=$2
        shift 2
        exec "$BIN/idevid-factory" "$verb" "$LINE" "$@"
    )
}
made() { # NUMBER ...
    local n=$1
    shift
    on_tpm "$n" provision --order batch-7 --device tpm2: \
        --serial "$(line_name TPM "$n")" "$@"
}
sha_of() { # CERTIFICATE
    openssl x509 -inform DER -in "$1" -noout -pubkey |
        openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1
}

world_begin
line_begin || bail 'no maker'
ok 'TPMs' line_devices 4 0 || bail 'no devices'
ok 'an order' line_order batch-7
mkdir "$WORLD/all"
for i in 1 2 3 4; do
    ok "TPM $i has no certificate in NV" bare $i
done
fails 1 'EK certificate: the TPM has none in NV' 'so nothing is asked for' \
    made 1

# --- fetched: Intel's form and AMD's

vendor() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$WORLD/www.key" -out "$WORLD/www.crt" -subj /CN=vendor \
        -days 9 -addext subjectAltName=DNS:localhost 2>/dev/null &&
        cat "$WORLD/www.crt" "$WORLD/www.key" >"$WORLD/www.pem" || return
    start station "$WORLD/www.out" python3 \
        "$top_srcdir/tests/lib/ek_server.py" "$WORLD/www.pem" "$WORLD/all"
    AT=https://localhost:$(wait_listening "$WORLD/www.out" "$STARTED")
}
fetch() { # NUMBER PATH ...
    local n=$1 path=$2
    shift 2
    on_tpm "$n" ek-fetch --device tpm2: --url "$AT$path" \
        --ca "$WORLD/www.crt" --out "$WORLD/ek" "$@"
}
ok "a vendor's server" vendor || bail 'no server'
fails 1 'says 404' 'a TPM that the vendor does not know' \
    fetch 1 /ekcertservice/unknown
ok 'nothing is kept' test ! -e "$WORLD/ek"
ok 'as Intel answers' fetch 1 '/ekcertservice/{intel}'
ok 'as AMD answers' fetch 2 '/pki/aia/{amd}'
ok 'of another type of key, as Intel' fetch 3 '/ekcertservice/{intel}' \
    --type P-384
ok 'and as AMD' fetch 4 '/pki/aia/{amd}' --type P-384
for i in 1.0x01c00002 2.0x01c00002 3.0x01c00016 4.0x01c00016; do
    ok "${i%%.*}: it is the one" cmp "$WORLD/all/$i.der" \
        "$WORLD/ek/$(sha_of "$WORLD/all/$i.der").der"
done

# --- brought in

fails 1 'has none for this TPM' 'a folder without it' \
    made 1 --ek-cert "$WORLD/roots"
mkdir "$WORLD/wrong"
cp "$WORLD/all/2.0x01c00002.der" \
    "$WORLD/wrong/$(sha_of "$WORLD/all/1.0x01c00002.der").der"
fails 1 'another key than its name says' "another TPM's under its name" \
    made 1 --ek-cert "$WORLD/wrong"
fails 1 'is for another TPM' "another TPM's as a file" \
    made 1 --ek-cert "$WORLD/all/2.0x01c00002.der"
fails 5 'absent.der: cannot open' 'a file that is not there' \
    made 1 --ek-cert "$WORLD/absent.der"
is 'the journal knows none of them yet' "$(factory export --format csv |
    wc -l)" 1

# --- and one by the wrong label

openssl x509 -inform DER -in "$WORLD/all/4.0x01c00016.der" \
    -out "$WORLD/4.pem"
ok 'the fourth, by a file in PEM, with the first one'\''s label' on_tpm 4 \
    provision --order batch-7 --device tpm2: --serial TPM-0001 \
    --ek-cert "$WORLD/4.pem" --profile lean
fails 1 "TPM-0001.*device with EK" 'the first one is refused' \
    made 1 --ek-cert "$WORLD/ek"
ok 'the label is taken back' factory retire --serial TPM-0001 --release \
    --reason 'label of bench 1 scanned at bench 4'
is 'what was made counts as retired' "$(factory export |
    grep -c '"retired":true,"serial-number":"TPM-0001","state":"released"')" 1
fails 1 'already is TPM-0001, not TPM-0004' 'the device says what it has' \
    made 4 --ek-cert "$WORLD/4.pem" --profile lean
ok 'its own identity takes its place' \
    made 4 --ek-cert "$WORLD/4.pem" --profile lean --again
head -n 3 "$WORLD/fixtures.csv" >"$WORLD/two.csv"
ok 'many at a time, by the folder' factory provision --order batch-7 \
    --fixtures "$WORLD/two.csv" --jobs 2 --ek-cert "$WORLD/ek"
ok 'of another type, by the folder' made 3 --ek-cert "$WORLD/ek"
ok 'the device verifies' on_tpm 1 verify --device tpm2:
ok 'the records' factory export --format attestations \
    --out "$WORLD/attestations.json"
is 'what they prove to a verifier of other make' \
    "$(python3 "$top_srcdir/tests/lib/residency.py" \
        "$WORLD/attestations.json" \
        --vendor-root "$WORLD/vendor/swtpm-localca-rootca-cert.pem" \
        --vendor-issuer "$WORLD/vendor/issuercert.pem" \
        --anchors "$LINE/anchors.pem" --issuing "$LINE/issuing-ca.pem" |
        cut -d' ' -f1-3)" 'TPM-0001 proved tcg
TPM-0002 proved tcg
TPM-0003 proved tcg
TPM-0004 proved lean'
ok 'the journal is in order' factory verify --journal
done_testing
