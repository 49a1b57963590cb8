#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device waits (202) until a person lets it in; another is kept out.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

ADMIT=ask
world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'one device' device_token router TOK-1
ok 'another device' device_token toaster TOK-2
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

start router "$WORLD/join.out" "$BIN/idevid-pledge" -c "$WORLD/router.ini" \
    --json join --registrar "localhost:$REG_PORT"
joining=$STARTED
# until the registrar has seen it
i=0
until registrar list --pending | grep -q TOK-1; do
    i=$((i + 1))
    [ $i -lt 200 ] && kill -0 "$joining" 2>/dev/null || break
    pause
done
like 'R-R-31: the device waits for a decision' \
    "$(registrar list --pending)" TOK-1
is 'asked of the service, not of the database' \
    "$(registrar -v list --pending 2>&1 | grep -c no-service)" 0
ok 'a person approves' registrar approve TOK-1
like 'the service says who did' "$(cat "$WORLD/owner.out.err")" \
    'admin .*path=/decide who="unix:uid=[0-9]*" status=200 .*TOK-1'
ok 'R-P-29: it asks again and joins' wait "$joining"
like 'R-P-32: it said that it waits' "$(cat "$WORLD/join.out" "$WORLD/join.out.err")" \
    'pending'
like 'it is enrolled' "$(pledge router status)" 'state *enrolled'
is 'R-R-31: the MASA was asked once' "$(masa log TOK-1 | wc -l)" 1

ok 'a person refuses the other' registrar refuse TOK-2
fails 1 . 'R-R-15: it is refused' pledge toaster join \
    --registrar "localhost:$REG_PORT"
is 'the MASA heard nothing of it' "$(masa log TOK-2 --json | wc -l)" 0

# --- rules, and vouchers had before a device comes ---
ok 'a rule is made while it serves' registrar rule add ask --serial 'TOK-?' \
    --comment 'the second batch'
like 'R-R-15: it is listed' "$(registrar rule list)" \
    '^1 .* ask .* serial TOK-[?] .*# the second batch'
ok 'and taken away' registrar rule remove 1
fails 1 'there is no rule 1' 'but once' registrar rule remove 1
is 'nothing odd was found' "$(registrar list --findings)" ''
echo "fallback-url = localhost:$MASA_PORT" >>"$WORLD/owner.maker.ini"
like 'R-R-38: a MASA gives vouchers ahead to whom it knows' \
    "$(registrar prefetch acme TOK-2 --issuer "$WORLD/maker/issuing-ca.pem" \
        2>&1)" 'TOK-2: the MASA answers 403'
ok 'the MASA learns of this registrar' masa registrar \
    "$WORLD/owner/registrar.pem" --nonceless --name owner
like 'R-R-38: a voucher is had ahead' \
    "$(registrar prefetch acme TOK-2 --issuer "$WORLD/maker/issuing-ca.pem")" \
    '^TOK-2: voucher until 20'
like 'and kept' "$(registrar list --stored)" 'TOK-2 .*acme'
is 'the MASA logged it' "$(masa log TOK-2 --json | wc -l)" 1

# --- the MASA is asked while it serves, too ---
is 'asked of the service, not of its database' \
    "$(masa -v registrar list 2>&1 | grep -c no-service)" 0
like 'it says whom it knows' "$(masa registrar list)" \
    '^owner: known, may have vouchers without nonce'
like 'and who said so' "$(cat "$WORLD/masa.out.err")" \
    'admin role=masa path=/registrar who="unix:uid=[0-9]*" status=200 .*owner'
ok 'R-M-35: a device is stolen' masa stolen TOK-2 --reason 'taken in Genoa'
like 'it is shown, with its voucher' "$(masa device show TOK-2)" \
    'standing  stolen: taken in Genoa
.* unix:uid=[0-9]* .* stolen: taken in Genoa
.*logged .* nonce none'
like 'R-M-35: it gets no more' \
    "$(registrar prefetch acme TOK-2 --issuer "$WORLD/maker/issuing-ca.pem" \
        2>&1)" 'TOK-2: the MASA answers 403'
ok 'whose it is is claimed' masa owner claim TOK-2 "$WORLD/owner/domain-ca.pem"
like 'and forgotten' "$(masa owner forget TOK-2)" 'its owner is not known'

# --- the same questions, asked of the service and of the database ---
like 'status: it runs' "$(registrar status)" '^running'
printf '%s\n' 'list --json' 'show TOK-1 --json' 'log --json' 'log TOK-1' \
    >"$WORLD/verbs"
n=0
while read -r verb; do
    n=$((n + 1))
    registrar $verb >"$WORLD/by-service.$n"
done <"$WORLD/verbs"
like 'show: what was issued' "$(cat "$WORLD/by-service.2")" \
    '"certificates":\[{"issued":'
fails 1 'nothing is known of device TOK-9' 'a device nobody heard of' \
    registrar show TOK-9
kill "$REG_PID"
wait "$REG_PID"
ok 'the socket is gone' test ! -e "$WORLD/owner.sock"
n=0
while read -r verb; do
    n=$((n + 1))
    is "the database answers the same: $verb" "$(registrar $verb)" \
        "$(cat "$WORLD/by-service.$n")"
done <"$WORLD/verbs"
like 'status: it does not run' "$(registrar status)" '^not running'
like 'which is said' "$(registrar -v list 2>&1)" no-service
fails 1 'nothing is known of device TOK-9' 'a device nobody heard of, still' \
    registrar show TOK-9
done_testing
