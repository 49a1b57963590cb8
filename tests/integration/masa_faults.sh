#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a MASA leans on fails: its database, its token, its clock. Nobody gets a
# voucher that is not in the log, what was issued is given again, and nothing
# needs a person afterwards.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
. "$(dirname "$0")/monitor.inc"
. "$(dirname "$0")/masa_trouble.inc"
trap world_end EXIT

world_begin
export WORKERS=2
ok 'a MASA' trouble_begin || bail 'no MASA'
ok 'it ends' bare_stop

# --- the database is gone, and comes back ------------------------------------

pg=$("$top_srcdir/tests/lib/postgresql.sh" start $$) || pg=
psql_count() { # NONCE
    postgresql sql "$pg" "SELECT count(*) FROM acme.audit_event
        WHERE nonce = '$1'"
}
postgresql() {
    "$top_srcdir/tests/lib/postgresql.sh" "$@"
}
if [ -n "$pg" ]; then
    DATABASE=$(postgresql url "$pg" acme)
    ok 'one on PostgreSQL' serve
    know_device BARE-1 >/dev/null
    postgresql halt "$pg"
    is 'PostgreSQL is gone: no voucher' "$(voucher pg-gone)" 503
    like 'but a time to come again' "$(cat "$REPLY_FILE.head")" \
        '^[Rr]etry-[Aa]fter: [0-9]'
    ok 'health says so' failing 'database'
    postgresql go "$pg"
    ok 'it is back, and so are we' healthy
    is 'the same request has its voucher' "$(insists pg-gone)" 200
    is 'once' "$(psql_count pg-gone)" 1
    ok 'it ends' bare_stop
    postgresql stop "$pg"
else
    skip PostgreSQL 'there is none'
fi
DATABASE=

# --- the database is locked by somebody else for a while ---------------------

WORKERS=2
ok 'SQLite' serve
mkfifo "$WORLD/lock"
exec 8<>"$WORLD/lock"
sqlite3 "$WORLD/masa.db" <"$WORLD/lock" >"$WORLD/lock.out" 8<&- &
locker=$!
WORLD_PIDS="$WORLD_PIDS $!"
printf 'BEGIN EXCLUSIVE;\nSELECT 1;\n' >&8
wait_text '^\(1\)$' "$WORLD/lock.out" "$locker" >"$WORLD/locked"
request of-locked --nonce locked
(again locked >"$WORLD/locked.status") &
asked=$!
printf 'COMMIT;\n.quit\n' >&8
exec 8>&-
wait "$asked" "$locker"
like 'who asks meanwhile waits, or is told to come again' \
    "$(cat "$WORLD/locked.status")" '^\(200\|503\)$'
is 'and has it then' "$(again locked)" 200
is 'once' "$(entry locked)" 1
ok 'it ends' bare_stop

# --- the token is out, or fails ----------------------------------------------

head_of_log() { # the status of the answer
    curl -sS --max-time 20 --cacert "$WORLD/maker.pem" -o "$REPLY_FILE" \
        -w '%{http_code}' "https://localhost:$MASA_PORT/log/v1/get-sth"
}
token_shim
ok 'a key of the log in the token' token_key log
MASA_LOG='key = pkcs11:token=maker;object=log;type=private'
ok 'with a token that can be taken out' serve "${shim[@]}"
echo maker >"$WORLD/cut/away"
is 'no tree head is signed without its key' "$(head_of_log)" 503
rm "$WORLD/cut/away"
is 'and one with it' "$(head_of_log)" 200
workers=$(cat "/proc/$MASA_PID/task/$MASA_PID/children")
for how in away gone broken; do
    is "$how: before" "$(voucher "$how-before")" 200
    before=$(entries)
    echo maker >"$WORLD/cut/$how"
    is "$how: no voucher" "$(voucher "$how")" 503
    is 'nor an entry' "$(($(entries) - before))" 0
    is "$how: what was issued is given again" "$(again "$how-before")" 200
    rm "$WORLD/cut/$how"
    is "$how: then it is issued" "$(again "$how")" 200
    is 'with its entry' "$(($(entries) - before))" 1
done
is 'no worker has died of it' \
    "$(cat "/proc/$MASA_PID/task/$MASA_PID/children")" "$workers"
ok 'it ends' bare_stop

# --- a clock that goes back --------------------------------------------------

ok 'a clock that is an hour ahead' serve CLOCK_SHIFT=3600 \
    LD_PRELOAD="$BIN/.libs/clockshift.so"
is 'a voucher' "$(voucher ahead)" 200
ok 'it ends' bare_stop
ok 'it is put back' serve
ok 'health says so' failing \
    "clock: 3[56][0-9][0-9] s before the log's last entry"
before=$(entries)
is 'no voucher' "$(voucher back)" 503
is 'nor an entry that is dated before the last one' "$(entries)" "$before"
is 'what was issued is given again' "$(again ahead)" 200
like 'the log says why' "$(cat "$WORLD/masa.out.err")" 'refused .*why=clock'
ok 'it ends' bare_stop
MASA_LOG="$MASA_LOG
clock-back-seconds = 7200"
ok 'who knows why may go on' serve
is 'with vouchers' "$(insists back) $(look health)" '200 {"status":"good"}'
done_testing
