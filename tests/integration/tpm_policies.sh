#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keys that tpm2-tools made, bound to policies that tpm2-tools computed, sign
# with what the manual writes for these policies, and say what is wrong when
# they do not. $DEVICE is a TPM, or one behind tpm2-abrmd.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
unset HWKEY_PIN HWKEY_PIN_FILE HWKEY_POLICY HWKEY_POLICY_KEYS

world_begin
openssl_conf
ok "a TPM: ${DEVICE:=tpm}" some_tpm_up "$DEVICE" device || bail 'no TPM'
cat >>"$WORLD/device.env" <<EOF2
export HWKEY_TPM_LOCK=$WORLD/lock TSS2_LOG=all+NONE
EOF2
cp "$WORLD/openssl.cnf" "$WORLD/plain.cnf"
cd "$WORLD" || bail 'no world'
echo 'what is signed' >data

o() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device device timeout 60 openssl "$@"
}
# what tpm2-tools leave in a TPM without a manager, they leave to the next
tool() {
    local code=0 name=$1
    shift
    in_device device timeout 60 "tpm2_$name" -Q "$@" || code=$?
    [ "$DEVICE" = abrmd ] || {
        in_device device tpm2_flushcontext -t
        in_device device tpm2_flushcontext -l
    }
    return $code
}
no() {
    ! "$@"
}

# trial NAME STEP ...: the digest of these policy commands in NAME.dat; a step
# is the name of a tool and its arguments in one word
trial() {
    local name=$1 step
    shift
    tool startauthsession -S s.ctx || return
    for step in "$@"; do
        # shellcheck disable=SC2086
        tool ${step%% *} -S s.ctx -L "$name.dat" ${step#* } || return
    done
    in_device device tpm2_flushcontext s.ctx
}
# bound HANDLE NAME: a key that NAME.dat is the only way to, and its public key
bound() {
    tool create -C srk.ctx -G ecc256 -u k.pub -r k.priv -L "$2.dat" \
        -a 'fixedtpm|fixedparent|sensitivedataorigin|sign' ${3:+-p "$3"} &&
        tool load -C srk.ctx -u k.pub -r k.priv -c k.ctx &&
        tool evictcontrol -C o -c k.ctx "$1" &&
        tool readpublic -c "$1" -f pem -o "$1.pem"
}
# policy HANDLE TEXT: what the configuration says from now on
policy() {
    grep -v "^policy.$1 " openssl.cnf >new.cnf
    echo "policy.$1 = $2" >>new.cnf
    mv new.cnf openssl.cnf
}
signs() {
    o dgst -sha256 -sign "tpm2:handle=$1${2-}" -out sig data 2>err &&
        openssl dgst -sha256 -verify "$1.pem" -signature sig data
}
works() {
    ok "$1: by $3" policy "$2" "$3"
    ok "$1: signs" signs "$2" "${4-}"
}
refused() {
    ok "$1: no" no signs "$2" "${4-}"
    like "$1: and why" "$(cat err)" "$3"
}

ok 'a parent' tool createprimary -C o -G ecc -c srk.ctx
ok 'a counter' tool nvdefine 0x01800A00 -C o \
    -a 'ownerwrite|ownerread|authread|no_da|nt=counter'
for _ in 1 2 3 4 5 6 7; do
    tool nvincrement 0x01800A00 -C o
done
printf '\0\0\0\0\0\0\0\7' >seven
openssl genrsa -out boss.key 2048 2>/dev/null
openssl rsa -in boss.key -pubout -out boss.pem 2>/dev/null
NV='policynv -C 0x01800A00 -i seven 0x01800A00 eq'

# --- the manual's example ---
section() {
    sed -n '/^\.Ss Policies of TPM keys/,/^\.Ss Software/p' \
        "$top_srcdir/provider/man/hwkey-provider.7"
}
example() {
    section | grep '^policy\.0x'
}
section | sed -n '/^\$ /,/^\.Ed/p' |
    sed -e '/^\.Ed/d' -e 's/^\$ //' -e 's/\\e$/\\/' >made.sh
is 'two commands of the manual' "$(grep -c '^openssl' made.sh)" 2
made() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device device sh -e made.sh
}
ok 'the commands of the manual' made
ok 'a policy of counter and PCR' trial both "$NV" 'policypcr -l sha256:7'
ok 'a policy of the counter' trial nv "$NV"
ok 'a policy of the PIN' trial auth 'policyauthvalue '
ok 'either' trial or "$NV" 'policyor sha256:nv.dat,auth.dat'
ok 'a key of the first' bound 0x81000005 both
ok 'a key of the second' bound 0x81000006 or 1234
example >>openssl.cnf
is 'two lines of the manual' "$(grep -c '^policy' openssl.cnf)" 2
ok 'the first signs' signs 0x81000005
ok 'the second signs with the counter' signs 0x81000006
ok 'the PCR becomes another one' tool pcrextend \
    7:sha256=1111111111111111111111111111111111111111111111111111111111111111
refused 'the first' 0x81000005 'its PCRs had other values when it was made'
ok 'the key in a file does not sign either' no o dgst -sha256 -sign key.pem \
    -out sig data
like 'and why' "$(cat "$tap_dir/err")" \
    'pcr(sha256:7): the PCRs are not as wanted: .*PCR 7 is '
ok 'the second does not care' signs 0x81000006
ok 'the counter goes on' tool nvincrement 0x01800A00 -C o
refused 'the first' 0x81000005 \
    'nv(0x01800a00 == 0000000000000007): it holds 0000000000000008'
refused 'the second without the PIN' 0x81000006 \
    'has an authorization value: give it'
ok 'the second with it' signs 0x81000006 '?pin-value=1234'

# --- each kind, as tpm2-tools have it ---
tool createpolicy --policy-pcr -l sha256:0,7 -L pcr.dat
ok 'PCRs' bound 0x81000010 pcr
works 'PCRs' 0x81000010 'pcr(sha256:0,7)'
works 'PCRs with values' 0x81000010 "pcr(sha256:0=$(printf '0%.0s' {1..64}),7=$(
    in_device device tpm2_pcrread sha256:7 | sed -n 's/.*7 *: 0x//p')"\)
ok 'the PCR becomes another one' tool pcrextend \
    7:sha256=1111111111111111111111111111111111111111111111111111111111111111
refused 'PCRs' 0x81000010 'PCR 7 is [0-9a-f]*, wanted '

ok 'a hierarchy for one command' trial secret 'policysecret -c o' \
    'policycommandcode TPM2_CC_Sign'
ok 'a hierarchy' bound 0x81000011 secret
works 'a hierarchy' 0x81000011 'secret(owner) & code(sign)'
ok 'it has a secret' tool changeauth -c o boss
refused 'a hierarchy' 0x81000011 'secret(owner): its authorization value was'
echo boss >owner.pin
echo "pin-source.owner = $WORLD/owner.pin" >>openssl.cnf
ok 'a hierarchy: with its secret' signs 0x81000011
ok 'it has none' tool changeauth -c o -p boss
grep -v '^pin-source' openssl.cnf >new.cnf && mv new.cnf openssl.cnf

# openssl's signature of four zero bytes
printf '\0\0\0\0' | openssl dgst -sha256 -sign boss.key -out four.sig
ok 'who signs' tool loadexternal -G rsa -C o -u boss.pem -c boss.ctx -n boss.name
ok 'signed' trial signed 'policysigned -g sha256 -s four.sig -f rsassa -c boss.ctx'
ok 'signed' bound 0x81000012 signed
works 'signed' 0x81000012 "signed($WORLD/boss.pem, sig=$WORLD/four.sig)"
ok 'signed: no signature' policy 0x81000012 "signed($WORLD/boss.pem)"
refused 'signed' 0x81000012 'there is no signature'
echo "policy-keys = $WORLD/boss.key" >>openssl.cnf
ok 'signed: by policy-keys' signs 0x81000012

ok 'approved' trial approved \
    'policyauthorize -i pcr.dat -n boss.name'
ok 'approved' bound 0x81000013 approved
works 'approved' 0x81000013 "pcr(sha256:7) & authorize($WORLD/boss.pem)"
works 'approved: another one' 0x81000013 \
    "nv(0x01800A00 >= count:7) & authorize($WORLD/boss.pem)"

is 'nothing is left in the TPM' "$(in_device device tpm2_getcap \
    handles-transient && in_device device tpm2_getcap handles-loaded-session)" ''
done_testing
