#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a registrar knows of its devices: exported, copied while it serves,
# brought back from the copy, let go; and the same services on PostgreSQL.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
pg=
trap '[ -z "$pg" ] || bash "$PG" stop "$pg"; world_end' EXIT
PG=$(cd "$(dirname "$0")/../lib" && pwd)/postgresql.sh

world_begin
ok 'maker' maker || bail 'no maker'
ok 'owner' owner
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'one device' device_token router TOK-1
ok 'another device' device_token toaster TOK-2
ok 'MASA learns of both' learn_devices
ok 'registrar serves' registrar_start
ok 'it joins' pledge router join --registrar "localhost:$REG_PORT"

# --- export ---
kinds() {
    sed -n 's/.*"kind":"\([a-z_]*\)".*/\1/p' | sort | uniq -c |
        awk '{print $2 "=" $1}' | xargs
}
registrar export >"$WORLD/ledger.json"
is 'export: a line a row' "$(kinds <"$WORLD/ledger.json")" \
    'audit_log=1 certificate=1 enrollstatus=1 session=1 voucher_status=1'
is 'each is JSON' "$(python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)
print("yes")' <"$WORLD/ledger.json")" yes
python3 -c 'import base64, json, sys
rows = [json.loads(line) for line in sys.stdin]
row = next(r for r in rows if r["kind"] == "certificate")
sys.stdout.buffer.write(base64.b64decode(row["der"]))' \
    <"$WORLD/ledger.json" >"$WORLD/ledger.der"
like 'with the certificate itself' \
    "$(openssl x509 -inform DER -in "$WORLD/ledger.der" -noout -subject)" TOK-1
like 'CSV has a head' "$(registrar export --format csv | sed -n 1p)" \
    '^kind,date,serial-number,maker,state,'
is 'CSV has the same rows' "$(registrar export --format csv | wc -l)" \
    "$(($(wc -l <"$WORLD/ledger.json") + 1))"
is 'nothing before there was anything' \
    "$(registrar export --until 2020-01-01)" ''
is 'all since then' "$(registrar export --since 2020-01-01T00:00:00Z)" \
    "$(cat "$WORLD/ledger.json")"
fails 2 'not a date' 'a date that is none' registrar export --since yesterday
fails 2 'json or csv' 'a format that is none' registrar export --format xml

# --- backup, while it serves ---
ok 'backup' registrar backup "$WORLD/copy.db"
is 'for its owner only' "$(stat -c %a "$WORLD/copy.db")" 600
fails 5 'File exists' 'nothing is overwritten' registrar backup "$WORLD/copy.db"
ok 'the MASA has it as well' masa backup "$WORLD/masa-copy.db"
sed "s#^database = .*#database = $WORLD/copy.db#" "$WORLD/owner.ini" \
    >"$WORLD/copy.ini"
copy() {
    in_device owner "$BIN/idevid-registrar" -c "$WORLD/copy.ini" "$@"
}
is 'the copy has it all' "$(copy export)" "$(cat "$WORLD/ledger.json")"

# --- prune ---
like 'prune: nothing is too old' "$(copy prune)" '^0 rows'
sqlite3 "$WORLD/copy.db" 'UPDATE session SET changed = 1;
UPDATE issued SET not_after = 1'
like 'nor is it ever, unless asked for' "$(copy prune)" '^0 rows'
sed -i 's/^\[store\]/&\nkeep-ledger-days = 365/' "$WORLD/copy.ini"
copy export >"$WORLD/before.look"
ok 'a look at the configuration' copy run --test
ok 'lets nothing go' cmp "$WORLD/before.look" <(copy export)
like 'what the configuration does not keep goes' "$(copy prune)" '^2 rows'
is 'reports go with it' "$(copy export)" ''
kill "$REG_PID" "$MASA_PID"
wait "$REG_PID" "$MASA_PID"

# --- the same on PostgreSQL, two workers each ---
pg=$(bash "$PG" start $$) || {
    skip 'services on PostgreSQL' 'there is none here'
    done_testing
    exit
}
REG_DATABASE=$(bash "$PG" url "$pg" registrar)
MASA_DATABASE=$(bash "$PG" url "$pg" masa)
WORKERS=2
ok 'MASA serves from PostgreSQL' masa_start
ok 'MASA learns of the devices' learn_devices
ok 'registrar serves from PostgreSQL' registrar_start
ok 'a device joins' pledge toaster join --registrar "localhost:$REG_PORT"
is 'export' "$(registrar export | kinds)" "$(kinds <"$WORLD/ledger.json")"
is 'one voucher in the log' "$(masa log TOK-2 | wc -l)" 1
fails 2 'pg_dump' 'a copy is for pg_dump' registrar backup "$WORLD/pg.db"
ok 'pg_dump' pg_dump -n registrar -f "$WORLD/dump.sql" \
    "postgresql://idevid@/postgres?host=$pg"
registrar export >"$WORLD/pg.json"
bash "$PG" halt "$pg"
fails 5 'store: postgresql://' 'no database: said by name' registrar export
bash "$PG" go "$pg"
is 'it is there again' "$(registrar export)" "$(cat "$WORLD/pg.json")"
ok 'renewed by the service that was there before' pledge toaster renew
bash "$PG" sql "$pg" 'DROP SCHEMA registrar CASCADE'
ok 'restored' psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -f "$WORLD/dump.sql" \
    "postgresql://idevid@/postgres?host=$pg"
is 'as it was' "$(registrar export)" "$(cat "$WORLD/pg.json")"
kill "$REG_PID" "$MASA_PID"
wait "$REG_PID" "$MASA_PID"
done_testing
