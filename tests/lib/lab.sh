# SPDX-License-Identifier: Apache-2.0
# A few hosts on links of their own, as network namespaces that live as long as
# a process in each: nothing is left when those are gone. Sourced after
# story.sh; the story itself runs on the host "here".
#
#   lab_enter METHOD ...     first: the story goes on in a namespace of its own,
#                            or is skipped, by name, when there can be none or
#                            idevid-pledge is built without one of the methods
#   lab_begin                an empty lab, below $LAB
#   lab_host NAME            one more host
#   lab_wire A IF B IF       a cable between two hosts' new interfaces
#   lab NAME CMD ...         a command on that host (with its D-Bus)
#   lab_start NAME OUT CMD ...  the same in the background: $STARTED; errors go
#                            to OUT.err
#   lab_avahi NAME / lab_avahi_stop NAME   its avahi-daemon, on its own D-Bus;
#                            it announces what is in $LAB/NAME.services
#   lab_service NAME FILE TYPE PORT   puts such a file there
#   lab_until WHAT CMD ...   a case: CMD becomes true, looked at again and again
#   lab_end                  ends everything, by pid
set -u

# why there can be no lab; nothing when there can
lab_lacks() {
    local p
    for p in ip unshare nsenter avahi-daemon dbus-daemon python3; do
        command -v "$p" >/dev/null || {
            echo "$p is missing"
            return
        }
    done
    "${top_builddir:-build}/idevid-pledge" discover "${@/#/--method=}" \
        --interface none --seconds 1 2>&1 | sed -n 's/.*\(built without.*\)/\1/p'
    unshare -n -m true 2>/dev/null || echo 'no namespaces here'
    [ ! -e /proc/sys/net/ipv6 ] && echo 'no IPv6 here'
}

lab_enter() {
    local why
    [ -n "${LAB_INSIDE:-}" ] && return
    why=$(lab_lacks "$@")
    if [ -n "$why" ]; then
        skip "${0##*/}" "$why"
        done_testing
        exit 0
    fi
    rm -rf "$tap_dir"
    LAB_INSIDE=1 exec unshare -n -m bash "$0"
}

lab_begin() {
    LAB=$(mktemp -d "${TMPDIR:-/tmp}/idevid-lab.XXXXXX")
    LAB_PIDS=
    mkfifo "$LAB/fifo"
    exec 8<>"$LAB/fifo"
    ip link set lo up
    : >"$LAB/here.bus"
}

lab_pause() {
    read -r -t 0.05 -u 8 _ || :
}

# ends a process of the lab and waits for it
lab_kill() {
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
    return 0
}

lab_end() {
    local p all=
    for p in $LAB_PIDS; do
        all="$p $all" # the youngest first
    done
    for p in $all; do
        lab_kill "$p"
    done
    rm -rf "$LAB"
}

lab_host() {
    unshare -n cat <"$LAB/fifo" >/dev/null 8>&- &
    LAB_PIDS="$LAB_PIDS $!"
    echo $! >"$LAB/$1.pid"
    until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]
    do
        lab_pause
    done
    lab "$1" ip link set lo up
}

# lab_exec NAME CMD ...: takes this process's place
lab_exec() {
    local name=$1
    shift
    export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$LAB/$name.bus"
    [ "$name" = here ] && exec "$@"
    exec nsenter -t "$(cat "$LAB/$name.pid")" -n "$@"
}

lab() {
    (lab_exec "$@")
}

lab_start() {
    local name=$1 out=$2
    shift 2
    (lab_exec "$name" "$@") >"$out" 2>"$out.err" 8>&- &
    STARTED=$!
    LAB_PIDS="$LAB_PIDS $STARTED"
}

lab_ns() {
    [ "$1" = here ] && echo $$ || cat "$LAB/$1.pid"
}

# duplicate address detection takes seconds, and nobody else is on the cable
lab_wire() {
    local a b
    a=$(lab_ns "$1") b=$(lab_ns "$3")
    ip link add "lab$2" type veth peer name "lab$4" || return
    ip link set "lab$2" netns "$a" name "$2" || return
    ip link set "lab$4" netns "$b" name "$4" || return
    lab "$1" ip link set "$2" up
    lab "$3" ip link set "$4" up
}

lab_until() {
    local what=$1 i=0
    shift
    until "$@" >/dev/null 2>&1; do
        i=$((i + 1))
        if [ $i -gt 600 ]; then
            ok "$what" "$@"
            return
        fi
        lab_pause
    done
    tap_result 0 "$what"
}

lab_bus() {
    cat >"$LAB/$1.dbus.conf" <<EOT
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=$LAB/$1.bus</listen>
<auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*"/><allow send_type="signal"/><allow own="*"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/>
<allow receive_type="error"/><allow receive_type="signal"/>
</policy></busconfig>
EOT
    rm -f "$LAB/$1.bus"
    lab_start "$1" "$LAB/$1.dbus" dbus-daemon \
        --config-file="$LAB/$1.dbus.conf" --nofork
    echo "$STARTED" >"$LAB/$1.dbus.pid"
    until [ -S "$LAB/$1.bus" ]; do
        lab_pause
    done
}

lab_avahi() {
    [ -e "$LAB/$1.dbus.pid" ] || lab_bus "$1"
    mkdir -p "$LAB/$1.services"
    printf '[server]\nhost-name=%s\n[publish]\npublish-workstation=no\n' \
        "$1" >"$LAB/$1.avahi.conf"
    lab_start "$1" "$LAB/$1.avahi" unshare -m sh -c '
        mount -t tmpfs tmpfs /run && mkdir -p /run/avahi-daemon &&
        mount --bind "$1" /etc/avahi/services &&
        exec avahi-daemon -f "$2" --no-drop-root --no-chroot --no-rlimits' \
        avahi "$LAB/$1.services" "$LAB/$1.avahi.conf"
    echo "$STARTED" >"$LAB/$1.avahi.pid"
    until grep -q 'Server startup complete' "$LAB/$1.avahi.err"; do
        kill -0 "$STARTED" 2>/dev/null || return
        lab_pause
    done
}

lab_avahi_stop() {
    lab_kill "$(cat "$LAB/$1.avahi.pid")"
}

# (moved there whole: avahi reads it as soon as it is seen)
lab_service() {
    cat >"$LAB/service" <<EOT
<?xml version="1.0" standalone='no'?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group><name>$2 of %h</name>
<service><type>$3</type><port>$4</port>${5:-}</service></service-group>
EOT
    sed -i 's/<name>/<name replace-wildcards="yes">/' "$LAB/service"
    mv "$LAB/service" "$LAB/$1.services/$2.service"
}
