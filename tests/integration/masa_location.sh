#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Audit logs at places that nobody can guess, and a registrar that goes there:
# devices enroll as ever, and neither the log nor the figures tell of the place.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
. "$(dirname "$0")/monitor.inc"
trap world_end EXIT

world_begin
ok 'a registrar before a crowd' crowd_world 4 || bail 'no registrar'
like 'vouchers' "$(crowd vouchers 4 2)" '"good":4'
like 'devices enroll by logs that are answered at once' \
    "$(crowd enroll 4 2)" '"good":4'
kill "$MASA_PID"
wait "$MASA_PID"
openssl ecparam -name P-256 -genkey -noout -out "$WORLD/log.key"
CROWD_MASA='metrics = 127.0.0.1:0'
CROWD_LOG="location = https://localhost:$MASA_PORT
key = $WORLD/log.key"
crowd_confs
start crowd "$WORLD/masa.out" "$BIN/idevid-masa" -v -c "$WORLD/masa.ini" run
MASA_PID=$STARTED
is 'the MASA is where it was' \
    "$(wait_listening "$WORLD/masa.out" "$STARTED")" "$MASA_PORT"
monitor "$WORLD/masa.out" "$MASA_PID"
answers() { # PATH STATUS: so far
    count_of "idevid_requests_total{path=\"$1\",status=\"$2\"}"
}
like 'vouchers again' "$(crowd vouchers 4 2)" '"good":4'
like 'R-M-25: and by logs that are elsewhere' "$(crowd enroll 4 2)" '"good":4'
asked=$(answers /.well-known/brski/requestauditlog 201)
ok 'the registrar was told where (201)' [ "${asked:-0}" -gt 0 ]
is 'and went there each time' "$(answers /auditlog/ 200)" "$asked"
is 'without an alarm' "$(grep -c 'why=audit' "$WORLD/owner.out.err")" 0
is 'the places are not in the log of the service' \
    "$(grep -c 'auditlog/[^ "]' "$WORLD/masa.out.err")" 0
for n in 0 1 2 3; do
    curl -sS --max-time 20 --cacert "$WORLD/crowd/anchors.pem" \
        -o "$WORLD/entries" \
        "https://localhost:$MASA_PORT/log/v1/get-entries/$n/$n"
done
is 'nor has each question to the tree a figure of its own' \
    "$(answers /log/v1/get-entries 200)" 4
done_testing
