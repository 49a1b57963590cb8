#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One join under valgrind: no error, nothing lost, on a TPM and on a token.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

command -v valgrind >/dev/null || {
    skip 'join under valgrind' 'valgrind is missing'
    done_testing
    exit
}
world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device with a TPM' device_tpm gateway TPM-0001
ok 'device with a token' device_token router TOK-0002
ok 'MASA learns of both' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

under_valgrind() {
    in_device "$1" "$top_builddir/libtool" --quiet --mode=execute valgrind -q \
        --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --error-exitcode=77 \
        "$BIN/idevid-pledge" -c "$WORLD/$1.ini" join \
        --registrar "localhost:$REG_PORT"
}
for d in gateway router; do
    ok "$d joins under valgrind" under_valgrind "$d"
    like "$d is enrolled" "$(pledge "$d" status)" '^state *enrolled'
done
done_testing
