#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each profile with each type of key: residency is proved to a verifier of
# other make, and altered records are not.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/line.inc"
trap world_end EXIT

for program in swtpm swtpm_setup softhsm2-util tpm2_print; do
    command -v $program >/dev/null || {
        skip 'profiles of a line' "$program is missing"
        done_testing
        exit
    }
done

one() { # NUMBER PROFILE TYPE
    (
        . "$WORLD/station.env"
        . "$WORLD/$1.env"
        exec "$BIN/idevid-factory" provision "$LINE" --order batch-7 \
            --device tpm2: --serial "$(line_name TPM "$1")" \
            --profile "$2" --type "$3"
    )
}
verdicts() { # FILE
    python3 "$top_srcdir/tests/lib/residency.py" "$1" \
        --vendor-root "$WORLD/vendor/swtpm-localca-rootca-cert.pem" \
        --vendor-issuer "$WORLD/vendor/issuercert.pem" \
        --anchors "$LINE/anchors.pem" --issuing "$LINE/issuing-ca.pem"
}

world_begin
line_begin || bail 'no maker'
ok 'TPMs' line_devices 6 0 || bail 'no devices'
ok 'an order' line_order batch-7
i=0
for how in 'tcg P-256 Certify' 'lean P-256 CertifyCreation' \
    'direct P-256 activation' 'tcg P-384 Certify' \
    'lean RSA-2048 CertifyCreation' 'direct RSA-2048 activation'; do
    i=$((i + 1))
    read -r profile type by <<<"$how"
    ok "$profile, $type" one $i "$profile" "$type"
    echo "TPM-000$i proved $profile $type by $by" >>"$WORLD/want"
done
ok 'the records' factory export --format attestations \
    --out "$WORLD/attestations.json"
is 'what they prove' "$(verdicts "$WORLD/attestations.json" |
    sed 's/activation of .*/activation/')" "$(cat "$WORLD/want")"

# each record with one thing of it altered
python3 - "$WORLD/attestations.json" >"$WORLD/altered.json" <<'EOF'
import base64, json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
first, second = records[0], records[1]
def put(**change):
    d = dict(first)
    d.update({k.replace('_', '-'): v for k, v in change.items()})
    print(json.dumps(d))
def flipped(member, at):
    raw = bytearray(base64.b64decode(first[member]))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()
put(challenge='00' * 32)
put(challenge=second['challenge'], nonce=second['nonce'])
put(order='batch-8')
put(certificate=second['certificate'])
put(iak_certificate=second['certificate'])
put(ek_public=second['ek-public'])
put(tcg_csr=second['tcg-csr'])
put(tcg_csr=flipped('tcg-csr', 200))
put(tcg_csr=flipped('tcg-csr', -3))
put(profile='direct')
put(profile='lean')
put(state='issued')
EOF
is 'none of twelve altered ones is taken' "$(verdicts "$WORLD/altered.json" |
    grep -c ' REFUSED ')" 12 || verdicts "$WORLD/altered.json"
done_testing
