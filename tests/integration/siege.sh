#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registrar under attack, by an address that honest devices share: hundreds
# of idle sockets, of half requests, of drips, a flood of invalid requests.
# Honest devices are served all the while.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
trap world_end EXIT

world_begin
CROWD_SERVER='metrics = 127.0.0.1:0'
ok 'a registrar before a crowd' crowd_world 4 || bail 'no registrar'
# the last device is the flood's: what asks too often waits by its certificate
ok 'one device is stolen' sh -c 'cp -r "$0/crowd" "$0/thief" &&
    for what in pem key; do
        mv "$0/thief/device.3.$what" "$0/thief/device.0.$what" &&
        rm "$0/crowd/device.3.$what" || exit
    done' "$WORLD"
METRICS_PORT=$(wait_text '.*"monitoring".*"port":\([0-9]*\).*' \
    "$WORLD/owner.out" "$REG_PID")
files() { # as many as the attackers' sockets need
    ulimit -n "$(ulimit -H -n)" 2>/dev/null || :
}
files

mkfifo "$WORLD/until"
exec 8<>"$WORLD/until"
attackers=
attack() { # WHAT NUMBER
    "$CROWD" "$1" "$WORLD/thief" "localhost:$REG_PORT" "$2" 8<&- \
        <"$WORLD/until" >"$WORLD/attack.$1" 2>"$WORLD/attack.$1.err" &
    attackers="$attackers $!"
    WORLD_PIDS="$WORLD_PIDS $!"
    wait_text '.*"event":"\(begun\)".*' "$WORLD/attack.$1" "$!" >"$WORLD/begun"
}
served() { # WHAT
    crowd vouchers 6 1 again >"$WORLD/served"
    echo "# $1: $(cat "$WORLD/served")"
    like "an honest device is served: $1" "$(cat "$WORLD/served")" \
        '"good":6,"failed":0'
}
count_of() {
    curl -sS --max-time 60 "http://127.0.0.1:$METRICS_PORT/metrics" |
        sed -n "s/^$1 \([0-9.]*\)\$/\1/p"
}

served 'nobody else is there'
ok '500 idle sockets' attack idle 500
served '500 idle sockets of its own address'
ok '500 half requests' attack half 500
served 'and 500 half requests'
ok '40 connections that send a byte now and then' attack slow 40
served 'and 40 that drip'
ok 'a flood of invalid requests' attack invalid 4
served 'and a flood of invalid requests'
ok 'machines can still ask' curl -sS --max-time 60 -o "$WORLD/health" \
    "http://127.0.0.1:$METRICS_PORT/health"
ok 'connections gave way' [ "$(count_of \
    'idevid_connections_refused_total{why="connection-shed"}')" -gt 0 ]
ok 'and there were never many' [ "$(count_of idevid_connections)" -lt 512 ]
exec 8>&-
for pid in $attackers; do
    kill "$pid"
    wait "$pid"
done 2>/dev/null
ok 'no worker died of it' [ -z "$(count_of idevid_worker_deaths_total)" ]
served 'and afterwards'
done_testing
