#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The line's book judged by others: sqlite3, openssl cms and Python alone come
# to what the library says, of a sound book and of an edited one.
. "$(dirname "$0")/../lib/story.sh"
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
bin=${top_builddir:-$src/build}
maker=$bin/tests/lib/bookmaker
dir=$tap_dir/book
mkdir "$dir"

ok 'a book of 20 devices' "$maker" "$dir" 20 || bail 'no book'
theirs() { python3 "$src/tests/lib/book_check.py" "$1/book.db" "$1/anchors.pem"; }
ours() { "$maker" "$1" check; }
is 'the library verifies it' "$(ours "$dir")" \
    'entries 24 batches 2 unsigned 1 devices 20 '
is 'and so does Python' "$(theirs "$dir")" \
    '24 entries, 1 after the last signature, 20 devices'

# what people look up
is 'sqlite3 shows who made a device' "$(sqlite3 "$dir/book.db" \
    "SELECT json_extract(body, '\$.device.operator') FROM entry
    WHERE serial_number = 'R-0007'")" ann
is 'sqlite3 tells whose file it is' \
    "$(sqlite3 "$dir/book.db" 'PRAGMA application_id')" 1229211202
order=$(sqlite3 "$dir/book.db" \
    "SELECT json_extract(body, '\$.sha256') FROM entry WHERE kind = 'order'")
is 'sha256sum of an order is what its entry says' "$(sqlite3 "$dir/book.db" \
    'SELECT body FROM work_order; SELECT body FROM order_device ORDER BY
    position' | sha256sum)" "$order  -"
sqlite3 "$dir/book.db" "SELECT writefile('$dir/batch.cms', cms) FROM batch
    ORDER BY seq DESC LIMIT 1" >/dev/null
is 'openssl cms tells what was signed' "$(openssl cms -verify -inform DER \
    -binary -in "$dir/batch.cms" -CAfile "$dir/anchors.pem" -purpose any \
    -no_check_time 2>/dev/null | sed 's/.*"seq":\([0-9]*\),.*/\1/')" 23
like 'the shell may not change an entry' \
    "$(sqlite3 "$dir/book.db" "UPDATE entry SET kind = 'x'" 2>&1)" 'only grows'
like 'nor take one off' \
    "$(sqlite3 "$dir/book.db" 'DELETE FROM entry' 2>&1)" 'only grows'

# edited FOUND SQL: both find it
edited() {
    local found=$1 copy=$tap_dir/copy
    rm -rf "$copy"
    cp -r "$dir" "$copy"
    sqlite3 "$copy/book.db" "SELECT 'DROP TRIGGER ' || name || ';' FROM
        sqlite_master WHERE type = 'trigger'" | sqlite3 "$copy/book.db"
    sqlite3 "$copy/book.db" "$2"
    like "the library: $found" "$(ours "$copy")" "$found"
    fails 1 '' "and Python: $found" theirs "$copy"
}
edited 'entry 5 was changed' \
    "UPDATE entry SET body = replace(body, 'ann', 'bob') WHERE seq = 5"
edited 'entry 5 is missing' 'DELETE FROM entry WHERE seq = 5'
edited 'the signature over the entries up to 23 is there' \
    'DELETE FROM entry WHERE seq > 20'
edited 'entry 5 does not follow' \
    'UPDATE entry SET seq = -1 WHERE seq = 5;
    UPDATE entry SET seq = 5 WHERE seq = 6;
    UPDATE entry SET seq = 6 WHERE seq = -1'
edited "device 'R-0003' is not what" \
    "UPDATE device SET operator = 'bob' WHERE serial_number = 'R-0003'"
edited "device 'R-0003' has no row" \
    "DELETE FROM device WHERE serial_number = 'R-0003'"
edited 'a document is not what it was' \
    "UPDATE document SET data = x'00' WHERE data = CAST('cert 3' AS BLOB)"
edited 'it is over something else' \
    'UPDATE batch SET cms = (SELECT min(cms) FROM batch)'
edited "order 'L1' is not what" \
    "UPDATE order_device SET body = replace(body, 'R1', 'R2')"

# sealed by another station
mkdir "$tap_dir/rogue"
ok 'a book by somebody else' "$maker" "$tap_dir/rogue" 3
cp "$dir/anchors.pem" "$tap_dir/rogue/"
like 'the library: signed by another' "$(ours "$tap_dir/rogue")" \
    'the signature over the entries up to 2'
fails 1 'batch 2' 'and Python: signed by another' sh -c \
    'python3 "$1" "$2/book.db" "$2/anchors.pem" 2>&1 | head -n 1 >&2; exit 1' \
    - "$src/tests/lib/book_check.py" "$tap_dir/rogue"
done_testing
