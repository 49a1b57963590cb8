#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a registrar leans on fails under load: its MASA, its database, its disk,
# its workers, itself. Nothing is lost, and nothing needs a person afterwards.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
trap world_end EXIT

world_begin
CROWD_SERVER='metrics = 127.0.0.1:0
requests-per-minute = 0'
ok 'a registrar before a crowd' crowd_world 8 || bail 'no registrar'
ok 'some of them have certificates' crowd_members 4 7
FIRST=$("$BIN/idevid-masa" -c "$WORLD/masa.ini" log --json | wc -l)

load() { # COUNT [same]: in the background
    crowd vouchers "$1" 4 again ${2:-} >"$WORLD/load" &
    LOAD=$!
    WORLD_PIDS="$WORLD_PIDS $!"
}
all_served() { # WHAT COUNT
    ok "$1: each device has its voucher" wait "$LOAD"
    echo "# $(cat "$WORLD/load")"
    like "$1: none is missing" "$(cat "$WORLD/load")" "\"good\":$2,\"failed\":0"
}
reg() {
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" "$@"
}
vouchers() { # that the MASA issued
    echo $(($("$BIN/idevid-masa" -c "$WORLD/masa.ini" log --json | wc -l) - FIRST))
}

# --- the MASA is away, and comes back ---
kill "$MASA_PID"
wait "$MASA_PID"
load 12
i=0
until grep -q 'why=masa-' "$WORLD/owner.out.err" || [ $i = 600 ]; do
    i=$((i + 1))
    pause
done
like 'the MASA is down: devices are told to come again' \
    "$(cat "$WORLD/owner.out.err")" 'why=masa-'
ok 'the MASA is back' crowd_masa
all_served 'MASA down' 12
is 'one voucher for each request, no second one' "$(vouchers)" 12

# --- the database is locked by somebody else for a while ---
mkfifo "$WORLD/lock"
exec 8<>"$WORLD/lock"
sqlite3 "$WORLD/owner.db" <"$WORLD/lock" >"$WORLD/lock.out" 8<&- &
locker=$!
WORLD_PIDS="$WORLD_PIDS $!"
printf 'BEGIN EXCLUSIVE;\nSELECT 1;\n' >&8
wait_text '^\(1\)$' "$WORLD/lock.out" "$locker" >"$WORLD/locked"
load 12
members_load 60
reg -q status >"$WORLD/status.out" 2>&1 || : # waits as devices do
printf 'COMMIT;\n.quit\n' >&8
exec 8>&-
all_served 'database locked' 12
is 'one voucher for each request, still' "$(vouchers)" 24
members_served 'database locked' 60

# --- workers are killed, then all of it ---
load 40
logged_until voucher-relayed 30
for pid in $(cat "/proc/$REG_PID/task/$REG_PID/children"); do
    kill -9 "$pid"
done
all_served 'workers killed' 40
load 40
logged_until voucher-relayed 74
killed="$REG_PID $(cat "/proc/$REG_PID/task/$REG_PID/children")"
kill -9 $killed
wait "$REG_PID" 2>/dev/null
ok 'the registrar starts again' crowd_registrar
all_served 'killed as a whole' 40

# --- the same while devices enroll ---
members_load 300
ok 'enrollments are under way' members_under_way 40
for pid in $(cat "/proc/$REG_PID/task/$REG_PID/children"); do
    kill -9 "$pid"
done
members_served 'workers killed' 300
members_load 300
ok 'enrollments are under way' members_under_way 40
killed="$REG_PID $(cat "/proc/$REG_PID/task/$REG_PID/children")"
kill -9 $killed
wait "$REG_PID" 2>/dev/null
ok 'the registrar starts again' crowd_registrar
members_served 'killed as a whole' 300

# --- it is killed while a MASA is slow, with devices told to come again ---
kill "$REG_PID"
wait "$REG_PID"
CROWD_PATIENCE=1
CROWD_POLICY='masa-timeout = 600' # a claim is over with who has it
ok 'a registrar with less patience' crowd_registrar
before=$(vouchers)
kill -STOP $(cat "/proc/$MASA_PID/task/$MASA_PID/children")
load 4 same
i=0
until [ "$(grep -c why=masa-slow "$WORLD/owner.out.err")" -ge 4 ] ||
    [ $i = 600 ]; do
    i=$((i + 1))
    pause
done
killed="$REG_PID $(cat "/proc/$REG_PID/task/$REG_PID/children")"
kill -9 $killed
wait "$REG_PID" 2>/dev/null
kill -CONT $(cat "/proc/$MASA_PID/task/$MASA_PID/children")
ok 'the registrar starts once more' crowd_registrar
all_served 'killed while the MASA was slow' 4
is 'one voucher for each request, whoever asked for it' \
    "$(($(vouchers) - before))" 4
like 'each request has one session, in order' "$(reg status)" \
    'sessions *voucher-sent *[0-9]'
done_testing
