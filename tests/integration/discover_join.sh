#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Devices that are told nothing join a registrar that they find: by a GRASP
# flood and by mDNS over link-local IPv6, by mDNS over IPv4, and by the name
# server of their domain.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/../lib/lab.sh"
lab_enter grasp mdns dns-sd
. "$(dirname "$0")/world.sh"
trap 'world_end; lab_end' EXIT
lab_begin
world_begin

# joins NAME: in the background, on the host "device"
joins() {
    (
        . "$WORLD/$1.env"
        lab_exec device "$BIN/idevid-pledge" -v -c "$WORLD/$1.ini" join
    ) >"$LAB/$1.out" 2>"$LAB/$1.err" 8>&- 9>&- &
    joining=$!
    LAB_PIDS="$LAB_PIDS $joining"
}
joined() { # NAME ORIGIN HOST
    ok "$1 joins" wait "$joining" || tap_show "$LAB/$1.err" "$LAB/$1.out"
    like "$1 is enrolled" "$(pledge "$1" status)" 'state *enrolled'
    like "by what it found" "$(grep 'found origin' "$LAB/$1.err")" \
        "origin=$2 host=\"*$3"
}
device() { # NAME SERIAL LINE ...
    ok "a device, $1" device_token "$1" "$2"
    shift 2
    printf '%s\n' '[discovery]' "$@" >>"$WORLD/$name.ini"
}
may_speak() { # HOST INTERFACE: its address is no longer tentative
    lab "$1" ip -6 -o addr show dev "$2" scope link | grep -v tentative |
        grep -q fe80
}

ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
for name in flooded announced old-style asking; do
    device "$name" "TOK-$name" 'patience = 30' \
        "method = $(case $name in
        flooded) echo grasp ;;
        announced | old-style) echo mdns ;;
        asking) echo dns-sd ;;
        esac)" 'link-registrars = yes'
done
ok 'MASA learns of them' learn_devices
ok 'owner' owner
REG_LISTEN='[::]:8443, 0.0.0.0:8443' # ports of a namespace of our own
ok 'registrar serves' registrar_start || bail 'no registrar'
lab_host device
ok 'a link' lab_wire here left device eth0

# --- link-local addresses ---
lab_until 'we have an address' may_speak here left
joins flooded
lab_until 'a device listens' grep -q grasp-listening "$LAB/flooded.err"
ok 'R-P-4: the registrar floods the link' python3 \
    "$top_srcdir/tests/lib/flood.py" left --port "$REG_PORT"
joined flooded grasp 'fe80::.*%eth0'

ok 'avahi here' lab_avahi here
ok 'avahi on the device' lab_avahi device
lab_service here registrar _brski-registrar._tcp "$REG_PORT"
joins announced
joined announced mdns 'fe80::.*%eth0'
rm "$LAB/here.services/registrar.service"

# --- IPv4 alone ---
for at in here:left:1 device:eth0:2; do
    IFS=: read -r host interface n <<<"$at"
    lab "$host" sysctl -qw "net.ipv6.conf.$interface.disable_ipv6=1"
    lab "$host" ip addr add "198.51.100.$n/24" dev "$interface"
done
lab_service here proxy _brski-proxy._tcp "$REG_PORT"
joins old-style
joined old-style mdns 198.51.100.1

# --- the name server ---
if command -v dnsmasq >/dev/null; then
    lab_start here "$LAB/dns" dnsmasq --keep-in-foreground --conf-file=/dev/null \
        --no-resolv --no-hosts --local=/example.org/ --no-daemon --listen-address=198.51.100.1 \
        --bind-interfaces --pid-file= --user= --log-queries \
        --ptr-record=_brski-registrar._tcp.example.org,"one._brski-registrar._tcp.example.org" \
        --srv-host=one._brski-registrar._tcp.example.org,reg.example.org,"$REG_PORT" \
        --host-record=reg.example.org,198.51.100.1
    printf 'search example.org\nnameserver 198.51.100.1\n' >"$LAB/resolv.conf"
    ok 'the network says who its name server is' \
        mount --bind "$LAB/resolv.conf" /etc/resolv.conf
    lab_until 'it serves' grep -q 'started' "$LAB/dns.err"
    joins asking
    joined asking dns-sd 198.51.100.1
else
    skip 'asking joins' 'dnsmasq is missing'
fi
done_testing
