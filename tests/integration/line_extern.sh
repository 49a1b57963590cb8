#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A line whose issuing CA is somebody else's and goes by what a request asks
# for: by EST and by files, without attestation keys (direct), from the order
# to the MASA; and what such a CA may not leave out or put in.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/line.inc"
trap world_end EXIT

for program in swtpm swtpm_setup softhsm2-util python3; do
    command -v $program >/dev/null || {
        skip 'a CA that is asked' "$program is missing"
        done_testing
        exit
    }
done

# what the CA does by itself: all else is in the request
foreign_conf() { # copy|none LINE ...: extensions of the CA's own
    local copy=$1
    shift
    foreign_ca_conf >"$CA/ca.cnf"
    sed -i "s/^\[it\]/&\ncopy_extensions = $copy/" "$CA/ca.cnf"
    printf '%s\n' '[device]' 'authorityKeyIdentifier = keyid' "$@" \
        >>"$CA/ca.cnf"
}
# one SERIAL: made on its own, what was said of it is in out
one() {
    { sed -n 1p "$WORLD/fixtures.csv" && grep ",$1," "$WORLD/fixtures.csv"; } \
        >"$WORLD/one.csv"
    factory provision --order batch-7 --fixtures "$WORLD/one.csv" --wait 0 \
        --retries 0 --json --profile direct >"$WORLD/out" 2>"$WORLD/err"
}
made() { # WHAT SERIAL
    one "$2"
    is "$1" "$? $(grep -c '"event":"done"' "$WORLD/out")" '0 1' ||
        tap_show "$WORLD/out" "$WORLD/err"
}
refused() { # WHAT SERIAL PATTERN: by name
    one "$2"
    is "$1" "$?" 1 || tap_show "$WORLD/out" "$WORLD/err"
    like "$1: named" "$(grep '"failed"' "$WORLD/out")" "$3"
}

world_begin
. "$(dirname "$0")/line_foreign.inc"
line_begin || bail 'no maker'
ok 'devices' line_devices 2 1 || bail 'no devices'
ok 'an order' line_order batch-7
ok 'a CA of other make' foreign_ca || bail 'no CA'
conf "$LINE" line csr yes
conf "$LINE" desk profiles 'direct, token'
conf "$LINE" desk ca-certificate foreign.pem
conf "$LINE" idevid policies 1.3.6.1.4.1.55555.1
conf "$LINE" idevid permanent-identifier yes

# --- by EST

foreign_conf none
ok 'an EST server of other make' est_server || bail 'no EST server'
conf "$LINE" desk ca est
conf "$LINE" desk est-url "https://localhost:$EST_PORT"
conf "$LINE" desk est-label line
conf "$LINE" desk est-anchors foreign.pem
refused 'a CA that leaves the names out' TPM-0001 \
    'lacks the subjectAltName hardwareModuleName'
asked() {
    openssl req -in "$CA/csr.pem" -noout -text >"$WORLD/asked" &&
        openssl asn1parse -in "$CA/csr.pem" >>"$WORLD/asked"
}
ok 'what it was asked for' asked
for oid in 1.3.6.1.5.5.7.1.32 1.3.6.1.4.1.55555.1 2.23.133.11.1.1 \
    'Alternative Name' 'Key Usage'; do
    like "the request has $oid" "$(cat "$WORLD/asked")" "$oid"
done
foreign_conf copy '1.3.6.1.5.5.7.1.32 = ASN1:IA5STRING:masa.rogue.example'
refused 'one that says another MASA' TPM-0001 \
    'its MASA URL is another than was asked for'
foreign_conf copy 'certificatePolicies = 1.3.6.1.4.1.55555.2'
refused 'one that says other policies' TPM-0001 \
    'its certificatePolicies is another than was asked for'
foreign_conf copy 'extendedKeyUsage = serverAuth'
refused 'one that makes it a server' TPM-0001 \
    'its extendedKeyUsage was not asked for'
foreign_conf copy
made 'one that does what it is asked' TPM-0001
verify_device() { # NUMBER
    (
        . "$WORLD/station.env"
        . "$WORLD/$1.env"
        exec "$BIN/idevid-factory" verify "$LINE" --device tpm2: \
            --profile direct
    )
}
ok 'its identity is in order' verify_device 1

# --- by files

conf "$LINE" desk ca files
refused 'the answer is waited for' TPM-0002 '"why":"ca"'
ok 'it is asked for with all that it is to have' openssl req -noout \
    -verify -in "$LINE/csr/TPM-0002.csr"
cp "$LINE/csr/TPM-0002.csr" "$CA/csr.pem"
ok 'as by EST' asked
like 'the MASA as well' "$(cat "$WORLD/asked")" 1.3.6.1.5.5.7.1.32
ok 'the CA answers' sign TPM-0002
made 'and the line goes on' TPM-0002
refused 'a token waits too' TOK-0001 '"why":"ca"'
ok 'and is answered' sign TOK-0001
made 'to its end' TOK-0001

# --- what others get

ok 'the journal is in order' factory verify --journal
feed() {
    factory export --format feed >"$WORLD/feed.json"
}
ok 'the feed' feed
is 'has the three' "$(wc -l <"$WORLD/feed.json")" 3
masa_conf
ok 'the MASA takes it' masa import "$WORLD/feed.json"
done_testing
