#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pledge is killed, or its power cut, at a call to its device, a change of its
# files, or a part of what the registrar says: it has joined or not, nothing
# between, and the next start joins. With IDEVID_LONG=1 at all of them, or at
# those of IDEVID_SHARE=K/N: every N-th.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

# shellcheck disable=SC2034 # read in world.sh: it comes more often than devices do
DEVICE_HOURLY=1000000
world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device with a TPM' device_tpm gateway TPM-0001
ok 'device with a token' device_token router TOK-0002
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start
mkdir "$WORLD/cut"
cp "$BIN/.libs/p11cut.so" "$WORLD/cut"
TCTI_PLAN=$WORLD/cut/tcti
cat >>"$WORLD/router.env" <<EOF
export P11CUT_REAL="\$HWKEY_PKCS11_MODULE"
export HWKEY_PKCS11_MODULE='$WORLD/cut/p11cut.so'
EOF
cat >>"$WORLD/gateway.env" <<EOF
export HWKEY_TCTI='$BIN/.libs/tcticut.so:$TCTI_PLAN,swtpm:path=$WORLD/gateway.tpm/sock'
EOF

for d in router gateway; do
    printf '[enroll]\noutput = %s\nkey = new\n' "$WORLD/$d.out" \
        >>"$WORLD/$d.ini"
done

# plan_of KIND: where the plan for it is
plan_of() {
    case $1 in
    TPM) echo "$TCTI_PLAN" ;;
    token) echo "$WORLD/cut/plan" ;;
    file) echo "$WORLD/cut/file" ;;
    esac
}
# joining KIND DEVICE: or what $VERB says
VERB=join
joining() {
    local preload=
    [ "$1" != file ] || preload=$BIN/.libs/fscut.so
    in_device "$2" env ${preload:+LD_PRELOAD="$preload"} \
        FSCUT_PLAN="$(plan_of file)" FSCUT_DIR="${CUT_BELOW:-$WORLD/$2.}" \
        "$BIN/idevid-pledge" -c "$WORLD/$2.ini" $VERB \
        --registrar "localhost:$REG_PORT"
}
# What is there is whole: the device and its files agree, and say so.
whole() {
    pledge "$1" status | tee "$tap_dir/status" &&
        grep -qE '^state *(none|imprinted|enrolled)$' "$tap_dir/status"
}
# The LDevID in the files for other programs is let in, be it old or new.
let_in() {
    local files=$WORLD/$1.out/current
    OPENSSL_MODULES=$BIN/.libs OPENSSL_CONF=$files/openssl.cnf \
        in_device "$1" curl -sS --fail --max-time 30 \
        --cacert "$files/anchors.pem" --cert "$files/fullchain.pem" \
        --key "$files/key.pem" -o /dev/null \
        "https://localhost:$REG_PORT/.well-known/est/cacerts"
}
# after WHAT DEVICE: whole, and joined in the end
after() {
    ok "R-P-69: $1: what is left is whole" whole "$2"
    [ $VERB = join ] ||
        ok "$1: other programs are let in all the same" let_in "$2"
    ok "$1: the next start finds its way" joining none "$2"
    like "$1: it is enrolled" "$(pledge "$2" status)" '^state *enrolled'
    if [ $VERB = join ]; then
        ok "$1: reset" pledge "$2" reset
    else
        ok "$1: other programs are let in then" let_in "$2"
    fi
}
# share FIRST LAST [STEP]: those numbers that fall to this process
share() {
    seq "$1" "${3:-1}" "$2" | awk -v s="${IDEVID_SHARE:-0/1}" \
        'BEGIN {split(s, of, "/")} (NR - 1) % of[2] == of[1]'
}
# some N: numbers from 1 to N, all or one, each time elsewhere
PLACE=0
some() {
    if [ "${IDEVID_LONG:-0}" = 0 ]; then
        PLACE=$(((PLACE + 37) % 100))
        NUMBERS=$((1 + $1 * PLACE / 100))
    else
        NUMBERS=$(share 1 "$1")
    fi
}
# A TPM counts each loss of power as a wrong value that was tried; nobody has
# as many in an hour.
forgiven() {
    [ "$1" != gateway ] || in_device gateway tpm2_dictionarylockout -Q -c
}
# cut_at KIND DEVICE HOW NUMBER: it did not get beyond that
cut_at() {
    local plan
    plan=$(plan_of "$1")
    echo "$4 $3" >"$plan"
    ! joining "$1" "$2" && [ -e "$plan.struck" ] && rm "$plan.struck" &&
        forgiven "$2"
}

# --- calls to the device, changes of files

# counted KIND DEVICE: how many a join has
counted() {
    local plan
    plan=$(plan_of "$1")
    echo '1 count' >"$plan"
    joining "$1" "$2" >&2 && cat "$plan.count" && rm "$plan" "$plan.count"
}
# each_of KIND DEVICE HOW WORD
each_of() {
    local n all
    all=$(counted "$1" "$2" 2>"$tap_dir/err") || tap_show "$tap_dir/err"
    ok "$1: $all of them to $VERB" [ "${all:-0}" -gt 3 ] || return
    [ $VERB != join ] || ok 'reset' pledge "$2" reset
    some "$all"
    for n in $NUMBERS; do
        ok "$1: $4 $n of $all" cut_at "$1" "$2" "$3" "$n"
        after "$1: $4 $n" "$2"
    done
}
each_of TPM gateway before 'killed before call'
each_of TPM gateway after 'killed after call'
each_of TPM gateway \
    "power $TPM_CTL reset $WORLD/gateway.tpm >/dev/null; kill -9 \$PPID" \
    'power cut at call'
each_of token router before 'killed before call'
each_of token router after 'killed after call'
each_of file router before 'killed before change'
each_of file gateway after 'killed after change'

# --- renewal

ok 'joined' joining none gateway
ok 'joined' joining none router
VERB=renew
each_of TPM gateway \
    "power $TPM_CTL reset $WORLD/gateway.tpm >/dev/null; kill -9 \$PPID" \
    'R-P-67: power cut at call'
each_of token router after 'R-P-67: killed after call'
ok 'R-P-67: killed when half of the key before is erased' \
    cut_at token router erase 1
after 'half a key' router
each_of file router before 'R-P-67: killed before change'
each_of file gateway after 'R-P-67: killed after change'
CUT_BELOW=$WORLD/router.out
ok 'R-P-67: killed before the files for other programs change' \
    cut_at file router before 1
after 'between renewal and files' router
CUT_BELOW=
VERB=join
ok 'reset' pledge router reset

# --- power and tries

is 'no lockout' "$(pledge gateway status | grep -c ^lockout)" 0
ok 'one wrong value shall lock the TPM' in_device gateway \
    tpm2_dictionarylockout -Q -s -n 1 -t 3600 -l 3600
ok 'the IDevID signs' in_device gateway tpm2_sign -Q -c 0x81020000 -g sha256 \
    -o "$WORLD/signature" "$WORLD/gateway.ini"
ok 'the power is lost' sh -c '"$1" reset "$2" >"$3"' - "$TPM_CTL" \
    "$WORLD/gateway.tpm" "$WORLD/reset.out"
like 'that counts as a wrong value, and status says so' \
    "$(pledge gateway status)" '^lockout .*1 of 1'
like 'and in JSON' "$(pledge gateway status --json)" '"lockout":".*1 of 1'
ok 'an LDevID key that is bound to the trust anchor works all the same' \
    let_in gateway
ok 'it is ended' in_device gateway tpm2_dictionarylockout -Q -c
is 'status says no more of it' "$(pledge gateway status | grep -c ^lockout)" 0

# --- what the registrar says

# killed_at DEVICE BYTES: when so much of it has come
killed_at() {
    local pid
    rm -f "$WORLD/pid"
    start maker "$WORLD/forward.out" python3 \
        "$top_srcdir/tests/lib/forward.py" "$REG_PORT" "$2" \
        "kill -9 \$(cat $WORLD/pid)"
    forward=$STARTED
    port=$(wait_listening "$WORLD/forward.out" "$forward")
    start "$1" "$WORLD/killed.out" sh -c 'echo $$ >"$1"; shift; exec "$@"' - \
        "$WORLD/pid" "$BIN/idevid-pledge" -c "$WORLD/$1.ini" join \
        --registrar "localhost:$port"
    pid=$STARTED
    wait "$pid"
    [ $? = 137 ]
}
if command -v python3 >/dev/null; then
    # the shortest way to its end has some 7200 bytes
    for n in $([ "${IDEVID_LONG:-0}" = 0 ] && echo 2500 4500 6500 ||
        share 1 7000 128); do
        ok "killed when $n bytes have come" killed_at router "$n"
        kill "$forward"
        wait "$forward" 2>/dev/null
        after "killed at byte $n" router
    done
else
    skip 'killed within a message' 'python3 is missing'
fi
ok 'nothing transient is left in the TPM' sh -c \
    '. "$1"; [ -z "$(tpm2_getcap handles-transient)" ]' - "$WORLD/gateway.env"
done_testing
