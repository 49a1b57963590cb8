#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Vouchers in JWS: a device joins with them, and programs of other makers read
# and write the same.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

for python in /usr/bin/python3 python3 ''; do
    "${python:-true}" -c 'import jwcrypto' 2>/dev/null && break
done

peer() {
    "$python" "$top_srcdir/tests/lib/jws_peer.py" "$@"
}

# --- a device joins ---------------------------------------------------------

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device' device_token router TOK-0002
ok 'MASA learns of it' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start
printf '[voucher]\nform = jws\n' >>"$WORLD/router.ini"
ok 'PT-2, R-P-28: it joins with vouchers in JWS' \
    pledge router join --registrar "localhost:$REG_PORT"
like 'it is enrolled' "$(pledge router --json status)" '"state":"enrolled"'
for side in owner masa; do
    is "what $side kept is in JWS" "$(sqlite3 "$WORLD/$side.db" "$(
        sqlite3 "$WORLD/$side.db" \
            "select 'select media from ' || m.name || ';' from sqlite_master m,
             pragma_table_info(m.name) c where c.name = 'media'")" |
        sort -u)" application/voucher-jws+json
done
kept=$(grep -l '"signatures"' "$WORLD"/router.state/*)
like 'so is the voucher that it keeps' \
    "$("$BIN/idevid-voucher" inspect "$kept")" 'media *application/voucher-jws'
ok 'which is from its maker' "$BIN/idevid-voucher" verify \
    -a "$WORLD/maker/voucher-anchors.pem" "$kept"
ok 'the anchor that it sealed holds' anchor router check

# --- programs of other makers -----------------------------------------------

# key_of ALG: KEY.pem and a certificate of its own
key_of() {
    case $1 in
    ES256) set -- "$1" ec ec_paramgen_curve:P-256 ;;
    ES384) set -- "$1" ec ec_paramgen_curve:P-384 ;;
    ES512) set -- "$1" ec ec_paramgen_curve:P-521 ;;
    RS256) set -- "$1" rsa rsa_keygen_bits:2048 ;;
    PS256) set -- "$1" rsa-pss rsa_keygen_bits:2048 ;;
    esac
    openssl req -x509 -newkey "$2" -pkeyopt "$3" -nodes -days 1 \
        -subj "/CN=MASA of another make" -keyout "$WORLD/$1.key" \
        -out "$WORLD/$1.pem" 2>/dev/null
}

is_ours() {
    "$BIN/idevid-voucher" verify -a "$WORLD/$1.pem" "$2"
}

"$BIN/idevid-voucher" make --serial TOK-0002 --nonce abc --assertion logged \
    --created-on 2026-11-22T10:00:00Z -o "$WORLD/v.json"
for alg in ES256 ES384 ES512 RS256 PS256; do
    ok "$alg: a key" key_of $alg
    ok "$alg: we sign" "$BIN/idevid-voucher" sign "$WORLD/v.json" \
        --media jws --key "file:$WORLD/$alg.key" --cert "$WORLD/$alg.pem" \
        -o "$WORLD/$alg.vjj"
    ok "$alg: and verify" is_ours $alg "$WORLD/$alg.vjj"
done

# ECDSA: r and s of half a signature each, as a SEQUENCE
r_s_der() {
    local hex half
    hex=$(od -An -v -tx1 "$1" | tr -d ' \n')
    half=$((${#hex} / 2))
    printf 'asn1=SEQUENCE:rs\n[rs]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' \
        "${hex:0:half}" "${hex:half}" >"$1.cnf"
    openssl asn1parse -genconf "$1.cnf" -noout -out "$1.der"
}

openssl_verifies() {
    local alg=$1 md=sha256 pad=
    mkdir -p "$WORLD/parts"
    peer parts "$WORLD/$alg.vjj" "$WORLD/parts" || return
    case $alg in
    ES*) r_s_der "$WORLD/parts/signature" || return ;;
    *) cp "$WORLD/parts/signature" "$WORLD/parts/signature.der" ;;
    esac
    case $alg in
    ES384) md=sha384 ;;
    ES512) md=sha512 ;;
    PS256) pad='-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32' ;;
    esac
    openssl x509 -inform DER -in "$WORLD/parts/cert.der" -noout -pubkey \
        >"$WORLD/parts/pub.pem"
    # shellcheck disable=SC2086 # words
    openssl dgst -$md $pad -verify "$WORLD/parts/pub.pem" \
        -signature "$WORLD/parts/signature.der" "$WORLD/parts/input"
}

if [ -z "$python" ]; then
    skip 'programs of other makers' 'no jwcrypto here'
    done_testing
    exit
fi
for alg in ES256 ES384 ES512 RS256 PS256; do
    ok "$alg: openssl dgst verifies ours" openssl_verifies $alg
    if [ $alg = PS256 ]; then # a plain RSA key, as others use it
        cp "$WORLD/RS256.key" "$WORLD/PS256.key"
        cp "$WORLD/RS256.pem" "$WORLD/PS256.pem"
    else
        is "$alg: jwcrypto verifies ours" "$(peer verify "$WORLD/$alg.vjj")" \
            "$(cat "$WORLD/v.json")"
    fi
    peer sign $alg "$WORLD/$alg.key" "$WORLD/$alg.pem" "$WORLD/v.json" \
        >"$WORLD/$alg.theirs"
    ok "$alg: we verify jwcrypto's" is_ours $alg "$WORLD/$alg.theirs"
    sed 's/"signature": "A/"signature": "B/; t
        s/"signature": "./"signature": "A/' "$WORLD/$alg.theirs" \
        >"$WORLD/$alg.spoilt"
    fails 1 'JWS: signature' "$alg: not when spoilt" is_ours $alg "$WORLD/$alg.spoilt"
done
fails 1 'flattened' 'R-S-19: the flattened form is none' "$python" -c '
import json, subprocess, sys
v = json.load(open(sys.argv[1]))
v.update(v.pop("signatures")[0])
json.dump(v, open(sys.argv[2], "w"))
sys.exit(subprocess.call(sys.argv[3:]))' "$WORLD/ES256.theirs" \
    "$WORLD/flat.vjj" "$BIN/idevid-voucher" verify -a "$WORLD/ES256.pem" \
    "$WORLD/flat.vjj"
done_testing
