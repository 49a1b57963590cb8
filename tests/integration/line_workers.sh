#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Workers stay: one makes device after device, of what kind they are, and holds
# none of them while it waits. One that is killed, or that saw a device fail, is
# replaced, and what it was at is made all the same.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/line.inc"
trap world_end EXIT

for program in swtpm swtpm_setup softhsm2-util sqlite3 mkfifo; do
    command -v $program >/dev/null || {
        skip 'workers of a line' "$program is missing"
        done_testing
        exit
    }
done

# The power cycle says which process asked for it, and that its input is not
# the worker's own, which has the jobs.
cycle() {
    cat >"$WORLD/cycle" <<'EOF'
#!/bin/sh
echo "$2 $PPID" >>"$1/pids"
cat >>"$1/read"
EOF
    chmod +x "$WORLD/cycle"
}
fixtures() { # SERIAL ...
    local serial
    echo name,device,tcti,serial-number,power-cycle
    for serial in "$@"; do
        case $serial in
        TPM-*) printf 'f-%s,tpm2:,"%s"' "$serial" "$(line_tcti "${serial##*0}")" ;;
        TOK-*) printf 'f-%s,pkcs11:token=%s,' "$serial" "$serial" ;;
        GONE) printf 'f-GONE,tpm2:,swtpm:path=%s' "$WORLD/no.sock" ;;
        esac
        [ "$serial" = GONE ] && echo ,TPM-0009, && continue
        echo ",$serial,$WORLD/cycle $WORLD $serial"
    done
}
provision() { # SERIAL ...
    fixtures "$@" >"$WORLD/some.csv"
    : >"$WORLD/pids"
    factory provision --order batch-7 --fixtures "$WORLD/some.csv" -j 1 --json \
        >"$WORLD/events" 2>"$WORLD/errors"
}
events() { # NAME
    grep -c "\"event\":\"$1\"" "$WORLD/events"
}
workers() {
    cut -d' ' -f2 "$WORLD/pids" | sort -u | wc -l
}
worker_of() {
    sed -n "s/^$1 //p" "$WORLD/pids"
}

world_begin
line_begin || bail 'no maker'
ok 'devices' line_devices 8 2 || bail 'no devices'
ok 'an order' line_order batch-7
cycle

# --- one after another

provision TPM-0001 TPM-0002 TOK-0001 TPM-0003 TOK-0002
is 'five devices, TPMs and tokens' "$? $(events done) $(events retry)" '0 5 0' ||
    tap_show "$WORLD/events" "$WORLD/errors"
is 'by one worker' "$(workers)" 1
is 'what the devices run reads nothing' "$(cat "$WORLD/read")" ''
is 'each says what it took' \
    "$(grep -c '"event":"done".*"ms":[0-9]*,"cpu-ms":[0-9]*,' "$WORLD/events")" 5
provision TPM-0001 TPM-0002 TOK-0001
is 'they are known again' "$? $(events kept)" '0 3' ||
    tap_show "$WORLD/events" "$WORLD/errors"

# --- one is killed at its work

echo '9 before' >"$WORLD/cut/TPM-4/plan"
provision TPM-0005 TPM-0004 TPM-0006
is 'a worker killed: all are made' "$? $(events done)" '0 3' ||
    tap_show "$WORLD/events" "$WORLD/errors"
is 'that it died is no end' "$(events failed) $(grep \
    '"event":"retry".*"fixture":"f-TPM-0004".*"why":"device"' \
    "$WORLD/events" | grep -c 'ended by signal 9')" '0 1'
is 'another one took its place, and went on' \
    "$(workers) $(worker_of TPM-0004)" "2 $(worker_of TPM-0006)"

# --- a rework that is cut

issue() { # SERIAL
    sqlite3 "$LINE/line.db" \
        "SELECT issue FROM device WHERE serial_number = '$1'"
}
first=$(issue TPM-0001)
echo '33 before' >"$WORLD/cut/TPM-1/plan"
provision_again() { # SERIAL
    fixtures "$1" >"$WORLD/some.csv"
    factory provision --order batch-7 --fixtures "$WORLD/some.csv" -j 1 \
        --again --json >"$WORLD/events" 2>"$WORLD/errors"
}
provision_again TPM-0001
is 'a rework, killed when its certificates are installed, is finished' \
    "$? $(sed -n 's/.*"event":"\([a-z]*\)".*/\1/p' "$WORLD/events" | tr '\n' ' ')" \
    '0 seen requested issued installed retry seen done ' ||
    tap_show "$WORLD/events" "$WORLD/errors"
is 'and made one more identity, not two' "$(issue TPM-0001)" $((first + 1))

# --- a device fails, for good

provision GONE TPM-0007
is 'a device that fails' "$? $(events done)" '1 1' ||
    tap_show "$WORLD/events" "$WORLD/errors"
is 'is tried again, and has failed once' "$(events retry) $(events failed)" \
    '2 1'
like 'for a reason' "$(grep '"failed"' "$WORLD/events")" \
    '"fixture":"f-GONE".*"why":"device".*"advice"'

# --- while one waits

wait_done() { # N
    wait_text ".*\"event\":\"\\(done\\)\".*\"serial-number\":\"$1\".*" \
        "$WORLD/events" "$line" >/dev/null
}
# job_waits PID: until something is in a pipe that it has yet to read
job_waits() {
    python3 - "$1" <<'EOF'
import array, fcntl, glob, os, sys, termios, time
def unread(path):
    if not os.readlink(path).startswith("pipe:"):
        return 0
    n = array.array("i", [0])
    with open(path, "rb", buffering=0, opener=lambda p, flags:
              os.open(p, flags | os.O_NONBLOCK)) as pipe:
        fcntl.ioctl(pipe, termios.FIONREAD, n)
    return n[0]
for i in range(600):
    if any(unread(p) for p in glob.glob("/proc/%s/fd/*" % sys.argv[1])
           if os.stat(p, follow_symlinks=False).st_mode & 0o400):
        sys.exit(0)
    time.sleep(.05)
sys.exit(1)
EOF
}
mkfifo "$WORLD/comes"
: >"$WORLD/pids"
start station "$WORLD/events" "$BIN/idevid-factory" provision "$LINE" \
    --order batch-7 --fixtures "$WORLD/comes" -j 1 --json
line=$STARTED
exec 7>"$WORLD/comes"
fixtures TPM-0008 >&7
ok 'a device comes' wait_done TPM-0008
ok 'the book is free' sqlite3 "$LINE/line.db" \
    '.timeout 20000' 'BEGIN IMMEDIATE; ROLLBACK'
TPM2TOOLS_TCTI=swtpm:path=$WORLD/8.tpm/sock
export TPM2TOOLS_TCTI
ok 'and so is the TPM' tpm2_getcap properties-fixed
worker=$(worker_of TPM-0008)
kill -STOP "$worker"
fixtures TPM-0001 | sed 1d >&7
ok 'it has another job, unread' job_waits "$worker"
kill -KILL "$worker"
fixtures TOK-0001 | sed 1d >&7
exec 7>&-
ok 'killed while it waits: the line goes on' wait "$line"
is 'and nothing failed' "$(events done) $(events kept) $(events retry) $(
    events failed)" '1 2 0 0' || tap_show "$WORLD/events" "$WORLD/events.err"
ok 'the journal is in order' factory verify --journal
done_testing
