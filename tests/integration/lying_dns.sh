#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The name of the registrar is looked up on a network whose name server lies:
# addresses of nobody and of strangers, many of them, and others each time. With
# IDEVID_LONG=1 many at once.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/../lib/lab.sh"
lab_enter
command -v dnsmasq >/dev/null || {
    skip "${0##*/}" 'dnsmasq is missing'
    done_testing
    exit 0
}
. "$(dirname "$0")/world.sh"
trap 'world_end; lab_end' EXIT
lab_begin
world_begin

# --- addresses of a network of our own ---

GOOD=198.51.100.1     # the registrar
STRANGER=198.51.100.2 # another domain's registrar, on the same port
REFUSED=198.51.100.3  # nobody listens
NOBODY=192.0.2.1      # there is no way to it
ok 'a network' eval 'for a in $GOOD $STRANGER $REFUSED; do
        ip addr add "$a/32" dev lo || return
    done'
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
DEVICES="first ${IDEVID_LONG:+second }third"
for d in $DEVICES; do
    ok "a device, $d" device_token $d TOK-$d
    printf '[network]\nregistrar = reg.example.org:8443\n' >>"$WORLD/$d.ini"
done
ok 'MASA learns of them' learn_devices
in_token() { # OWNER NAMES: whose certificate has the name
    token_up "$1" && in_device "$1" "$BIN/idevid-registrar" init \
        "$WORLD/$1" --token "pkcs11:token=$1" --domain "$2" \
        --name reg.example.org
}
ok 'owner' in_token owner 'Example Networks'
REG_LISTEN=$GOOD:8443
ok 'registrar serves' registrar_start || bail 'no registrar'
for d in $DEVICES; do
    ok "the MASA knows whose $d is" masa owner TOK-$d \
        "$WORLD/owner/domain-ca.pem"
done
ok 'a stranger, with a certificate for the same name' \
    in_token rogue 'Rogue Networks'
REG_LISTEN=$STRANGER:8443
ok 'who serves, too' registrar_start rogue

# --- the name server ---

DNS=
# says ADDRESS ...: from now on
says() {
    local a hosts=$LAB/names
    for a in "$@"; do
        echo "$a reg.example.org"
    done >"$hosts"
    [ -z "$DNS" ] || lab_kill "$DNS"
    lab_start here "$LAB/dns" dnsmasq --keep-in-foreground \
        --conf-file=/dev/null --no-resolv --no-hosts --no-daemon \
        --listen-address=127.0.0.1 --bind-interfaces --pid-file= --user= \
        --log-queries --local-ttl=0 --local=/org/ --addn-hosts="$hosts"
    DNS=$STARTED
    lab_until "the name server says ${1:-nothing}, $# in all" \
        grep -q 'read .*/names' "$LAB/dns.err"
}
printf 'nameserver 127.0.0.1\n' >"$LAB/resolv.conf"
printf '127.0.0.1 localhost\n' >"$LAB/hosts"
ok 'the device asks it' eval 'mount --bind "$LAB/resolv.conf" /etc/resolv.conf &&
    mount --bind "$LAB/hosts" /etc/hosts'
belongs() {
    pledge "$1" status | sed -n 's/^\(state\|pin\)  *//p' | tr '\n' ' '
}
OURS='enrolled O=Example Networks, CN=Example Networks Domain CA '
met() { # DEVICE: the stranger has had it
    grep -q "masa-refused.*device=TOK-$1 " "$WORLD/rogue.out.err"
}

# --- no address that is right ---

says
fails 4 . 'no address at all: that is said, and it ends' pledge first join
says $NOBODY $REFUSED
fails 4 . 'addresses of nobody: the same' pledge first join
says $STRANGER
fails 1 'another domain' 'a stranger who has the name' \
    pledge first join
ok 'he was asked' met first
is 'it belongs to nobody' "$(belongs first)" 'none '

# --- one that is ---

says $NOBODY $REFUSED $GOOD
ok 'the right one among those of nobody: it joins' pledge first join
is 'the right domain' "$(belongs first)" "$OURS"
# --- many, most of which swallow whatever is sent ---

# ten, of which the last is right; and a hundred, of which it is not seen
many() {
    local nine
    nine=$(printf '127.0.9.%d ' 1 2 3 4 5 6 7 8 9)
    lab_start here "$LAB/swallow" python3 "$top_srcdir/tests/lib/swallow.py" \
        8443 $nine
    lab_until 'nine machines that swallow all' grep -q ready "$LAB/swallow"
    says $nine $GOOD
    ok 'R-P-8, R-P-97: ten addresses, nine of which swallow all: it joins' \
        pledge second join
    is 'the right domain' "$(belongs second)" "$OURS"
    ok 'and leaves it' pledge second reset
    says $(for ((n = 1; n < 51; n++)); do
        echo "192.0.2.$n 127.0.1.$n"
    done | head -n 49) 127.0.1.50 $GOOD
    pledge second join >"$WORLD/second.join" 2>&1
    like 'a hundred addresses: it ends' "$?" '^[04]$'
    like 'and imprints nobody else' "$(belongs second)" "^\(none \|$OURS\)\$"
}
[ -z "${IDEVID_LONG:-}" ] || many

# --- one after the other ---

sed -i 's/^attempts = 1/attempts = 0/' "$WORLD/third.ini"
says $STRANGER
start third "$WORLD/third.join" "$BIN/idevid-pledge" -c "$WORLD/third.ini" join
joining=$STARTED
lab_until 'a device meets the stranger' met third
says $NOBODY
says $GOOD
ok 'the name server has changed its mind: it joins' wait "$joining" ||
    tap_show "$WORLD/third.join.err"
is 'the right domain' "$(belongs third)" "$OURS"
sed -i 's/^attempts = 0/attempts = 1/' "$WORLD/third.ini"
says $STRANGER
fails 1 . 'and it back: who has the name now is not believed' pledge third renew
is 'it stays what it was' "$(belongs third)" "$OURS"
is 'the stranger issued nothing' \
    "$(grep -c certificate-issued "$WORLD/rogue.out.err")" 0
done_testing
