#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a line meets in a year: the CA's token is away for a while, the desk is
# killed, a stranger answers in its place, the disk is full. It waits, or says
# what is wrong, and goes on where it was.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/line.inc"
trap world_end EXIT

for program in swtpm swtpm_setup softhsm2-util sqlite3; do
    command -v $program >/dev/null || {
        skip 'faults of a line' "$program is missing"
        done_testing
        exit
    }
done

book() { # DIRECTORY SQL
    sqlite3 "$1/line.db" "$2"
}
issued() {
    book "$1" "SELECT count(*) FROM entry WHERE kind = 'issued'"
}
# one fixture by itself: TPM-000N or TOK-000N
fixture() { # SERIAL OUT
    { sed -n 1p "$WORLD/fixtures.csv" && grep ",$1," "$WORLD/fixtures.csv"; } \
        >"$2"
}
event() { # NAME FILE
    grep -c "\"event\":\"$1\"" "$2"
}
wait_event() { # NAME FILE PID
    wait_text ".*\"event\":\"\\($1\\)\".*" "$2" "$3" >/dev/null
}

world_begin
line_begin || bail 'no maker'
ok 'devices' line_devices 7 2 || bail 'no devices'
ok 'an order' line_order batch-7

# --- the disk is full

fixture TOK-0001 "$WORLD/one.csv"
full() {
    # writing beyond what the journal is now fails; the signal would end us
    local blocks
    blocks=$(($(stat -c %s "$LINE/line.db") / 1024))
    (
        trap '' XFSZ
        ulimit -f "$blocks"
        factory provision --order batch-7 --fixtures "$WORLD/one.csv" \
            --retries 0 --wait 0
    )
}
full >"$WORLD/full.out" 2>"$WORLD/full.err"
is 'a full disk is a failure' $? 1 || tap_show "$WORLD/full.out" \
    "$WORLD/full.err"
like 'and said to be one' "$(cat "$WORLD/full.out" "$WORLD/full.err")" \
    'store: .*\(full\|disk\|write\)'
is 'the device is not made' "$(book "$LINE" \
    "SELECT count(*) FROM entry WHERE kind = 'done'")" 0
ok 'nothing is in the journal by halves' factory verify --journal
ok 'with room again the device is made' factory provision --order batch-7 \
    --fixtures "$WORLD/one.csv"

# --- the CA's token is away: its directory is, in which all of it lies

ca_elsewhere() {
    token_up ca && in_device ca "$BIN/idevid-factory" init "$WORLD/ca" \
        --token pkcs11:token=ca --maker "$MAKER_NAME" >/dev/null &&
        cat "$WORLD/ca/anchors.pem" >>"$LINE/anchors.pem" &&
        cat "$WORLD/ca/issuing-ca.pem" >>"$LINE/issuing-ca.pem" &&
        sed -i -e 's/^ca-key *=.*/ca-key = pkcs11:token=ca;object=issuing-ca;type=private/' \
            -e "s|^\[desk\]|&\nca-certificate = $WORLD/ca/issuing-ca.pem|" \
            "$LINE/factory.ini"
}
pull() {
    mv "$CA_TOKEN" "$WORLD/pulled"
}
put_back() {
    mv "$WORLD/pulled" "$CA_TOKEN"
}
ok "the CA's key is in a token of its own" ca_elsewhere
CA_TOKEN=$(token_directory ca)
ok 'which is a directory' [ -d "$CA_TOKEN" ]
sed -n '1p;/,TOK-0002,/p;/,TPM-000[12],/p' "$WORLD/fixtures.csv" >"$WORLD/three.csv"
before=$(issued "$LINE")
ok 'it is pulled' pull
start station "$WORLD/three.out" "$BIN/idevid-factory" provision "$LINE" \
    --order batch-7 --fixtures "$WORLD/three.csv" --json
three=$STARTED
ok 'the line waits' wait_event waiting "$WORLD/three.out" "$three"
like 'and says for what, in a line' \
    "$(grep '"waiting"' "$WORLD/three.out" | head -n 1)" \
    "\"why\":\"ca\".*token 'ca' is not there"
is 'nothing is issued' "$(issued "$LINE")" "$before"
put_back
ok 'it is back, the line goes on' wait "$three"
is 'all devices are made' \
    "$(event done "$WORLD/three.out") $(event failed "$WORLD/three.out")" '3 0' ||
    tap_show "$WORLD/three.out" "$WORLD/three.out.err"
is 'once each' "$(issued "$LINE")" $((before + 3))
# somebody who does not wait is told
ok 'it is pulled again' pull
fixture TPM-0001 "$WORLD/one.csv"
factory provision --order batch-7 --fixtures "$WORLD/one.csv" --again \
    --wait 0 --retries 0 --json >"$WORLD/out" 2>"$WORLD/err"
is 'who does not wait is told' "$? $(grep -c '"failed".*"why":"ca"' \
    "$WORLD/out")" '1 1' || tap_show "$WORLD/out" "$WORLD/err"
put_back

# --- the desk is another program

desk_start 0
DESK_PORT=$(desk_port) || bail 'no desk'
ok 'a station whose desk is elsewhere' bench_make ||
    bail 'no station'
ok 'the order is there, too' bench order "$WORLD/batch-7.csv"
provision_one() { # SERIAL OUT ...
    fixture "$1" "$WORLD/$1.csv"
    local out=$2
    shift 2
    start station "$out" "$BIN/idevid-factory" provision "$WORLD/bench" \
        --order batch-7 --fixtures "$WORLD/$1.csv" --json
}
fixture TPM-0003 "$WORLD/one.csv"
grep ',TPM-0006,' "$WORLD/fixtures.csv" >>"$WORLD/one.csv"
bench provision --order batch-7 --fixtures "$WORLD/one.csv" --json \
    >"$WORLD/one.out" 2>"$WORLD/one.err"
is 'two devices over mutual TLS' "$? $(event done "$WORLD/one.out")" '0 2' ||
    tap_show "$WORLD/one.out" "$WORLD/one.err" "$WORLD/desk.out.err"
is 'in two round trips, and one for the next' "$(sed -n \
    's/.*"event":"done".*"round-trips":\([0-9]*\),.*/\1/p' "$WORLD/one.out" |
    tr '\n' ' ')" '2 1 '

# --- a desk that has signed already, and loses its token

fixture TPM-0007 "$WORLD/seven.csv"
before=$(issued "$LINE")
ok "the desk's token is pulled" pull
start station "$WORLD/seven.out" "$BIN/idevid-factory" provision \
    "$WORLD/bench" --order batch-7 --fixtures "$WORLD/seven.csv" --json
seven=$STARTED
ok 'its stations wait' wait_event waiting "$WORLD/seven.out" "$seven"
like 'and say for what' "$(grep '"waiting"' "$WORLD/seven.out" | head -n 1)" \
    "\"why\":\"ca\".*token 'ca' is not there"
put_back
ok 'it is back, they go on' wait "$seven"
is 'the device is made, once' \
    "$(event done "$WORLD/seven.out") $(issued "$LINE")" "1 $((before + 1))"

# --- it is killed, and started again

kill -KILL "$DESK_PID"
wait "$DESK_PID" 2>/dev/null
fixture TPM-0004 "$WORLD/two.csv"
start station "$WORLD/two.out" "$BIN/idevid-factory" provision \
    "$WORLD/bench" --order batch-7 --fixtures "$WORLD/two.csv" --json
two=$STARTED
ok 'without a desk the line waits' wait_event waiting "$WORLD/two.out" "$two"
desk_start "$DESK_PORT"
ok 'the desk is back' desk_port
ok 'the line goes on' wait "$two"
is 'and the device is made' "$(event done "$WORLD/two.out")" 1

# --- somebody else in its place

stranger_desk() {
    token_up rogue && in_device rogue "$BIN/idevid-factory" init \
        "$WORLD/rogue" --token pkcs11:token=rogue --maker Rogue >/dev/null &&
        cp "$LINE/station-anchors.pem" "$WORLD/rogue/"
}
kill -TERM "$DESK_PID"
wait "$DESK_PID" 2>/dev/null
ok 'a stranger' stranger_desk
LINE=$WORLD/rogue desk_start "$DESK_PORT"
ok 'serves where the desk was' desk_port
fixture TPM-0005 "$WORLD/three.csv"
bench provision --order batch-7 --fixtures "$WORLD/three.csv" --wait 0 \
    --retries 0 --json >"$WORLD/three.out" 2>"$WORLD/three.err"
is 'and gets no request' "$? $(event failed "$WORLD/three.out")" '1 1' ||
    tap_show "$WORLD/three.out" "$WORLD/three.err"
is 'none' "$(event requested "$WORLD/three.out")" 0
like 'because it is a stranger' "$(cat "$WORLD/three.out")" 'certificate\|chain'
ok 'the journals are in order' factory verify --journal
ok 'both' bench verify --journal
done_testing
