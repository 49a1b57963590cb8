#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The disposable devices of hsm-configs/ by their own tools: made, used by
# other people's programs, refused in one line, gone without a trace.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
world_begin
unset HWKEY_TCTI TPM2TOOLS_TCTI SOFTHSM2_CONF HWKEY_PKCS11_MODULE
export OPENSSL_MODULES=$top_builddir/.libs

# json FILE MEMBER: what --json printed
json() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
        "$1" "$2"
}
# with the environment that "up" printed to FILE
with() {
    (
        . "$1"
        shift
        exec "$@"
    )
}
save() {
    local file=$1
    shift
    "$@" >"$file"
}

# --- a token ---
t="$WORLD/a token"
ok 'token: up, with a blank in the path' \
    save "$WORLD/t.env" "$TOKEN_CTL" up "$t" --label 'my token' --pin 4711
is 'token: only its owner can read it' "$(stat -c %a "$t" "$t/tokens" |
    tr '\n' ' ')" '700 700 '
slots() {
    with "$1" softhsm2-util --show-slots
}
like 'token: softhsm2-util sees it' "$(slots "$WORLD/t.env")" \
    'Label: *my token'
token_tool() {
    with "$WORLD/t.env" sh -c 'exec pkcs11-tool \
        --module "$HWKEY_PKCS11_MODULE" "$@"' - --token-label 'my token' "$@"
}
ok 'token: pkcs11-tool makes a key with that PIN' token_tool --login \
    --pin 4711 --keypairgen --key-type EC:prime256v1 --label k --id 01
ok 'token: the openssl.cnf here opens it' with "$WORLD/t.env" env HWKEY_PIN=4711 \
    OPENSSL_CONF="$top_srcdir/hsm-configs/softhsm2/openssl.cnf" \
    openssl pkey -in 'pkcs11:token=my%20token;object=k;type=private' \
    -pubout -out "$WORLD/k.pem"
fails 3 'already' 'token: not made twice' "$TOKEN_CTL" up "$t"
like 'token: the second try left the first alone' "$(slots "$WORLD/t.env")" \
    'Label: *my token'
ok 'another token' save "$WORLD/u.json" "$TOKEN_CTL" up "$WORLD/u" \
    --label 'b c' --json
is 'it says its URI' "$(json "$WORLD/u.json" uri)" 'pkcs11:token=b%20c'
is 'and its file' "$(json "$WORLD/u.json" SOFTHSM2_CONF)" \
    "$WORLD/u/softhsm2.conf"
touch "$WORLD/u/mine"
ok 'token: down' "$TOKEN_CTL" down "$WORLD/u"
is 'what is not its own stays' "$(ls "$WORLD/u")" mine
ok 'token: down, nothing else inside' "$TOKEN_CTL" down "$t"
ok 'nothing is left' test ! -e "$t"

fails 2 'no token store' 'token: down twice' "$TOKEN_CTL" down "$t"
fails 2 'DIR is missing' 'token: no DIR' "$TOKEN_CTL" up
fails 2 'unknown option' 'token: unknown option' "$TOKEN_CTL" up "$t" --pink
fails 2 'its value' 'token: no value' "$TOKEN_CTL" up "$t" --pin
fails 2 '4 to 255' 'token: short PIN' "$TOKEN_CTL" up "$t" --pin 471
fails 2 'longer than 32' 'token: long label' "$TOKEN_CTL" up "$t" \
    --label "$(printf '%033d' 0)"
fails 2 'only letters' 'token: label that would need quotes' \
    "$TOKEN_CTL" up "$t" --label "a'b"
fails 2 'quotes' 'token: path that would need quotes' \
    "$TOKEN_CTL" up "$WORLD/it's"
fails 5 'cannot be made' 'token: no room for it' \
    "$TOKEN_CTL" up /proc/self/fd/token
ok 'refusals leave nothing' test ! -e "$t"

# --- a TPM ---
t=$WORLD/tpm
ok 'TPM: up' save "$WORLD/t.env" "$TPM_CTL" up "$t"
WORLD_DEVICES="$WORLD_DEVICES $TPM_CTL=$t"
first=$(cat "$t/swtpm.pid")
fails 3 'running there already' 'TPM: not started twice' "$TPM_CTL" up "$t"
ok 'TPM: answers at once' with "$WORLD/t.env" tpm2_getrandom --hex 8
tpm_value() {
    with "$WORLD/t.env" tpm2_readclock | sed -n "s/^ *$1: *//p"
}
tpm_keep() {
    with "$WORLD/t.env" sh -c 'cd "$1" &&
        tpm2_createprimary -Q -C o -G ecc256 -g sha256 -c p \
            -a "sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth" &&
        tpm2_flushcontext -t && tpm2_evictcontrol -Q -C o -c p 0x81000042 &&
        tpm2_flushcontext -t' - "$WORLD"
}
ok 'TPM: a key is made persistent' tpm_keep
resets=$(tpm_value reset_count)
ok 'TPM: reset' "$TPM_CTL" reset "$t"
is 'TPM: that was a TPM Reset' "$(tpm_value reset_count)" $((resets + 1))
ok 'TPM: the former process is gone' test ! -d "/proc/$first/task/$first/fd" -o \
    "$(sed 's/^.*) \(.\).*/\1/' "/proc/$first/stat" 2>/dev/null)" = Z
ok 'TPM: the openssl.cnf here opens the key' with "$WORLD/t.env" env \
    OPENSSL_CONF="$top_srcdir/hsm-configs/swtpm/openssl.cnf" \
    openssl pkey -in tpm2:handle=0x81000042 -pubout -out "$WORLD/k.pem"
ok 'TPM: down --keep' "$TPM_CTL" down "$t" --keep
ok 'TPM: up again' save "$WORLD/t.json" "$TPM_CTL" up "$t" --json
is 'it says its TCTI' "$(json "$WORLD/t.json" TPM2TOOLS_TCTI)" \
    "swtpm:path=$t/sock"
is 'and its process' "$(json "$WORLD/t.json" pid)" "$(cat "$t/swtpm.pid")"
like 'TPM: the key is still there' \
    "$(with "$WORLD/t.env" tpm2_getcap handles-persistent)" 0x81000042

# killed without notice, and its number with somebody else by now
kill -KILL "$(cat "$t/swtpm.pid")"
ok 'TPM: up after a crash' save "$WORLD/t.env" "$TPM_CTL" up "$t"
ok 'TPM: answers' with "$WORLD/t.env" tpm2_getrandom --hex 8
mine=$(cat "$t/swtpm.pid")
echo $$ >"$t/swtpm.pid"
fails 3 'no TPM is running' 'TPM: another process is not taken for it' \
    "$TPM_CTL" reset "$t"
echo "$mine" >"$t/swtpm.pid"
cd "$WORLD" || bail 'no world'
ok 'TPM: down, by a relative path' "$TPM_CTL" down tpm
ok 'nothing is left' test ! -e "$t"

fails 3 'no TPM is running' 'TPM: reset of none' "$TPM_CTL" reset "$t"
fails 2 'no TPM of this' 'TPM: down twice' "$TPM_CTL" down "$t"
fails 2 'DIR is missing' 'TPM: no DIR' "$TPM_CTL" up
fails 2 'unknown option' 'TPM: unknown option' "$TPM_CTL" up "$t" --fast
fails 2 'commas' 'TPM: path that options of swtpm cannot hold' \
    "$TPM_CTL" up "$WORLD/a,b"
fails 5 'too long' 'TPM: path too long for a socket' \
    "$TPM_CTL" up "$WORLD/$(printf '%0100d' 0)"
fails 5 'cannot be made' 'TPM: no room for it' "$TPM_CTL" up /proc/self/fd/tpm
mkdir "$WORLD/bin"
for p in sh mkdir pwd sed tr cat date grep rm; do
    ln -s "$(command -v $p)" "$WORLD/bin/$p"
done
fails 3 'swtpm is missing' 'TPM: no swtpm' env PATH="$WORLD/bin" "$TPM_CTL" up "$t"
fails 3 'softhsm2-util is missing' 'token: no softhsm2-util' \
    env PATH="$WORLD/bin" "$TOKEN_CTL" up "$t"
ok 'refusals leave nothing' test ! -e "$t"

# --- a TPM behind its resource manager ---
ctl=$top_srcdir/hsm-configs/tpm2-abrmd/tpm2-abrmd-device t=$WORLD/managed
ok 'manager: up' save "$WORLD/t.env" "$ctl" up "$t"
WORLD_DEVICES="$WORLD_DEVICES $ctl=$t"
fails 3 'already' 'manager: not started twice' "$ctl" up "$t"
ok 'manager: a key is made persistent, with slots that nobody flushes' \
    with "$WORLD/t.env" sh -c 'cd "$1" && for i in 1 2 3 4; do
        tpm2_createprimary -Q -C o -G ecc256 -c m || exit; done
        tpm2_evictcontrol -Q -C o -c m 0x81000042' - "$WORLD"
sed "s|^tcti = .*|&bus_type=session|" \
    "$top_srcdir/hsm-configs/tpm2-abrmd/openssl.cnf" >"$WORLD/managed.cnf"
ok 'manager: the openssl.cnf here opens the key' with "$WORLD/t.env" \
    env -u HWKEY_TCTI OPENSSL_CONF="$WORLD/managed.cnf" \
    openssl pkey -in tpm2:handle=0x81000042 -pubout -out "$WORLD/k.pem"
touch "$t/mine"
ok 'manager: down' "$ctl" down "$t"
is 'manager: what is not its own stays' "$(ls "$t")" mine
rm "$t/mine"
ok 'manager: up, in JSON' save "$WORLD/t.json" "$ctl" up "$t" --json
ok 'manager: what it says will do' env \
    DBUS_SESSION_BUS_ADDRESS="$(json "$WORLD/t.json" DBUS_SESSION_BUS_ADDRESS)" \
    tpm2_getrandom -T "$(json "$WORLD/t.json" HWKEY_TCTI)" --hex 8
ok 'manager: down again' "$ctl" down "$t"
ok 'manager: nothing is left' test ! -e "$t"
fails 2 'no device of this' 'manager: down twice' "$ctl" down "$t"
fails 2 'DIR is missing' 'manager: no DIR' "$ctl" up
fails 2 'unknown option' 'manager: unknown option' "$ctl" up "$t" --fast
fails 2 'its value' 'manager: no value' "$ctl" up "$t" --tcti
fails 2 'only letters' 'manager: path that would need quotes' \
    "$ctl" up "$WORLD/a b"
fails 5 'cannot be made' 'manager: no room for it' "$ctl" up /proc/self/fd/tpm
ok 'manager: refusals leave nothing' test ! -e "$t"

# --- a token in a TPM, and p11-kit ---
# another NAME CTL: up, openssl finds a key with the openssl.cnf here, down
another() {
    local name=$1 ctl=$2 t=$WORLD/$1
    ok "$name: up" save "$WORLD/t.env" "$ctl" up "$t" --label 'b c' --pin 4711
    WORLD_DEVICES="$WORLD_DEVICES $ctl=$t"
    ok "$name: pkcs11-tool makes a key with that PIN" with "$WORLD/t.env" \
        sh -c 'exec pkcs11-tool --module "$HWKEY_PKCS11_MODULE" "$@"' - \
        --token-label 'b c' --login --pin 4711 --keypairgen \
        --key-type EC:prime256v1 --label k --id 01
    ok "$name: the openssl.cnf here opens it" with "$WORLD/t.env" \
        env -u HWKEY_PKCS11_MODULE HWKEY_PIN=4711 \
        OPENSSL_CONF="$WORLD/$name.cnf" \
        openssl pkey -in 'pkcs11:token=b%20c;object=k;type=private' \
        -pubout -out "$WORLD/k.pem"
    fails 3 'already' "$name: not made twice" "$ctl" up "$t"
    ok "$name: that left the first alone" with "$WORLD/t.env" \
        env HWKEY_PIN=4711 OPENSSL_CONF="$WORLD/$name.cnf" \
        openssl pkey -in 'pkcs11:token=b%20c;object=k;type=private' \
        -pubout -out "$WORLD/k.pem"
    touch "$t/mine"
    ok "$name: down" "$ctl" down "$t"
    is "$name: what is not its own stays" "$(ls "$t")" mine
    rm "$t/mine"
    ok "$name: up, in JSON" save "$WORLD/t.json" "$ctl" up "$t" --json \
        --label 'b c'
    is "$name: it says its URI" "$(json "$WORLD/t.json" uri)" \
        'pkcs11:token=b%20c'
    ok "$name: and a module that is there" \
        test -e "$(json "$WORLD/t.json" HWKEY_PKCS11_MODULE)"
    ok "$name: down again" "$ctl" down "$t"
    ok "$name: nothing is left" test ! -e "$t"
    fails 2 'no device of this' "$name: down twice" "$ctl" down "$t"
    fails 2 'DIR is missing' "$name: no DIR" "$ctl" up
    fails 2 'unknown option' "$name: unknown option" "$ctl" up "$t" --pink
    fails 2 'its value' "$name: no value" "$ctl" up "$t" --pin
    fails 2 '4 to' "$name: short PIN" "$ctl" up "$t" --pin 471
    fails 2 'only letters' "$name: label that would need quotes" \
        "$ctl" up "$t" --label "a'b"
    fails 5 'cannot be made' "$name: no room for it" \
        "$ctl" up /proc/self/fd/token
    ok "$name: refusals leave nothing" test ! -e "$t"
}
# the module's path of this machine in place of Debian's on amd64
cnf() {
    local module
    module=$(echo /usr/lib/*/"$2")
    sed "s|^pkcs11-module = .*|pkcs11-module = $module|" \
        "$top_srcdir/hsm-configs/$1/openssl.cnf" >"$WORLD/$1.cnf"
}
cnf tpm2-pkcs11 pkcs11/libtpm2_pkcs11.so
cnf p11-kit p11-kit-proxy.so
another tpm2-pkcs11 "$top_srcdir/hsm-configs/tpm2-pkcs11/tpm2-pkcs11-device"
t=$WORLD/behind ctl=$top_srcdir/hsm-configs/tpm2-pkcs11/tpm2-pkcs11-device
ok 'tpm2-pkcs11 behind a server: up' save "$WORLD/t.json" "$ctl" up "$t" \
    --server --json --label 'b c'
ok 'tpm2-pkcs11 behind a server: the token is there' env \
    P11_KIT_SERVER_ADDRESS="$(json "$WORLD/t.json" P11_KIT_SERVER_ADDRESS)" \
    pkcs11-tool --module "$(json "$WORLD/t.json" HWKEY_PKCS11_MODULE)" \
    --token-label 'b c' --login --pin 123456 --list-objects
ok 'tpm2-pkcs11 behind a server: down' "$ctl" down "$t"
ok 'tpm2-pkcs11 behind a server: nothing is left' test ! -e "$t"
# for what the system's configuration of p11-kit has, if root runs this
export TPM2_PKCS11_STORE=$WORLD/no.store
mkdir "$TPM2_PKCS11_STORE"
another p11-kit "$top_srcdir/hsm-configs/p11-kit/p11-kit-device"
fails 2 'is not there' 'p11-kit: another module that is not there' \
    "$top_srcdir/hsm-configs/p11-kit/p11-kit-device" up "$t" --module none.so
done_testing
