#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The MASA's log as a tree that only grows: an implementation of RFC 9162 that
# is not ours verifies all of it, and whoever keeps one tree head sees what is
# done to the database behind the MASA's back.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

anchors() {
    echo "$WORLD/maker/anchors.pem"
}

peer() {
    python3 "$top_srcdir/tests/lib/log_check.py" "$@"
}

# verify HEAD [OPTION ...]: a client that keeps a head in this file
verify() {
    local head=$1
    shift
    "$BIN/idevid-masa" verify-log --key "$WORLD/log.pub" \
        --anchors "$WORLD/maker/anchors.pem" --head "$head" "$@" \
        "https://localhost:$MASA_PORT"
}

offline() { # DATABASE [OPTION ...]
    local database=$1
    shift
    "$BIN/idevid-masa" verify-log --key "$WORLD/log.pub" \
        --database "$database" "$@"
}

sql() { # DATABASE STATEMENTS
    sqlite3 "$1" "$2" >/dev/null || bail "cannot change $1"
}

# what somebody does who may do everything in the database
UNLOCK='DROP TRIGGER audit_event_kept; DROP TRIGGER audit_event_fixed;
    DROP TRIGGER tree_leaf_kept; DROP TRIGGER tree_leaf_fixed;
    DROP TRIGGER tree_head_kept; DROP TRIGGER tree_head_fixed;'

# old_events N FROM: as a MASA of before left them
old_events() {
    sql "$WORLD/masa.db" "INSERT INTO device (id, keyid, serial_number, maker,
        owner, cert) VALUES (99, x'0102', 'OLD-0099', '', '', x'');
        WITH RECURSIVE n (i) AS (SELECT $2 UNION ALL
        SELECT i + 1 FROM n WHERE i + 1 < $2 + $1)
        INSERT INTO audit_event (device_id, date, domain_id, nonce, assertion)
        SELECT 99, 1700000000 + i, 'ZG9tYWlu', 'bm9uY2U' || i, 2 FROM n"
}

restart() { # DATABASE
    kill "$MASA_PID" && wait "$MASA_PID"
    MASA_DATABASE=$1
    masa_start
}

# --- a log with a past ------------------------------------------------------

world_begin
ok 'maker' maker || bail 'no maker'
openssl ecparam -name P-256 -genkey -noout -out "$WORLD/log.key" ||
    bail 'no key'
LOG_KEY=$WORLD/log.key
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device' device_token router TOK-0002
ok 'the MASA learns of it' learn_devices
old_events 37 0
ok 'it serves again' restart "$WORLD/masa.db"
like 'what was in the log before is in the tree now' \
    "$(cat "$WORLD/masa.out"*)" 'tree-grown entries=37'
masa log-key >"$WORLD/log.pub"
ok 'the public key of the log is told' \
    openssl pkey -pubin -in "$WORLD/log.pub" -noout
ok 'a client keeps a tree head' verify "$WORLD/a.head"
like 'R-M-20: another implementation of RFC 9162 verifies it all' \
    "$(peer "https://localhost:$MASA_PORT" "$(anchors)" "$WORLD/log.pub")" \
    '^37 '

# --- a voucher more ---------------------------------------------------------

MAKER_LOG=required
ok 'owner' owner
ok 'registrar serves' registrar_start
ok 'R-R-36: the device joins, its voucher is proved to be in the log' pledge router join --registrar "localhost:$REG_PORT"
in_tree() { # SIZE: when the head of before is old enough
    local i
    for i in $(seq 50); do
        verify "$WORLD/b.head" --quick --json >"$WORLD/b.json" &&
            grep -q "\"size\":$1" "$WORLD/b.json" && return
        pause
    done
    return 1
}
ok 'its entry is in the tree' in_tree 38
ok 'it grew from what was kept' verify "$WORLD/a.head"
read -r size assertion commitment <<EOF
$(peer "https://localhost:$MASA_PORT" "$(anchors)" "$WORLD/log.pub")
EOF
is 'the other implementation sees it, too' "$size $assertion" '38 proximity'

is 'the registrar keeps a tree head of its maker' "$(sqlite3 "$WORLD/owner.db" \
    "SELECT maker, size FROM maker_log")" 'acme|38'

# who may read the device's log can open the commitment, nobody else
log=$(sqlite3 "$WORLD/owner.db" \
    "SELECT audit_log FROM session ORDER BY id DESC LIMIT 1")
opening() {
    python3 -c 'import base64, json, sys
log = json.loads(sys.argv[1])
raw = lambda t: base64.b64decode(t).hex()
print(raw(log["events"][-1]["serial-salt"]), raw(log["issuer-keyid"]))' "$log"
}
is 'R-M-39: the commitment is to this serial number' \
    "$(peer commit $(opening) TOK-0002)" "$commitment"
entries=$(curl -s --cacert "$(anchors)" \
    "https://localhost:$MASA_PORT/log/v1/get-entries/0/37")
is 'of which the tree says nothing' "$(python3 -c 'import base64, json, sys
print(any(b"TOK-0002" in base64.b64decode(e["log_entry"])
    for e in json.loads(sys.argv[1])["entries"]))' "$entries")" False

# --- who has it already -----------------------------------------------------

kept() { # PATH: how long it may be kept, and the status for who has it
    local to="https://localhost:$MASA_PORT/log/v1/$1"
    curl -s -o /dev/null --cacert "$(anchors)" --etag-save "$WORLD/tag" \
        -D - "$to" | tr -d '\r' | sed -n 's/^Cache-Control: //p'
    curl -s -o /dev/null -w '%{http_code}' --cacert "$(anchors)" \
        --etag-compare "$WORLD/tag" "$to"
}
is 'entries stay what they are: caches may have them' \
    "$(kept get-entries/0/37 | xargs)" 'max-age=86400 304'
is 'the head is asked for again, and not sent again' \
    "$(kept get-sth | xargs)" 'max-age=0 304'

# --- requests that make no sense --------------------------------------------

answer() {
    curl -s -o /dev/null -w '%{http_code}' --cacert "$(anchors)" \
        "https://localhost:$MASA_PORT/log/v1/$1"
}
zeros=$(printf '%064d' 0)
is 'an unknown hash' "$(answer "get-proof-by-hash/$zeros/38")" 404
is 'a tree that is not there yet' "$(answer get-sth-consistency/1/999)" 404
is 'a tree backwards' "$(answer get-sth-consistency/3/2)" 400
is 'entries that are not there' "$(answer get-entries/38/38)" 404
is 'no number' "$(answer get-entries/0/x)" 400
is 'no hash' "$(answer get-all-by-hash/zz/0)" 400
is 'another path' "$(answer get-roots)" 404

# --- behind its back --------------------------------------------------------

db=$WORLD/masa.db
sql "$db" "PRAGMA wal_checkpoint(TRUNCATE)"
cp "$db" "$WORLD/before.db"
ok 'the database agrees with itself' offline "$WORLD/before.db"
cp "$WORLD/before.db" "$WORLD/more.db"
sql "$WORLD/more.db" "INSERT INTO audit_event (device_id, date, domain_id,
    nonce, assertion) VALUES (99, 1800000000, 'ZG9tYWlu', 'extra', 2)"
fails 1 '1 events of the log are in no tree' \
    'an event that nobody put into the tree shows' offline "$WORLD/more.db"

sql "$db" "$UNLOCK UPDATE audit_event SET nonce = 'other' WHERE id = 5"
fails 1 'entries were changed' 'an entry that was changed shows' \
    verify "$WORLD/a.head"
fails 1 'entry 4 is not what the tree has' '... and offline' offline "$db"
sql "$db" "UPDATE audit_event SET nonce = 'bm9uY2U4' WHERE id = 9;
    UPDATE audit_event SET nonce = 'bm9uY2U4', date = 1700000008 WHERE id = 5;
    UPDATE audit_event SET nonce = 'bm9uY2U4', date = 1700000004 WHERE id = 9"
fails 1 'entries were changed' 'two that changed places show' \
    verify "$WORLD/a.head"
sql "$db" "UPDATE audit_event SET nonce = 'bm9uY2U4', date = 1700000008
        WHERE id = 9;
    UPDATE audit_event SET nonce = 'bm9uY2U4', date = 1700000004 WHERE id = 5;
    UPDATE audit_event SET nonce = 'bm9uY2U4' WHERE id = 9;
    UPDATE audit_event SET nonce = 'bm9uY2U' || (id - 1) WHERE id IN (5, 9)"
ok 'put back, all is well' verify "$WORLD/a.head"
sql "$db" "DELETE FROM audit_event WHERE id = 7"
fails 1 'entry 6 is missing' 'one that was taken out shows' \
    verify "$WORLD/a.head"
fails 1 'entry 6 is missing' '... and offline' offline "$db"

# Shorter, and its heads with it: the MASA cannot know, the client does.
cp "$WORLD/before.db" "$WORLD/short.db"
sql "$WORLD/short.db" "$UNLOCK DELETE FROM tree_leaf WHERE position > 30;
    DELETE FROM audit_event WHERE id > 31;
    DELETE FROM tree_head WHERE size > 31"
fails 1 'entries were taken out' 'a shorter log shows offline to who kept a head' \
    offline "$WORLD/short.db" --head "$WORLD/a.head"
ok 'the MASA serves it' restart "$WORLD/short.db"
fails 1 'entries were taken out' '... and online' verify "$WORLD/a.head"

# Shorter, and the heads are still there: it signs no other.
cp "$WORLD/before.db" "$WORLD/half.db"
sql "$WORLD/half.db" "$UNLOCK DELETE FROM tree_leaf WHERE position > 30;
    DELETE FROM audit_event WHERE id > 31"
ok 'the MASA serves one with heads that do not fit' restart "$WORLD/half.db"
is 'and shows no tree head' "$(answer get-sth)" 500
like 'which it says' "$(cat "$WORLD/masa.out"*)" \
    'the database was changed behind the service'
fails 1 'was signed, but 31 are' '... and offline' offline "$WORLD/half.db"

# A past that was written anew, with all of its tree, and no head left: the
# same number of entries, the same key, and another client is shown this one.
cp "$WORLD/before.db" "$WORLD/fork.db"
sql "$WORLD/fork.db" "$UNLOCK DELETE FROM tree_leaf; DELETE FROM tree_head;
    UPDATE audit_event SET domain_id = 'b3RoZXI=' WHERE id = 20;
    INSERT INTO tree_wait SELECT id FROM audit_event"
ok 'the MASA serves a fork' restart "$WORLD/fork.db"
ok 'who is shown only that sees nothing' verify "$WORLD/fork.head"
fails 1 'was kept: .*of one size differ' 'who kept a head sees it' \
    verify "$WORLD/a.head" --quick
rm -f "$WORLD/new.head"
fails 1 'somebody else: .*of one size differ' \
    'two who compare their heads see it' \
    verify "$WORLD/new.head" --with "$WORLD/a.head"
fails 1 'the first 38 entries are not those of the tree head that was kept' \
    '... and offline' offline "$WORLD/fork.db" --head "$WORLD/a.head"

# Heads of somebody else.
openssl ecparam -name P-256 -genkey -noout -out "$WORLD/rogue.key"
openssl pkey -in "$WORLD/rogue.key" -pubout -out "$WORLD/rogue.pub"
fails 1 'by a key that is not known' 'a head by another key' \
    "$BIN/idevid-masa" verify-log --key "$WORLD/rogue.pub" \
    --anchors "$(anchors)" "https://localhost:$MASA_PORT"
fails 2 '--key is needed' 'no key, no verdict' "$BIN/idevid-masa" verify-log \
    "https://localhost:$MASA_PORT"
fails 2 'either a URL or --database' 'nothing to look at' \
    "$BIN/idevid-masa" verify-log --key "$WORLD/log.pub"
done_testing
