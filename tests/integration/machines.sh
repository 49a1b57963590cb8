#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registrar of two machines that share a PostgreSQL: a request and its repeats
# come to any of them, the MASA is asked about it once, and one machine's end is
# not seen; they show devices one certificate, or do not begin.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
pg=
trap '[ -z "$pg" ] || bash "$PG" stop "$pg"; world_end' EXIT
PG=$(cd "$(dirname "$0")/../lib" && pwd)/postgresql.sh

pg=$(bash "$PG" start $$) || {
    skip 'two machines' 'no PostgreSQL here'
    done_testing
    exit
}
world_begin
CROWD_DATABASE=$(bash "$PG" url "$pg" shared)
CROWD_PATIENCE=1
CROWD_SERVER='requests-per-minute = 0'
ok 'one machine before a crowd' crowd_world 8 || bail 'no registrar'
other() { # the other machine, on a port of its own
    sed -e "s#^admin = .*#admin = $WORLD/crowd/other.sock#" \
        -e "s#^listen = .*#listen = 127.0.0.1:${OTHER_PORT:-0}#" \
        "$WORLD/owner.ini" >"$WORLD/other.ini"
    start crowd "$WORLD/other.out" \
        "$BIN/idevid-registrar" -c "$WORLD/other.ini" run
    OTHER_PID=$STARTED
    OTHER_PORT=$(wait_listening "$WORLD/other.out" "$OTHER_PID")
}
ok 'and another' other || bail 'no other machine'
REG_PORT=$REG_PORT,localhost:$OTHER_PORT
ok 'some devices have certificates' crowd_members 4 7
vouchers() { # that the MASA issued
    "$BIN/idevid-masa" -c "$WORLD/masa.ini" log --json | wc -l
}
load() { # COUNT THREADS
    crowd vouchers "$@" again same >"$WORLD/load" &
    LOAD=$!
    WORLD_PIDS="$WORLD_PIDS $!"
}
said() { # WHAT: of both machines
    cat "$WORLD/owner.out.err" "$WORLD/other.out.err" | grep -c "$1"
}
said_until() { # WHAT COUNT
    local i=0
    until [ "$(said "$1")" -ge "$2" ]; do
        i=$((i + 1))
        [ $i -lt 600 ] || return 1
        pause
    done
}

# --- who was told to come again comes to the other one ---
before=$(vouchers)
kill -STOP $(cat "/proc/$MASA_PID/task/$MASA_PID/children")
load 6 6
ok 'R-R-31: the first who ask are told to come again' said_until why=masa-slow 6
ok 'and once more' said_until why=masa-asked 6
kill -CONT $(cat "/proc/$MASA_PID/task/$MASA_PID/children")
ok 'each has its voucher' wait "$LOAD"
like 'and none has failed' "$(cat "$WORLD/load")" '"good":6,"failed":0'
is 'R-R-31: the MASA was asked about each once' $(($(vouchers) - before)) 6
for machine in owner other; do
    like "$machine: it has served some" \
        "$(cat "$WORLD/$machine.out.err")" 'voucher-relayed'
done

# --- one of them ends, at once, under load ---
before=$(vouchers)
from=$(said voucher-relayed)
load 40 4
members_load 80
ok 'all is under way' said_until voucher-relayed $((from + 4))
killed="$OTHER_PID $(cat "/proc/$OTHER_PID/task/$OTHER_PID/children")"
kill -9 $killed
wait "$OTHER_PID" 2>/dev/null
ok 'each device has its voucher' wait "$LOAD"
echo "# $(cat "$WORLD/load")"
like 'none has failed' "$(cat "$WORLD/load")" '"good":40,"failed":0'
is 'one for each request' $(($(vouchers) - before)) 40
members_served 'a machine ends' 80
ok 'it begins again' other

# --- one certificate ---
cp "$WORLD/crowd/registrar.pem" "$WORLD/crowd/good.pem"
older() { # its own, of the same key and two hours ago
    openssl x509 -x509toreq -in "$WORLD/crowd/good.pem" \
        -signkey "$WORLD/crowd/registrar.key" -out "$WORLD/older.csr" &&
        printf '%s\n' subjectAltName=DNS:localhost subjectKeyIdentifier=hash \
            'extendedKeyUsage=1.3.6.1.5.5.7.3.28,serverAuth,clientAuth' \
            >"$WORLD/older.ext" &&
        CLOCK_SHIFT=-7200 LD_PRELOAD="$BIN/.libs/clockshift.so" openssl x509 \
            -req -in "$WORLD/older.csr" -CA "$WORLD/crowd/domain-ca.pem" \
            -CAkey "$WORLD/crowd/domain-ca.key" -days 1 \
            -extfile "$WORLD/older.ext" -out "$WORLD/older.pem" &&
        cat "$WORLD/older.pem" "$WORLD/crowd/domain-ca.pem" \
            >"$WORLD/crowd/registrar.pem"
}
ok 'another certificate, of before' older
fails 1 'not the one that the machines on this database show.*nor newer' \
    'a look says that the others show another' \
    "$BIN/idevid-registrar" -c "$WORLD/other.ini" run --test
cp "$WORLD/crowd/good.pem" "$WORLD/crowd/registrar.pem"
ok 'with theirs it is in order' \
    "$BIN/idevid-registrar" -c "$WORLD/other.ini" run --test
done_testing
