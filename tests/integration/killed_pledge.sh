#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pledge is killed after each of its steps; the next join finishes the work.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device' device_tpm gateway TPM-0001
ok 'MASA learns of it' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start

# Runs join, kills it when it has printed the line of this step.
killed_after() {
    local step=$1 pid i=0
    rm -f "$WORLD/killed.out"
    start gateway "$WORLD/killed.out" "$BIN/idevid-pledge" \
        -c "$WORLD/gateway.ini" join --registrar "localhost:$REG_PORT"
    pid=$STARTED
    until grep -q "^$step " "$WORLD/killed.out" 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || break
        i=$((i + 1))
        [ $i -lt 400000 ] || break
    done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    grep -q "^$step " "$WORLD/killed.out"
}

steps=$(pledge gateway join --registrar "localhost:$REG_PORT" |
    awk '{print $1}' | sort -u)
like 'a whole join names its steps' "$steps" identity
for step in $steps; do
    ok "reset before $step" pledge gateway reset
    ok "killed after $step" killed_after "$step"
    ok "the state after $step is a whole one" pledge gateway status
    ok "join after $step" pledge gateway join --registrar "localhost:$REG_PORT"
    like "enrolled after $step" "$(pledge gateway status)" 'state *enrolled'
done
ok 'nothing transient is left in the TPM' sh -c \
    '. "$1"; [ -z "$(tpm2_getcap handles-transient)" ]' - "$WORLD/gateway.env"
done_testing
