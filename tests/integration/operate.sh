#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Operating a registrar: figures and health for machines, a configuration taken
# over under load, sockets handed in, and a look before the start.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
. "$(dirname "$0")/monitor.inc"
. "$(dirname "$0")/operate.inc"
trap world_end EXIT

service() {
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" "$@"
}

world_begin
CROWD_SERVER='metrics = 127.0.0.1:0'
ok 'a registrar before a crowd' crowd_world 4 || bail 'no registrar'
monitor "$WORLD/owner.out" "$REG_PID"

# --- figures ---
is 'it is healthy' "$(look health)" '{"status":"good"}'
like 'ten devices get vouchers' "$(crowd vouchers 10 4)" '"good":10'
is 'they are counted, over all workers' \
    "$(count_of idevid_vouchers_total)" 10
is 'so are requests by path and status' "$(count_of \
    'idevid_requests_total{path="/.well-known/brski/requestvoucher",status="200"}')" 10
is 'so is how long the MASA took' "$(count_of idevid_upstream_seconds_count)" 10
is 'there are as many workers as wanted' \
    "$(count_of idevid_workers_ready)" "$(count_of idevid_workers)"
"$CROWD" get "$WORLD/crowd" "localhost:$REG_PORT" 3 1 /made/up >"$WORLD/get"
is 'what does not exist is not a label' \
    "$(count_of 'idevid_requests_total{path="other",status="404"}')" 3
like 'refusals are counted by their why' \
    "$(look metrics)" '^idevid_refusals_total{why="path"} 3$'
like 'each refusal has the name of its request' \
    "$(cat "$WORLD/owner.out.err")" 'refused .*why=path .* req=[0-9a-f]*-[0-9]*$'
is 'anything else is not there' "$(curl -s -o "$WORLD/nothing" -w '%{http_code}' \
    "http://127.0.0.1:$MONITOR/other")" 404

# --- its own word ---
is 'it says how it stands: version, workers' \
    "$(status version) $(status service ready)" \
    "$("$BIN/idevid-registrar" --version | sed 's/.* //') $(
        count_of idevid_workers)"
is 'database, keys and until when' \
    "$(status database) $(status keys 0 name) $(status keys 1 name)" \
    "$WORLD/owner.db registrar ca"
is 'as the certificate says' "$(status keys 1 ends)" "$(date -u +%FT%TZ -d \
    "$(openssl x509 -in "$WORLD/crowd/domain-ca.pem" -noout -enddate |
        cut -d= -f2)")"

# --- a configuration taken over: no request is lost ---
crowd vouchers 150 4 >"$WORLD/load" &
load=$!
sed -i 's/^admit = all/admit = listed/' "$WORLD/owner.maker.ini"
sed -i 's/^retry-after = 1/retry-after = 7/' "$WORLD/owner.ini"
# (those decided on stay in, whatever the maker's rule says)
"$BIN/idevid-registrar" -c "$WORLD/owner.ini" approve \
    CROWD-0000 CROWD-0001 CROWD-0002 CROWD-0003 >"$WORLD/approve.out"
kill -HUP "$REG_PID"
ok 'a new configuration is taken over' becomes idevid_reloads_total 1
sed -i 's/^listen/lisssten/' "$WORLD/owner.ini"
kill -HUP "$REG_PID"
ok 'one that cannot be read is refused' becomes idevid_reload_failures_total 1
sed -i 's/^lisssten/listen/' "$WORLD/owner.ini"
mv "$WORLD/crowd/registrar.key" "$WORLD/crowd/registrar.away"
kill -HUP "$REG_PID"
ok 'one without its key as well' becomes idevid_reload_failures_total 2
mv "$WORLD/crowd/registrar.away" "$WORLD/crowd/registrar.key"
printf nonsense >"$WORLD/owner.maker.ini.bad"
mv "$WORLD/owner.maker.ini" "$WORLD/owner.maker.ini.good"
mv "$WORLD/owner.maker.ini.bad" "$WORLD/owner.maker.ini"
kill -HUP "$REG_PID"
ok 'one with a maker that is wrong, too' becomes idevid_reload_failures_total 3
mv "$WORLD/owner.maker.ini.good" "$WORLD/owner.maker.ini"
ok 'meanwhile no request failed' wait "$load"
like 'not one' "$(cat "$WORLD/load")" '"failed":0,"retried":0'
like 'what is wrong is said' "$(cat "$WORLD/owner.out.err")" \
    'reload-failed .*owner.ini:.*lisssten'
is 'it is healthy still' "$(look health)" '{"status":"good"}'

# --- a look before the start ---
ok 'run --test: all in order' "$BIN/idevid-registrar" -c "$WORLD/owner.ini" \
    run --test
mv "$WORLD/crowd/domain-ca.key" "$WORLD/crowd/domain-ca.away"
fails 5 'domain-ca.key' 'run --test: a key that is not there' \
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run --test
mv "$WORLD/crowd/domain-ca.away" "$WORLD/crowd/domain-ca.key"
cp "$WORLD/owner.ini" "$WORLD/other.ini"
sed -i "s#^database = .*#database = $WORLD/nowhere/x.db#" "$WORLD/other.ini"
fails 5 nowhere 'run --test: no room for a database' \
    "$BIN/idevid-registrar" -c "$WORLD/other.ini" run --test

# --- a socket handed in, as systemd does ---
kill "$REG_PID"
wait "$REG_PID"
sed -i "s#^listen = .*#listen = 192.0.2.1:1#" "$WORLD/owner.ini"
ok 'somebody stands in for the service manager' service_manager crowd
handed_in crowd "$WORLD/owner.out" \
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
REG_PID=$STARTED
REG_PORT=$(wait_listening "$WORLD/owner.out" "$STARTED")
like 'vouchers come over the socket that was handed in' \
    "$(crowd vouchers 4 2)" '"good":4'

# --- what the service manager is told ---
ok 'READY, once all workers serve' told 1
kill -HUP "$REG_PID"
ok 'and again when they serve by what they were given' told 2
like 'RELOADING between, with its time' \
    "$(sed 's/=[0-9]\{6,\}$/=then/' "$WORLD/told" | tr '\n' ' ')" \
    '^LISTENING READY=1 RELOADING=1 MONOTONIC_USEC=then READY=1 $'
mv "$WORLD/owner.maker.ini" "$WORLD/owner.maker.ini.away"
kill -HUP "$REG_PID"
ok 'also when that cannot be taken' told 3
is 'which is told like the other' "$(grep -c '^RELOADING=1$' "$WORLD/told")" 2
mv "$WORLD/owner.maker.ini.away" "$WORLD/owner.maker.ini"
done_testing
