#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The disk of a registrar's database fills up while devices come, SQLite's and
# PostgreSQL's, and PostgreSQL is ended as by a power cut: devices wait, nothing
# that was answered is lost, and it goes on by itself when there is room.
[ -n "${IN_NAMESPACE:-}" ] || ! unshare -m true 2>/dev/null ||
    IN_NAMESPACE=1 exec unshare -m bash "$0"
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
pg=
trap '[ -z "$pg" ] || bash "$PG" stop "$pg"; world_end; room_end' EXIT
PG=$(cd "$(dirname "$0")/../lib" && pwd)/postgresql.sh
room_end() {
    [ -z "${ROOM:-}" ] || umount "$ROOM/sqlite" "$ROOM"
    [ -z "${ROOM:-}" ] || rmdir "$ROOM"
}

[ -n "${IN_NAMESPACE:-}" ] || {
    skip 'disks that fill up' 'no mount namespaces here'
    done_testing
    exit
}
world_begin
CROWD_SERVER='requests-per-minute = 0'
ok 'a registrar before a crowd' crowd_world 8 || bail 'no registrar'
ok 'some of them have certificates' crowd_members 4 7
CROWD_POLICY='masa-timeout = 2'
ROOM=$(mktemp -d /tmp/idevid-room.XXXXXX)
mount -t tmpfs -o size=128m,mode=755 tmpfs "$ROOM" && mkdir "$ROOM/sqlite" &&
    mount -t tmpfs -o size=8m tmpfs "$ROOM/sqlite" || bail 'no tmpfs'
MANY=120 # so that there is a load still when it happens
ENROLLED=600

vouchers() { # that the MASA issued
    "$BIN/idevid-masa" -c "$WORLD/masa.ini" log --json | wc -l
}
reg() {
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" "$@"
}
again_on() { # DATABASE
    kill "$REG_PID"
    wait "$REG_PID"
    crowd_confs
    grep -v '^database = ' "$WORLD/owner.ini" >"$WORLD/on.ini"
    echo "database = $1" >>"$WORLD/on.ini"
    mv "$WORLD/on.ini" "$WORLD/owner.ini"
    start crowd "$WORLD/owner.out" \
        "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
    REG_PID=$STARTED
    REG_PORT=$(wait_listening "$WORLD/owner.out" "$REG_PID")
    PIDS=$(cat "/proc/$REG_PID/task/$REG_PID/children")
    ok 'some have certificates there' members_begin 4
}
SMALL=$ROOM/sqlite
fill() { # all that is left
    dd if=/dev/zero of="$SMALL/filler" bs=64k 2>/dev/null
    dd if=/dev/zero of="$SMALL/filler.rest" bs=1k 2>/dev/null
    :
}
make_room() {
    rm -f "$SMALL/filler" "$SMALL/filler.rest"
}
# through BEFORE AFTER WHAT: load, and that happens to it; until nothing more can
# be written
through() {
    local before=$(vouchers) i=0 from=$(logged voucher-relayed)
    crowd vouchers $MANY 4 again same >"$WORLD/load" &
    LOAD=$!
    WORLD_PIDS="$WORLD_PIDS $LOAD"
    members_load $ENROLLED
    logged_until voucher-relayed $((from + 4))
    members_under_way 4
    $1
    until grep -q 'commit-failed\|serve-failed' "$WORLD/owner.out.err" ||
        [ $i = 600 ]; do
        i=$((i + 1))
        pause
    done
    like "$3: it is noticed" "$(cat "$WORLD/owner.out.err")" \
        'commit-failed\|serve-failed'
    $2
    ok "$3: each device has its voucher in the end" wait "$LOAD"
    echo "# $(cat "$WORLD/load")"
    like "$3: none is missing" "$(cat "$WORLD/load")" '"good":'$MANY',"failed":0'
    is "$3: the MASA has issued one for each request" \
        $(($(vouchers) - before)) "$MANY"
    is "$3: the ledger has each" "$(reg log | grep -c voucher-sent)" $MANY
    members_served "$3" $ENROLLED
    is "$3: no worker has died" \
        "$(cat "/proc/$REG_PID/task/$REG_PID/children")" "$PIDS"
    like "$3: certificates are issued" "$(crowd enroll 4 2 answers)" '"good":4'
}

again_on "$ROOM/sqlite/owner.db"
through fill make_room 'SQLite, disk full'

export IDEVID_PG_SAFE=1
pg=$(TMPDIR=$ROOM bash "$PG" start $$) || {
    skip 'PostgreSQL, disk full and power cut' 'no PostgreSQL here'
    done_testing
    exit
}
again_on "$(bash "$PG" url "$pg" filled)"
SMALL=$ROOM
case $pg in
"$ROOM"/*) through fill make_room 'PostgreSQL, disk full' ;;
*) ok 'PostgreSQL is on the small disk' false ;;
esac
halt() {
    bash "$PG" halt "$pg"
}
go() {
    bash "$PG" go "$pg"
}
# what was done is on the disk a tenth of a second later: the cut comes between
again_on "$(bash "$PG" url "$pg" \
    cut)%20-ccommit_delay%3D100000%20-ccommit_siblings%3D0"
MANY=40
ENROLLED=120
through halt go 'PostgreSQL, ended and started'
is 'SQLite: the file is sound' \
    "$(sqlite3 "$ROOM/sqlite/owner.db" 'PRAGMA integrity_check')" ok
done_testing
