#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A MASA is made by one command: all of it, kept when it is asked for again, and
# whole in the end wherever the command was killed. With IDEVID_LONG=1 at every
# change of a file and every call to the token.
. "$(dirname "$0")/../lib/story.sh"
src=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd)
bin=$(cd "${top_builddir:-$src/build}" && pwd)
dir=$(mktemp -d /tmp/idevid.XXXXXX) || bail 'no directory'
trap 'rm -rf "$dir"' EXIT
cd "$dir" || bail 'no directory'
export PATH=$bin:$src/hsm-configs/softhsm2:$PATH

eval "$(softhsm2-device up "$dir/tokens" --label maker --pin 123456)"
(umask 077 && echo 123456 >pin)
export HWKEY_PIN_FILE=$dir/pin
for name in root other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "/CN=$name" -keyout $name.key -out $name.pem 2>/dev/null
done

# init DIR: or what INIT is
init() {
    "${INIT[@]}" idevid-masa init "$1" --device pkcs11:token=maker \
        --maker Acme --anchors root.pem --anchors other.pem --name localhost
}
INIT=(env)

ok 'one command' init acme
like 'masa.ini has all it needs' "$(cat acme/masa.ini)" \
    "^pin-file = $dir/pin\$"
ok 'it serves by it' idevid-masa -c acme/masa.ini run --test
like 'vouchers without nonce have a key of their own' \
    "$(openssl x509 -in acme/masa-nonceless.pem -noout -subject)" \
    'Acme Nonceless Signer'
like 'which signs nothing else' "$(cat acme/nonceless.ini)" \
    '^use = nonceless$'
for name in masa masa-nonceless; do
    ok "devices believe $name by their anchors" openssl verify -x509_strict \
        -CAfile acme/voucher-anchors.pem acme/$name.pem
done
ok 'no server passes for a signer of vouchers' sh -c \
    '! openssl verify -CAfile acme/voucher-anchors.pem acme/masa-tls.pem'
ok 'registrars believe its server by theirs' openssl verify \
    -purpose sslserver -verify_hostname localhost \
    -CAfile acme/for-registrars/masa-anchors.pem acme/masa-tls.pem
is 'they get the key of the log' "$(cat acme/for-registrars/log-key.pem)" \
    "$(idevid-masa -c acme/masa.ini log-key)"
is 'and all issuers of devices' \
    "$(grep -c BEGIN acme/for-registrars/idevid-anchors.pem)" 2
softhsm2-util --init-token --free --label owner --pin 123456 \
    --so-pin 123456 >out
ok 'the folder for registrars is a maker there' idevid-registrar init domain \
    --device pkcs11:token=owner --domain Example \
    --maker "$dir/acme/for-registrars/maker.ini"
ok 'as it stands' idevid-registrar -c domain/registrar.ini run --test
is 'nothing in it is secret' "$(grep -rl PRIVATE acme)" ''

# --- again -------------------------------------------------------------------

echo '# by hand' >>acme/masa.ini
echo '# by hand' >>acme/for-registrars/maker.ini
(cd acme && sha256sum ./* for-registrars/*) >before 2>err
ok 'the same again' init acme
ok 'changes nothing, by whomever it was made' \
    diff before <(cd acme && sha256sum ./* for-registrars/* 2>../err)
mv acme/masa.pem masa.pem.away
cp root.pem acme/masa.pem
fails 1 'acme/masa.pem: is for another key' \
    'a certificate of another key is not overwritten' init acme
cp masa.pem.away acme/masa.pem
ok 'nor built upon: with the right one it goes on' init acme
echo nothing >nothing.pem
fails 1 nothing.pem 'anchors that are none' idevid-masa init none \
    --device pkcs11:token=maker --maker Acme --anchors nothing.pem
fails 2 'anchors FILE' 'no anchors' idevid-masa init none \
    --device pkcs11:token=maker --maker Acme
fails 2 'a TPM has no place' 'a TPM' idevid-masa init none --device tpm2: \
    --maker Acme --anchors root.pem
rm -rf none
fails 3 '' 'a token that is not there' idevid-masa init none \
    --device pkcs11:token=nobody --maker Acme --anchors root.pem

# --- the next key ------------------------------------------------------------

roll() { # KIND [OPTION ...]
    idevid-masa rollover acme "$1" --device pkcs11:token=maker "${@:2}"
}
ok 'the next signer' roll voucher --from 2040-01-01T00:00:00Z
ok 'by the same CA' openssl verify -x509_strict \
    -CAfile acme/voucher-anchors.pem acme/masa-2.pem
like 'begins when it is told to' "$(cat acme/masa-2.ini)" \
    '^from = 2040-01-01T00:00:00Z$'
ok 'the next one for vouchers without nonce' roll nonceless
like 'is for them' "$(cat acme/masa-nonceless-2.ini)" '^use = nonceless$'
ok 'the next server' roll server --name localhost
ok 'is believed as the first' openssl verify -purpose sslserver \
    -verify_hostname localhost -CAfile acme/for-registrars/masa-anchors.pem \
    acme/masa-tls-2.pem
sed -e 's/^also = .*/& masa-2.ini masa-nonceless-2.ini/' \
    -e 's/masa-tls\([;.]\)/masa-tls-2\1/' acme/masa.ini >acme/next.ini
ok 'a service takes all of them' idevid-masa -c acme/next.ini run --test
mv acme/masa-2.ini away.ini
cp acme/masa-2.pem before.pem
ok 'one that was cut off' roll voucher
ok 'is completed' cmp acme/masa-2.pem before.pem
ok 'then there is one more' roll voucher
ok 'of its own' [ -e acme/masa-3.ini ]
fails 2 'none of voucher, nonceless, server' 'another kind' roll log
fails 2 'from is of signers' 'a server begins when it is named' \
    roll server --from 2040-01-01T00:00:00Z
fails 2 'no time' 'a beginning that is none' roll voucher --from soon
fails 5 'run init first' 'where nothing is' idevid-masa rollover tokens voucher \
    --device pkcs11:token=maker

# --- killed ------------------------------------------------------------------

# numbers TOTAL: those at which it is tried
numbers() {
    local step=1
    [ "${IDEVID_LONG:-0}" != 0 ] || step=$(($1 / 4 + 1))
    seq $((1 + RANDOM % step)) "$step" "$1"
}
# each_of WHAT BEFORE: PLAN is read by what INIT runs under
each_of() {
    local total n how=before
    echo '1 count' >"$PLAN"
    rm -rf cut && init cut >out 2>err && total=$(cat "$PLAN.count")
    rm -f "$PLAN" "$PLAN.count"
    ok "$1: ${total:-none} of them" [ "${total:-0}" -gt 20 ] || return
    for n in $(numbers "$total"); do
        rm -rf cut
        "$2"
        echo "$n $how" >"$PLAN"
        init cut >out 2>err
        is "$1: killed $how $n of $total" "$(ls "$PLAN".*)" "$PLAN.struck"
        rm -f "$PLAN".*
        ok 'again: it ends what was begun' init cut
        ok 'and serves' idevid-masa -c cut/masa.ini run --test
        [ $how = before ] && how=after || how=before
    done
}

PLAN=$dir/plan
INIT=(env LD_PRELOAD="$bin/.libs/fscut.so" FSCUT_PLAN="$PLAN" FSCUT_DIR=cut)
each_of 'changes of files' true

new_token() {
    rm -rf tokens/tokens
    mkdir tokens/tokens
    softhsm2-util --init-token --free --label maker --pin 123456 \
        --so-pin 123456 >out
}
mkdir shim
cp "$bin/.libs/p11cut.so" shim
PLAN=$dir/shim/plan
INIT=(env P11CUT_REAL="$HWKEY_PKCS11_MODULE"
    HWKEY_PKCS11_MODULE="$dir/shim/p11cut.so")
new_token
each_of 'calls to the token' new_token
done_testing
