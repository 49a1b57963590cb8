#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Attacks on a line, through the real programs: each is refused by its name,
# nothing is issued, and the journal has it.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/line.inc"
trap world_end EXIT

for program in swtpm swtpm_setup softhsm2-util sqlite3; do
    command -v $program >/dev/null || {
        skip 'attacks on a line' "$program is missing"
        done_testing
        exit
    }
done

book() {
    sqlite3 "$LINE/line.db" "$1"
}
# the TPM with that number
on_tpm() { # NUMBER VERB ...
    local tpm=$1
    shift
    HWKEY_TCTI_OF=swtpm:path=$WORLD/$tpm.tpm/sock factory_tpm "$@"
}
factory_tpm() {
    (
        . "$WORLD/station.env"
        HWKEY_TCTI=$HWKEY_TCTI_OF
        export HWKEY_TCTI
        verb=$1
        shift
        exec "$BIN/idevid-factory" "$verb" "$LINE" "$@"
    )
}

world_begin
line_begin || bail 'no maker'
ok 'three TPMs' line_devices 3 1 || bail 'no devices'
ok 'an order' line_order batch-7

# --- orders

{
    cat "$WORLD/batch-7.csv"
    echo 'TPM-0002,GW7-T'
} | sed 's/batch-7/batch-8/' >"$WORLD/twice.csv"
fails 1 "TPM-0002.*twice\|twice.*TPM-0002" 'an order with a serial number twice' \
    factory order "$WORLD/twice.csv"
printf '#order: batch-8\n#model: G\nserial-number\nTPM-0900\nTPM-0002\n' \
    >"$WORLD/second.csv"
fails 1 'TPM-0002.*batch-7\|batch-7.*TPM-0002' 'a serial number of another order' \
    factory order "$WORLD/second.csv"
is 'neither is in the journal' \
    "$(factory order "$WORLD/batch-7.csv" >/dev/null &&
        book "SELECT count(*) FROM entry WHERE kind = 'order'")" 1

# --- a thief with a station's key

printf '#order: batch-9\n#model: G\nserial-number\nTPM-0900\n' \
    >"$WORLD/nine.csv"
ok 'another order, with a ticket' factory order "$WORLD/nine.csv" \
    --out "$WORLD/nine.ticket"
ok 'a ticket' factory order "$WORLD/batch-7.csv" --out "$WORLD/seven.ticket"
ok 'and another' factory order "$WORLD/batch-7.csv" --out "$WORLD/more.ticket"
ok 'a request of the first' on_tpm 1 request "$WORLD/seven.ticket" \
    --device tpm2: --serial TPM-0001 --out "$WORLD/good"
ok 'a request of the second' on_tpm 2 request "$WORLD/more.ticket" \
    --device tpm2: --serial TPM-0002 --out "$WORLD/other"
thief() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$WORLD/thief.key" -subj /CN=station-2 -outform DER \
        -out "$WORLD/thief.csr" 2>/dev/null &&
        in_device station "$BIN/idevid-factory" station "$LINE" \
            --token pkcs11:token=maker --station station-2 \
            --csr "$WORLD/thief.csr" --out "$WORLD/thief.pem"
}
ok 'a station whose key gets stolen' thief
mkdir "$WORLD/forged"
ok 'what he makes of it' python3 "$top_srcdir/tests/lib/forge.py" \
    "$WORLD/good" "$WORLD/other" "$WORLD/nine.ticket" "$WORLD/thief.key" \
    "$WORLD/thief.pem" "$WORLD/forged" || bail 'no forger'

refused_entries() {
    book "SELECT count(*) FROM entry WHERE kind = 'refused'"
}
issued() {
    book "SELECT count(*) FROM entry WHERE kind = 'issued'"
}
# the answer to one: its exit code, its why, and whether the journal has both
attack() { # FILE WHYS
    local code=0 why before after
    before=$(refused_entries)
    factory issue "$1" --out "$1.reply" >"$tap_dir/out" 2>"$tap_dir/err" ||
        code=$?
    after=$(refused_entries)
    why=$(sed -n 's/.*: \([a-z-]*\): .*/\1/p' "$tap_dir/err" | head -n 1)
    sed 's/^/# /' "$tap_dir/err"
    for why in ${2//,/ }; do
        grep -q ": $why: " "$tap_dir/err" && break
    done
    echo "$code $why $((after - before))" >"$tap_dir/verdict"
    grep -q ": $why: " "$tap_dir/err" || echo "$code ? 0" >"$tap_dir/verdict"
    [ -e "$1.reply" ] && echo 'answered' >"$tap_dir/verdict"
    return 0
}
for f in "$WORLD"/forged/*.cms; do
    name=${f##*/}
    name=${name%.cms}
    why=${name##*.}
    [ "$why" = answered ] && continue
    attack "$f" "$why" >"$tap_dir/said"
    verdict=$(cat "$tap_dir/verdict")
    case $why in
    # who it is from is not known: nothing of it is kept
    station) want='1 [a-z?-]* 0' ;;
    *) want='1 [a-z-]* 1' ;;
    esac
    case $name in
    # nor is what is too large to be looked into
    csr-16m.* | csr-41k.*) want='1 [a-z?-]* 0' ;;
    esac
    like "${name%.*}: ${why}" "$verdict" "^$want\$" || cat "$tap_dir/said"
done
is 'nothing was issued' "$(issued)" 0

# --- what he gets answered is of no use

ok 'keys of his own for a TPM that is real are answered' \
    factory issue "$WORLD/forged/own-keys.answered.cms" \
    --out "$WORLD/own.reply"
readable() { # REPLY
    python3 -c '
import json, sys
print(*sorted(k for k in json.load(open(sys.argv[1])) if k in ("bag", "sealed")))
' "$1"
}
is 'under a secret that only a TPM with such a key gets' \
    "$(readable "$WORLD/own.reply")" sealed
certificates_in() { # NUMBER
    TPM2TOOLS_TCTI=swtpm:path=$WORLD/$1.tpm/sock tpm2_getcap \
        handles-nv-index | grep -ci '0x1C90[12]00'
}
refuses_reply() { # CODE REPLY WHAT: by the first TPM
    fails "$1" 'activate: ' "$3" on_tpm 1 install "$2" --device tpm2:
    is "$3: no certificate came into it" "$(certificates_in 1)" 0
}
refuses_reply 3 "$WORLD/own.reply" 'the TPM that it names does not have it'
ok 'the second gets its answer' factory issue "$WORLD/other" \
    --out "$WORLD/other.reply"
refuses_reply 1 "$WORLD/other.reply" "the first does not take the second's"
sed 's/TPM-0002/TPM-0001/' "$WORLD/other.reply" >"$WORLD/renamed.reply"
refuses_reply 3 "$WORLD/renamed.reply" 'nor when it says that it is for the first'
ok 'the second takes it' on_tpm 2 install "$WORLD/other.reply" --device tpm2:
is 'and has its certificates' "$(certificates_in 2)" 2
ok 'the same request again is answered' factory issue "$WORLD/other" \
    --out "$WORLD/again.reply"
is 'with no other certificate' "$(issued)" 2

# --- strangers

stranger() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$WORLD/stranger.key" -subj /CN=station-1 -days 30 \
        -out "$WORLD/stranger.pem" 2>/dev/null &&
        openssl cms -verify -noverify -inform DER -binary -in "$WORLD/other" \
            -out "$WORLD/other.json" &&
        openssl cms -sign -binary -nodetach -nosmimecap -outform DER \
            -signer "$WORLD/stranger.pem" -inkey "$WORLD/stranger.key" \
            -in "$WORLD/other.json" -out "$WORLD/stranger.cms"
}
ok 'somebody signs as station-1' stranger
fails 1 'station: ' 'and is no station of ours' factory issue \
    "$WORLD/stranger.cms" --out "$WORLD/stranger.reply"
ok 'nothing was answered' test ! -e "$WORLD/stranger.reply"

# --- the journal

ok 'the journal is in order' factory verify "--journal"
edit() { # WHAT PATTERN SQL
    cp "$LINE/line.db" "$WORLD/line.db.kept"
    book "PRAGMA ignore_check_constraints = 1; $3" ||
        tap_result 1 "$1: the edit itself"
    fails 1 "$2" "$1 is found" factory verify --journal
    rm -f "$LINE"/line.db*
    cp "$WORLD/line.db.kept" "$LINE/line.db"
}
may() { # what the database itself forbids is allowed to who edits it
    book "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_master
          WHERE type = 'trigger'" | tr '\n' ' '
}
free=$(may)
middle=$(book "SELECT seq FROM entry WHERE kind = 'issued' LIMIT 1")
while IFS='|' read -r what pattern sql; do
    [ -z "$what" ] || edit "$what" "$pattern" "$free $sql"
done <<EOF2
an entry's words|entry $middle|UPDATE entry SET body = replace(body, 'batch-7', 'batch-6') WHERE seq = $middle
an entry's time|entry $middle|UPDATE entry SET time = time + 3600 WHERE seq = $middle
an entry's kind|entry $middle|UPDATE entry SET kind = 'refused' WHERE seq = $middle
an entry taken out|entry|DELETE FROM entry WHERE seq = $middle
the end taken off|entry|DELETE FROM entry WHERE seq > $middle
a device's state|TPM-0002|UPDATE device SET state = 6 WHERE serial_number = 'TPM-0002'
a device's order|TPM-0002|UPDATE device SET order_id = 'batch-9' WHERE serial_number = 'TPM-0002'
a device's certificate|TPM-0002|UPDATE device SET cert = (SELECT iak_cert FROM device WHERE serial_number = 'TPM-0002') WHERE serial_number = 'TPM-0002'
a device taken out|device|PRAGMA foreign_keys = 0; DELETE FROM claim WHERE serial_number = 'TPM-0002'; DELETE FROM device WHERE serial_number = 'TPM-0002'
a document|.|UPDATE document SET data = zeroblob(length(data))
an order's line|batch-7|UPDATE order_device SET body = replace(body, 'GW7', 'GW8') WHERE serial_number = 'TPM-0003'
an order's length|batch-7|DELETE FROM order_device WHERE serial_number = 'TPM-0003'
a signature|.|UPDATE batch SET cms = zeroblob(length(cms))
EOF2
# who edits an entry and makes the whole chain anew cannot sign it
again() { # SEQ
    python3 - "$LINE/line.db" "$1" <<'EOF2'
import hashlib, sqlite3, struct, sys
db = sqlite3.connect(sys.argv[1])
for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = "
                          "'trigger'").fetchall():
    db.execute('DROP TRIGGER ' + name)
previous = bytes(32)
for seq, time, kind, serial, body in db.execute(
        'SELECT seq, time, kind, serial_number, body FROM entry ORDER BY seq'
        ).fetchall():
    if seq == int(sys.argv[2]):
        body = body.replace('batch-7', 'batch-6')
    h = hashlib.sha256(
        previous + struct.pack('>QQ', seq, time) + kind.encode() + b'\0' +
        serial.encode() + b'\0' + hashlib.sha256(body.encode()).digest()
        ).digest()
    db.execute('UPDATE entry SET body = ?, previous = ?, hash = ? '
               'WHERE seq = ?', (body, previous, h, seq))
    previous = h
db.commit()
EOF2
}
cp "$LINE/line.db" "$WORLD/line.db.kept"
ok 'an entry edited and the chain made anew' again "$middle"
fails 1 'sign\|batch' 'is not what was signed' factory verify --journal
rm -f "$LINE"/line.db*
cp "$WORLD/line.db.kept" "$LINE/line.db"
ok 'as it was, it is in order' factory verify --journal

# and who takes the newest signatures off needs none: a head kept elsewhere tells
ok 'where it ends is written down' factory export --format head \
    --out "$WORLD/head"
ok 'it is in order by that' factory verify --journal --head "$WORLD/head"
book "$free DELETE FROM batch"
again "$(book "SELECT seq FROM entry WHERE kind = 'refused' LIMIT 1")"
ok 'without it nothing is found' factory verify --journal
fails 1 "is not what it was when the head was taken" 'with it, it is' \
    factory verify --journal --head "$WORLD/head"
head -c 30 "$WORLD/head" >"$WORLD/short"
fails 1 "short: journal's head" 'a head cut off is none' \
    factory verify --journal --head "$WORLD/short"
rm -f "$LINE"/line.db*
cp "$WORLD/line.db.kept" "$LINE/line.db"
done_testing
