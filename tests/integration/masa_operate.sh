#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Operating a MASA: figures and health for machines, its own word on how it
# stands, a configuration taken over under load, sockets handed in, and copies
# of its database whose log goes on where it was, or is seen to be older.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
. "$(dirname "$0")/monitor.inc"
. "$(dirname "$0")/operate.inc"
trap world_end EXIT

serve() {
    SERVER="metrics = 127.0.0.1:0"
    "${1:-bare_start}" || return
    monitor "$WORLD/masa.out" "$MASA_PID"
    SERVER="metrics = 127.0.0.1:$MONITOR" # what a reload finds
}
service() {
    masa "$@"
}
voucher() { # NONCE: the status of the answer
    request "of-$1" --nonce "$1"
    ask $BRSKI/requestvoucher "of-$1.vcj"
}
verify() { # HEAD: a client that keeps a head in this file
    "$BIN/idevid-masa" verify-log --key "$WORLD/log.pub" \
        --anchors "$WORLD/maker.pem" --head "$1" \
        "https://localhost:$MASA_PORT"
}

world_begin
export WORKERS=2
openssl ecparam -name P-256 -genkey -noout -out "$WORLD/log.key"
openssl pkey -in "$WORLD/log.key" -pubout -out "$WORLD/log.pub"
MASA_LOG="key = $WORLD/log.key
head-seconds = 1"
ok 'a MASA' serve bare_masa || bail 'no MASA'

# --- figures -----------------------------------------------------------------

is 'it is healthy' "$(look health)" '{"status":"good"}'
is 'a voucher' "$(voucher one)" 200
is 'the same again' "$(ask $BRSKI/requestvoucher of-one.vcj)" 200
SERIAL=NOBODY-1 request nobody --nonce aaa
is 'one for a device that nobody knows' \
    "$(ask $BRSKI/requestvoucher nobody.vcj)" 404
is 'vouchers that were signed are counted' \
    "$(count_of idevid_vouchers_issued_total)" 1
is 'requests by path and status' "$(count_of \
    'idevid_requests_total{path="/.well-known/brski/requestvoucher",status="200"}')" 2
is 'refusals by their why' \
    "$(count_of 'idevid_refusals_total{why="device-unknown"}')" 1
is 'workers' "$(count_of idevid_workers_ready) of $(count_of idevid_workers)" \
    '2 of 2'
is 'and what waits for an answer' "$(count_of idevid_requests_busy)" 0

# --- its own word ------------------------------------------------------------

is 'it runs' "$(status running)" True
is 'this version' "$(status version)" \
    "$("$BIN/idevid-masa" --version | sed 's/.* //')"
is 'so many workers serve' "$(status service ready)" 2
is 'with this database' "$(status database)" "$WORLD/masa.db"
is 'a log of so many entries' "$(status log entries)" 1
ok 'a client keeps a head' verify "$WORLD/a.head"
is 'which it knows to be the last' "$(status log head-entries)" 1
is 'its keys, until when' "$(status keys 0 name) $(status keys 1 name) $(
    status keys 1 subject)" 'server voucher CN=Voucher Signer'
is 'as the certificate says' "$(status keys 1 ends)" "$(date -u +%FT%TZ -d \
    "$(openssl x509 -in "$WORLD/signer.pem" -noout -enddate | cut -d= -f2)")"
like 'and all that for people' "$(masa status | tr '\n' ' ')" \
    '^running version .*key *server *CN=localhost, until 20.*head-date'

# --- a configuration taken over ----------------------------------------------

request load --nonce load
: >"$WORLD/load"
(
    REPLY_FILE=$WORLD/load.reply
    while [ ! -e "$WORLD/load.end" ]; do
        echo "$(ask $BRSKI/requestvoucher load.vcj)"
    done >"$WORLD/load"
) &
load=$!
POLICY='tell-reason = yes'
bare_masa_conf
old=$(workers)
kill -HUP "$MASA_PID"
ok 'a new configuration is taken over' becomes idevid_reloads_total 1
ok 'by all' gone $old
bare_masa_conf
sed -i 's/^listen/lisssten/' "$WORLD/masa.ini"
kill -HUP "$MASA_PID"
ok 'one that cannot be read is refused' becomes idevid_reload_failures_total 1
bare_masa_conf
mv "$WORLD/signer.pem" "$WORLD/signer.away"
kill -HUP "$MASA_PID"
ok 'one without a certificate as well' becomes idevid_reload_failures_total 2
mv "$WORLD/signer.away" "$WORLD/signer.pem"
touch "$WORLD/load.end"
wait "$load"
is 'meanwhile all were answered' "$(sort -u "$WORLD/load")" 200
masa -q block --reason 'lost on the way' BARE-1
is 'it is what was taken over' "$(voucher two)" 403
like 'that holds' "$(cat "$REPLY_FILE")" 'lost on the way'
masa -q unblock BARE-1
like 'what was wrong is said' "$(cat "$WORLD/masa.out.err")" \
    'reload-failed .*masa.ini:.*lisssten'
is 'it is healthy still' "$(look health)" '{"status":"good"}'
mv "$WORLD/masa.db" "$WORLD/masa.away"
fails 5 nowhere 'run --test: no room for a database' \
    sh -c "sed 's#^database = .*#database = $WORLD/nowhere/x.db#' \
        '$WORLD/masa.ini' >'$WORLD/other.ini' && . '$WORLD/maker.env' &&
        '$BIN/idevid-masa' -c '$WORLD/other.ini' run --test"
mv "$WORLD/masa.away" "$WORLD/masa.db"

# --- a socket handed in, as systemd does --------------------------------------

ok 'it ends' bare_stop
is 'and says so' "$(status running)" False
is 'while its log can be asked about' "$(status log entries)" \
    "$(masa log | wc -l)"
sed -i "s#^listen = .*#listen = 192.0.2.1:1#" "$WORLD/masa.ini"
ok 'somebody stands in for the service manager' service_manager maker
handed_in maker "$WORLD/masa.out" "$BIN/idevid-masa" -c "$WORLD/masa.ini" run
MASA_PID=$STARTED
MASA_PORT=$(wait_listening "$WORLD/masa.out" "$STARTED")
is 'a voucher comes over the socket that was handed in' "$(voucher three)" 200
ok 'READY, once all workers serve' told 1
kill -HUP "$MASA_PID"
ok 'and again when they serve by what they were given' told 2
like 'RELOADING between' "$(tr '\n' ' ' <"$WORLD/told")" \
    'READY=1 RELOADING=1 MONOTONIC_USEC=[0-9]* READY=1 $'
ok 'it ends' bare_stop

# --- copies ------------------------------------------------------------------

# copied WHAT COPY RESTORE: a copy while it serves, what comes after it, and
# the copy in place of what there was
copied() {
    local what=$1
    rm -f "$WORLD"/*.head
    is "$what: a voucher" "$(voucher "$what-1")" 200
    ok 'somebody keeps a head' verify "$WORLD/old.head"
    ok "$what: a copy, while it serves" "$2"
    is 'a voucher more' "$(voucher "$what-2")" 200
    cp "$WORLD/old.head" "$WORLD/new.head"
    ok 'and a head with it' grown "$WORLD/new.head"
    bare_stop
    ok "$what: the copy in its place" "$3"
    ok 'is sound' masa verify-log --key "$WORLD/log.pub" \
        --database "$DATABASE"
    ok "$what: the head that was kept before it proves what it has" \
        masa verify-log --key "$WORLD/log.pub" --head "$WORLD/old.head" \
        --database "$DATABASE"
    fails 1 'entries were taken out' "$what: it is older than a head that was shown" \
        masa verify-log --key "$WORLD/log.pub" --head "$WORLD/new.head" \
        --database "$DATABASE"
    ok 'it serves' serve
    ok "$what: the log goes on from there" verify "$WORLD/old.head"
    fails 1 'entries were taken out' "$what: who kept the later head sees it" \
        verify "$WORLD/new.head"
    is 'what was lost is issued anew' "$(ask $BRSKI/requestvoucher \
        "of-$what-2.vcj")" 200
    fails 1 'not\|changed\|differ' \
        "$what: nor does the same size deceive who kept it" \
        regrown "$WORLD/new.head"
}
grown() { # HEAD: until a younger one is signed
    local i before
    before=$(cksum <"$1")
    for ((i = 0; i < 100; i++)); do
        verify "$1" >/dev/null || return
        [ "$(cksum <"$1")" = "$before" ] || return 0
        pause
    done
    return 1
}
regrown() { # what is said once the log is as long as it was
    local i
    for ((i = 0; i < 100; i++)); do
        verify "$1" 2>"$WORLD/said" >/dev/null && return
        grep -q 'were taken out' "$WORLD/said" || break
        pause
    done
    cat "$WORLD/said" >&2
    return 1
}
bare_masa_conf
DATABASE=$WORLD/masa.db
sqlite_copy() {
    rm -f "$WORLD/copy.db" && masa backup "$WORLD/copy.db"
}
sqlite_back() {
    masa restore --older "$WORLD/copy.db"
}
ok 'SQLite' serve
copied SQLite sqlite_copy sqlite_back
fails 1 'the service runs' 'no copy is put where a service works' \
    masa restore --older "$WORLD/copy.db"
ok 'a copy of what it has' masa backup "$WORLD/whole.db"
ok 'it ends' bare_stop
before=$(masa log)
fails 1 "copy.db has [0-9]* entries of the log, [0-9]* are there" \
    'one that lacks an entry is refused' masa restore "$WORLD/copy.db"
cp "$WORLD/whole.db" "$WORLD/other.db"
sqlite3 "$WORLD/other.db" 'DROP TRIGGER tree_leaf_fixed;
    UPDATE tree_leaf SET leaf_hash = randomblob(32),
        subtrees = randomblob(length(subtrees))'
fails 1 'other.db has another log' 'one with others as well' \
    masa restore "$WORLD/other.db"
fails 5 'nothing.db: No such file' 'one that is not there' \
    masa restore "$WORLD/nothing.db"
fails 2 'the database itself' 'and what is there itself' \
    masa restore "$WORLD/masa.db"
fails 1 'masa.ini' 'no database at all' masa restore "$WORLD/masa.ini"
is 'all is as it was' "$(masa log)" "$before"
like 'a whole one is put there' "$(masa restore "$WORLD/whole.db")" \
    "masa.db: $(masa log | wc -l) entries"
is 'with all that it had' "$(masa log)" "$before"
rm "$WORLD/masa.db"
like 'and where there was nothing' "$(masa restore "$WORLD/whole.db")" \
    'masa.db: [0-9]* entries'
is 'with the same' "$(masa log)" "$before"
is 'for nobody else to read' "$(stat -c %a "$WORLD/masa.db")" 600

# --- devices into another database -------------------------------------------

masa -q stolen --reason 'from the yard' BARE-1
ok 'a device that was sold' know_device SOLD-1
ok 'to somebody' masa owner claim SOLD-1 "$WORLD/domain.pem"
masa export >"$WORLD/devices.json"
first=$DATABASE
DATABASE=$WORLD/moved.db
bare_masa_conf
ok 'all devices are taken along' masa import "$WORLD/devices.json"
is 'as they were' "$(masa export)" "$(cat "$WORLD/devices.json")"
like 'a stolen one is' "$(masa list)" 'BARE-1 .*stolen: from the yard'
like 'and why is known from whom' "$(masa device show BARE-1)" \
    'local:uid=[0-9]* *stolen: from the yard'
DATABASE=$first
bare_masa_conf
masa -q unblock BARE-1

pg=$("$top_srcdir/tests/lib/postgresql.sh" start $$) || {
    skip PostgreSQL 'there is none'
    done_testing
    exit
}
postgresql() {
    "$top_srcdir/tests/lib/postgresql.sh" "$@"
}
DATABASE=$(postgresql url "$pg" acme)
pg_copy() {
    pg_dump -n acme -f "$WORLD/copy.sql" \
        "postgresql://idevid@/postgres?host=$pg"
}
pg_back() {
    postgresql sql "$pg" 'DROP SCHEMA acme CASCADE' &&
        psql -X -q -v ON_ERROR_STOP=1 -f "$WORLD/copy.sql" \
            -d "postgresql://idevid@/postgres?host=$pg"
}
ok 'PostgreSQL' serve
know_device BARE-1 >/dev/null
copied PostgreSQL pg_copy pg_back
ok 'it ends' bare_stop
postgresql stop "$pg"
done_testing
