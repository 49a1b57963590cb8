#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The CRL that an LDevID names is among the files for other programs: from the
# registrar over https, from elsewhere over http, never from anybody else, and a
# bad one leaves the one before.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a device with a token' device_token router TOK-1
ok 'MASA learns of it' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start
cat >>"$WORLD/router.ini" <<END
[enroll]
output = $WORLD/out
[hooks]
directory = $WORLD/hooks.d
[agent]
state-file = $WORLD/agent.json
END
mkdir -m 755 "$WORLD/hooks.d"
printf '#!/bin/sh\necho "$IDEVID_EVENT ${IDEVID_CRL##*/}" >>"%s/hooks"\n' "$WORLD" \
    >"$WORLD/hooks.d/note"
chmod 755 "$WORLD/hooks.d/note"
CRL=$WORLD/out/current/ca.crl.pem
REGISTRAR=localhost:$REG_PORT
# good: what is there is the domain's
good() {
    openssl crl -in "$CRL" -CAfile "$WORLD/owner/domain-ca.pem" -noout 2>&1 |
        grep -q 'verify OK'
}
number() {
    openssl crl -in "$CRL" -noout -crlnumber
}

# --- none is named ---
ok 'joins a domain without CRLs' pledge router join --registrar "$REGISTRAR"
ok 'and has none' test ! -e "$CRL"
is 'status says nothing of any' "$(pledge router status | grep -c crl)" 0

# --- the registrar's own, over https ---
ok 'the registrar names its own' registrar_crl "https://$REGISTRAR/crl/ca.crl"
ok 'R-P-67: renewed' pledge router renew --registrar "$REGISTRAR"
ok 'its CRL is there, as the domain signed it' good
like 'status says until when' "$(pledge router status)" \
    '^crl-until *20[0-9-]*T'
like 'hooks are told where' "$(tail -n 1 "$WORLD/hooks")" \
    '^renewed ca.crl.pem'
ok 'openssl takes it' openssl verify -crl_check -CAfile \
    "$WORLD/owner/domain-ca.pem" -CRLfile "$CRL" "$WORLD/out/current/cert.pem"
cp "$CRL" "$WORLD/first.pem"
ok 'what stands in its place' eval 'rm "$CRL" && pledge router join &&
    cmp "$CRL" "$WORLD/first.pem"'
ok 'R-P-96: reset' pledge router reset
ok 'R-P-96: nothing of it is left' eval '[ ! -e "$CRL" ] &&
    [ ! -e "$WORLD/router/crl.pem" ]'

# --- elsewhere, over http, where everybody could answer ---
start owner "$WORLD/crl.out" python3 "$top_srcdir/tests/lib/crl_server.py" \
    "$WORLD/served"
PORT=$(wait_listening "$WORLD/crl.out" "$STARTED")
ok 'the registrar names another server' registrar_crl "http://127.0.0.1:$PORT/x.crl"
echo garbage >"$WORLD/served"
ok 'joins, whatever that server says' pledge router join \
    --registrar "$REGISTRAR"
ok 'there is none yet' test ! -e "$CRL"
like 'which status says' "$(pledge router status)" '^crl-until *none yet'

# the domain's: an older and a newer one
registrar crl --again >/dev/null && registrar crl --out "$WORLD/older.crl"
SECOND=$(date +%s) # CRLs count in these
while [ "$(date +%s)" = "$SECOND" ]; do pause; done
registrar crl --again >/dev/null && registrar crl --out "$WORLD/newer.crl"
cat >"$WORLD/ca.cnf" <<END
[ca]
default_ca = d
[d]
database = $WORLD/index.txt
default_md = sha256
default_crl_days = 1
END
: >"$WORLD/index.txt"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$WORLD/evil.key" -out "$WORLD/evil.pem" -days 2 -subj \
    "$(openssl x509 -in "$WORLD/owner/domain-ca.pem" -noout -subject \
        -nameopt compat | sed 's/^subject=//; s/^ *//')" 2>/dev/null
openssl ca -gencrl -config "$WORLD/ca.cnf" -keyfile "$WORLD/evil.key" \
    -cert "$WORLD/evil.pem" 2>/dev/null |
    openssl crl -outform DER -out "$WORLD/evil.crl"
ok 'somebody else signs one in the same name' test -s "$WORLD/evil.crl"

start router "$WORLD/agent" "$BIN/idevid-pledge" -c "$WORLD/router.ini" run
AGENT=$STARTED
# until_log TEXT: the agent says it
until_log() {
    local i=0
    until grep -q "$1" "$WORLD/agent.err"; do
        i=$((i + 1))
        [ $i -lt 400 ] && kill -0 "$AGENT" || return 1
        pause
    done
}
ok 'the agent tries again at once' until_log 'crl .*this is none'
like 'and rests, until it does once more' "$(pledge router status)" resting
# served FILE TEXT: it looks again, and says so
served() {
    : >"$WORLD/agent.err"
    rm -f "$WORLD/served"
    [ -z "$1" ] || cp "$1" "$WORLD/served"
    kill -HUP "$AGENT"
    until_log "$2"
}
ok "somebody else's" served "$WORLD/evil.crl" 'not signed by its issuer'
ok 'one without end' served '' 'more than 4194304 bytes'
ok 'after all that there is none' test ! -e "$CRL"
ok "the domain's" served "$WORLD/newer.crl" 'detail=fetched\|hook '
ok 'is there' good
NUMBER=$(number)
like 'a hook was told' "$(tail -n 1 "$WORLD/hooks")" '^crl ca.crl.pem'
kill "$AGENT" && wait "$AGENT"

# --- a worse one leaves the one before ---
worse() {
    rm -f "$WORLD/served"
    [ -z "$1" ] || cp "$1" "$WORLD/served"
    like "R-P-67: renewed, though $2" "$(pledge router renew \
        --registrar "$REGISTRAR" 2>&1)" "crl .*$3"
    is "and what was there stays: $2" "$(number)" "$NUMBER"
}
worse "$WORLD/older.crl" 'it is older' 'older than'
worse "$WORLD/evil.crl" 'it is of another' 'not signed'
worse /dev/null 'it is empty' 'this is none'
worse '' 'it never ends' 'more than'
echo stall >"$WORLD/stall"
sed -i 's/^\[enroll\]$/&\ncrl-seconds = 1/' "$WORLD/router.ini"
worse "$WORLD/stall" 'it stands still' 'no answer in time'
kill "$STARTED" 2>/dev/null
done_testing
