#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the desk has issued, looked at by openssl alone.
. "$(dirname "$0")/../lib/story.sh"

cd "$tap_dir" || bail 'no directory'
"$top_builddir/tests/lib/deskcerts" . >log 2>&1 || bail "no certificates: $(cat log)"

# text NAME: the certificate as people see it
text() {
    openssl x509 -in "$1.pem" -noout -text -nameopt RFC2253
}

for name in idevid iak; do
    is "$name: chains to the maker's root" \
        "$(openssl verify -attime 1795305600 -CAfile root.pem -untrusted ca.pem \
            "$name.pem" 2>&1)" "$name.pem: OK"
    text "$name" >"$name.txt"
    like "$name: names the device" "$(grep Subject: "$name.txt")" \
        'serialNumber=A-0001'
    like "$name: never ends" "$(grep 'Not After' "$name.txt")" \
        'Dec 31 23:59:59 9999 GMT'
    like "$name: its key signs" \
        "$(grep -A1 'Key Usage: critical' "$name.txt")" 'Digital Signature'
    like "$name: where revoked ones are listed" "$(cat "$name.txt")" \
        'URI:http://ca.example/list.crl'
    like "$name: where its issuer's is" "$(cat "$name.txt")" \
        'CA Issuers - URI:http://ca.example/ca.cer'
    like "$name: in a TPM" "$(cat "$name.txt")" 'Policy: 2.23.133.11.1.1'
    like "$name: fixed there" "$(cat "$name.txt")" 'Policy: 2.23.133.11.1.2'
done
like 'idevid: for TLS' "$(cat idevid.txt)" 'TLS Web Client Authentication'
is 'idevid: not restricted' "$(grep -c 2.23.133.11.1.3 idevid.txt)" 0
like 'iak: restricted' "$(cat iak.txt)" 'Policy: 2.23.133.11.1.3'
like 'iak: for attestations' "$(cat iak.txt)" '2.23.133.8.3'

# DER of the names, two otherNames: of the hardware module, for good
openssl x509 -in idevid.pem -outform DER -out idevid.der
san=$(openssl asn1parse -inform DER -in idevid.der |
    sed -n '/X509v3 Subject Alternative Name/,$s/^ *\([0-9]*\):.*OCTET STRING.*/\1/p' |
    head -1)
openssl asn1parse -inform DER -in idevid.der -strparse "$san" >san
ek=$(openssl x509 -in ek.pem -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)
aki=$(openssl x509 -in ek.pem -noout -ext authorityKeyIdentifier |
    sed -n 's/ *\(keyid:\)*//;s/://g;2p' | tr A-F a-f)
serial=$(openssl x509 -in ek.pem -noout -serial | sed 's/.*=//' | tr A-F a-f)
is 'idevid: two alternative names' "$(grep -c 'd=1 .*cont \[ 0 \]' san)" 2
like 'idevid: a hardware module' "$(cat san)" '1.3.6.1.5.5.7.8.4'
like 'idevid: of type TPM 2.0' "$(cat san)" ':2.23.133.1.2'
like 'idevid: with the serial number of its EK' "$(cat san)" \
    ":00000000:$aki:$serial"
like 'idevid: an identifier for good' "$(cat san)" 'Permanent Identifier'
like "idevid: its EK certificate's hash" "$(cat san)" "UTF8STRING *:$ek"
like 'idevid: which TCG assigns' "$(cat san)" ':2.23.133.12.1'

bits=$(openssl x509 -in idevid.pem -noout -serial | sed 's/.*=//' | tr -d '\n' | wc -c)
ok 'idevid: a number of 64 to 160 bits' [ "$bits" -ge 16 -a "$bits" -le 40 ]
masa=$(openssl asn1parse -inform DER -in idevid.der |
    grep -A1 ':1.3.6.1.5.5.7.1.32' | sed -n 's/^ *\([0-9]*\):.*OCTET STRING.*/\1/p')
like "idevid: the maker's service" \
    "$(openssl asn1parse -inform DER -in idevid.der -strparse "$masa")" \
    'IA5STRING *:masa.example.com:9443'
done_testing
