#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A MASA with several keys: one in a token, one for vouchers without nonce, the
# next one; and what is said of keys and certificates that do not fit.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
trap world_end EXIT

# signer_file NAME [LINE ...]: a file of a further key
signer_file() {
    local name=$1
    shift
    printf '%s\n' '[signer]' "key = $WORLD/$name.key" \
        "certificate = $WORLD/$name.pem" "$@" >"$WORLD/$name.ini"
    SIGNER="also = $WORLD/$name.ini"
}

check() { # a configuration, as run would take it
    bare_masa_conf
    masa run -t
}

world_begin
ok 'a maker whose voucher key is in a token' bare_masa || bail 'no MASA'
cert nonceless maker 'Nonceless Signer' 'keyUsage = digitalSignature'
cert next maker 'Next Signer' 'keyUsage = digitalSignature'

request nonced --nonce abc
is 'a voucher is issued' "$(ask $BRSKI/requestvoucher nonced.vcj)" 200
like 'R-M-29: the key in the token signed it' "$(signer_of "$REPLY_FILE")" \
    'Voucher Signer'

# --- a key for vouchers without nonce ---------------------------------------

request bare
is 'R-M-7: none without nonce for who is not named' \
    "$(ask $BRSKI/requestvoucher bare.vcj)" 403
ok 'the registrar is named' masa registrar --nonceless \
    "$WORLD/registrar.pem"
signer_file nonceless 'use = nonceless'
ok 'a second key, for those without nonce' check
ok 'it is taken over' bare_stop
ok 'and used' bare_start
is 'a voucher without nonce' "$(ask $BRSKI/requestvoucher bare.vcj)" 200
like 'R-M-28: by the key for them' "$(signer_of "$REPLY_FILE")" \
    'Nonceless Signer'
like 'R-M-16: it ends' "$(cat "$WORLD/said.json")" '"expires-on"'
request nonced2 --nonce abd
is 'one with a nonce' "$(ask $BRSKI/requestvoucher nonced2.vcj)" 200
like 'by the other' "$(signer_of "$REPLY_FILE")" 'Voucher Signer'

# --- the next key -----------------------------------------------------------

signer_file next "from = $(date -u +%FT%TZ)"
bare_stop
ok 'the next key begins' bare_start
request nonced3 --nonce abe
is 'a voucher' "$(ask $BRSKI/requestvoucher nonced3.vcj)" 200
like 'R-M-29: by the next one' "$(signer_of "$REPLY_FILE")" 'Next Signer'
ca others 'CA of others'
signer_file next "from = 2020-01-01T00:00:00Z" "devices = $WORLD/others.pem"
bare_stop
ok 'but other devices know it only' bare_start
request nonced4 --nonce abf
is 'a voucher for an old device' "$(ask $BRSKI/requestvoucher nonced4.vcj)" 200
like 'by the key it knows' "$(signer_of "$REPLY_FILE")" 'Voucher Signer'

# --- renewal ----------------------------------------------------------------

POLICY='renewal-days = 30'
signer_file nonceless 'use = nonceless'
bare_stop
ok 'renewal' bare_start
registrar_cert second domain
BY=second request renew
is 'R-M-21: another registrar of the domain renews it' \
    "$(ask $BRSKI/requestvoucher renew.vcj)" 200
signer_of "$REPLY_FILE" >/dev/null
like 'until a last day' "$(cat "$WORLD/said.json")" '"last-renewal-date"'
ca rogue 'Rogue CA'
registrar_cert stranger rogue
BY=stranger request stranger
is 'R-M-21: a stranger does not' \
    "$(ask $BRSKI/requestvoucher stranger.vcj)" 403

# --- what does not fit ------------------------------------------------------

cp "$WORLD/next.key" "$WORLD/nonceless.key"
fails 2 'nonceless.ini: .*nonceless.pem: not the certificate of' \
    'a certificate of another key' check
signer_file next 'from = tomorrow'
fails 2 'next.ini:4: no time.*tomorrow' 'a time that is none' check
signer_file next 'from = 2030-01-01T00:00:00Z' 'until = 2029-01-01T00:00:00Z'
fails 2 'until is not after from' 'a time before its beginning' check
signer_file next 'use = both'
fails 2 'next.ini:4: ' 'a use that is none' check
cat "$WORLD/others.pem" >>"$WORLD/next.pem"
signer_file next
fails 2 'Next Signer is not issued by .*CA of others' \
    'a chain that does not belong together' check
DAYS=-1 cert next maker 'Next Signer' 'keyUsage = digitalSignature'
fails 2 'Next Signer ended 20' 'a certificate that is over' check
ok 'with which a service that has another goes on' bare_stop
ok 'and starts' bare_start
like 'it says so' "$(cat "$WORLD/masa.out.err")" 'signer-over.*Next Signer'
request nonced5 --nonce abg
is 'a voucher' "$(ask $BRSKI/requestvoucher nonced5.vcj)" 200
like 'by the key that goes on' "$(signer_of "$REPLY_FILE")" 'Voucher Signer'
done_testing
