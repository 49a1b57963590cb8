#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device was off for so long that its LDevID has expired: it comes back into
# its domain, and into no other. The clocks of pledge and registrar are ahead.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a token' device_token router TOK-1
ok 'a device with a TPM' device_tpm gateway TPM-1
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

# --- clocks ---

# two days, where LDevIDs live for one
AHEAD="env CLOCK_SHIFT=$((2 * 86400)) LD_PRELOAD=$BIN/.libs/clockshift.so"
# again CMD ...: the registrar, started again by CMD
again() {
    kill "$REG_PID" && wait "$REG_PID"
    start owner "$WORLD/owner.out" "$@" "$BIN/idevid-registrar" -v \
        -c "$WORLD/owner.ini" run
    REG_PID=$STARTED
    REG_PORT=$(wait_listening "$WORLD/owner.out" "$STARTED")
}
sed -i 's/^\[ca\]/&\nlifetime-days = 1/' "$WORLD/owner.ini"
ok 'it issues for a day' again env
for d in router gateway; do
    ok "$d joins" pledge $d join --registrar "localhost:$REG_PORT"
done
ok 'days go by, for the registrar' again $AHEAD
OWNER_PID=$REG_PID
ok 'a stranger, who would have them too' owner rogue \
    'Rogue Networks'
ok 'who serves' registrar_start rogue
REG_PID=$OWNER_PID

# --- back ---

renew() { # DEVICE PORT: in those days
    in_device "$1" $AHEAD "$BIN/idevid-pledge" -c "$WORLD/$1.ini" renew \
        --registrar "localhost:$2"
}
value() { # DEVICE NAME
    pledge "$1" status --json | sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p"
}
serial() {
    pledge "$1" status --pem | openssl x509 -noout -serial
}
# asked WHAT: how often the registrar was
asked() {
    grep -c "served .*path=/.well-known/$1 " "$WORLD/owner.out.err"
}
vouchers() {
    grep -c voucher-issued "$WORLD/masa.out.err"
}
comes_back() { # DEVICE
    local d=$1 pin before issued renewals anew old
    pin=$(value "$d" pin-sha256)
    before=$(value "$d" valid-until)
    old=$(serial "$d")
    issued=$(vouchers)
    fails 1 . "R-P-99: $d: not into the domain of a stranger" \
        renew "$d" "$ROGUE_PORT"
    is "$d: it is as it was" "$(value "$d" pin-sha256) $(serial "$d")" \
        "$pin $old"
    renewals=$(asked est/simplereenroll) anew=$(asked est/simpleenroll)
    ok "R-P-99: $d: its LDevID has expired, it enrolls again" \
        renew "$d" "$REG_PORT"
    is "R-P-99: $d: it asked with that first" \
        "$(asked est/simplereenroll)" $((renewals + 1))
    is "R-P-99: $d: then, once, with the IDevID" \
        "$(asked est/simpleenroll)" $((anew + 1))
    is "$d: in this order" "$(grep -o 'path=[^ ]*enroll ' \
        "$WORLD/owner.out.err" | tail -n 2 | sed 's/.*est.//' | tr -d '\n')" \
        'simplereenroll simpleenroll '
    is "R-P-99: $d: the sealed trust anchor is the one it had" \
        "$(value "$d" pin-sha256)" "$pin"
    is "$d: and nobody asked for a voucher" "$(vouchers)" "$issued"
    ok "$d: its LDevID is another" test "$(serial "$d")" != "$old"
    ok "$d: and lives longer" test "$(value "$d" valid-until)" \> "$before"
    like "$d: which lets it in" "$(ldevid_curl "$d")" 'HTTP 200'
}
comes_back router
comes_back gateway

# --- or by the certificate alone ---

days() { # MORE: and more of them are forgiven
    AHEAD="env CLOCK_SHIFT=$((4 * 86400)) LD_PRELOAD=$BIN/.libs/clockshift.so"
    sed -i "/^renew-expired/d; s/^\[est\]/&\nrenew-expired-days = $1/" \
        "$WORLD/owner.ini"
    again $AHEAD
}
grep -q '^\[est\]' "$WORLD/owner.ini" || printf '[est]\n' >>"$WORLD/owner.ini"
ok 'two days more go by, a week is forgiven' days 7
before=$(serial router)
ok 'R-R-73: it renews with the certificate that ended' renew router "$REG_PORT"
is 'R-R-73: with no other' "$(asked est/simplereenroll) $(asked est/simpleenroll)" \
    '1 0'
like 'R-R-73: of which a person can know' "$(cat "$WORLD/owner.out.err")" \
    'renewal-late.*TOK-1'
ok 'it has another' test "$(serial router)" != "$before"
like 'which lets it in' "$(ldevid_curl router)" 'HTTP 200'
is 'no stranger was asked for anything' \
    "$(grep -c 'issued' "$WORLD/rogue.out.err")" 0
done_testing
