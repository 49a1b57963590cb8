#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One request a thousand times at once, to four workers: one voucher, and one
# entry in the log, whatever the database.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
. "$(dirname "$0")/monitor.inc"
. "$(dirname "$0")/masa_trouble.inc"
trap world_end EXIT

# thousand NAME: answers of one request, 50 connections at a time
thousand() {
    local i
    mkdir "$WORLD/$1.answers"
    for ((i = 0; i < 1000; i++)); do
        printf 'url = "https://localhost:%s%s"\noutput = "%s"\n' \
            "$MASA_PORT" $BRSKI/requestvoucher "$WORLD/$1.answers/$i"
        printf 'data-binary = "@%s"\nheader = "%s"\ncacert = "%s"\nnext\n' \
            "$WORLD/$1.vcj" "$VCJ" "$WORLD/maker.pem"
    done | sed '$d' >"$WORLD/$1.curl"
    curl -sS -Z --parallel-max 50 --max-time 60 -K "$WORLD/$1.curl"
}
same() { # WHAT
    local before
    before=$(entries)
    request "$1" --nonce "$1"
    ok "$1: one request a thousand times at once" thousand "$1"
    is "$1: is answered each time" "$(find "$WORLD/$1.answers" -type f \
        -size +500c | wc -l)" 1000
    is "$1: with the same voucher" \
        "$(cat "$WORLD/$1.answers"/* | wc -c)" "$(($(wc -c \
            <"$WORLD/$1.answers/0") * 1000))"
    is "$1: octet by octet" "$(sha256sum "$WORLD/$1.answers"/* |
        cut -d' ' -f1 | sort -u | wc -l)" 1
    is "$1: of which there is one entry" "$(($(entries) - before))" 1
    ok "$1: which the tree has" masa verify-log --key "$WORLD/log.pub" \
        --database "${DATABASE:-$WORLD/masa.db}"
}
world_begin
export WORKERS=4
ok 'a MASA of four workers' trouble_begin || bail 'no MASA'
same SQLite
ok 'it ends' bare_stop
pg=$("$top_srcdir/tests/lib/postgresql.sh" start $$) || {
    skip PostgreSQL 'there is none'
    done_testing
    exit
}
DATABASE=$("$top_srcdir/tests/lib/postgresql.sh" url "$pg" acme)
ok 'one on PostgreSQL' serve
know_device BARE-1 >/dev/null
same PostgreSQL
ok 'it ends' bare_stop
"$top_srcdir/tests/lib/postgresql.sh" stop "$pg"
done_testing
