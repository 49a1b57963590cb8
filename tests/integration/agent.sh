#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The agent: joins by itself, rests, renews, and leaves files that other
# programs use at once.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a token' device_token router TOK-1
ok 'a device with a TPM' device_tpm gateway TPM-1
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

# --- configuration and hooks ---
mkdir -m 755 "$WORLD/hooks.d"
traced= # "yes": its system calls are written down
later= # "yes": the agent's clock is ahead
hook() {
    { printf '#!/bin/sh\n' && cat; } >"$WORLD/hooks.d/$1"
    chmod "${2:-755}" "$WORLD/hooks.d/$1"
}
hook 10-record <<EOF
cd '$WORLD' && env >hook.env
EOF
hook 20-fails <<EOF
exit 7
EOF
hook 30-open 777 <<EOF
touch '$WORLD/30-ran'
EOF
hook 40-hangs <<EOF
[ "\$IDEVID_EVENT" = enrolled ] || exit 0
while :; do read -r _ <"\$0" || :; done
EOF
hook 50-plain 644 <<EOF
touch '$WORLD/50-ran'
EOF
hook 60-old.bak <<EOF
touch '$WORLD/60-ran'
EOF
hook 70-last <<EOF
echo "\$IDEVID_EVENT" >>'$WORLD/hook.last'
EOF

agent_conf() {
    cat >>"$WORLD/$1.ini" <<EOF
[network]
registrar = localhost:$REG_PORT
[enroll]
output = $WORLD/$1.out
group = daemon
[hooks]
directory = $WORLD/hooks.d
seconds = 1
[agent]
state-file = $WORLD/$1.run/pledge.json
[renew]
share = 95
EOF
}
agent_conf router
sed -i 's/^\[enroll\]/&\nkey = new/' "$WORLD/router.ini"
agent_conf gateway

# listen NAME FILE: who stands in for the service manager
listen() {
    start tokens "$2" python3 -u "$top_srcdir/tests/lib/notify_listen.py" "$1"
    wait_text '^\(LISTENING\)$' "$2" "$STARTED" >/dev/null
}
agent() {
    start "$1" "$WORLD/$1.agent" env "NOTIFY_SOCKET=$2" \
        ${later:+CLOCK_SHIFT=$((LATER * DAY))} \
        ${later:+LD_PRELOAD=$BIN/.libs/clockshift.so} \
        ${traced:+strace -D -f -qq -e signal=none -o "$WORLD/$1.trace"} \
        "$BIN/idevid-pledge" -c "$WORLD/$1.ini" run
    AGENT=$STARTED
    JOURNAL=$WORLD/$1.agent.err
}
# until_so COMMAND ...: while the agent lives
until_so() {
    local i=0
    until "$@"; do
        i=$((i + 1))
        kill -0 "$AGENT" 2>/dev/null && [ $i -lt 1200 ] || {
            tail -n 20 "$JOURNAL"
            return 1
        }
        pause
    done
}
rests() {
    grep -q '"stage":"resting"' "$WORLD/$1.run/pledge.json" 2>/dev/null
}
told() { [ "$(tail -n 1 "$1" | cut -c 1-14)" = STATUS=resting ]; }
events() { [ "$(grep -c "$1" "$WORLD/hook.last" 2>/dev/null)" = "$2" ]; }
serial() { openssl x509 -in "$WORLD/$1.out/current/cert.pem" -noout -serial; }
agent_ends() {
    kill -TERM "$AGENT"
    wait "$AGENT"
}

# --- it joins ---
ok 'somebody listens to it' listen "@idevid-$$" "$WORLD/notify.1"
agent router "@idevid-$$"
ok 'R-P-1: an unconfigured device joins by itself, then rests' \
    until_so rests router
like 'it is enrolled' "$(pledge router status)" '^state *enrolled'
like 'R-P-69: status says what the agent does next' \
    "$(pledge router status)" '^agent stage *resting'
like 'and in JSON' "$(pledge router status --json)" \
    '"agent":{"pid":'"$AGENT"',"stage":"resting","state":"enrolled",.*"next":"20'
ok 'the service manager is told' until_so told "$WORLD/notify.1"
like 'how it goes' "$(cat "$WORLD/notify.1")" '^STATUS=working: imprinted'
like 'and what it waits for' "$(tail -n 1 "$WORLD/notify.1")" \
    '^STATUS=resting, next at 20'
is 'READY is said once' "$(grep -c '^READY' "$WORLD/notify.1")" 1
like 'the journal has the change of state' "$(cat "$JOURNAL")" \
    'state was=unknown is=enrolled'

# --- hooks ---
is 'hooks ran, the last one too' "$(cat "$WORLD/hook.last")" enrolled
like 'a failing one is reported' "$(cat "$JOURNAL")" \
    'hook-failed program=20-fails .*ended with 7'
like 'one that others may write to is refused by name' "$(cat "$JOURNAL")" \
    'hook-failed program=30-open .*may write'
like 'one that hangs is ended' "$(cat "$JOURNAL")" \
    'hook-failed program=40-hangs .*too long'
is 'what was refused, or is no program, did not run' \
    "$(ls "$WORLD"/[356]0-ran 2>/dev/null)" ''
is 'their environment is clean' "$(sed 's/=.*//' "$WORLD/hook.env" |
    grep -vE '^(PWD|SHLVL|_|OLDPWD)$' | LC_ALL=C sort | tr '\n' ' ')" \
    'IDEVID_ANCHORS IDEVID_CERTIFICATE IDEVID_DIRECTORY IDEVID_EVENT IDEVID_FULLCHAIN IDEVID_KEY IDEVID_KEY_URI IDEVID_OPENSSL_CONF IDEVID_REGISTRAR PATH '

# --- files for other programs ---
use_files() {
    local out=$WORLD/$1.out/current
    OPENSSL_MODULES=$top_builddir/.libs OPENSSL_CONF=$out/openssl.cnf \
        in_device "$1" curl -sS --fail --max-time 30 \
        --cacert "$out/anchors.pem" --cert "$out/fullchain.pem" \
        --key "$out/key.pem" -o /dev/null \
        "https://localhost:$REG_PORT/.well-known/est/cacerts"
}
ok 'curl uses the LDevID at once, by these files' use_files router
is 'the key file is for the group' \
    "$(stat -c '%a %G' "$WORLD/router.out/current/key.pem")" '640 daemon'
is 'certificates are for all' \
    "$(stat -c %a "$WORLD/router.out/current/fullchain.pem")" 644
is 'the URI of the key is there' \
    "$(cat "$WORLD/router.out/current/key.uri")" \
    "$(pledge router status | sed -n 's/^ldevid-key *//p')"

# --- at rest ---
# what the loader relocates of the libraries is most of it
dirty() { awk '/^Private_Dirty/ { print $2 }' "/proc/$AGENT/smaps_rollup"; }
if grep -q libasan "/proc/$AGENT/maps"; then
    skip 'at rest it holds little: instrumented'
else
    ok 'it comes to rest' at_rest "$AGENT"
    ok "at rest it holds little, $(dirty) KiB of its own" \
        test "$(dirty)" -le 2304
fi
is 'one timer of the clock wakes it, also when somebody sets the clock' \
    "$(cat /proc/"$AGENT"/fdinfo/* | grep -E '^(clockid|settime flags)' |
        tr -d '\n')" 'clockid: 0settime flags: 03'

# --- restarts ---
ok 'SIGTERM ends it' agent_ends
like 'and the service manager was told' "$(tail -n 2 "$WORLD/notify.1")" \
    STOPPING=1
before=$(wc -l <"$WORLD/owner.out.err")
ok 'another socket, by its path' listen "$WORLD/notify" "$WORLD/notify.2"
agent router "$WORLD/notify"
ok 'started again it rests' until_so rests router
is 'R-P-2: and has asked nobody for anything' \
    "$(wc -l <"$WORLD/owner.out.err")" "$before"
kill -9 "$AGENT"
wait "$AGENT" 2>/dev/null
is 'of an agent that was killed status does not speak' \
    "$(pledge router status | grep -c '^agent')" 0

# --- renewal ---
DAY=86400
LATER=100 # days
agent router "$WORLD/notify"
ok 'started again it rests' until_so told "$WORLD/notify.2"
old=$(serial router)
sed -i 's/^share = 95/share = what/' "$WORLD/router.ini"
kill -HUP "$AGENT"
ok 'a wrong configuration is named, the present one kept' until_so \
    grep -q 'configuration-kept .*router.ini' "$JOURNAL"
ok 'SIGTERM ends it' agent_ends
sed -i 's/^share = what/share = 95/' "$WORLD/router.ini"
later=yes
agent router "$WORLD/notify"
ok 'a hundred days later it rests still' until_so rests router
is 'nobody was asked' "$(wc -l <"$WORLD/owner.out.err")" "$before"
sed -i 's/^share = 95/share = 20/' "$WORLD/router.ini"
kill -HUP "$AGENT"
ok 'R-P-67: with its configuration read again, it is time to renew' \
    until_so events renewed 1
ok 'another certificate is in the files' test "$(serial router)" != "$old"
ok 'and they work' use_files router
ok 'SIGTERM ends it' agent_ends
later=
like 'the key is another one, as configured' \
    "$(cat "$WORLD/router.out/current/key.uri")" 'object=ldevid-2'
has_key() {
    OPENSSL_MODULES=$top_builddir/.libs \
        OPENSSL_CONF=$WORLD/router.out/current/openssl.cnf in_device router \
        openssl pkey -in "pkcs11:token=router;object=$1;type=private" \
        -pubout -out /dev/null
}
ok 'it is in the token' has_key ldevid-2
fails 1 . 'and the old one is not, once the new one was used' has_key ldevid
is 'nothing is kept of the old certificate' \
    "$(ls "$WORLD/router.state/previous.json" 2>/dev/null)" ''

# --- somebody else resets the device ---
strace -qq -o "$WORLD/trace" true 2>/dev/null && traced=yes
agent router "$WORLD/notify"
ok 'it rests' until_so rests router
ok 'reset by hand' pledge router reset
ok 'R-P-1: the agent sees that, and joins again' until_so events enrolled 2
is 'the hooks heard of it' "$(tr '\n' ' ' <"$WORLD/hook.last")" \
    'enrolled renewed reset enrolled '
ok 'SIGTERM ends it' agent_ends

# --- the same on a TPM, with a key that dies with the anchor ---
agent gateway "$WORLD/notify"
ok 'a device with a TPM joins' until_so rests gateway
ok 'curl uses its key, from a copy of the TPM key file' use_files gateway
ok 'SIGTERM ends it' agent_ends
ok 'reset' pledge gateway reset
is 'R-P-96: the files are gone with the LDevID' "$(ls "$WORLD/gateway.out")" ''

# --- its unit ---
sed -e "s|@sbindir@|$BIN|" -e "s|@sysconfdir@|/etc|" \
    "$top_srcdir/tools/units/idevid-pledge.service.in" \
    >"$WORLD/idevid-pledge.service"
if systemd-analyze security --help >/dev/null 2>&1; then
    ok 'the unit is sandboxed: systemd-analyze security says OK, or better' \
        systemd-analyze security --offline=yes --no-pager --threshold=50 \
        "$WORLD/idevid-pledge.service"
else
    skip 'systemd-analyze security: there is none'
fi
if [ -n "$traced" ] && systemd-analyze syscall-filter >/dev/null 2>&1; then
    ok 'and lets everything through that token and TPM need' \
        python3 "$top_srcdir/tests/lib/unit_syscalls.py" \
        "$WORLD/idevid-pledge.service" "$WORLD"/*.trace
else
    skip 'system calls against the unit: no strace, or no systemd-analyze'
fi
done_testing
