#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The lists of revoked certificates: served without TLS to anybody, and made
# anew before they end though nobody asks; in SQLite and in PostgreSQL.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
pg=
trap '[ -z "$pg" ] || bash "$PG" stop "$pg"; world_end' EXIT
PG=$(cd "$(dirname "$0")/../lib" && pwd)/postgresql.sh

DAY=86400
world_begin
CROWD_SERVER='crl-listen = 127.0.0.1:0'
ok 'a registrar before a crowd' crowd_world 2 || bail 'no registrar'

plain_port() {
    PLAIN_PORT=$(wait_text '.*"public".*"port":\([0-9]*\).*' \
        "$WORLD/owner.out" "$REG_PID")
}
plain() { # PATH [OPTION ...]: the status
    local path=$1
    shift
    curl -sS --max-time 20 -o "$WORLD/answer" -w '%{http_code}' "$@" \
        "http://127.0.0.1:$PLAIN_PORT/$path"
}
number() { # of the list that was answered
    openssl crl -inform DER -in "$WORLD/answer" -noout -crlnumber |
        sed 's/.*=\(0x\)*0*//'
}
restart() { # COMMAND ...: the registrar, by that
    kill "$REG_PID"
    wait "$REG_PID"
    crowd_confs
    [ -z "${URL:-}" ] || sed -i "s#^database = .*#database = $URL#" \
        "$WORLD/owner.ini"
    start crowd "$WORLD/owner.out" "$@" \
        "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
    REG_PID=$STARTED
    REG_PORT=$(wait_listening "$WORLD/owner.out" "$REG_PID")
    plain_port
}
made() { # NUMBER: that list was made, and no other one
    wait_text '.*crl-made number=\([0-9]*\) .*' "$WORLD/owner.out.err" \
        "$REG_PID" >"$WORLD/made"
    is "$2" "$(cat "$WORLD/made")" "$1"
}

# --- public, and nothing else is ---
plain_port
is 'without TLS' "$(plain crl/ca.crl)" 200
ok 'it is the list, signed by the CA' openssl crl -inform DER \
    -in "$WORLD/answer" -noout -verify -CAfile "$WORLD/crowd/domain-ca.pem"
head_of() {
    curl -sS -I "http://127.0.0.1:$PLAIN_PORT/crl/ca.crl"
}
like 'its head says how long it may be kept, and when nobody answers' \
    "$(head_of)" 'Cache-Control: max-age=[0-9]*, stale-if-error=[0-9]'
is 'a list that there is not' "$(plain crl/other.crl)" 404
is 'no voucher comes this way' "$(plain .well-known/brski/requestvoucher \
    -d x)" 404
is 'no certificate' "$(plain .well-known/est/cacerts)" 404
is 'nothing is put there' "$(plain crl/ca.crl -d x)" 405

# --- who has it already ---
is 'it has a tag' "$(plain crl/ca.crl --etag-save "$WORLD/tag")" 200
like 'which is not empty' "$(cat "$WORLD/tag")" '^"[0-9a-f]*"'
is 'by that it is not sent again' \
    "$(plain crl/ca.crl --etag-compare "$WORLD/tag")" 304
dated() { # a list of this second has no date yet: another may come
    local i
    for ((i = 0; i < 100; i++)); do
        ! head_of | grep -q '^Last-Modified: ' || return 0
        pause
    done
    return 1
}
ok 'it has a date' dated
is 'which curl keeps' "$(plain crl/ca.crl -R)" 200
cp -p "$WORLD/answer" "$WORLD/kept"
is 'by that it is not sent again' "$(plain crl/ca.crl -z "$WORLD/kept")" 304
touch -d '1 year ago' "$WORLD/kept"
is 'but to whom has an older one' "$(plain crl/ca.crl -z "$WORLD/kept")" 200

# --- many who say nothing ---
python3 -c 'import socket, sys
idle = [socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        for _ in range(300)]
print("there", flush=True)
sys.stdin.read()' "$PLAIN_PORT" <"$WORLD/fifo" >"$WORLD/idle" &
WORLD_PIDS="$WORLD_PIDS $!"
wait_text '^\(there\)$' "$WORLD/idle" $! >"$WORLD/idle.there"
is 'three hundred idle connections keep nobody out' "$(plain crl/ca.crl)" 200
like 'nor devices' "$(crowd vouchers 4 2)" '"good":4'

for URL in '' pg; do
    db=SQLite
    if [ -n "$URL" ]; then
        db=PostgreSQL
        pg=$(bash "$PG" start $$) || {
            skip 'lists in PostgreSQL' 'no PostgreSQL here'
            break
        }
        URL=$(bash "$PG" url "$pg")
    fi
    restart env
    is "$db: a list" "$(plain crl/ca.crl --etag-save "$WORLD/tag")" 200
    first=$(number)
    like "$db: a device gets a voucher" "$(crowd vouchers 1 1)" '"good":1'
    like "$db: and a certificate" "$(crowd enroll 1 1)" '"good":1'
    ok "$db: it is revoked" "$BIN/idevid-registrar" -c "$WORLD/owner.ini" \
        revoke CROWD-0000
    is "$db: the next list, also for who has the last one" \
        "$(plain crl/ca.crl --etag-compare "$WORLD/tag")" 200
    like "$db: has it" "$(openssl crl -inform DER -in "$WORLD/answer" -noout \
        -text)" 'Serial Number:'
    is "$db: and the next number" "$(number)" $((first + 1))
    # half of its life later, with nobody to ask
    restart env CLOCK_SHIFT=$((5 * DAY)) \
        LD_PRELOAD="$BIN/.libs/clockshift.so"
    made $((first + 2)) "$db: a list is made before the last one ends"
    is "$db: and served" "$(plain crl/ca.crl)" 200
    is "$db: one by all workers" "$(number)" $((first + 2))
done
done_testing
