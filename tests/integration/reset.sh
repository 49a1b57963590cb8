#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All that a reset leaves, on a TPM and on a token, by the agent's tool and by
# the anchor's: what there was before the device joined, and nothing of the
# domain; the IDevID works, and the device joins again.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device with a TPM' device_tpm gateway TPM-0001 || bail 'no TPM'
ok 'device with a token' device_token router TOK-0002 || bail 'no token'
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

# --- what there is ------------------------------------------------------------

mkdir -m 755 "$WORLD/hooks.d"
cat >"$WORLD/hooks.d/tell" <<EOF
#!/bin/sh
env | grep '^IDEVID_' | sort >"$WORLD/hook.\$IDEVID_EVENT"
EOF
chmod 755 "$WORLD/hooks.d/tell"
for d in gateway router; do
    cat >>"$WORLD/$d.ini" <<EOF
[enroll]
output = $WORLD/$d.out
[hooks]
directory = $WORLD/hooks.d
EOF
done

token_objects() {
    in_device router "$BIN/idevid-device" show 'pkcs11:token=router' |
        sed -n 's/^  \([a-z-]*\)  *.*;object=\([^; ]*\).*/\1 \2/p' | sort
}
# What the device has by name, from tools that are not ours where there are any.
in_the_device() {
    if [ "$1" = gateway ]; then
        in_device gateway sh -ec 'for what in persistent nv-index transient \
            loaded-session saved-session; do
                echo "$what:"
                tpm2_getcap "handles-$what"
            done'
    else
        # but for records that have ended: on a token they stay, hashes with
        # no name, so that none of them can come back
        token_objects | grep -v '^data idevid-anchor'
    fi
}
# Files, but for the lock and the directories they were in.
in_files() {
    (cd "$WORLD" && find "$1.state" "$1.out" ! -type d ! -name lock \
        2>/dev/null | sort)
}
inventory() { # DEVICE OUT
    { in_the_device "$1" && in_files "$1"; } >"$2"
}
# Nothing that the domain is known by, in any file of the device.
domain_in() {
    grep -rlaF -e 'Example Networks' -e "localhost:$REG_PORT" \
        -e "$(openssl x509 -in "$WORLD/owner/domain-ca.pem" -outform DER |
            base64 -w 0 | cut -c 100-160)" \
        "$WORLD/$1.state" "$WORLD/$1.out" 2>/dev/null
}
idevid_of() {
    case $1 in
    gateway) in_device $1 "$BIN/idevid-device" cert tpm2:handle=0x01C90200 ;;
    router) in_device $1 "$BIN/idevid-device" cert \
        'pkcs11:token=router;object=idevid;type=cert' ;;
    esac
}

# --- before, with, after ------------------------------------------------------

leave() { # DEVICE BY
    case $2 in
    pledge) pledge "$1" reset ;;
    anchor) anchor "$1" reset --yes ;;
    esac
}

for d in gateway router; do
    # the counter of an owner's anchor is there from the first imprint on
    ok "$d: it has joined once" pledge "$d" join \
        --registrar "localhost:$REG_PORT"
    ok "$d: and left" pledge "$d" reset
    ok "$d: what there is" inventory "$d" "$WORLD/$d.before"
    idevid_of "$d" >"$WORLD/$d.idevid"
    is "$d: no file of the domain's" "$(in_files "$d")" ''
    for by in pledge anchor; do
        ok "$d: it joins" pledge "$d" join --registrar "localhost:$REG_PORT"
        ok "$d: what there is then" inventory "$d" "$WORLD/$d.joined"
        ok "$d: that is more" sh -c '! cmp -s "$0" "$1"' \
            "$WORLD/$d.before" "$WORLD/$d.joined"
        like "$d: the domain is found in its files" "$(domain_in "$d")" \
            "$d.state"
        rm -f "$WORLD/hook.reset"
        ok "R-P-96: $d: idevid-$by reset" leave "$d" "$by"
        ok "$d: what is left" inventory "$d" "$WORLD/$d.left"
        ok "R-P-96: $d: idevid-$by: as it was before" diff \
            "$WORLD/$d.before" "$WORLD/$d.left" ||
            tap_show "$WORLD/$d.joined"
        is "R-P-96: $d: idevid-$by: nothing of the domain" \
            "$(domain_in "$d")" ''
        is "$d: idevid-$by: the hooks know, and no more than that" \
            "$(cat "$WORLD/hook.reset")" 'IDEVID_EVENT=reset'
        like "$d: it belongs to nobody" "$(pledge "$d" status)" '^state *none'
        [ $d = gateway ] || is "$d: idevid-$by: no record that has not ended" \
            "$(token_objects | grep -c '^data.*\.end$')" \
            "$(token_objects | grep -c '^data.*[r0-9]$')"
        ok "R-P-96: $d: the IDevID is the same" \
            eval 'idevid_of "$d" | cmp - "$WORLD/$d.idevid"'
    done
    ok "R-P-96, R-S-25: $d: it joins again" pledge "$d" join \
        --registrar "localhost:$REG_PORT"
done
is 'R-S-25, R-P-12: each time by a nonce of its own' \
    "$(masa log --json | grep -o '"nonce":"[^"]*"' | sort -u | wc -l)" 8
done_testing
