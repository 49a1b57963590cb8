#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device on two links finds who announces himself there: by GRASP floods and
# by mDNS with real avahi; what comes, goes and comes again, and what is wrong.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/../lib/lab.sh"
lab_enter grasp mdns
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
bin=${top_builddir:-$src/build}
trap lab_end EXIT
lab_begin

found=$LAB/found
# on LINE: the device has said so, so often
said() {
    grep -qE -- "$1" "$found"
}
times() {
    grep -cE -- "$1" "$found"
}
flood() { # HOST INTERFACE ...
    local host=$1
    shift
    lab "$host" python3 "$src/tests/lib/flood.py" "$@"
}
local_of() { # HOST INTERFACE
    lab "$1" ip -6 -o addr show dev "$2" scope link |
        sed -n 's,.*inet6 \(fe80[^/]*\)/.*,\1,p'
}
may_speak() { # HOST INTERFACE: its address is no longer tentative
    lab "$1" ip -6 -o addr show dev "$2" scope link | grep -v tentative |
        grep -q fe80
}

lab_host device
lab_host far
ok 'a device on two links' eval 'lab_wire here left device eth0 &&
    lab_wire far right device eth1' || bail 'no links'
lab_start device "$found" "$bin/idevid-pledge" discover --json -v \
    --registrars --method grasp --method mdns
device=$STARTED
lab_until 'R-P-3: it listens on the one once it has an address there' \
    grep -q 'grasp-listening interface=eth0' "$found.err"
lab_until 'and on the other' \
    grep -q 'grasp-listening interface=eth1' "$found.err"
like 'no sooner than that' "$(head -n 4 "$found" | sort -u)" \
    '"event":"link-up","interface":"eth0"'
lab_until 'we have one too' may_speak here left
lab_until 'and the far end' may_speak far right
left=$(local_of here left) right=$(local_of far right)

# --- GRASP ---
ok 'a flood on the one link' flood here left --port 4443
lab_until 'R-P-4: it is an offer, with the zone' said \
    "\"offer\",\"origin\":\"grasp\",\"host\":\"$left%eth0\",\"port\":4443"
ok 'another on the other link' flood far right --port 4443
lab_until 'it has the other zone' said "\"offer\".*\"$right%eth1\",\"port\":4443"

lab here ip addr add fd00::1/64 dev left nodad
ok 'a flood again' flood here left --port 4443
# one of a further link, of another objective, with and from an address that is
# not of the link, of no bytes, that announces 2^32 elements; then an honest one
ok 'others, that are no offers, and one more' flood here left \
    --loops 2 --port 5001 + --objective AN_join_registrar --port 5002 + \
    --address 2001:db8::1 --port 5003 + --source fd00::1 --port 5004 + \
    --hex '' + --hex 9affffffff + --port 4444
lab here ip addr del fd00::1/64 dev left
lab_until 'which is heard' said '"port":4444'
is 'R-P-4: nothing else was, and nothing twice' \
    "$(grep -c '"origin":"grasp"' "$found")" 3

# --- mDNS ---
like 'R-P-5: without avahi the rest went on' "$(cat "$found.err")" no-avahi
ok 'avahi here' lab_avahi here
ok 'avahi at the far end' lab_avahi far
lab_service here proxy _brski-proxy._tcp 8443
ok 'and then on the device' lab_avahi device
lab_until 'R-P-7: it finds the proxy, by its link-local address' said \
    "\"offer\",\"origin\":\"mdns\",\"host\":\"$left%eth0\",\"port\":8443"
lab_service far registrar _brski-registrar._tcp 8444
lab_until 'R-P-7: what is announced later is heard' said \
    "\"offer\".*\"$right%eth1\",\"port\":8444"
lab_service here other _brski-proxy._tcp 8445 \
    '<txt-record>prm-jose</txt-record>'
lab_service here third _brski-proxy._tcp 8446 '<txt-record>v=1</txt-record>'
lab_until 'a proxy with a TXT record' said '"port":8446'
rm "$LAB/here.services/third.service"
lab_until 'it is gone when its service is' said '"gone".*"port":8446'
ok 'one that speaks what we do not is none' eval '! said "port.:8445"'

missed=$(grep -c no-avahi "$found.err")
ok "the device's avahi ends" lab_avahi_stop device
lab_until 'which it notices' eval \
    '[ "$(grep -c no-avahi "$found.err")" -gt "$missed" ]'
ok 'and starts again' lab_avahi device
lab_service here fourth _brski-proxy._tcp 8447
lab_until 'R-P-13: it goes on to listen' said '"offer".*"port":8447'
is 'what stayed was never gone' \
    "$(grep '"mdns"' "$found" | grep -c '"gone".*:844[34]')" 0

# --- the link ---
ok 'the cable is pulled' lab here ip link set left down
lab_until 'offers by floods of that link are gone' said \
    "\"gone\".*\"$left%eth0\",\"port\":4443"
ups=$(times '"link-up","interface":"eth0"')
ok 'and put back' lab here ip link set left up
lab_until 'R-P-6: the link is up, who backed off may try' eval \
    '[ "$(times "\"link-up\",\"interface\":\"eth0\"")" -gt "$ups" ]'
lab_until 'we may speak again' may_speak here left
ok 'a flood' flood here left --port 4446
lab_until 'R-P-13: it is heard' said '"port":4446'

kill "$device"
ok 'it ran all the while, and ends' wait "$device"
like 'nothing failed in it' "x$(grep -c 'error:' "$found.err")" x0

# --- a D-Bus that takes connections and answers nothing ---
kill -STOP "$(cat "$LAB/device.dbus.pid")"
lab_start device "$found" "$bin/idevid-pledge" discover --json -v
hung=$STARTED
lab_until 'R-P-5: with a D-Bus that hangs it listens' \
    grep -q 'grasp-listening interface=eth0' "$found.err"
ok 'a flood' flood here left --port 4447
lab_until 'R-P-5: and hears' said '"port":4447'
kill "$hung"
ok 'and ends when it is to' wait "$hung"
kill -CONT "$(cat "$LAB/device.dbus.pid")"
done_testing
