#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A line in two places: a station with a token of its own and a desk over
# mutual TLS, sticks, and an issuing CA that is somebody else's, by files and
# by EST.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/line.inc"
trap world_end EXIT

for program in swtpm swtpm_setup softhsm2-util sqlite3 curl python3; do
    command -v $program >/dev/null || {
        skip 'a line in two places' "$program is missing"
        done_testing
        exit
    }
done

book() {
    sqlite3 "$LINE/line.db" "$1"
}
event() { # NAME FILE
    grep -c "\"event\":\"$1\"" "$2"
}
fixture() { # SERIAL
    { sed -n 1p "$WORLD/fixtures.csv" && grep ",$1," "$WORLD/fixtures.csv"; } \
        >"$WORLD/one.csv"
}
bench() { # VERB ...
    local verb=$1
    shift
    in_device station "$BIN/idevid-factory" "$verb" "$WORLD/bench" "$@"
}
impostor() { # VERB ...
    local verb=$1
    shift
    in_device station "$BIN/idevid-factory" "$verb" "$WORLD/impostor" "$@"
}
# by PROGRAM, one device; its exit code, and how often it came to that EVENT
made_by() { # bench|factory|impostor EVENT SERIAL ...
    local by=$1 event=$2 serial=$3
    shift 3
    fixture "$serial"
    "$by" provision --order batch-7 --fixtures "$WORLD/one.csv" --wait 0 \
        --retries 0 --json "$@" >"$WORLD/out" 2>"$WORLD/err"
    MADE="$? $(event "$event" "$WORLD/out")"
}
made() { # WHAT BY SERIAL ...
    local what=$1
    made_by "$2" done "${@:3}"
    is "$what" "$MADE" '0 1' || tap_show "$WORLD/out" "$WORLD/err"
}
# refused WHAT BY SERIAL PATTERN ...: and the last event says why
refused() {
    local what=$1 pattern=$4
    made_by "$2" failed "$3" "${@:5}"
    is "$what" "$MADE" '1 1' || tap_show "$WORLD/out" "$WORLD/err"
    like "$what: it is said why" "$(grep '"failed"' "$WORLD/out")" "$pattern"
}
issued() {
    book "SELECT count(*) FROM entry WHERE kind = 'issued'"
}
# conf DIRECTORY SECTION KEY [VALUE]: sets it, or takes it out
world_begin
. "$(dirname "$0")/line_foreign.inc"
line_begin || bail 'no maker'
ok 'devices' line_devices 2 6 || bail 'no devices'
ok 'an order' line_order batch-7

# --- a station of its own, and its desk

desk_start() { # PORT
    conf "$LINE" desk listen "127.0.0.1:$1"
    start station "$WORLD/desk.out" "$BIN/idevid-factory" ca "$LINE" --json
    DESK_PID=$STARTED
    DESK_PORT=$(wait_listening "$WORLD/desk.out" "$DESK_PID")
}
desk_end() {
    kill -TERM "$DESK_PID"
    wait "$DESK_PID" 2>/dev/null
}
conf "$LINE" desk workers 2
ok 'a desk with two workers' desk_start 0 || bail 'no desk'
desk_start_again() {
    desk_end
    desk_start "$DESK_PORT"
}
station_of() { # MAKER DIRECTORY OUT
    in_device "$1" "$BIN/idevid-factory" station "$2" \
        --token "pkcs11:token=$1" --station station-2 \
        --csr "$WORLD/bench/station.csr" --out "$3"
}
ok "a station's token" token_up second
ok 'its key, and a request' in_device second "$BIN/idevid-factory" station \
    "$WORLD/bench" --token pkcs11:token=second --station station-2 \
    --desk "https://localhost:$DESK_PORT"
like 'its configuration names the desk' "$(cat "$WORLD/bench/factory.ini")" \
    "^url = https://localhost:$DESK_PORT\$"
ok 'the maker certifies it' station_of maker "$LINE" \
    "$WORLD/bench/station.pem" || bail 'no station'
cp "$LINE/anchors.pem" "$LINE/issuing-ca.pem" \
    "$LINE/station-anchors.pem" "$WORLD/bench/"
ok 'the order is there, too' bench order "$WORLD/batch-7.csv"

made 'a TPM over mutual TLS' bench TPM-0001
like 'in two round trips at most' "$(cat "$WORLD/out")" '"round-trips":[12],'
made 'a token over mutual TLS' bench TOK-0001
like 'in two round trips at most, too' "$(cat "$WORLD/out")" \
    '"round-trips":[12],'
is 'the desk knows whose they are' "$(book "SELECT count(*) FROM entry
    WHERE kind = 'issued' AND body LIKE '%station-2%'")" 2

# --- who is no station

ask() { # CURL OPTIONS
    curl -sS --max-time 30 --cacert "$LINE/anchors.pem" \
        -w ' %{http_code}' "$@" \
        "https://localhost:$DESK_PORT/factory/v1/challenge/batch-7"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$WORLD/stranger.key" -subj /CN=station-1 -days 30 \
    -out "$WORLD/stranger.crt" 2>/dev/null
like 'nobody gets a challenge without a certificate' "$(ask)" \
    '"why":"station".* 403$'
like 'nor with one of his own' "$(ask --cert "$WORLD/stranger.crt" \
    --key "$WORLD/stranger.key")" '"why":"station".* 403$'
rogue() {
    token_up rogue && in_device rogue "$BIN/idevid-factory" init \
        "$WORLD/rogue" --token pkcs11:token=rogue --maker Rogue >/dev/null &&
        cp -r "$WORLD/bench" "$WORLD/impostor" &&
        station_of rogue "$WORLD/rogue" "$WORLD/impostor/station.pem"
}
before=$(issued)
ok "another maker's station" rogue
refused 'is none of ours' impostor TOK-0002 '"why":"station"'
head -c 3000000 /dev/zero >"$WORLD/huge"
like 'nor is anything taken that is too long' "$(ask --data-binary \
    "@$WORLD/huge")" '413$'
# one entry for the address and worker, the others when the hour is over
is 'the journal has who was turned away, once' \
    "$(book "SELECT count(*) <= 2, min(json_extract(body, '\$.peer')),
        sum(json_extract(body, '\$.why') = 'station') > 0 FROM entry
        WHERE kind = 'turned-away'")" '1|127.0.0.1|1'

# --- who is not the desk

cp "$LINE/desk.pem" "$WORLD/desk.kept"
other_name() {
    rm "$LINE/desk.pem"
    in_device maker "$BIN/idevid-factory" init "$LINE" --token \
        pkcs11:token=maker --maker "$MAKER_NAME" --name desk.example &&
        desk_start_again
}
ok 'a desk with another name in its certificate' other_name
is 'or the desk stops: all are counted' \
    "$(book "SELECT count(*) <= 4, sum(json_extract(body, '\$.count')) >= 4
        FROM entry WHERE kind = 'turned-away'")" '1|1'
refused 'is not the one that was asked for' bench TOK-0002 'localhost'
cp "$WORLD/desk.kept" "$LINE/desk.pem"
# its key is right, who certified it is not
cp "$WORLD/rogue/anchors.pem" "$WORLD/bench/desk-anchors.pem"
conf "$WORLD/bench" desk anchors desk-anchors.pem
ok 'the desk as it was' desk_start_again
refused 'a desk under no anchor of the station' bench TOK-0002 'certificate'
conf "$WORLD/bench" desk anchors
is 'none of them had anything issued' "$(issued)" "$before"
made 'as it was, it serves' bench TOK-0002
desk_end

# --- sticks

conf "$WORLD/bench" desk url
ok 'a ticket' factory order "$WORLD/batch-7.csv" --out "$WORLD/seven.ticket"
printf '#order: batch-9\n#model: G\nserial-number\nTOK-0900\n' \
    >"$WORLD/nine.csv"
ok "another order's" factory order "$WORLD/nine.csv" --out "$WORLD/nine.ticket"
on_token() { # NUMBER VERB ...
    bench "$2" "${@:3}" --device "pkcs11:token=$(line_name TOK "$1")"
}
ok 'a request of a token' on_token 3 request "$WORLD/seven.ticket" \
    --profile token --serial TOK-0003 --out "$WORLD/three"
ok 'its answer' factory issue "$WORLD/three"
fails 1 'waits for no reply' 'is of no use to another token' on_token 4 install \
    "$WORLD/three.reply" --serial TOK-0004
ok 'and is to its own' on_token 3 install "$WORLD/three.reply"
ok 'which has its IDevID now' on_token 3 verify
fails 1 "order: .*in order 'batch-7'" "another order's ticket is refused" \
    on_token 4 request "$WORLD/nine.ticket" --profile token \
    --serial TOK-0004 --out "$WORLD/four"
ok 'and nothing is asked' test ! -e "$WORLD/four"

# --- an issuing CA of other make

ok 'a CA of other make' foreign_ca
{
    foreign_ca_conf
    cat <<EOF
[device]
authorityKeyIdentifier = keyid
keyUsage = critical, digitalSignature
1.3.6.1.5.5.7.1.32 = ASN1:IA5STRING:masa.example
EOF
} >"$CA/ca.cnf"
conf "$LINE" desk ca files
conf "$LINE" desk ca-certificate foreign.pem
fails 2 'iak-key is missing' 'who would certify attestation keys is asked' \
    factory issue "$WORLD/three"
conf "$LINE" desk iak-key \
    'pkcs11:token=maker;object=issuing-ca;type=private'
refused 'the CA wants a request of the key' factory TPM-0002 '(csr = yes)' \
    --profile tcg
conf "$LINE" line csr yes
refused 'the answer is not there yet' factory TOK-0004 '"why":"ca"'
like 'which file it waits for is said' "$(cat "$WORLD/out")" \
    'csr/TOK-0004.pem'
ok 'the request is for openssl' openssl req -in "$LINE/csr/TOK-0004.csr" \
    -verify -noout
ok 'a certificate with another serial number' sign TOK-0004 \
    -subj /serialNumber=TOK-0005
refused 'is not what was asked for' factory TOK-0004 "'TOK-0005'"
like 'and it is the certificate' "$(cat "$WORLD/out")" '"why":"cert"'
ok 'one without' sign TOK-0004 -subj /CN=TOK-0004
refused 'is refused' factory TOK-0004 '"why":"cert"'
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$WORLD/stranger.key" -subj /serialNumber=TOK-0004 \
    -out "$CA/other.csr" 2>/dev/null
ok 'one for another key' openssl ca -batch -notext -config "$CA/ca.cnf" \
    -in "$CA/other.csr" -out "$LINE/csr/TOK-0004.pem"
refused 'is refused, too' factory TOK-0004 'another key'
ok 'the one that was asked for' sign TOK-0004
made 'is taken, and the line goes on' factory TOK-0004
refused 'a TPM waits as well' factory TPM-0002 '"why":"ca"' --profile tcg
# what it is to have stands beside the request; what the device knows is in it
like 'the request names its module' "$(openssl req -noout -text \
    -in "$LINE/csr/TPM-0002.csr")" 'hardwareModuleName\|othername'
ok 'its IDevID is the CA'"'"'s' sign TPM-0002 \
    -extfile "$LINE/csr/TPM-0002.ext"
made 'and its attestation key is certified here' factory TPM-0002 \
    --profile tcg

# --- by EST

ok 'an EST server of other make' est_server || bail 'no EST server'
conf "$LINE" desk ca est
conf "$LINE" desk est-url "https://localhost:$EST_PORT"
conf "$LINE" desk est-label line
conf "$LINE" desk est-anchors foreign.pem
echo later >"$CA/mode"
refused 'it wants more time' factory TOK-0005 '"why":"ca"'
like 'and is quoted' "$(cat "$WORLD/out")" 'EST: 202'
echo busy >"$CA/mode"
refused 'it is busy' factory TOK-0005 '"why":"ca"'
echo refuse >"$CA/mode"
refused 'it refuses' factory TOK-0005 '403'
echo other >"$CA/mode"
refused 'its certificate is for another key' factory TOK-0005 \
    '"why":"cert"'
echo issue >"$CA/mode"
echo /CN=TOK-0005 >"$CA/subject"
refused 'its certificate lacks the serial number' factory TOK-0005 \
    '"why":"cert"'
rm "$CA/subject"
cp "$WORLD/rogue/anchors.pem" "$LINE/rogue.pem"
conf "$LINE" desk est-anchors rogue.pem
refused 'it is a stranger' factory TOK-0005 'EST'
conf "$LINE" desk est-anchors foreign.pem
echo later >"$CA/mode"
fixture TOK-0006
start station "$WORLD/wait.out" "$BIN/idevid-factory" provision "$LINE" \
    --order batch-7 --fixtures "$WORLD/one.csv" --json
waiting=$STARTED
ok 'the line waits for it' wait_text '.*"event":"\(waiting\)".*' \
    "$WORLD/wait.out" "$waiting"
echo issue >"$CA/mode"
ok 'and goes on' wait "$waiting"
is 'to the end' "$(event done "$WORLD/wait.out")" 1
made 'the one that was refused is made as well' factory TOK-0005
is 'only the path with its label was asked for' "$(sort -u "$CA/asked")" \
    /.well-known/est/line/simpleenroll
ok 'the journal is in order' factory verify --journal
ok "and the station's" bench verify --journal
done_testing
