#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registrar makes itself known on its links, by GRASP and by mDNS with real
# avahi; a device, avahi-browse and another reader of the floods find it, where
# it is, as long as it is there.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/../lib/lab.sh"
. "$(dirname "$0")/world.sh"
lab_enter grasp mdns
command -v avahi-browse >/dev/null || {
    skip 'announcements' 'avahi-browse is missing'
    done_testing
    exit
}
end() {
    world_end
    lab_end
}
trap end EXIT
world_begin
lab_begin
SRC=$top_srcdir/tests/lib

# --- what is configured ---
ok 'owner' owner || bail 'no owner'
mkdir "$WORLD/maker"
cp "$WORLD/owner/domain-ca.pem" "$WORLD/idevid-anchors.pem"
cp "$WORLD/owner/domain-ca.pem" "$WORLD/maker/anchors.pem"
REG_LISTEN='[::]:0' registrar_conf
registrar_test() {
    in_device owner "$BIN/idevid-registrar" -c "$WORLD/owner.ini" -t
}
announce() {
    sed -i '/^\[announce\]/,$d' "$WORLD/owner.ini"
    printf '[announce]\n%b' "$1" >>"$WORLD/owner.ini"
}
announce 'grasp = both\n'
fails 2 'announce.interfaces' 'where is to be said' registrar_test
announce 'interfaces = left\ngrasp = both\nperiod = 59\n'
fails 2 'period' 'R-R-3: never more often than once a minute' registrar_test
announce 'est = yes\n'
fails 2 'announce.interfaces' 'of EST, too' registrar_test
announce 'interfaces = left, later0\ngrasp = both\nmdns = both\nest = yes\n'
ok 'it is understood' registrar_test

# --- two hosts on a link ---
lab_host far
ok 'a link' lab_wire here left far eth0 || bail 'no link'
may_speak() { # HOST INTERFACE
    lab "$1" ip -6 -o addr show dev "$2" scope link | grep -v tentative |
        grep -q fe80
}
lab_until 'we may speak on it' may_speak here left
lab_until 'the far end, too' may_speak far eth0
ip addr add fd00::1/64 dev left nodad
lab far ip addr add fd00::2/64 dev eth0 nodad
LOCAL=$(ip -6 -o addr show dev left scope link |
    sed -n 's,.*inet6 \(fe80[^/]*\)/.*,\1,p')
heard=$LAB/heard
lab_start far "$heard" python3 "$SRC/grasp_hear.py" eth0
lab_until 'somebody reads what comes' grep -q listening "$heard"
found=$LAB/found
lab_avahi far
lab_start far "$found" "$BIN/idevid-pledge" discover --json -v --registrars \
    --method grasp --method mdns
lab_until 'a device listens' grep -q grasp-listening "$found.err"

# --- it is found ---
run() {
    : >"$WORLD/owner.out"
    (
        . "$WORLD/owner.env"
        lab_exec here "$BIN/idevid-registrar" -c "$WORLD/owner.ini" run
    ) >"$WORLD/owner.out" 2>"$WORLD/owner.err" 8>&- &
    REG_PID=$!
    LAB_PIDS="$LAB_PIDS $REG_PID"
    lab_until "$1" grep -q '"listening"' "$WORLD/owner.out"
    REG_PORT=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$WORLD/owner.out")
}
lab_bus here
run 'a registrar, before there is avahi'
# flooded ADDRESS OBJECTIVE LOOPS VALUE [TTL]
flooded() {
    grep -qF "\"message\":[9," "$heard" && grep -E '"message":\[9,[0-9]+,' \
        "$heard" | grep -qF ",\"$1\",${5:-180000},[[\"$2\",4,$3,\"$4\"],[103,\"$1\",6,$REG_PORT]]]"
}
lab_until 'R-R-2: another reader finds AN_join_registrar in a flood, whole' \
    flooded fd00::1 AN_join_registrar 255 EST-TLS
est_flooded() {
    grep -qE "\"message\":\[9,[0-9]+,\"$1\",$2,\[\[\"SRV.est\",4,255\],\[103,\"$1\",6,$REG_PORT\]\]\]" \
        "$heard"
}
lab_until 'R-R-74: and SRV.est, for who renews' est_flooded fd00::1 210000
lab_until 'and AN_Proxy, of its link alone' flooded "$LOCAL" AN_Proxy 1 ''
is 'R-R-2: from the address of the link' \
    "$(sed -n 's/.*"from":"\([^"]*\)".*/\1/p' "$heard" | sort -u)" "$LOCAL"
found_it() { # ORIGIN
    grep -qE "\"offer\",\"origin\":\"$1\",\"host\":\"${2:-[^\"]*}\",\"port\":$REG_PORT" \
        "$found"
}
lab_until 'a device finds it by GRASP' found_it grasp "$LOCAL%eth0"
ok 'R-R-2: what was announced serves EST' lab far curl -sSkf -o "$LAB/ca" \
    "https://[$LOCAL%25eth0]:$REG_PORT/.well-known/est/cacerts"
ok 'R-R-74: as does SRV.est, from afar' lab far curl -sSkf -o "$LAB/ca" \
    "https://[fd00::1]:$REG_PORT/.well-known/est/cacerts"
like 'without avahi that is said' "$(cat "$WORLD/owner.err")" no-avahi
ok 'avahi comes' lab_avahi here
lab_until 'a device finds it by mDNS' found_it mdns
browse() { # TYPE
    lab far avahi-browse -rptk "$1" 2>/dev/null | grep '^=' >"$LAB/browsed"
    grep -q ";$REG_PORT;" "$LAB/browsed"
}
lab_until 'avahi-browse finds a registrar' browse _brski-registrar._tcp
is 'whose record says the default, by saying nothing' \
    "$(sed 's/.*;\(.*\)/\1/' "$LAB/browsed" | sort -u)" ''
lab_until 'and a proxy' browse _brski-proxy._tcp

# --- what others send ---
process() { # NAME: the process of that name that the registrar began
    local p
    for p in $(cat "/proc/$REG_PID/task/$REG_PID/children"); do
        [ "$(cat "/proc/$p/comm")" = "$1" ] && echo "$p"
    done
}
before=$(process announce-grasp)
from=$(sed -n 's/.*"port":\([0-9]*\),"bytes".*/\1/p' "$heard" | tail -n 1)
ok 'rubbish, and replies that nobody asked for' lab far python3 \
    "$SRC/grasp_hear.py" eth0 "$LOCAL" "$from"
ok 'a new address' ip addr add fd01::1/64 dev left nodad
ok 'the old one goes' ip addr del fd00::1/64 dev left
lab_until 'R-R-2: that is announced, at once' flooded fd01::1 \
    AN_join_registrar 255 EST-TLS
is 'by who heard the rubbish' "$(process announce-grasp)" "$before"

# --- links ---
lab_host more
ok 'another link' lab_wire here later0 more eth1
lab_until 'it is announced there, too' grep -q \
    'by=grasp as=proxy interface=later0' "$WORLD/owner.err"
lab_until 'and by mDNS' grep -q 'by=mdns as=proxy interface=later0' \
    "$WORLD/owner.err"

# --- its end ---
kill -HUP "$REG_PID"
lab_until 'after a reload another process floods' eval \
    '[ -n "$(process announce-grasp)" ] &&
    [ "$(process announce-grasp)" != "$before" ]'
before=$(process announce-grasp)
kill "$before"
lab_until 'it is begun anew when it ends' eval \
    '[ -n "$(process announce-grasp)" ] &&
    [ "$(process announce-grasp)" != "$before" ]'
lab_until 'what it said was taken back' flooded "$LOCAL" AN_Proxy 1 '' 1
gone() {
    grep -qE "\"gone\",.*\"origin\":\"mdns\".*\"port\":$REG_PORT" "$found"
}
kill -9 "$REG_PID"
wait "$REG_PID" 2>/dev/null
lab_until 'killed, it is gone from mDNS' gone
run 'and again'
lab_until 'found anew' found_it mdns
kill "$REG_PID"
ok 'it ends when told to' wait "$REG_PID"
lab_until 'and is gone from mDNS' gone
lab_until 'and from GRASP' flooded "$LOCAL" AN_Proxy 1 '' 1
lab_until 'R-R-74: EST, too' est_flooded fd01::1 1
done_testing
