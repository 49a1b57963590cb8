#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What each PKCS#11 module can: SoftHSM2, tpm2-pkcs11, p11-kit's proxy with
# SoftHSM2 behind it, and the tests' own module. What is seen here is what the
# table in hwkey-provider(7) says, cell by cell: each with IDEVID_LONG=1, else
# each line with one of the three in turn, and with the own where none of them
# can.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap 'world_end' EXIT
world_begin
. "$(dirname "$0")/module_use.inc"
MANUAL=$top_srcdir/provider/man/hwkey-provider.7
export HWKEY_ALLOW_IMPORT=yes PATH=$PATH:/usr/sbin

# --- the devices: each with a second token, 2NAME (pkcs11-tool takes the
# beginning of a label for the label) ---

second() { # NAME: in the first slot whose token is not initialised
    local slot
    slot=$(in_device "$1" sh -c 'pkcs11-tool --module "$HWKEY_PKCS11_MODULE" -L' \
        2>/dev/null | sed -n '/^Slot /{s/.*(\(0x[0-9a-f]*\)).*/\1/;h;}
            /uninitialized/{g;p;q;}')
    in_device "$1" sh -c 'pkcs11-tool --module "$HWKEY_PKCS11_MODULE" "$@"' - \
        --slot "$slot" --init-token --label "2$1" --so-pin "$PIN" &&
        in_device "$1" sh -c \
            'pkcs11-tool --module "$HWKEY_PKCS11_MODULE" "$@"' - \
            --token-label "2$1" --init-pin --so-pin "$PIN" --pin "$PIN"
}
# behind the proxy it is SoftHSM2 that makes it
second_kit() {
    in_device kit softhsm2-util --init-token --free --label 2kit \
        --pin "$PIN" --so-pin "$PIN"
}
own() {
    cat >"$WORLD/own.slots" <<EOT
slot 1 label=own serial=1 pin=$PIN file=$WORLD/own.1
slot 2 label=2own serial=2 pin=$PIN file=$WORLD/own.2
slot 3 label=ownpad serial=3 protected file=$WORLD/own.3
slot 4 label=ownauth serial=4 pin=$PIN always-auth file=$WORLD/own.4
EOT
    cat >"$WORLD/own.env" <<EOT
export HWKEY_PKCS11_MODULE=$BIN/.libs/p11soft.so
export P11SOFT_CONF=$WORLD/own.slots
export HWKEY_PIN_FILE=$WORLD/pin
EOT
}
module_of() {
    sed -n "s/^export HWKEY_PKCS11_MODULE='*\\([^']*\\).*/\\1/p" \
        "$WORLD/$1.env"
}

# --- what the manual says ---

# the rows of the manual, what its notes (N) say in their places
manual_rows() {
    sed -n '/^\.Ss PKCS#11 modules/,/^\.Ss Modules that/p' "$MANUAL" |
        awk '/^\.It [0-9]+$/ { n = $2; getline; sub(/^\.Li /, "")
                note[n] = $0; next }
            /^\.It .* Ta / { sub(/^\.It /, ""); row[++rows] = $0 }
            END { for (r = 1; r <= rows; r++) {
                line = row[r]
                for (n in note)
                    gsub("no \\(" n "\\)", note[n], line)
                sub(/ Ta /, ": ", line)
                gsub(/ Ta /, " | ", line)
                print line } }'
}
manual_cell() { # NAME ROW
    local n
    case $1 in softhsm2) n=1 ;; tpm2) n=2 ;; kit) n=3 ;; own) n=4 ;; esac
    sed -n "s/^$2: //p" "$WORLD/manual" | awk -F ' [|] ' "{ print \$$n }"
}
manual_rows >"$WORLD/manual"

# --- one cell: what a command came to ---

declare -A seen
rows=()
say() { # what a module answered that is no code of its
    echo "answer: $*" >&2
    return 1
}
answer() {
    sed -n 's/^answer: //p' "$tap_dir/err" | tail -n 1 | grep . ||
        grep -o 'CKR_[A-Z0-9_]*' "$tap_dir/err" | tail -n 1 | grep . ||
        sed -n 's/.*:hwkey:.*:[0-9]*:\(.*\)/\1/p' "$tap_dir/err" |
        sed "s/token '[^']*': //; s/.* has \(one TPM [^,]*\),.*/\1/" |
        tail -n 1 | grep . || echo fails
}
# what others after it are done with
NEEDED='EC P-256|Ed25519|Ed448|certificates'
row_n=0
is_looked_at() { # NAME ROW
    [ "${IDEVID_LONG:-0}" = 0 ] && [[ ! $2 =~ ^($NEEDED)$ ]] || return 0
    case $1 in
    softhsm2) [ $((row_n % 3)) = 1 ] ;;
    kit) [ $((row_n % 3)) = 2 ] ;;
    tpm2) [ $((row_n % 3)) = 0 ] ;;
    own) [ "$(manual_cell own "$2")" != - ] ;;
    esac
}
# cell NAME ROW CMD ...
cell() {
    local name=$1 row=$2 code=0
    shift 2
    [ "$name" != softhsm2 ] || rows+=("$row")
    row_n=$((row_n + 1))
    is_looked_at "$name" "$row" || return 0
    rm -f "$WORLD/log"
    HWKEY_DEBUG=$WORLD/log:calls "$@" >"$tap_dir/out" 2>"$tap_dir/err" ||
        code=$?
    if [ $code != 0 ]; then
        seen[$row/$name]=$(answer)
    elif grep -q '^padding ' "$WORLD/log" 2>/dev/null; then
        seen[$row/$name]='padded here'
    else
        seen[$row/$name]=yes
    fi
    [ "${seen[$row/$name]}" != fails ] || tap_show "$tap_dir/err"
}

# --- what the commands do ---

uri() { # NAME OBJECT
    echo "pkcs11:token=$1;object=$2;type=private"
}
# gen NAME TOKEN OBJECT ALGORITHM [OPTION ...]: leaves its public half
gen() {
    local name=$1 token=$2 object=$3 alg=$4 o args=()
    shift 4
    for o; do
        args+=(-pkeyopt "$o")
    done
    ssl "$name" genpkey -propquery provider=hwkey -algorithm "$alg" \
        -pkeyopt "uri:pkcs11:token=$token;object=$object" "${args[@]}" \
        -out "$WORLD/gen.pem" && ssl "$name" pkey -pubout \
        -in "$(uri "$token" "$object")" -out "$WORLD/pub.pem"
}
# again NAME OBJECT: the public half of what is there
again() {
    ssl "$1" pkey -in "$(uri "$1" "$2")" -pubout -out "$WORLD/pub.pem"
}
signing() { # as gen, and it signs
    gen "$@" && signs "$1" "$(uri "$2" "$3")" sha256
}
edwards() { # the same, a whole message
    gen "$@" && ssl "$1" pkeyutl -sign -rawin -inkey "$(uri "$2" "$3")" \
        -in "$WORLD/data" -out "$WORLD/sig" && openssl pkeyutl -verify \
        -rawin -pubin -inkey "$WORLD/pub.pem" -in "$WORLD/data" \
        -sigfile "$WORLD/sig"
}
agreeing() { # the same, with a software key of its type
    gen "$@" && openssl genpkey -algorithm "$4" ${5:+-pkeyopt "$5"} \
        -out "$WORLD/soft.key" && openssl pkey -in "$WORLD/soft.key" -pubout \
        -out "$WORLD/soft.pub" && derives "$1" "$(uri "$2" "$3")"
}
pkcs1() {
    local md
    again "$1" rsa || return
    for md in sha256 sha384 sha512; do
        signs "$1" "$(uri "$1" rsa)" $md || return
    done
}
with_pss() { # NAME DIGEST SALT ...
    local name=$1 md=$2 salt
    shift 2
    again "$name" rsa || return
    for salt; do
        signs "$name" "$(uri "$name" rsa)" "$md" $(pss "$salt") || return
    done
}
longer() { # digests than the curve
    again "$1" EC && signs "$1" "$(uri "$1" EC)" sha384 &&
        signs "$1" "$(uri "$1" EC)" sha512
}
opens() { # NAME PKEYOPT ...
    local name=$1
    shift
    again "$name" rsa && decrypts "$name" "$(uri "$name" rsa)" "$@"
}
modways() { # NAME WAY URI ARGS ...
    local name=$1
    shift
    OPENSSL_CONF=$WORLD/openssl.cnf in_device "$name" timeout 120 \
        "$BIN/tests/lib/modways" "$@"
}
import() { # NAME OBJECT ALGORITHM CMD ...: a key of a file, which then does CMD
    local name=$1 object=$2 alg=$3
    shift 3
    openssl pkey -in "$WORLD/file.pem" -pubout -out "$WORLD/file.pub"
    "$@" "$name" "$name" "$object" "$alg" "import:$WORLD/file.pem" &&
        cmp "$WORLD/file.pub" "$WORLD/pub.pem"
}
import_of() { # NAME OBJECT CMD ALGORITHM OPTION ...
    local name=$1 object=$2 cmd=$3 alg=$4 o args=()
    shift 4
    for o; do
        args+=(-pkeyopt "$o")
    done
    openssl genpkey -algorithm "$alg" "${args[@]}" -out "$WORLD/file.pem" &&
        import "$name" "$object" "$alg" "$cmd"
}
certificate() {
    local crt=$WORLD/$1.EC.crt at="pkcs11:token=$1;object=crt;id=%77;type=cert"
    ssl "$1" req -x509 -new -key "$(uri "$1" EC)" -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -days 1 -out "$crt" || return
    in_device "$1" "$BIN/idevid-factory" install "$crt" --cert-uri "$at" &&
        ssl "$1" x509 -in "$at" -out "$WORLD/again.crt" &&
        openssl x509 -in "$crt" | cmp - "$WORLD/again.crt"
}
listing() {
    local have
    have=$(ssl "$1" storeutl -noout "pkcs11:token=$1") || return
    [ "$(grep -c ': Pkey$' <<<"$have")" -ge 2 ] &&
        [ "$(grep -c ': Certificate$' <<<"$have")" -ge 1 ]
}
tls() {
    local v
    END=$1 ALG=EC
    for v in tls1_2 tls1_3; do
        served "$WORLD/$1.EC.crt" "$(uri "$1" EC)" $v device_server plain &&
            served "$WORLD/soft.crt" "$WORLD/server.key" $v plain \
                device_client -Verify 1 -verify_return_error \
                -CAfile "$WORLD/$1.EC.crt" || return
    done
}
# behind the proxy, which has another token of that store, SoftHSM2 makes it
with_tool() {
    local m
    m=$(sed -n "s/^export MODWAYS_MODULE='\(.*\)'/\1/p" "$WORLD/$1.env")
    in_device "$1" pkcs11-tool --module "${m:-$(module_of "$1")}" \
        --token-label "$1" --login --pin "$PIN" --keypairgen --always-auth \
        --key-type EC:prime256v1 --label auth --id 0a
}
each_use() { # a key that wants the PIN for each use; the log tells
    local token=$1
    if [ "$1" = own ]; then
        token=ownauth
        gen own ownauth auth EC group:P-256 || return
    else
        with_tool "$1" || return
        again "$1" auth || return
    fi
    rm -f "$WORLD/log"
    signs "$1" "$(uri "$token" auth)" sha256 || return
    [ "$(grep -c 'fn=C_Login ' "$WORLD/log")" -ge 2 ] ||
        say CKA_ALWAYS_AUTHENTICATE is not kept
}
keypad() { # nobody gives a PIN
    [ "$1" = own ] || say no token has one || return
    grep -v PIN_FILE "$WORLD/own.env" >"$WORLD/pad.env"
    signing pad ownpad pad EC group:P-256 </dev/null
}
has_no_keypad() {
    ! in_device "$1" sh -c \
        'pkcs11-tool --module "$HWKEY_PKCS11_MODULE" -L' 2>/dev/null |
        grep -q 'PIN pad present'
}
two_tokens() {
    signing "$1" "2$1" EC EC group:P-256 && again "$1" EC &&
        signs "$1" "$(uri "$1" EC)" sha256
}
two_modules() {
    local other=own
    [ "$1" != own ] || other=softhsm2
    [ "$1" != softhsm2 ] || signing own own EC EC group:P-256 || return
    cat "$WORLD/$other.env" "$WORLD/$1.env" >"$WORLD/two.env"
    echo "export HWKEY_PKCS11_MODULE='$(module_of $other):$(module_of "$1")'" \
        >>"$WORLD/two.env"
    ssl two pkey -in "$(uri $other EC)" -pubout -out "$WORLD/pub.pem" &&
        signs two "$(uri $other EC)" sha256 &&
        ssl two pkey -in "$(uri "$1" EC)" -pubout -out "$WORLD/pub.pem" &&
        signs two "$(uri "$1" EC)" sha256
}
forking() {
    OPENSSL_CONF=$WORLD/openssl.cnf in_device "$1" timeout 120 \
        "$BIN/tests/lib/forks" "$(uri "$1" EC)" 3 3
}
wrapped() {
    local f=$WORLD/$1.wrapped
    in_device "$1" "$BIN/idevid-device" wrap -o "$f" "$(uri "$1" EC)" &&
        again "$1" EC && signs "$1" "$f" sha256 &&
        ssl "$1" cms -sign -nodetach -in "$WORLD/data" -signer "$WORLD/$1.EC.crt" \
            -inkey "$f" -outform DER -out "$WORLD/cms" &&
        openssl cms -verify -inform DER -in "$WORLD/cms" -out "$WORLD/text" \
            -CAfile "$WORLD/$1.EC.crt" -purpose any
}
in_haproxy() {
    haproxy_conf "$1" >"$WORLD/$1.conf"
    handshakes "$1" haproxy -W -f "$WORLD/$1.conf"
}

# --- the table ---

look() {
    local n=$1 b
    row_n=0
    for b in 2048 3072 4096; do
        cell $n "RSA-$b" signing $n $n rsa$b RSA bits:$b usage:sign,decrypt
    done
    cell $n 'RSA, only signs' signing $n $n rsasign RSA bits:2048 usage:sign
    cell $n 'RSA-PSS, 2048' signing $n $n rsapss RSA-PSS bits:2048
    [ $n != own ] || rm -f "$WORLD/own.1" # what two_modules has made
    cell $n 'EC P-256' signing $n $n EC EC group:P-256
    cell $n 'EC P-384' signing $n $n p384 EC group:P-384
    cell $n 'EC P-521' signing $n $n p521 EC group:P-521
    cell $n 'EC secp256k1' signing $n $n k1 EC group:secp256k1
    cell $n 'EC brainpoolP256r1' signing $n $n bp EC group:brainpoolP256r1
    cell $n Ed25519 edwards $n $n ed25519 ED25519
    cell $n Ed448 edwards $n $n ed448 ED448
    cell $n X25519 agreeing $n $n x25519 X25519
    cell $n X448 agreeing $n $n x448 X448
    cell $n 'ECDH, P-256' agreeing $n $n ecdh EC group:P-256 usage:derive
    gen $n $n rsa RSA bits:2048 usage:sign,decrypt >/dev/null 2>&1
    cell $n 'PKCS #1 signatures' pkcs1 $n
    cell $n 'PSS, salt as digest' with_pss $n sha256 digest
    cell $n 'PSS, any other salt' with_pss $n sha256 0 20 max
    cell $n 'PSS with SHA-3' with_pss $n sha3-256 digest
    cell $n 'ECDSA, longer digests' longer $n
    cell $n 'Ed25519ctx' modways $n eddsa "$(uri $n ed25519)" Ed25519ctx ctx
    cell $n 'Ed25519ph' modways $n eddsa "$(uri $n ed25519)" Ed25519ph ''
    cell $n 'Ed448, a context' modways $n eddsa "$(uri $n ed448)" Ed448 ctx
    cell $n 'Ed448ph' modways $n eddsa "$(uri $n ed448)" Ed448ph ''
    cell $n 'PKCS #1 decryption' opens $n rsa_padding_mode:pkcs1
    cell $n 'OAEP, SHA-1' opens $n $(oaep sha1)
    cell $n 'OAEP, SHA-256, label' opens $n $(oaep sha256) rsa_oaep_label:6c00
    cell $n 'RSA keys, imported' import_of $n irsa signing RSA \
        rsa_keygen_bits:2048
    cell $n 'EC keys, imported' import_of $n iec signing EC group:P-256
    cell $n 'Ed25519, imported' import_of $n ied edwards ED25519
    cell $n 'certificates' certificate $n
    cell $n 'listing' listing $n
    cell $n 'random bytes' modways $n random "pkcs11:token=$n"
    cell $n 'PIN for each use' each_use $n
    cell $n 'keypad' keypad $n
    cell $n 'TLS, either end' tls $n
    cell $n 'files for keys' wrapped $n
    cell $n 'and in haproxy' in_haproxy $n
    cell $n 'two tokens' two_tokens $n
    cell $n 'two modules' two_modules $n
    cell $n 'lost sessions' modways $n sessions "$(uri $n EC)"
    cell $n 'C_Finalize by others' modways $n restart "$(uri $n EC)"
    cell $n 'threads' modways $n threads "$(uri $n EC)"
    cell $n 'processes that fork' forking $n
}

cp "$WORLD/soft.key" "$WORLD/server.key"
ok 'own: a configuration' own
ok 'softhsm2: up' device softhsm2 "$TOKEN_CTL" || bail 'no token'
ok 'softhsm2: a second token' second softhsm2
ok 'kit: up' device kit "$KIT_CTL" || bail 'no token behind the proxy'
ok 'kit: a second token' second_kit
# what is done behind the proxy's back is done to the module there
echo "export MODWAYS_MODULE='$(module_of softhsm2)'" >>"$WORLD/kit.env"
ok 'tpm2: up' device tpm2 "$TPM_TOKEN_CTL" || bail 'no token in a TPM'
ok 'tpm2: a second token' second tpm2
for name in softhsm2 tpm2 kit; do
    ok "$name: no token has a keypad" has_no_keypad $name
done
look softhsm2
for name in own tpm2 kit; do
    look $name
done

# the tests' own module, where none of the three can
of_own() {
    local name
    for name in softhsm2 tpm2 kit; do
        case ${seen[$1/$name]} in
        yes | 'padded here')
            echo -
            return
            ;;
        esac
    done
    echo "${seen[$1/own]}"
}
cell_seen() { # NAME ROW
    if [ "$1" = own ] && [ "${IDEVID_LONG:-0}" != 0 ]; then
        of_own "$2"
    else
        echo "${seen[$2/$1]}"
    fi
}
# of what was looked at, all but what the own was only needed for
is_judged() { # NAME ROW
    [ -n "${seen[$2/$1]:-}" ] && { [ "${IDEVID_LONG:-0}" != 0 ] ||
        [ "$(manual_cell "$1" "$2")" != - ]; }
}
row_seen() {
    echo "$1: ${seen[$1/softhsm2]} | ${seen[$1/tpm2]} | ${seen[$1/kit]} |" \
        "$(of_own "$1")"
}
version_of() {
    in_device "$1" pkcs11-tool --module "$(module_of "$1")" -I 2>/dev/null |
        sed -n 's/^Library .*(ver \(.*\))/\1/p'
}
versions() {
    echo "version: $(version_of softhsm2) | $(version_of tpm2) |" \
        "$(pkg-config --modversion p11-kit-1 | cut -d. -f1,2) | -"
}
# TABLE_OUT: a file for what was seen, all of it
[ -z "${TABLE_OUT:-}" ] || for row in "${rows[@]}"; do
    row_seen "$row"
done >"$TABLE_OUT"
if [ "$(grep '^version: ' "$WORLD/manual")" = "$(versions)" ]; then
    for row in "${rows[@]}"; do
        for name in softhsm2 tpm2 kit own; do
            ! is_judged $name "$row" ||
                is "$row, $name" "$(manual_cell $name "$row")" \
                    "$(cell_seen $name "$row")"
        done
    done
else
    skip 'what was seen is what the manual says' "other versions: $(versions)"
fi
is 'the manual has these rows and no others' \
    "$(sed '1,2d; s/: .*//' "$WORLD/manual")" "$(printf '%s\n' "${rows[@]}")"
done_testing
