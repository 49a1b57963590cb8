# SPDX-License-Identifier: Apache-2.0
# A small world for stories: a maker, an owner, devices, and their services.
# Sourced by the demonstration and by the integration stories. What it makes
# is below $WORLD; what it starts is ended, by pid, by world_end.
#
#   world_begin             an empty world; sets the paths below
#   maker                   the maker's token, CAs and MASA (init)
#   owner [NAME]            an owner's token, domain CA and registrar (init)
#   device_tpm NAME SERIAL  a device with a TPM (swtpm) and its IDevID
#   device_token NAME SERIAL  the same with a token (SoftHSM2)
#   masa_start / registrar_start [NAME]   the services; $MASA_PORT, $REG_PORT
#   pledge NAME VERB ...    idevid-pledge of that device
#   anchor NAME VERB ...    idevid-anchor of that device
#   in_device NAME CMD ...  a command with that device's environment
set -u

top_srcdir=${top_srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir/${BUILD_DIR:-build}}
BIN=$top_builddir
MODULE=$top_builddir/.libs/hwkey.so
TOKEN_CTL=$top_srcdir/hsm-configs/softhsm2/softhsm2-device
TPM_CTL=$top_srcdir/hsm-configs/swtpm/swtpm-device
PIN=271828
MAKER_NAME='Acme Gateways'

world_begin() {
    WORLD=$(mktemp -d "${TMPDIR:-/tmp}/idevid.XXXXXX")
    WORLD_PIDS=
    WORLD_DEVICES=
    MASA_PORT=
    REG_PORT=
    printf '%s\n' "$PIN" >"$WORLD/pin"
    chmod 600 "$WORLD/pin"
    mkfifo "$WORLD/fifo"
    exec 9<>"$WORLD/fifo"
}

# Ends what was started, removes the world.
world_end() {
    local p d
    for p in $WORLD_PIDS; do
        kill "$p" 2>/dev/null && wait "$p" 2>/dev/null
    done
    WORLD_PIDS=
    for d in $WORLD_DEVICES; do
        "${d%%=*}" down "${d#*=}" >/dev/null 2>&1
    done
    # nothing that was started here may be left
    if pgrep -f "$WORLD/" >&2; then
        echo "world_end: still running, see the process numbers above" >&2
        kill $(pgrep -f "$WORLD/") 2>/dev/null
    fi
    [ -n "${WORLD_KEEP:-}" ] || rm -rf "$WORLD"
}

# A token, in the one store that all tokens of this world share; its
# environment goes to NAME.env.
token_up() {
    if [ ! -e "$WORLD/tokens.env" ]; then
        "$TOKEN_CTL" up "$WORLD/tokens" --label "$1" --pin "$PIN" \
            >"$WORLD/tokens.env" || return
        WORLD_DEVICES="$WORLD_DEVICES $TOKEN_CTL=$WORLD/tokens"
        echo "export HWKEY_PIN_FILE=$WORLD/pin" >>"$WORLD/tokens.env"
    else
        in_device tokens softhsm2-util --init-token --free --label "$1" \
            --pin "$PIN" --so-pin "$PIN" >/dev/null || return
    fi
    cp "$WORLD/tokens.env" "$WORLD/$1.env"
}

# token_directory NAME: where SoftHSM has it; it looks for these as it begins
token_directory() {
    local t
    for t in "$WORLD"/tokens/tokens/*; do
        tr -d '\0' <"$t/token.object" | grep -aq "$1              " &&
            echo "$t"
    done
}

tpm_up() {
    "$TPM_CTL" up "$WORLD/$1.tpm" >"$WORLD/$1.env" || return
    WORLD_DEVICES="$WORLD_DEVICES $TPM_CTL=$WORLD/$1.tpm"
}

# some_tpm_up KIND NAME: the same, a TPM as it is (tpm) or one behind its
# resource manager (abrmd)
some_tpm_up() {
    local TPM_CTL=$TPM_CTL
    case $1 in
    tpm) ;;
    abrmd) TPM_CTL=$top_srcdir/hsm-configs/tpm2-abrmd/tpm2-abrmd-device ;;
    *) return 1 ;;
    esac
    tpm_up "$2"
}

in_device() {
    local name=$1
    shift
    (
        . "$WORLD/$name.env"
        exec "$@"
    )
}

maker() {
    token_up maker || return
    in_device maker "$BIN/idevid-factory" init "$WORLD/maker" \
        --token pkcs11:token=maker --maker "$MAKER_NAME" \
        --profile "${MAKER_PROFILE:-plain}" "$@"
}

owner() {
    local name=${1:-owner}
    token_up "$name" || return
    in_device "$name" "$BIN/idevid-registrar" init "$WORLD/$name" \
        --token "pkcs11:token=$name" --domain "${2:-Example Networks}"
}

masa_conf() {
    cat >"$WORLD/masa.ini" <<EOF
[server]
listen = 127.0.0.1:${MASA_PORT:-0}
key = pkcs11:token=maker;object=masa-tls;type=private
admin = $WORLD/masa.sock
certificate = $WORLD/maker/masa-tls.pem
workers = ${WORKERS:-1}
[signer]
key = pkcs11:token=maker;object=masa;type=private
certificate = $WORLD/maker/masa.pem
${APPROVAL_KEY:+approval-key = $APPROVAL_KEY}
[maker]
idevid-anchors = $WORLD/maker/anchors.pem
[store]
database = ${MASA_DATABASE:-$WORLD/masa.db}
${LOG_KEY:+[log]
key = $LOG_KEY
head-seconds = 1}
[policy]
${DEVICE_HOURLY:+device-hourly = $DEVICE_HOURLY}
[device]
pin-file = $WORLD/pin
EOF
}

# registrar_conf NAME: also the file of the one maker it knows.
registrar_conf() {
    local name=${1:-owner}
    cat >"$WORLD/$name.maker.ini" <<EOF
[maker]
name = acme
idevid-anchors = $WORLD/idevid-anchors.pem
admit = ${ADMIT:-all}
[masa]
anchors = $WORLD/maker/anchors.pem
client-certificate = yes
${MAKER_LOG:+log = $MAKER_LOG
log-keys = $WORLD/log.pub}
EOF
    cat >"$WORLD/$name.ini" <<EOF
[server]
listen = ${REG_LISTEN:-127.0.0.1:0}
admin = $WORLD/$name.sock
workers = ${WORKERS:-1}
[registrar]
key = pkcs11:token=$name;object=registrar;type=private
certificate = $WORLD/$name/registrar.pem
makers = $WORLD/$name.maker.ini
retry-after = 1
${DEVICE_HOURLY:+device-hourly = $DEVICE_HOURLY}
[ca]
key = pkcs11:token=$name;object=domain-ca;type=private
certificate = $WORLD/$name/domain-ca.pem
subject = CN={serial}, O=Example Networks
[store]
database = ${REG_DATABASE:-$WORLD/$name.db}
[device]
pin-file = $WORLD/pin
EOF
}

# A moment between two looks at something that will happen.
pause() {
    read -r -t 0.05 -u 9 _ || :
}

# How often PID was switched away from so far.
switches() {
    awk '/ctxt_switches/ {n += $2} END {print n}' /proc/"$1"/task/*/status
}

# Until PID has done nothing for half a second.
at_rest() {
    local before=-1 now i quiet=0
    for ((i = 0; i < 600 && quiet < 10; i++)); do
        now=$(switches "$1") || return
        quiet=$((now == before ? quiet + 1 : 0))
        before=$now
        pause
    done
    [ "$quiet" = 10 ]
}

# wait_text PATTERN FILE PID: prints what the group in PATTERN matches, as soon
# as a line of FILE does; fails when PID ends before.
wait_text() {
    local found i=0
    while :; do
        found=$(sed -n "s/$1/\\1/p" "$2" 2>/dev/null | head -n 1)
        [ -z "$found" ] || break
        i=$((i + 1))
        kill -0 "$3" 2>/dev/null && [ $i -lt 600 ] || {
            cat "$2" "$2.err" >&2
            return 1
        }
        pause
    done
    printf '%s\n' "$found"
}

# The port of a service that has begun to listen.
wait_listening() {
    wait_text '.*"listening".*"port":\([0-9]*\).*' "$@"
}

# start NAME OUT CMD ...: in the background with NAME's environment.
start() {
    local name=$1 out=$2
    shift 2
    : >"$out" # nobody is to read there what the one before it said
    (
        . "$WORLD/$name.env"
        exec "$@"
    ) >"$out" 2>"$out.err" &
    STARTED=$!
    WORLD_PIDS="$WORLD_PIDS $STARTED"
}

# registrar_crl URL: what the running registrar issues from now on names it
registrar_crl() {
    local i=0 before
    before=$(pgrep -P "$REG_PID")
    sed -i "/^crl-url/d; s|^\\[ca\\]|&\ncrl-url = $1|" "$WORLD/owner.ini"
    kill -HUP "$REG_PID"
    # until none of those that knew the one before is left
    while kill -0 $before 2>/dev/null; do
        i=$((i + 1))
        [ $i -lt 400 ] || return 1
        pause
    done
}

masa_start() {
    masa_conf
    start maker "$WORLD/masa.out" "$BIN/idevid-masa" -c "$WORLD/masa.ini" run
    MASA_PID=$STARTED
    MASA_PORT=$(wait_listening "$WORLD/masa.out" "$STARTED")
}

masa() {
    in_device maker "$BIN/idevid-masa" -c "$WORLD/masa.ini" "$@"
}

registrar_start() {
    local name=${1:-owner}
    cat "$WORLD/maker/anchors.pem" "$WORLD/maker/issuing-ca.pem" \
        >"$WORLD/idevid-anchors.pem"
    registrar_conf "$name"
    start "$name" "$WORLD/$name.out" \
        "$BIN/idevid-registrar" -c "$WORLD/$name.ini" run
    REG_PID=$STARTED
    if [ "$name" = rogue ]; then
        ROGUE_PORT=$(wait_listening "$WORLD/$name.out" "$STARTED")
    else
        REG_PORT=$(wait_listening "$WORLD/$name.out" "$STARTED")
    fi
}

registrar() {
    in_device owner "$BIN/idevid-registrar" -c "$WORLD/owner.ini" "$@"
}

pledge_conf() {
    local name=$1 uri=$2
    cat >"$WORLD/$name.ini" <<EOF
[device]
uri = $uri
pin-file = $WORLD/pin
[idevid]
anchors = $WORLD/maker/voucher-anchors.pem
chain = $WORLD/maker/issuing-ca.pem
[trust]
directory = $WORLD/$name.state
[policy]
clock = trusted
attempts = 1
EOF
}

# The station reaches the maker's token and the device at once.
provision() {
    local name=$1 serial=$2 uri=$3
    shift 3
    (
        . "$WORLD/$name.env"
        . "$WORLD/maker.env"
        exec "$BIN/idevid-factory" provision "$WORLD/maker" \
            --device "$uri" --serial "$serial" \
            --model 'Gateway 2000' --maker "$MAKER_NAME" \
            --masa-url "localhost:$MASA_PORT" "$@"
    )
}

# one that the maker's profile can be used with
device_tpm() {
    local up=tpm_up
    [ "${MAKER_PROFILE:-plain}" = plain ] || up=vendor_tpm_up
    "$up" "$1" && pledge_conf "$1" tpm2: && provision "$1" "$2" tpm2:
}

# A TPM as its vendor ships it, with certificates of its endorsement keys, whose
# roots the maker then knows.
vendor_tpm_up() {
    "$TPM_CTL" up "$WORLD/$1.tpm" --vendor="$WORLD/vendor" \
        >"$WORLD/$1.env" || return
    WORLD_DEVICES="$WORLD_DEVICES $TPM_CTL=$WORLD/$1.tpm"
}

maker_roots() {
    mkdir -p "$WORLD/roots/example" &&
        cp "$WORLD"/vendor/roots/*.pem "$WORLD/roots/example" &&
        in_device maker "$BIN/idevid-factory" roots "$WORLD/maker" make \
            "$WORLD/roots" --number 1 -o "$WORLD/maker/vendor-roots.json" &&
        sed -i 's/^# roots/roots/' "$WORLD/maker/factory.ini"
}

# What its maker gave a device of profile tcg, for evidence.
use_iak() {
    in_device "$1" "$BIN/idevid-device" cert tpm2:handle=0x01C90100 \
        >"$WORLD/$1.iak.pem" &&
        cat "$WORLD/maker/issuing-ca.pem" >>"$WORLD/$1.iak.pem" &&
        printf '[anchor]\niak = tpm2:handle=0x81020001\niak-certificate = %s\n' \
            "$WORLD/$1.iak.pem" >>"$WORLD/$1.ini"
}

# An attestation key (IAK) for a device with a TPM: it signs only what the TPM
# itself says, and the maker certifies that. Evidence needs it.
device_iak() {
    local name=$1
    in_device "$name" sh -ec "cd '$WORLD'
        tpm2_createprimary -Q -C e -g sha256 -G ecc256:ecdsa-sha256:null \\
            -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda' \\
            -c '$name.iak.ctx'
        tpm2_evictcontrol -Q -C o -c '$name.iak.ctx' 0x81020001
        tpm2_readpublic -Q -c 0x81020001 -f pem -o '$name.iak.pub'
        tpm2_flushcontext -t" || return
    openssl_conf
    printf 'extendedKeyUsage=2.23.133.8.3\n' >"$WORLD/iak.ext"
    OPENSSL_CONF=$WORLD/openssl.cnf in_device maker openssl x509 -new \
        -subj "/CN=IAK of $name" -force_pubkey "$WORLD/$name.iak.pub" \
        -CA "$WORLD/maker/issuing-ca.pem" \
        -CAkey 'pkcs11:token=maker;object=issuing-ca;type=private' \
        -days 365 -extfile "$WORLD/iak.ext" -out "$WORLD/$name.iak.pem" ||
        return
    cat "$WORLD/maker/issuing-ca.pem" >>"$WORLD/$name.iak.pem"
    printf '[anchor]\niak = tpm2:handle=0x81020001\niak-certificate = %s\n' \
        "$WORLD/$name.iak.pem" >>"$WORLD/$name.ini"
}

device_token() {
    token_up "$1" && pledge_conf "$1" "pkcs11:token=$1" &&
        provision "$1" "$2" "pkcs11:token=$1" --hw-type 2.999.1
}

pledge() {
    local name=$1
    shift
    in_device "$name" "$BIN/idevid-pledge" -c "$WORLD/$name.ini" "$@"
}

anchor() {
    local name=$1
    shift
    in_device "$name" "$BIN/idevid-anchor" -c "$WORLD/$name.ini" "$@"
}

# Root of a device with a TPM puts an anchor of its own in the place of the one
# that was sealed, as like it as can be: the record of another certificate,
# locked, in an index that differs by its policy only.
own_anchor() {
    in_device "$1" sh -ec "cd '$WORLD'
        satisfied() {
            tpm2_startauthsession -Q --policy-session -S own.session
            tpm2_policyauthvalue -Q -S own.session -L own.policy
        }
        tpm2_nvread 0x01800A01 -C o -s 112 -o sealed.bin
        { head -c 24 sealed.bin; openssl dgst -sha256 -binary own.der
          tail -c 56 sealed.bin; } >own.bin
        tpm2_nvundefine -Q 0x01800A01 -C o
        satisfied
        tpm2_nvdefine -Q 0x01800A01 -C o -s 112 -L own.policy \\
            -a 'policywrite|ownerread|authread|no_da|writedefine|writeall'
        tpm2_nvwrite -Q 0x01800A01 -C 0x01800A01 -P session:own.session -i own.bin
        tpm2_flushcontext own.session
        satisfied
        tpm2_nvwritelock -Q 0x01800A01 -C 0x01800A01 -P session:own.session
        tpm2_flushcontext own.session" &&
        cp "$WORLD/own.der" "$WORLD/$1.state/anchor.der"
}

# The device proves its anchor; whoever sent the nonce needs no TPM to judge.
proved() {
    local name=$1 nonce
    nonce=$(openssl rand -hex 16)
    anchor "$name" evidence --nonce "$nonce" -o "$WORLD/$name.evidence.pem" &&
        "$BIN/idevid-anchor" verify-evidence --nonce "$nonce" \
            --ca "$WORLD/maker/anchors.pem" --pin "$2" \
            "$WORLD/$name.evidence.pem"
}

# --- what stories show and check ---------------------------------------------------

learn_devices() {
    in_device maker "$BIN/idevid-factory" export "$WORLD/maker" \
        -o "$WORLD/devices.jsonl" && masa import "$WORLD/devices.jsonl"
}

show_idevid() {
    in_device "$1" "$BIN/idevid-device" cert tpm2:handle=0x01C90200 |
        openssl x509 -noout -subject -issuer -enddate -ext subjectAltName \
            -nameopt RFC2253
}

# An openssl.cnf that activates hwkey.so beside default.
openssl_conf() {
    cat >"$WORLD/openssl.cnf" <<EOF
openssl_conf = main
[main]
providers = providers
[providers]
default = default_provider
hwkey = hwkey_provider
[default_provider]
activate = 1
[hwkey_provider]
module = $MODULE
activate = 1
EOF
}

# The LDevID of a device as files: certificate chain, and a key file that holds
# nothing but the URI of the key.
ldevid_files() {
    local name=$1 uri
    openssl_conf
    uri=$(pledge "$name" --json status |
        sed -n 's/.*"ldevid-key":"\([^"]*\)".*/\1/p')
    in_device "$name" "$BIN/idevid-device" wrap "$uri" \
        -o "$WORLD/$name.key.pem" &&
        pledge "$name" status --pem >"$WORLD/$name.ldevid.pem" &&
        pledge "$name" status --anchors >"$WORLD/$name.anchors.pem"
}

# Asks the registrar for its CA certificates, as the device it now is.
ldevid_curl() {
    local name=$1
    ldevid_files "$name" || return
    OPENSSL_CONF=$WORLD/openssl.cnf in_device "$name" \
        curl -sS --fail --max-time 30 \
        --cacert "$WORLD/$name.anchors.pem" \
        --cert "$WORLD/$name.ldevid.pem" --key "$WORLD/$name.key.pem" \
        -o /dev/null -w 'HTTP %{http_code}, client certificate accepted\n' \
        "https://localhost:$REG_PORT/.well-known/est/cacerts"
}

# The same against openssl s_server, which insists on a client certificate.
ldevid_s_client() {
    local name=$1 port pid code
    ldevid_files "$name" || return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$WORLD/s_server.pem" -out "$WORLD/s_server.crt" \
        -subj /CN=localhost -days 1 2>/dev/null
    openssl s_server -accept 127.0.0.1:0 -key "$WORLD/s_server.pem" \
        -cert "$WORLD/s_server.crt" -Verify 4 -verify_return_error \
        -CAfile "$WORLD/owner/domain-ca.pem" -naccept 1 -rev \
        >"$WORLD/s_server.out" 2>&1 &
    pid=$!
    port=$(wait_text '^ACCEPT .*:\([0-9]*\)$' "$WORLD/s_server.out" "$pid")
    printf 'hello\nCLOSE\n' | OPENSSL_CONF=$WORLD/openssl.cnf \
        in_device "$name" timeout 30 openssl s_client -connect "127.0.0.1:$port" -brief -ign_eof \
        -CAfile "$WORLD/s_server.crt" -verify_return_error \
        -cert "$WORLD/$name.ldevid.pem" -key "$WORLD/$name.key.pem" 2>&1 |
        grep -E 'Protocol|olleh|Signature type'
    code=${PIPESTATUS[1]}
    rm -f "$WORLD/s_server.pem"
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    return "$code"
}

# Searches everything below the world for private keys, PEM and DER, outside
# token stores and TPM states.
# the TPM vendor, another company, keeps his CA as he likes
no_key_on_disk() {
    local found
    found=$(find "$WORLD" -type f -not -path '*/tokens/*' -not -path '*.tpm/*' \
        -not -path "$WORLD/vendor/*" \
        -exec "$BIN/tests/lib/findkeys" {} + 2>&1) && return
    printf '%s\n' "$found"
    return 1
}

# A second owner, whom nobody sold anything to.
rogue_world() {
    owner rogue 'Rogue Networks' && registrar_start rogue &&
        masa owner TPM-0003 "$WORLD/owner/domain-ca.pem"
}

# Vouchers that are well-formed and wrong, all without a nonce.
fake_world() {
    local soon
    soon=$(date -u -d '+10 minutes' +%FT%TZ)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$WORLD/fake-key.pem" -out "$WORLD/fake.pem" \
        -subj '/CN=Fake Registrar' -days 1 \
        -addext extendedKeyUsage=1.3.6.1.5.5.7.3.28,serverAuth 2>/dev/null
    voucher_make other-serial TPM-0001 "$soon" "$WORLD/fake.pem" &&
        voucher_make good-serial TPM-0003 "$soon" "$WORLD/fake.pem" &&
        voucher_make other-pin TPM-0003 "$soon" "$WORLD/owner/domain-ca.pem" &&
        voucher_sign other-serial maker && voucher_sign other-pin maker &&
        "$BIN/idevid-voucher" sign "$WORLD/good-serial.json" \
            --key "$WORLD/fake-key.pem" --cert "$WORLD/fake.pem" \
            -o "$WORLD/stranger.vcj"
}

voucher_make() {
    "$BIN/idevid-voucher" make --serial "$2" --assertion logged \
        --created-on "$(date -u +%FT%TZ)" --expires-on "$3" --pin "$4" \
        -o "$WORLD/$1.json"
}

voucher_sign() {
    in_device "$2" "$BIN/idevid-voucher" sign "$WORLD/$1.json" \
        --key 'pkcs11:token=maker;object=masa;type=private' \
        --cert "$WORLD/maker/masa.pem" -o "$WORLD/$1.vcj"
}

# fake_start VOUCHER: a registrar that answers with that file.
fake_start() {
    FAKE_N=$((${FAKE_N:-0} + 1))
    start maker "$WORLD/fake$FAKE_N.out" "$BIN/tests/lib/dishonest" \
        "$WORLD/fake-key.pem" "$WORLD/fake.pem" "$1" "$WORLD/fake.status"
    FAKE_PORT=$(wait_listening "$WORLD/fake$FAKE_N.out" "$STARTED")
}

still_factory() {
    pledge "$1" status | tee "$WORLD/status.out"
    grep -q '^state *none' "$WORLD/status.out"
}
