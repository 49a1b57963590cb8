#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registrar that asks a MASA for too much, and another beside it, at two
# workers; and a domain that has too many vouchers, at two machines.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
trap world_end EXIT

retry_after() {
    sed -n 's/^retry-after: *\([0-9]*\).*/\1/Ip' "$REPLY_FILE.head"
}

# until it is told to wait, or has asked that often; the last status
flood() { # MOST
    local i status
    for ((i = 0; i < $1; i++)); do
        status=$(ask $BRSKI/requestvoucher one.vcj)
        [ "$status" = 200 ] || break
    done
    echo "$status"
}

world_begin
POLICY='registrar-minute = 4'
WORKERS=2
ok 'a MASA' bare_masa || bail 'no MASA'
ca second 'Second Domain CA'
registrar_cert other second
request one --nonce aaa
BY=other request two --nonce bbb
# nine requests are in three minutes or two of them in one with five
is 'R-M-34: too many requests of one registrar' "$(flood 9)" 429
like 'a text says so' "$(cat "$REPLY_FILE")" '^too many requests'
is 'R-M-34: it comes again in a minute' "$(retry_after)" 60
is 'R-M-34: another registrar is served' \
    "$(ask $BRSKI/requestvoucher two.vcj)" 200

# --- a domain ---------------------------------------------------------------

bare_stop
POLICY='domain-hourly = 2'
ok 'another machine' bare_start
for n in c d e; do
    request $n --nonce $n
done
status=$(for n in c d e one two; do
    ask $BRSKI/requestvoucher $n.vcj
    echo
done | sort | uniq -c | tr -s ' \n' ' ')
# c and d, or one of them and e when the hour ends; what was issued before
like 'R-M-34: a domain has two in an hour, and what it had' "$status" \
    '4 200 1 429\|5 200'
first_port=$MASA_PORT
first_pid=$MASA_PID
for n in f g h; do
    request $n --nonce $n
done
is 'one more is one too many at any machine' "$(for n in f g h; do
    ask $BRSKI/requestvoucher $n.vcj
    echo
done | sort -u | grep -c 429)" 1
MASA_PORT=0 ADMIN=$WORLD/second.sock
ok 'a machine beside it' bare_start
is 'R-M-34: there as well' "$(for n in f g h; do
    ask $BRSKI/requestvoucher $n.vcj
    echo
done | sort -u | grep -c 429)" 1
ok 'it comes again before the hour is over' \
    [ "$(retry_after)" -ge 1 -a "$(retry_after)" -le 3600 ]
BY=other request k --nonce k
is 'R-M-34: another domain has its own' \
    "$(ask $BRSKI/requestvoucher k.vcj)" 200
bare_stop
MASA_PORT=$first_port MASA_PID=$first_pid
bare_stop
done_testing
