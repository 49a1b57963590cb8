#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registrar's token is taken out and put back, or fails, while devices come:
# they wait, and each has its voucher in the end, with nothing to be done by a
# person.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
trap world_end EXIT

world_begin
CROWD_SERVER='metrics = 127.0.0.1:0'
ok 'a registrar before a crowd' crowd_world 4 || bail 'no registrar'
vouchers() { # that the MASA issued
    "$BIN/idevid-masa" -c "$WORLD/masa.ini" log --json | wc -l
}

# --- its keys move to a token, which can be taken out ---
ok 'a token' token_up owner || bail 'no token'
import() { # NAME ID
    openssl pkcs8 -topk8 -nocrypt -in "$WORLD/crowd/$1.key" \
        -out "$WORLD/$1.p8" && in_device owner softhsm2-util --token owner \
        --pin "$PIN" --import "$WORLD/$1.p8" --label "$1" --id "$2"
}
ok 'with the key of the registrar' import registrar 01
ok 'and that of the CA' import domain-ca 02
mkdir "$WORLD/cut"
cp "$BIN/.libs/p11cut.so" "$WORLD/cut"
real=$(in_device owner sh -c 'echo "$HWKEY_PKCS11_MODULE"')
cat >>"$WORLD/owner.env" <<EOF
export P11CUT_REAL='$real' HWKEY_PKCS11_MODULE='$WORLD/cut/p11cut.so'
EOF
kill "$REG_PID"
wait "$REG_PID"
crowd_confs
for name in registrar domain-ca; do
    sed -i "s#^key = .*/$name.key#key = pkcs11:token=owner;object=$name;type=private#" \
        "$WORLD/owner.ini"
done
printf '[device]\npin-file = %s\n' "$WORLD/pin" >>"$WORLD/owner.ini"
start owner "$WORLD/owner.out" \
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
REG_PID=$STARTED
REG_PORT=$(wait_listening "$WORLD/owner.out" "$REG_PID") || bail 'no registrar'
METRICS_PORT=$(wait_text '.*"monitoring".*"port":\([0-9]*\).*' \
    "$WORLD/owner.out" "$REG_PID")
health() {
    curl -sS --max-time 20 "http://127.0.0.1:$METRICS_PORT/health"
}
like 'vouchers come by it' "$(crowd vouchers 4 2)" '"good":4,"failed":0'
workers=$(cat "/proc/$REG_PID/task/$REG_PID/children")

# as soon as each worker has tried its key again
fails_health() { # WHAT
    local i=0
    until health | grep -q failing || [ $i = 300 ]; do
        i=$((i + 1))
        pause
    done
    ok "$1: health says so" [ $i -lt 300 ]
}
# trouble FILE WHAT: under load the token is so, for a while
trouble() {
    local before=$(vouchers) i=0
    crowd vouchers 24 4 again same >"$WORLD/load" &
    LOAD=$!
    WORLD_PIDS="$WORLD_PIDS $LOAD"
    until [ "$(vouchers)" -ge $((before + 6)) ] || [ $i = 600 ]; do
        i=$((i + 1))
        pause
    done
    echo owner >"$WORLD/cut/$1"
    is "$2: a device that comes gets no answer of any other kind" \
        "$(crowd vouchers 4 2 | grep -o '"good":[0-9]*')" '"good":0'
    [ "$1" != away ] || fails_health "$2"
    rm "$WORLD/cut/$1"
    ok "$2: each device has its voucher in the end" wait "$LOAD"
    echo "# $(cat "$WORLD/load")"
    like "$2: none is missing" "$(cat "$WORLD/load")" '"good":24,"failed":0'
    is "$2: one for each request" "$(vouchers)" $((before + 24))
    is "$2: it is healthy again" "$(health)" '{"status":"good"}'
    like "$2: certificates are issued" "$(crowd enroll 4 2)" '"good":4'
}
trouble away 'the token is out'
trouble gone 'the token and its sessions are gone'
trouble broken 'the token fails'
is 'no worker has died' "$(cat "/proc/$REG_PID/task/$REG_PID/children")" \
    "$workers"
is 'and nobody had to start anything' "$(grep -c worker-ended \
    "$WORLD/owner.out.err")" 0
done_testing
