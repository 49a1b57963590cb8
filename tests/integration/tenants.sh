#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two makers in one MASA, told apart by the name they are asked by: each has its
# certificate, devices, keys, log and tree, and none answers for the other.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
. "$(dirname "$0")/monitor.inc"
. "$(dirname "$0")/tenants.inc"
trap world_end EXIT

# takes [OUTCOME]: a new configuration, which is taken over by all or (failures)
# not
takes() {
    local before old
    old=$(workers)
    before=$(count_of "idevid_reload${1:+_}${1:-s}_total")
    bare_masa_conf
    kill -HUP "$MASA_PID"
    becomes "idevid_reload${1:+_}${1:-s}_total" $((${before:-0} + 1)) || return
    [ $# -gt 0 ] || gone $old
}
check() {
    bare_masa_conf
    masa run -t
}

world_begin
bolt_made
bolt_conf
export WORKERS=2
SERVER="metrics = 127.0.0.1:0
tenants = $WORLD/bolt.ini"
MASA_LOG="key = $WORLD/acme-log.key
location = https://localhost"
ok 'a MASA of two makers' bare_masa || bail 'no MASA'
monitor "$WORLD/masa.out" "$MASA_PID"
SERVER="metrics = 127.0.0.1:$MONITOR
tenants = $WORLD/bolt.ini"

# --- each its own ------------------------------------------------------------

is 'R-M-33: the certificate is that of who is asked for' \
    "$(shown bolt.example)" 'CN = bolt'
is 'or of the first' "$(shown localhost)" 'CN = localhost'
is 'in TLS 1.2, too' "$(shown bolt.example -tls1_2)" 'CN = bolt'
is 'who asks for nobody we know gets the first' "$(shown nobody.example)" \
    'CN = localhost'

ok 'a device of the second, of the same number' know bolt BARE-1 bolt
ok 'and one that only the second has' know bolt BOLT-1 bolt
is 'R-M-33: devices are apart' "$(masa list | awk '{print $1}')" BARE-1
is 'the second has its own' "$(masa --tenant bolt list |
    awk '{print $1}' | tr '\n' ' ')" 'BARE-1 BOLT-1 '
request first --nonce aaa
is 'a voucher of the first' "$(ask $BRSKI/requestvoucher first.vcj)" 200
like 'by its key' "$(signer_of "$REPLY_FILE")" 'Voucher Signer'
is 'the same request to the second' \
    "$(at bolt $BRSKI/requestvoucher first.vcj)" 200
like 'R-M-33: is signed by the key of the second' \
    "$(signer_of "$REPLY_FILE")" 'Bolt Signer'
SERIAL=BOLT-1 request only --nonce bbb
is 'its device' "$(at bolt $BRSKI/requestvoucher only.vcj)" 200
is 'R-M-33: is nothing to the first' \
    "$(ask $BRSKI/requestvoucher only.vcj)" 404
is 'logs are apart' "$(masa log | wc -l) $(masa --tenant bolt log | wc -l)" \
    '1 2'
# (what a tree says of its size stands in the signed head, base64)
size_of() {
    python3 -c 'import base64, json, sys
sth = base64.b64decode(json.load(open(sys.argv[1]))["sth"])
at = 2 + 1 + sth[2] + 8
print(int.from_bytes(sth[at:at + 8], "big"))' "$REPLY_FILE"
}
get bolt /log/v1/get-sth >"$WORLD/status"
is 'trees are apart' "$(cat "$WORLD/status") $(size_of)" '200 2'
for name in first bolt; do
    key=$([ $name = first ] && echo acme || echo bolt)
    openssl pkey -in "$WORLD/$key-log.key" -pubout -out "$WORLD/$name.pub"
done
is 'the key that signs its heads is its own' \
    "$(masa --tenant bolt log-key)" "$(cat "$WORLD/bolt.pub")"
ok 'its log is all there' masa verify-log --key "$WORLD/bolt.pub" \
    --database "$WORLD/bolt.db"

# --- and nobody another's ----------------------------------------------------

is 'R-M-33: another name in Host than in the handshake is refused' \
    "$(at bolt $BRSKI/requestvoucher only.vcj -H 'Host: localhost')" 421
is 'the other way as well' \
    "$(ask $BRSKI/requestvoucher only.vcj -H 'Host: bolt.example')" 421
like 'with a text' "$(cat "$REPLY_FILE")" 'not served on this connection'
SERIAL=BARE-1 request log --nonce aaa
is 'an audit log has a place' "$(ask $BRSKI/requestauditlog first.vcj)" 201
where=$(sed -n 's|^location: *https://localhost\([^[:space:]]*\).*|\1|Ip' \
    "$REPLY_FILE.head")
is 'at the first' "$(curl -sS --cacert "$WORLD/maker.pem" -o /dev/null \
    -w '%{http_code}' "https://localhost:$MASA_PORT$where")" 200
is 'R-M-33: and not at the second, whatever its numbers are' \
    "$(get bolt "$where")" 404
ok 'a device is blocked at one' masa --tenant bolt block BARE-1
request blocked --nonce ccc
is 'where it gets nothing' "$(at bolt $BRSKI/requestvoucher blocked.vcj)" 403
is 'and not at the other' "$(ask $BRSKI/requestvoucher blocked.vcj)" 200
ok 'each is counted by its name' becomes \
    'idevid_vouchers_issued_total{tenant="bolt"}' 2
ok 'the first without one' becomes idevid_vouchers_issued_total 2
like 'and logged so' "$(cat "$WORLD/masa.out.err")" \
    'voucher-issued.* tenant=bolt$'
like 'what was asked, too' "$(cat "$WORLD/masa.out.err")" \
    'admin role=masa/bolt path=/stand'
is 'it is healthy' "$(look health)" '{"status":"good"}'

# --- one comes, one goes -----------------------------------------------------

SERVER="metrics = 127.0.0.1:$MONITOR
unknown-name = refuse"
ok 'without the second' takes
is 'R-M-33: nobody is shown a certificate who asks for it' \
    "$(shown bolt.example)" ''
is 'nor who asks for nobody' "$(shown nobody.example)" ''
is 'the first is there' "$(shown localhost)" 'CN = localhost'
fails 2 'server.tenants has no bolt.ini' 'it is not asked about' \
    masa --tenant bolt list
SERVER="$SERVER
tenants = $WORLD/bolt.ini"
bare_masa_conf
fails 1 'has no tenant of that name' 'before it is taken over' \
    masa --tenant bolt list
POLICY='registrar-minute = 4'
printf '[policy]\n%s\n' "$POLICY" >>"$WORLD/bolt.ini"
ok 'it comes back' takes
is 'and is shown' "$(shown bolt.example)" 'CN = bolt'
is 'with all it had' "$(masa --tenant bolt list | wc -l)" 2
# nine requests are in three minutes or two of them in one with five
is 'R-M-34: a registrar that asks it too often' "$(for i in 1 2 3 4 5 6 7 8 9
do
    at bolt $BRSKI/requestvoucher only.vcj
    echo
done | sort -u | tail -n 1)" 429
is 'R-M-34: is served by the first as if it had not' \
    "$(ask $BRSKI/requestvoucher first.vcj)" 200
POLICY=
bolt_conf 'names = bolt.example, www.bolt.test'
ok 'by another name, too' takes
is 'R-M-33: as its file says' "$(shown www.bolt.test)" 'CN = bolt'

# --- files that are wrong ----------------------------------------------------

bolt_conf 'listen = 127.0.0.1:0'
fails 2 'bolt.ini:4: .*listen' "what is the process's alone" check
BOLT_DB=$WORLD/./masa.db bolt_conf
fails 2 "tenant bolt: its database .* is that of the first" \
    'the database of another' check
BOLT_DB= bolt_conf
fails 2 'bolt.ini:.*database' 'none' check
bolt_conf 'names = acme.example'
fails 2 'tenant bolt: server.names: .*bolt-tls.pem is not for acme.example' \
    'a name that its certificate is not for' check
bolt_conf
sed -i "s|bolt-tls|tls|" "$WORLD/bolt.ini"
fails 2 'server.names: localhost is that of the first maker and of bolt' \
    'the name of another' check
bolt_conf
sed -i 's|bolt-signer.pem|bolt-tls.pem|' "$WORLD/bolt.ini"
fails 2 'tenant bolt: .*not the certificate of' 'a key that does not fit' check
ok 'is not taken over' takes failures
like 'which says why' "$(cat "$WORLD/masa.out.err")" \
    'reload-failed .*tenant bolt'
is 'and nothing changes' "$(shown www.bolt.test)" 'CN = bolt'
bolt_conf
SERVER="tenants = $WORLD/none.ini"
fails 5 'none.ini' 'a file that is not there' check
SERVER="tenants = $WORLD/bolt.conf"
fails 2 'bolt.conf is not NAME.ini' 'a file of another name' check
SERVER="tenants = $WORLD/bolt.ini $WORLD/bolt.ini"
fails 2 'bolt' 'the same twice' check

# --- without the service -----------------------------------------------------

SERVER="tenants = $WORLD/bolt.ini"
bare_masa_conf
ok 'it ends' bare_stop
is 'a verb finds the database of the tenant' \
    "$(masa --tenant bolt log | wc -l)" 2
ok 'a copy, too' masa --tenant bolt backup "$WORLD/bolt.copy"
is 'of this one' "$(masa verify-log --key "$WORLD/bolt.pub" --database \
    "$WORLD/bolt.copy" | grep -o '[0-9]* entries')" '2 entries'
fails 2 'it serves all tenants' 'none is served alone' masa --tenant bolt run

# --- one in trouble ----------------------------------------------------------

SERVER="metrics = 127.0.0.1:$MONITOR
tenants = $WORLD/bolt.ini"
ok 'both serve again' bare_start
sqlite3 "$WORLD/bolt.db" "INSERT INTO audit_event (device_id, date, domain_id,
    nonce, assertion) SELECT id, 4000000000, 'ZG9t', 'ahead', 2 FROM device
    LIMIT 1" || bail 'no sqlite3'
like 'health names the one that is in trouble' "$(look health)" \
    'failing.*tenant bolt: clock'
SERIAL=BOLT-1 request trouble --nonce ddd
is 'whose vouchers have to wait' \
    "$(at bolt $BRSKI/requestvoucher trouble.vcj)" 503
request fine --nonce eee
is 'R-M-33: not those of the other' "$(ask $BRSKI/requestvoucher fine.vcj)" 200
ok 'it ends' bare_stop

# --- made by init ------------------------------------------------------------

ok 'a token for a third' token_up volt
ok 'init makes its file' in_device volt "$BIN/idevid-masa" init "$WORLD/volt" \
    --tenant volt --device pkcs11:token=volt --maker Volt \
    --anchors "$WORLD/bolt.pem" --name volt.example
SERVER="tenants = $WORLD/bolt.ini $WORLD/volt/volt.ini"
ok 'which goes beside the others' check
fails 2 'letters, digits' 'a name that is none' in_device volt \
    "$BIN/idevid-masa" init "$WORLD/volt" --tenant a/b \
    --device pkcs11:token=volt --maker Volt --anchors "$WORLD/bolt.pem"
done_testing
