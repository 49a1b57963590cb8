#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A MASA that takes its time: devices are told to come again, also those that
# others hear of meanwhile; each voucher is asked for once, and waits for a
# device that has left.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
. "$(dirname "$0")/monitor.inc"
trap world_end EXIT

world_begin
CROWD_SERVER='metrics = 127.0.0.1:0'
CROWD_PATIENCE=1
ok 'a registrar before a crowd' crowd_world 4 || bail 'no registrar'
monitor "$WORLD/owner.out" "$REG_PID"

asked() { # how often a MASA was
    count_of idevid_upstream_seconds_count
}
vouchers() { # that the MASA issued
    "$BIN/idevid-masa" -c "$WORLD/masa.ini" log --json | wc -l
}
masa_all() { # SIGNAL
    kill "-$1" $(cat "/proc/$MASA_PID/task/$MASA_PID/children")
}
load() { # COUNT THREADS [again]
    crowd vouchers "$@" >"$WORLD/load" &
    LOAD=$!
    WORLD_PIDS="$WORLD_PIDS $!"
}
# until the registrar has said WHAT so often
said() { # WHAT COUNT
    local i=0
    until [ "$(grep -c "$1" "$WORLD/owner.out.err")" -ge "$2" ]; do
        i=$((i + 1))
        [ $i -lt 600 ] || return 1
        pause
    done
}

# --- they come again ---
masa_all STOP
load 4 4 again same
ok 'R-R-31: the first who ask are told to come again' said why=masa-slow 4
ok 'and when they do so, once more' said why=masa-asked 4
is 'nobody has a voucher' "$(grep -c voucher-relayed "$WORLD/owner.out.err")" 0
masa_all CONT
ok 'the MASA goes on' wait "$LOAD"
like 'each has its voucher' "$(cat "$WORLD/load")" '"good":4,"failed":0'
is 'the MASA was asked once for each' "$(asked)" 4
is 'and logged that' "$(vouchers)" 4

# --- one leaves, and its voucher comes ---
masa_all STOP
load 1 1
ok 'a device is told to come again' said why=masa-slow 5
wait "$LOAD"
like 'and does not' "$(cat "$WORLD/load")" '"good":0,"failed":1'
masa_all CONT
ok 'its voucher is there all the same' said voucher-relayed 5
is 'asked for once' "$(asked)" 5

# --- the registrar is to stop meanwhile ---
masa_all STOP
load 1 1
ok 'one more is told to come again' said why=masa-slow 6
wait "$LOAD"
kill "$REG_PID"
masa_all CONT
ok 'a registrar that is to stop ends' wait "$REG_PID"
is 'and has what the MASA said in the end' \
    "$(grep -c voucher-relayed "$WORLD/owner.out.err")" 6
is 'in its ledger' "$("$BIN/idevid-registrar" -c "$WORLD/owner.ini" log |
    grep -c voucher-sent)" 6
is 'one voucher for each request' "$(vouchers)" 6
done_testing
