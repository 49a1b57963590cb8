#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registrar's token is taken out and put back, or fails, while devices come,
# and so is its MASA's: they wait, and each has its voucher in the end, with nothing to be done by a
# person.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
. "$(dirname "$0")/monitor.inc"
trap world_end EXIT

world_begin
CROWD_SERVER='metrics = 127.0.0.1:0
requests-per-minute = 0'
ok 'a registrar before a crowd' crowd_world 8 || bail 'no registrar'
ok 'some of them have certificates' crowd_members 4 7
vouchers() { # that the MASA issued
    "$BIN/idevid-masa" -c "$WORLD/masa.ini" log --json | wc -l
}

# --- its keys move to a token, which can be taken out ---
ok 'a token' token_up owner || bail 'no token'
import() { # TOKEN NAME ID
    openssl pkcs8 -topk8 -nocrypt -in "$WORLD/crowd/$2.key" \
        -out "$WORLD/$2.p8" && in_device "$1" softhsm2-util --token "$1" \
        --pin "$PIN" --import "$WORLD/$2.p8" --label "$2" --id "$3"
}
ok 'with the key of the registrar' import owner registrar 01
ok 'and that of the CA' import owner domain-ca 02
mkdir "$WORLD/cut"
cp "$BIN/.libs/p11cut.so" "$WORLD/cut"
real=$(in_device owner sh -c 'echo "$HWKEY_PKCS11_MODULE"')
cat >>"$WORLD/owner.env" <<EOF
export P11CUT_REAL='$real' HWKEY_PKCS11_MODULE='$WORLD/cut/p11cut.so'
EOF
# in_token TOKEN NAME ...: the keys of its configuration are there
in_token() {
    local name token=$1 ini=$WORLD/$1.ini
    shift
    for name; do
        sed -i "s#^key = .*/$name.key#key = pkcs11:token=$token;object=$name;type=private#" \
            "$ini"
    done
    printf '[device]\npin-file = %s\n' "$WORLD/pin" >>"$ini"
}
kill "$REG_PID"
wait "$REG_PID"
crowd_confs
in_token owner registrar domain-ca
start owner "$WORLD/owner.out" \
    "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
REG_PID=$STARTED
REG_PORT=$(wait_listening "$WORLD/owner.out" "$REG_PID") || bail 'no registrar'
monitor "$WORLD/owner.out" "$REG_PID"
like 'vouchers come by it' "$(crowd vouchers 4 2)" '"good":4,"failed":0'
workers=$(cat "/proc/$REG_PID/task/$REG_PID/children")

# as soon as each worker has tried its key again
fails_health() { # WHAT
    local i=0
    until look health | grep -q failing || [ $i = 300 ]; do
        i=$((i + 1))
        pause
    done
    ok "$1: health says so" [ $i -lt 300 ]
}
TOKEN_DIR=$(token_directory owner)
ok 'the token is a directory' [ -d "$TOKEN_DIR" ]
begins() { # KIND
    if [ "$1" = pulled ]; then
        mv "$TOKEN_DIR" "$WORLD/pulled"
    else
        echo owner >"$WORLD/cut/$1"
    fi
}
ends() { # KIND
    if [ "$1" = pulled ]; then
        mv "$WORLD/pulled" "$TOKEN_DIR"
    else
        rm "$WORLD/cut/$1"
    fi
}
# trouble KIND WHAT: under load the token is so, for a while
trouble() {
    local before=$(vouchers) i=0
    crowd vouchers 60 4 again same >"$WORLD/load" &
    LOAD=$!
    WORLD_PIDS="$WORLD_PIDS $LOAD"
    members_load 60
    until [ "$(vouchers)" -ge $((before + 2)) ] || [ $i = 600 ]; do
        i=$((i + 1))
        pause
    done
    begins "$1"
    is "$2: a device that comes gets no answer of any other kind" \
        "$(crowd vouchers 4 2 | grep -o '"good":[0-9]*')" '"good":0'
    [ "$1" != away ] || fails_health "$2"
    ends "$1"
    ok "$2: each device has its voucher in the end" wait "$LOAD"
    echo "# $(cat "$WORLD/load")"
    like "$2: none is missing" "$(cat "$WORLD/load")" '"good":60,"failed":0'
    is "$2: one for each request" "$(vouchers)" $((before + 60))
    members_served "$2" 60
    is "$2: it is healthy again" "$(look health)" '{"status":"good"}'
    like "$2: certificates are issued" "$(crowd enroll 4 2 answers)" '"good":4'
}
trouble away 'the token is out'
trouble gone 'the token and its sessions are gone'
trouble broken 'the token fails'
trouble pulled 'the token is pulled'
is 'no worker has died' "$(cat "/proc/$REG_PID/task/$REG_PID/children")" \
    "$workers"
is 'and nobody had to start anything' "$(grep -c worker-ended \
    "$WORLD/owner.out.err")" 0

# --- some come while it is out, and the next ones when it is back again ---
all_come() { # at some time: to whatever worker
    local i=0
    until crowd vouchers 8 2 | grep -q '"good":8'; do
        i=$((i + 1))
        [ $i -lt 100 ] || return 1
        pause
    done
}
begins pulled
like 'at night: nobody is served' "$(crowd vouchers 8 2)" '"good":0'
ends pulled
ok 'in the morning devices are' all_come

# --- the MASA's ---
ok "a token for the MASA's keys" token_up masa
ok 'with that of vouchers' import masa masa 01
ok 'and that of TLS' import masa masa-tls 02
kill "$MASA_PID"
wait "$MASA_PID"
in_token masa masa masa-tls
sed -i "s/^listen = .*/listen = 127.0.0.1:$MASA_PORT/" "$WORLD/masa.ini"
start masa "$WORLD/masa.out" "$BIN/idevid-masa" -c "$WORLD/masa.ini" run
MASA_PID=$STARTED
wait_listening "$WORLD/masa.out" "$MASA_PID" >/dev/null || bail 'no MASA'
TOKEN_DIR=$(token_directory masa)
trouble pulled "the MASA's token is pulled"
is 'its workers live' "$(grep -c worker-ended "$WORLD/masa.out.err")" 0
done_testing
