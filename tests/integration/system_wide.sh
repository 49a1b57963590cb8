#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hwkey in the openssl.cnf of a whole machine: programs that have nothing to do
# with devices go on whatever is wrong, those that have hear what it is; and
# the configuration and commands of hwkey-provider(7) are run as they stand.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT
PAGE=$top_srcdir/provider/man/hwkey-provider.7

world_begin
ok 'a token' token_up web || bail 'no token'
. "$WORLD/web.env"
SOFTHSM=$HWKEY_PKCS11_MODULE
unset HWKEY_PKCS11_MODULE HWKEY_PIN_FILE
export OPENSSL_CONF=$WORLD/openssl.cnf
cd "$WORLD" || bail 'no world'

# conf SETTINGS [ORDER [PROPERTIES]]: the machine's openssl.cnf
conf() {
    local order=${2:-default hwkey} p
    {
        printf 'openssl_conf = i\n[i]\nproviders = p\nalg_section = a\n[a]\n'
        printf 'default_properties = %s\n[p]\n' "${3:-?provider=default}"
        for p in $order; do
            echo "$p = ${p}_section"
        done
        printf '[default_section]\nactivate = 1\n[hwkey_section]\n'
        printf 'module = %s\n' "$MODULE"
        printf 'activate = 1\n%b\n' "$1"
    } >"$OPENSSL_CONF"
}

# make_software WHAT: programs that have no device and make a key
make_software() {
    ok "$1: a key and a certificate" timeout 30 openssl req -x509 -newkey ec \
        -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout soft.pem \
        -subj /CN=localhost -days 1 -out soft.crt
    ok "$1: RSA, encrypted at rest" timeout 30 openssl genpkey \
        -algorithm RSA -aes256 -pass pass:x -out rsa.pem
}
# software WHAT: those that have one
software() {
    local n=$1
    ok "$n: a digest" sh -c 'echo a | timeout 30 openssl dgst -sha256'
    ok "$n: it is signed and verified" sh -c 'echo a >a &&
        timeout 30 openssl dgst -sha256 -sign soft.pem -out a.sig a &&
        timeout 30 openssl x509 -in soft.crt -pubkey -noout -out soft.pub &&
        timeout 30 openssl dgst -sha256 -verify soft.pub -signature a.sig a'
    ok "$n: an encrypted key" timeout 30 openssl pkey -in rsa.pem \
        -passin pass:x -noout
    ok "$n: python" timeout 30 python3 -c \
        'import ssl; ssl.create_default_context().load_cert_chain("soft.crt", "soft.pem")'
}

# --- one key for what follows ---
conf "pkcs11-module = $SOFTHSM"
ok 'a key in the token' timeout 30 openssl genpkey -propquery provider=hwkey \
    -algorithm EC -pkeyopt group:P-256 -out key.pem \
    -pkeyopt "uri:pkcs11:token=web;object=mine;id=%01?pin-source=$WORLD/pin"
KEY="pkcs11:token=web;object=mine;type=private?pin-source=$WORLD/pin"

# --- a mistake of each kind: wrong SETTINGS TEXT ---
wrong() {
    conf "$1"
    make_software "$2"
    software "$2"
    ! timeout 30 openssl pkey -in "$KEY" -noout >out 2>&1 ||
        tap_result 1 "$2: the key is refused"
    like "$2: the URI says so" "$(cat out)" "$2"
}
wrong "pkcs11-module = $SOFTHSM\nlogin = sometimes" \
    "login: 'sometimes' is not allowed, but auto, always or never"
wrong "pkcs11-module = $SOFTHSM\nmax_sessions = 4" \
    "max_sessions: no such setting, but 'max-sessions'"
wrong '' 'no PKCS#11 module'
wrong 'pkcs11-module = /nowhere/module.so' '/nowhere/module.so'
wrong "pkcs11-module = $SOFTHSM\ndebug = /nowhere/x/log:calls\nlogin = no" \
    "login: 'no'"
conf "pkcs11-module = $SOFTHSM"
! timeout 30 openssl pkey -in 'pkcs11:token=away;object=k' -noout >out 2>&1
like 'a token that is away is named' "$(cat out)" "token 'away' is not there"
sed -i 's|^module = .*|module = /nowhere/hwkey.so|' "$OPENSSL_CONF"
make_software 'hwkey.so itself is missing'
software 'hwkey.so itself is missing'

# --- an argument is for the module that it names: SoftHSM2 takes none ---
conf "pkcs11-module = $SOFTHSM\npkcs11-init-args.other = x"
ok 'an argument for another module' timeout 30 openssl pkey -in "$KEY" -noout
conf "pkcs11-module = $SOFTHSM\npkcs11-init-args.softhsm2 = x"
! timeout 30 openssl pkey -in "$KEY" -noout >out 2>&1
like 'an argument for this one' "$(cat out)" 'CKR_ARGUMENTS_BAD'
conf "pkcs11-module = $SOFTHSM\npkcs11-init-args = args\n[args]\nsofthsm2 = x"
! timeout 30 openssl pkey -in "$KEY" -noout >out 2>&1
like 'the same as a section' "$(cat out)" 'CKR_ARGUMENTS_BAD'

# --- set-ups made for others ---
conf ''
ok 'PKCS11_PROVIDER_MODULE and PKCS11_PIN' env \
    PKCS11_PROVIDER_MODULE="$SOFTHSM" PKCS11_PIN="$PIN" timeout 30 \
    openssl dgst -sha256 -sign 'pkcs11:token=web;object=mine' -out sig out
ok 'PKCS11_MODULE_PATH' env PKCS11_MODULE_PATH="$SOFTHSM" timeout 30 \
    openssl pkey -in "$KEY" -noout

# --- SoftHSM2 reads the same openssl.cnf: it must not end up in itself ---
for order in 'default hwkey' 'hwkey default' hwkey; do
    for props in '?provider=default' '?provider=hwkey'; do
        conf "pkcs11-module = $SOFTHSM" "$order" "$props"
        ok "$order, $props: the key signs" timeout 60 openssl dgst -sha256 \
            -sign "$KEY" -out sig out
        ok "$order, $props: the key of a file signs" env \
            HWKEY_PIN_FILE="$WORLD/pin" timeout 60 openssl dgst -sha256 \
            -sign key.pem -out sig out
        ok "$order, $props: a key is made" timeout 60 openssl genpkey \
            -propquery provider=hwkey -algorithm RSA -out /dev/null \
            -pkeyopt "uri:pkcs11:token=web;pin-value=$PIN"
        make_software "$order, $props"
        software "$order, $props"
    done
done

# --- without the default provider: SoftHSM2 itself needs it, others do not ---
echo "slot 1 label=soft serial=1 pin=1234 file=$WORLD/soft.tok" >soft.conf
export P11SOFT_CONF=$WORLD/soft.conf
conf "pkcs11-module = $top_builddir/.libs/p11soft.so\nload-default = no" \
    'base hwkey'
sed -i 's/^\[default_section\]/[base_section]/' "$OPENSSL_CONF"
SOFT='pkcs11:token=soft;object=b?pin-value=1234'
ok 'with base only: a key is made' timeout 30 openssl genpkey -algorithm EC \
    -pkeyopt group:P-256 -pkeyopt "uri:$SOFT" -out base.pem
printf '%032d' 7 >digest
ok 'with base only: it signs' timeout 30 openssl pkeyutl -sign -inkey "$SOFT" \
    -in digest -out sig
ok 'with base only: it shows its public half' env HWKEY_PIN=1234 \
    timeout 30 openssl pkey -in base.pem -pubout -out base.pub
! timeout 30 openssl dgst -sha256 digest >out 2>&1 ||
    tap_result 1 'with base only: there is no software'
conf ''
ok 'default verifies that' timeout 30 openssl pkeyutl -verify -pubin \
    -inkey base.pub -in digest -sigfile sig

# --- operations that are blocked ---
conf "pkcs11-module = $SOFTHSM\nblock-operations = encoder decoder"
! timeout 30 openssl pkey -in key.pem -noout >out 2>&1 ||
    tap_result 1 'blocked: a file does not stand for a key'
ok 'blocked: the URI does' timeout 30 openssl pkey -in "$KEY" -noout

# --- the log, and what is not read with raised privileges ---
conf "pkcs11-module = $SOFTHSM"
is 'the log does not mix with what a program prints' \
    "$(HWKEY_DEBUG=$WORLD/log:calls timeout 30 openssl pkey -in "$KEY" -pubout)" \
    "$(timeout 30 openssl pkey -in "$KEY" -pubout)"
like 'the log has the login' "$(cat log)" '^login .*token=web .*rv=CKR_OK'
is 'the PIN is not in it' "$(grep -c "$PIN" log)" 0
if [ "$(id -u)" = 0 ] && cp "$(command -v openssl)" other &&
    chown nobody other && chmod 4755 other && chmod 755 . &&
    [ "$(HWKEY_X=1 ./other version | grep -c OpenSSL)" = 1 ]; then
    ! HWKEY_PKCS11_MODULE=$SOFTHSM HWKEY_DEBUG=stderr:info timeout 30 \
        ./other pkey -provider default -provider-path "${MODULE%/*}" \
        -provider hwkey -in pkcs11:token=web -noout >out 2>&1
    if grep -q 'unable to load provider' out; then
        skip 'raised privileges' 'the build directory is not for everybody'
    else
        like 'the environment is not read' "$(cat out)" 'no PKCS#11 module'
        is 'and there is no log' "$(grep -c '^start' out)" 0
    fi
else
    skip 'raised privileges' 'needs root'
fi

# --- the manual, as it stands ---
# block SECTION: the displays of a section, mdoc taken away
block() {
    sed -n "/^\.S[hs] $1/,/^\.S[hs] /p" "$PAGE" |
        sed -n '/^\.Bd/,/^\.Ed/p' | grep -v '^\.[BE]d' | sed 's/\\e/\\/g'
}
block CONFIGURATION >manual.cnf
sed "s|/usr/lib/ossl-modules/hwkey.so|$MODULE|
    s|/usr/lib/softhsm/libsofthsm2.so|$SOFTHSM|
    /^pkcs11-module = .*:/,\$d" manual.cnf >"$OPENSSL_CONF"
ok 'the configuration of the manual' timeout 30 openssl pkey -in "$KEY" -noout
block CONFIGURATION | sed -n '/^pkcs11-module = .*:/,/activate/p' >two.txt
like 'its example of two modules' "$(cat two.txt)" 'init-args.softokn3 = '
conf "$(sed "s|^pkcs11-module = .*:|pkcs11-module = $SOFTHSM:/nowhere/|
    /activate/d" two.txt)"
ok 'one of two modules may be missing' timeout 30 openssl pkey -in "$KEY" -noout

conf "pkcs11-module = $SOFTHSM\npin-source = $WORLD/pin"
# Every command of a section that has a prompt before it; a TPM and the network
# are left to other stories.
commands() {
    block "$1" | awk '/^\$ / { take = 1; sub(/^\$ /, "") }
        take { take = sub(/\\$/, ""); printf "%s%s", $0, take ? " " : "\n" }' |
        grep -v 'tpm2:\|curl\|https:\|-connect'
}
commands EXAMPLES >commands.txt
like 'there are examples' "$(wc -l <commands.txt)" '^[5-9]\|^[1-9][0-9]'
while read -r command; do
    ok "EXAMPLES: $command" timeout 60 bash -c "$command"
done <commands.txt
# and those that stand in the text
ok 'a certificate to store' timeout 30 openssl req -x509 -new -key "$KEY" \
    -subj /CN=localhost -days 1 -out cert.pem
sed -n 's/^\.Dl \$ //p' "$PAGE" >lines.txt
is 'there are commands in the text' "$(wc -l <lines.txt)" 4
while read -r command; do
    ok "$command" env PATH="$BIN:$PATH" HWKEY_PKCS11_MODULE="$SOFTHSM" \
        HWKEY_PIN_FILE="$WORLD/pin" timeout 60 bash -c "$command"
done <lines.txt
ok 'the file that was written stands for the key' cmp \
    <(timeout 30 openssl pkey -in key.pem -pubout) \
    <(timeout 30 openssl x509 -in cert.pem -noout -pubkey)
ok 'the certificate is there' cmp <(timeout 30 openssl x509 -in cert.pem) \
    <(timeout 30 openssl x509 -in 'pkcs11:token=web;id=%01;type=cert')
done_testing
