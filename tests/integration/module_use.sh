# SPDX-License-Identifier: Apache-2.0
# What the stories of PKCS#11 modules share: a token behind each module, openssl
# with it, and single things that are done with its keys. Sourced after story.sh
# and world.sh, with a world begun; sets up the world's openssl.cnf, a software
# key and its certificate, and what is signed.
KIT_CTL=$top_srcdir/hsm-configs/p11-kit/p11-kit-device
TPM_TOKEN_CTL=$top_srcdir/hsm-configs/tpm2-pkcs11/tpm2-pkcs11-device

openssl_conf
echo data >"$WORLD/data"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$WORLD/soft.key" -out "$WORLD/soft.crt" -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -days 1 2>/dev/null
openssl pkey -in "$WORLD/soft.key" -pubout -out "$WORLD/soft.pub"

# device NAME CTL ARGS ...: that device with a token NAME, its environment
# in NAME.env
device() {
    local name=$1 ctl=$2
    shift 2
    "$ctl" up "$WORLD/$name.dev" --label "$name" --pin "$PIN" "$@" \
        >"$WORLD/$name.env" || return
    WORLD_DEVICES="$WORLD_DEVICES $ctl=$WORLD/$name.dev"
    cat >>"$WORLD/$name.env" <<EOT
export HWKEY_PIN_FILE=$WORLD/pin
# for what the configuration of a system has besides
export TPM2_PKCS11_STORE=\${TPM2_PKCS11_STORE:-$WORLD/no.store}
EOT
}
mkdir "$WORLD/no.store"

# ssl NAME ARGS ...: openssl with hwkey.so and that device
ssl() {
    local name=$1
    shift
    OPENSSL_CONF=$WORLD/openssl.cnf in_device "$name" timeout 60 openssl "$@"
}
# another PIN than the right one
ssl_pin() {
    local pin=$1
    shift
    (
        export HWKEY_PIN=$pin
        ssl "$@"
    )
}
# the module by itself, through a tool that is not ours
tool() {
    local name=$1
    shift
    in_device "$name" sh -c 'exec pkcs11-tool --module "$HWKEY_PKCS11_MODULE" \
        "$@"' - --token-label "$name" --login --pin "$PIN" "$@"
}
into() {
    local file=$1
    shift
    "$@" >"$file"
}

# refused NAME TEXT WHAT CMD ...: CMD fails and says TEXT
refused() {
    local text=$1 what=$2 code=0
    shift 2
    "$@" >"$tap_dir/out" 2>"$tap_dir/err" || code=$?
    if [ $code != 0 ] && grep -q -- "$text" "$tap_dir/err"; then
        tap_result 0 "$what"
        return
    fi
    tap_result 1 "$what"
    echo "# exit code $code, wanted a failure that says '$text', of: $*"
    tap_show "$tap_dir/out" "$tap_dir/err"
}

# --- signing, decrypting, agreeing ---

signs() { # NAME URI DIGEST SIGOPT ...
    local name=$1 uri=$2 md=$3
    shift 3
    ssl "$name" dgst "-$md" -sign "$uri" "$@" -out "$WORLD/sig" \
        "$WORLD/data" && openssl dgst "-$md" -verify "$WORLD/pub.pem" \
        ${1:+"$@"} -signature "$WORLD/sig" "$WORLD/data"
}
pss() { # SALT
    printf '%s\n' -sigopt rsa_padding_mode:pss -sigopt "rsa_pss_saltlen:$1"
}

decrypt() { # NAME URI ARGS ...: what is in $WORLD/secret
    local name=$1 uri=$2
    shift 2
    ssl "$name" pkeyutl -decrypt -inkey "$uri" -in "$WORLD/secret" \
        -out "$WORLD/clear" "$@"
}
# decrypts NAME URI PKEYOPT ...: what software encrypts for the public half
decrypts() {
    local name=$1 uri=$2 opt opts=()
    shift 2
    for opt; do
        opts+=(-pkeyopt "$opt")
    done
    rm -f "$WORLD/clear"
    openssl pkeyutl -encrypt -pubin -inkey "$WORLD/pub.pem" "${opts[@]}" \
        -in "$WORLD/data" -out "$WORLD/secret" &&
        decrypt "$name" "$uri" "${opts[@]}" &&
        cmp "$WORLD/data" "$WORLD/clear"
}
oaep() { # DIGEST
    printf 'rsa_%s\n' padding_mode:oaep "oaep_md:$1" "mgf1_md:$1"
}

# derives NAME URI: with a key in a file, the same secret on both sides
derives() {
    rm -f "$WORLD/ours" "$WORLD/theirs"
    ssl "$1" pkeyutl -derive -inkey "$2" -peerkey "$WORLD/soft.pub" \
        -out "$WORLD/ours" && openssl pkeyutl -derive \
        -inkey "$WORLD/soft.key" -peerkey "$WORLD/pub.pem" \
        -out "$WORLD/theirs" && cmp "$WORLD/ours" "$WORLD/theirs"
}

# --- servers ---

# served CERT KEY VERSION SERVER CLIENT ARGS ...: s_server by one of the
# functions below (ARGS are its), s_client by another
served() {
    local crt=$1 key=$2 v=$3 pid port code server=$4 client=$5
    shift 5
    rm -f "$WORLD/srv.out"
    "$server" s_server -accept 127.0.0.1:0 -cert "$crt" -key "$key" \
        -naccept 1 -rev "$@" >"$WORLD/srv.out" 2>"$WORLD/srv.out.err" &
    pid=$!
    port=$(wait_text '^ACCEPT .*:\([0-9]*\)$' "$WORLD/srv.out" "$pid") ||
        return 1
    printf 'hello\nCLOSE\n' | "$client" s_client "-$v" -ign_eof \
        -connect "127.0.0.1:$port" -CAfile "$crt" -verify_return_error -brief
    code=$?
    wait "$pid" || code=$?
    return $code
}
plain() { # with keys in files

    timeout 60 openssl "$@"
}
device_server() {
    ssl "$END" "$@"
}
device_client() { # its certificate and its key, each by URI

    ssl "$END" "$@" -cert "$WORLD/$END.$ALG.crt" \
        -key "pkcs11:token=$END;object=$ALG;type=private"
}
haproxy_conf() { # NAME
    cat <<EOF
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 30s
frontend EC
    bind unix@$WORLD/$1.sock ssl crt $WORLD/$1.EC.pem
    http-request return status 200 content-type text/plain string hello
EOF
}
# handshakes NAME CMD ...: with the server CMD, several at once
handshakes() {
    local name=$1 i=0 code=0
    shift
    in_device "$name" "$BIN/idevid-device" wrap -o "$WORLD/$name.EC.key" \
        "pkcs11:token=$name;object=EC;type=private" || return
    cat "$WORLD/$name.EC.crt" "$WORLD/$name.EC.key" >"$WORLD/$name.EC.pem"
    start "$name" "$WORLD/$name.out" env OPENSSL_CONF="$WORLD/openssl.cnf" "$@"
    until [ -S "$WORLD/$name.sock" ] || [ $i -gt 200 ]; do
        i=$((i + 1))
        pause
    done
    "$BIN/tests/lib/handshakes" -n 24 -j 4 "$WORLD/$name.sock" \
        "$WORLD/$name.EC.crt" || code=$?
    kill "$STARTED" && wait "$STARTED"
    return $code
}
