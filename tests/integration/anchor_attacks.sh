#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each attack of the threat table on the profile "owner", carried out by root
# with tpm2-tools and what changes files; that each ends as idevid-anchor(8)
# says. Unit programs have what takes place within one of our commands: a PCR
# that changes between define and write (test_anchor_owner), the bus
# (test_anchor_bus, test_tpm2_door_bus), the power (test_anchor_cut); and
# test_anchor_kept the sessions of the profile "platform".
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

COUNTER=0x01800A00
ANCHOR=0x01800A01
KIND='policywrite|authread|ownerread|writedefine|writeall|no_da'

anchor() {
    in_device gateway "$BIN/idevid-anchor" -c "$WORLD/gateway.ini" "$@"
}
root() {
    in_device gateway env TPM2TOOLS_TCTI="$(. "$WORLD/gateway.env" &&
        echo "$HWKEY_TCTI")" "$@"
}
quietly() {
    root "$@" >/dev/null 2>&1
}
power_cycle() {
    "$TPM_CTL" reset "$WORLD/gateway.tpm" >/dev/null
}
# imprint [CERTIFICATE]
imprint() {
    anchor imprint --certificate "${1:-$WORLD/owner/domain-ca.pem}" \
        --physical-presence --yes-i-am-present </dev/null
}

# outcome ATTACK: what the table, which is the manual's, says for this device
outcome() {
    anchor profile --threats | grep -F -A 1 "$1" | sed -n '2s/^ *//p'
}
# says ATTACK PATTERN: the table promises that
attacks=
attacks_n=0
says() {
    attacks="$attacks$1
"
    attacks_n=$((attacks_n + 1))
    like "the table: $1" "$(outcome "$1")" "$2"
}
# noticed TEXT WHAT: tampered, and said why; the IDevID is usable all the same
noticed() {
    fails 1 "tampered.*$1" "$2" anchor check
    like "$2: the anchor counts for nothing" "$(anchor --json check 2>&1)" \
        'tampered'
}
# The way out, always: reset, and imprinted anew.
anew() {
    ok 'the way out: reset' anchor reset --yes
    ok 'and imprinted again' imprint "$@"
    ok 'as it was sealed' anchor check
}

# --- what root does to the TPM ------------------------------------------------

value() {
    root tpm2_nvread $COUNTER -C $COUNTER -s 8 | od -An -tx1 | tr -d ' \n'
}
bytes() {
    printf '%b' "$(printf '%s' "$1" | sed 's/../\\x&/g')"
}
# number N: as eight bytes
number() {
    bytes "$(printf '%016x' "$1")"
}
save() {
    root tpm2_nvread $ANCHOR -C $ANCHOR -s 112 -o "$1"
}
# first_leg G OUT: the digest of PolicyNV(counter = G), by the TPM
first_leg() {
    number "$1" >"$WORLD/g"
    quietly tpm2_startauthsession -S "$WORLD/t" &&
        quietly tpm2_policynv -S "$WORLD/t" -C $COUNTER -i "$WORLD/g" \
            $COUNTER eq -L "$2"
    quietly tpm2_flushcontext "$WORLD/t"
}
# leg_of G OUT: the same, calculated, also when the counter has gone on
leg_of() {
    local name
    name=$(root tpm2_nvreadpublic $COUNTER | sed -n 's/.*name: *//p')
    {
        head -c 32 /dev/zero
        bytes 00000149
        { number "$1" && bytes 00000000; } | openssl dgst -sha256 -binary
        bytes "$name"
    } | openssl dgst -sha256 -binary >"$2"
}
# policy LEG RECORD OUT: what commits to that record
policy() {
    {
        head -c 32 /dev/zero
        bytes 00000171
        cat "$1"
        openssl dgst -sha256 -binary "$2"
    } | openssl dgst -sha256 -binary >"$3"
}
# satisfied SESSION G [LEG RECORD]: a policy session that fulfils the first leg
satisfied() {
    number "$2" >"$WORLD/g"
    quietly tpm2_startauthsession --policy-session -S "$1" &&
        quietly tpm2_policynv -S "$1" -C $COUNTER -i "$WORLD/g" $COUNTER eq ||
        return
    [ $# -lt 3 ] || by_leg "$1" "$3" "$4"
}
by_leg() {
    openssl dgst -sha256 -binary "$3" >"$WORLD/second"
    quietly tpm2_policyor -S "$1" -l "sha256:$2,$WORLD/second"
}
define() {
    quietly tpm2_nvdefine $ANCHOR -C o -s 112 -a "${2:-$KIND}" -L "$1"
}
undefine() {
    quietly tpm2_nvundefine "$1" -C o
}
# write RECORD SESSION
write() {
    quietly tpm2_nvwrite $ANCHOR -C $ANCHOR -P "session:$2" -i "$1"
}
lock() {
    quietly tpm2_nvwritelock $ANCHOR -C $ANCHOR -P "session:$1"
}
flush() {
    quietly tpm2_flushcontext -l
    rm -f "$WORLD"/s1 "$WORLD"/s2
}

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a TPM' device_tpm gateway TPM-0001
ok 'owner' owner
command -v tpm2_policynv >/dev/null || bail 'no tpm2-tools'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -keyout "$WORLD/rogue-key.pem" -out "$WORLD/rogue.pem" -subj '/CN=Rogue' \
    2>/dev/null
ok 'imprinted' imprint
ok 'as it was sealed' anchor check
like 'by the profile owner' "$(anchor profile)" 'owner'
state=$WORLD/gateway.state

# --- files
says 'A file in the state directory is edited' '^noticed'
ok 'a copy of the files' cp -a "$state" "$WORLD/first"
for file in anchor.der anchor.json; do
    n=$(($(stat -c %s "$state/$file") / 2))
    printf '\377' | dd of="$state/$file" bs=1 seek=$n conv=notrunc 2>/dev/null
    noticed '' "$file: a byte changed"
    head -c $n "$WORLD/first/$file" >"$state/$file"
    noticed '' "$file: half of it"
    : >"$state/$file"
    noticed '' "$file: empty"
    rm "$state/$file"
    noticed 'missing' "$file: gone"
    cp -a "$WORLD/first/$file" "$state/"
    ok "$file: put back" anchor check
done
openssl x509 -in "$WORLD/rogue.pem" -outform DER -out "$state/anchor.der"
noticed 'not what the record seals\|pinned\|hash' 'another certificate'
cp -a "$WORLD/first/anchor.der" "$state/"
save "$WORLD/record1"
g1=$((16#$(value) - 1))
root tpm2_nvreadpublic $ANCHOR >"$WORLD/public1"
ok 'the same owner, once more' anchor reset --yes
ok 'a second imprint' imprint
cp -a "$state" "$WORLD/second-files"
cp -a "$WORLD/first/anchor.json" "$state/"
noticed 'another record' 'anchor.json of the imprint before'
anew

# --- the record of another imprint, in the place of this
says 'A record of another device, or a copy of another one of this' '^noticed'
g=$((16#$(value) - 1))
first_leg $((g + 1)) "$WORLD/leg"
policy "$WORLD/leg" "$WORLD/record1" "$WORLD/pol"
undefine $ANCHOR
ok 'root: an index for the record of the first imprint' define "$WORLD/pol"
ok 'root: fulfils its policy' satisfied "$WORLD/s1" $((g + 1)) "$WORLD/leg" \
    "$WORLD/record1"
ok 'root: writes it' write "$WORLD/record1" "$WORLD/s1"
flush
ok 'root: again' satisfied "$WORLD/s1" $((g + 1)) "$WORLD/leg" \
    "$WORLD/record1"
ok 'root: locks it' lock "$WORLD/s1"
flush
cp -a "$state" "$WORLD/third-files"
cp -a "$WORLD/first/." "$state"
fails 1 'tampered\|not imprinted' 'with its files' anchor check
rm -rf "$state"
cp -a "$WORLD/third-files" "$state"
undefine $ANCHOR
anew

# --- deleted, and made anew in its place
says 'Root deletes the anchor from the device' '^noticed: the anchor is gone'
save "$WORLD/record"
g=$((16#$(value) - 1))
first_leg $((g + 1)) "$WORLD/leg"
policy "$WORLD/leg" "$WORLD/record" "$WORLD/pol"
ok 'root: undefines the index' undefine $ANCHOR
noticed 'the anchor is gone' 'deleted'
says 'Root deletes it and makes one of its own in the same place' '^noticed'
ok 'root: an index under a policy of today' define "$WORLD/pol"
ok 'root: fulfils it' satisfied "$WORLD/s1" $((g + 1)) "$WORLD/leg" \
    "$WORLD/record"
ok 'root: writes the same record' write "$WORLD/record" "$WORLD/s1"
flush
ok 'root: and again' satisfied "$WORLD/s1" $((g + 1)) "$WORLD/leg" \
    "$WORLD/record"
ok 'root: locks' lock "$WORLD/s1"
flush
noticed 'policy' 'the old record under another policy'
undefine $ANCHOR
ok 'root: an index that the owner may write' quietly tpm2_nvdefine $ANCHOR \
    -C o -s 112 -a 'ownerwrite|authread|ownerread|no_da' -L "$WORLD/pol"
ok 'root: the same record in it' quietly tpm2_nvwrite $ANCHOR -C o \
    -i "$WORLD/record"
noticed 'attributes' 'the old record in another kind of index'
undefine $ANCHOR
anew

# --- an anchor that was left
says 'An anchor that was left is put back' '^refused'
undefine $ANCHOR
first_leg "$g1" "$WORLD/leg1"
policy "$WORLD/leg1" "$WORLD/record1" "$WORLD/pol1"
ok 'root: the index of the first imprint, the same public area' \
    define "$WORLD/pol1"
is 'its policy is what it was' "$(root tpm2_nvreadpublic $ANCHOR |
    sed -n 's/.*policy: *//p')" "$(sed -n 's/.*policy: *//p' "$WORLD/public1")"
satisfied "$WORLD/s1" "$g1" "$WORLD/leg1" "$WORLD/record1"
is 'refused: nobody fulfils its policy again' $? 1
write "$WORLD/record1" "$WORLD/s1"
is 'and so nobody writes it' $? 1
flush
rm -rf "$state"
cp -a "$WORLD/first" "$state"
fails 1 'not imprinted' 'its files bring nothing back' anchor check
undefine $ANCHOR
anchor reset --yes >/dev/null
ok 'imprinted again' imprint

# --- the counter
says "An index of another type takes the counter's place" '^noticed'
number $((16#$(value))) >"$WORLD/number"
ok 'root: undefines the counter' undefine $COUNTER
noticed 'counter' 'no counter'
ok 'root: a plain index with the same number' quietly tpm2_nvdefine $COUNTER \
    -C o -s 8 -a 'ownerwrite|ownerread|authread|no_da'
ok 'root: written' quietly tpm2_nvwrite $COUNTER -C o -i "$WORLD/number"
noticed 'counter' 'a fake counter'
undefine $COUNTER
undefine $ANCHOR
anew

# --- a session that was kept
says 'A policy session that was satisfied during the imprint is kept' \
    '^refused once capped; before, another content is noticed'
ok 'left' anchor reset --yes
g=$((16#$(value)))
ok 'root, before the imprint: one session to write' satisfied "$WORLD/s1" $g
ok 'root, before the imprint: one to lock' satisfied "$WORLD/s2" $g
ok 'imprinted' imprint
save "$WORLD/record"
head -c 60 "$WORLD/record" >"$WORLD/forged"
printf '\377\377' >>"$WORLD/forged"
tail -c +63 "$WORLD/record" >>"$WORLD/forged"
first_leg $((g + 1)) "$WORLD/other"
leg_of $((g + 1)) "$WORLD/calculated"
is "the calculation is the TPM's" "$(od -An -tx1 "$WORLD/calculated")" \
    "$(od -An -tx1 "$WORLD/other")"
leg_of $g "$WORLD/leg"
policy "$WORLD/leg" "$WORLD/record" "$WORLD/pol"
ok 'root: undefines the index' undefine $ANCHOR
ok 'root: the same public area' define "$WORLD/pol"
ok 'root: the kept session' by_leg "$WORLD/s1" "$WORLD/leg" "$WORLD/record"
ok 'root: writes another content with it' write "$WORLD/forged" "$WORLD/s1"
ok 'root: the other one' by_leg "$WORLD/s2" "$WORLD/leg" "$WORLD/record"
ok 'root: locks with it' lock "$WORLD/s2"
noticed '' 'before the cap: another content'
flush
anew
ok 'left' anchor reset --yes
g=$((16#$(value)))
ok 'root: a session is kept' satisfied "$WORLD/s1" $g
ok 'imprinted' imprint
ok 'the TPM is switched off and on: that is the cap' power_cycle
leg_of $g "$WORLD/leg"
by_leg "$WORLD/s1" "$WORLD/leg" "$WORLD/record"
is 'refused: the session is dead' $? 1
flush
ok 'as it was sealed' anchor check

# --- the same, capped by a PCR at once
printf '[anchor]\ncap = pcr:15\ngate-pcrs = 15\n' >>"$WORLD/gateway.ini"
ok 'left' anchor reset --yes
g=$((16#$(value)))
number $g >"$WORLD/g"
ok 'root: a session is kept' quietly tpm2_startauthsession --policy-session \
    -S "$WORLD/s1"
ok 'root: it fulfils the PCRs' quietly tpm2_policypcr -S "$WORLD/s1" \
    -l sha256:15
ok 'root: and the counter' quietly tpm2_policynv -S "$WORLD/s1" -C $COUNTER \
    -i "$WORLD/g" $COUNTER eq -L "$WORLD/leg"
ok 'imprinted, which extends PCR 15' imprint
save "$WORLD/record"
policy "$WORLD/leg" "$WORLD/record" "$WORLD/pol"
is 'its policy is what the calculation says' "$(root tpm2_nvreadpublic \
    $ANCHOR | sed -n 's/.*policy: *//p' | tr A-F a-f)" \
    "$(od -An -tx1 "$WORLD/pol" | tr -d ' \n')"
undefine $ANCHOR
ok 'root: the same public area' define "$WORLD/pol"
by_leg "$WORLD/s1" "$WORLD/leg" "$WORLD/record" &&
    write "$WORLD/record" "$WORLD/s1"
is 'refused: the session is dead without a reboot' $? 1
flush
undefine $ANCHOR
sed -i '/^\[anchor\]/,$d' "$WORLD/gateway.ini"
ok 'the power goes, and the PCR is as ever' power_cycle
anew

# --- a part of the record
says 'A part of the record is written' '^refused by the TPM'
ok 'left' anchor reset --yes
g=$((16#$(value)))
leg_of $g "$WORLD/leg"
policy "$WORLD/leg" "$WORLD/record" "$WORLD/pol"
ok 'root: an index' define "$WORLD/pol"
ok 'root: fulfils its policy' satisfied "$WORLD/s1" $g "$WORLD/leg" \
    "$WORLD/record"
head -c 64 "$WORLD/record" >"$WORLD/part"
write "$WORLD/part" "$WORLD/s1"
is 'refused by the TPM' $? 1
flush
ok "an index that was never written is in nobody's way" imprint

# --- lockout
says 'The TPM is driven into dictionary-attack lockout' '^harmless'
ok 'root: an index with a value' quietly tpm2_nvdefine 0x01800B01 -C o -s 8 \
    -p secret -a 'ownerwrite|authread|authwrite'
ok 'root: written' quietly tpm2_nvwrite 0x01800B01 -C o -i "$WORLD/number"
for try in $(seq 40); do
    root tpm2_getcap properties-variable 2>/dev/null |
        grep -q 'inLockout: *1' && break
    quietly tpm2_nvread 0x01800B01 -C 0x01800B01 -P "wrong$try"
done
like 'locked out' "$(root tpm2_getcap properties-variable)" 'inLockout: *1'
ok 'harmless: the anchor is read all the same' anchor check
ok 'lockout ended' quietly tpm2_dictionarylockout --clear-lockout
undefine 0x01800B01

# --- TPM2_Clear
says 'TPM2_Clear' '^noticed: the anchor is gone; no old one comes back'
save "$WORLD/record"
before=$((16#$(value)))
ok 'root: TPM2_Clear' quietly tpm2_clear -c l
noticed 'the anchor is gone' 'cleared'
ok 'the way out: reset' anchor reset --yes
ok 'imprinted again' imprint
ok 'no generation comes back' [ $((16#$(value))) -gt "$before" ]

# --- storage
says "The device's disk is copied, and the copy put back after a reset" \
    '^noticed: the TPM has gone on'
ok 'a copy' cp -a "$state" "$WORLD/storage"
ok 'left' anchor reset --yes
ok 'imprinted on somebody else' imprint "$WORLD/rogue.pem"
rm -rf "$state"
cp -a "$WORLD/storage" "$state"
noticed '' 'the copy put back'
ok 'reset' anchor reset --yes
fails 1 'not imprinted' 'nothing is left' anchor check

# --- first come
says 'Root imprints before the owner does' '^shows'
ok 'root imprints' imprint "$WORLD/rogue.pem"
like 'it shows' "$(anchor show)" 'voucher *none: imprinted by hand'

# --- all of them
while IFS= read -r attack; do
    case $attack in
    'A PCR of gate-pcrs changes'* | 'Somebody on the bus'* | \
        'Root has a program changed'*) ;;
    *) like "done: $attack" "$attacks" "$(printf '%.30s' "$attack")" ;;
    esac
done < <(anchor profile --threats | grep -B 1 '^  ' |
    sed -n 's/^\([A-Z].*\):$/\1/p')
like 'as many as there are' "$attacks_n" '^1[0-9]'
done_testing
