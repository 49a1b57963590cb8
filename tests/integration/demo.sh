#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole story of a device: factory, owner, join, proof, and what is refused.
# Real TLS on loopback between real processes; nothing is left behind.
set -u

. "$(dirname "$0")/world.sh"

bold= dim= plain= red= green=
if [ -t 1 ]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m' red=$'\e[31m' green=$'\e[32m'
fi
failed=0
began=$SECONDS

now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    echo $((t / 1000))
}

chapter() {
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

indent() {
    sed "s/^/      $dim/; s/\$/$plain/"
}

# step WHAT CMD ...: runs it, says how it went and how long it took.
step() {
    local what=$1 t0 code=0
    shift
    t0=$(now_ms)
    "$@" >"$WORLD/step.out" 2>&1 || code=$?
    if [ $code = 0 ]; then
        printf '  %sok%s  %-62s %6d ms\n' "$green" "$plain" "$what" \
            $(($(now_ms) - t0))
    else
        printf '  %sFAILED%s  %s (exit %d)\n' "$red" "$plain" "$what" $code
        failed=1
    fi
    indent <"$WORLD/step.out"
    return $code
}

# refused WHAT WANT CMD ...: it must fail with exit code 1 and say WANT.
refused() {
    local what=$1 want=$2 t0 out code=0
    shift 2
    t0=$(now_ms)
    out=$("$@" 2>&1) || code=$?
    if [ $code = 1 ] && printf '%s\n' "$out" | grep -q -- "$want"; then
        printf '  %srefused%s  %-57s %6d ms\n' "$green" "$plain" "$what" \
            $(($(now_ms) - t0))
    else
        printf '  %sNOT REFUSED AS IT SHOULD BE%s  %s (exit %d)\n' "$red" \
            "$plain" "$what" $code
        failed=1
    fi
    printf '%s\n' "$out" | tail -n 1 | indent
}

finish() {
    world_end
    trap - EXIT
}
trap finish EXIT
trap 'exit 130' INT TERM

world_begin

chapter '1. The maker: keys in a token, and an IDevID for each of two devices'
MAKER_PROFILE=tcg
step 'root CA, issuing CA, MASA keys (SoftHSM2 token "maker")' maker || exit 1
step 'its MASA serves, with its SQLite file' masa_start || exit 1
vendor_tpm_up gateway && pledge_conf gateway tpm2: || exit 1
step "the TPM vendor's roots, as one signed file" maker_roots || exit 1
step 'gateway TPM-0001: key born in its TPM (swtpm), which proves it' \
    provision gateway TPM-0001 tpm2: || exit 1
step 'router TOK-0002: key born in its token (SoftHSM2)' \
    device_token router TOK-0002 || exit 1
step 'the IDevID as anybody can read it' show_idevid gateway
step "the line's journal: every entry, every signature" \
    in_device maker "$BIN/idevid-factory" verify "$WORLD/maker" --journal
step 'the MASA learns of both devices' learn_devices

chapter '2. The owner: a domain CA and a registrar'
step 'domain CA and registrar key (SoftHSM2 token "owner")' owner || exit 1
step 'its registrar serves, with its SQLite file' registrar_start || exit 1

chapter '3. Each device joins: voucher, imprint, enroll'
step 'gateway TPM-0001 (TPM)' pledge gateway join \
    --registrar "localhost:$REG_PORT"
step 'router TOK-0002 (token)' pledge router join \
    --registrar "localhost:$REG_PORT"

chapter '4. The proof'
step 'gateway: what it belongs to now' pledge gateway status
step 'gateway: a second join changes nothing' pledge gateway join \
    --registrar "localhost:$REG_PORT"
step 'gateway: mutual TLS with plain curl, key in the TPM' ldevid_curl gateway
step 'router: mutual TLS with openssl s_client, key in the token' \
    ldevid_s_client router
step "the maker's audit log" masa log
step 'no private key on disk outside token and TPM' no_key_on_disk

chapter '5. The anchor: sealed once, provable, gone in one command'
step 'gateway: what is sealed in its TPM, and against whom' anchor gateway show
step 'gateway: its attestation key, which the factory certified' \
    use_iak gateway
step 'the TPM proves the anchor to somebody who has none' \
    proved gateway "$WORLD/owner/domain-ca.pem"
openssl x509 -in "$WORLD/maker/issuing-ca.pem" -outform DER \
    -out "$WORLD/own.der" || failed=1
cp "$WORLD/gateway.state/anchor.der" "$WORLD/sealed.der"
cp "$WORLD/own.der" "$WORLD/gateway.state/anchor.der"
refused 'another certificate on its disk' 'not what the record seals' \
    anchor gateway check
cp "$WORLD/sealed.der" "$WORLD/gateway.state/anchor.der"
step 'put back, all is as it was sealed' anchor gateway check
own_anchor gateway || failed=1
refused 'root makes an anchor of its own, in the TPM and on disk' 'tampered' \
    pledge gateway join --registrar "localhost:$REG_PORT"
step 'gateway leaves: one command to the TPM, and all of it is dead' \
    anchor gateway reset --yes
step 'and joins again, one generation on' pledge gateway join \
    --registrar "localhost:$REG_PORT"
step 'all as it was sealed' anchor gateway check

chapter '6. What is refused, and why'
step 'a third device for this: camera TPM-0003' device_tpm camera TPM-0003
learn_devices >/dev/null || failed=1
step 'a rogue owner with a registrar of its own; TPM-0003 was sold to ours' \
    rogue_world
refused 'a rogue registrar: the MASA gives it no voucher' \
    'refused\|403\|404' pledge camera join --registrar "localhost:$ROGUE_PORT"
step 'a dishonest registrar that hands out any voucher it has' fake_world
fake_start "$WORLD/other-serial.vcj"
refused 'a voucher for another serial number' 'serial' pledge camera join \
    --registrar "localhost:$FAKE_PORT"
fake_start "$WORLD/stranger.vcj"
refused 'a voucher signed by a stranger' 'signer-unknown' \
    pledge camera join --registrar "localhost:$FAKE_PORT"
fake_start "$WORLD/other-pin.vcj"
refused 'a voucher that pins a CA that did not sign this connection' \
    'not-pinned' pledge camera join --registrar "localhost:$FAKE_PORT"
step 'camera: still as it left the factory' still_factory camera

printf '\n'
if [ $failed = 0 ]; then
    printf '%sAll of it as it should be%s, in %d seconds.\n' "$bold" "$plain" \
        $((SECONDS - began))
else
    printf '%sSomething went wrong%s, see above.\n' "$red" "$plain"
fi
exit $failed
