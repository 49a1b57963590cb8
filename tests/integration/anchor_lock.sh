#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One program at a time changes what a device belongs to.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'device' device_tpm gateway TPM-0001
ok 'owner' owner
sed 's/^attempts = .*/attempts = 0/' "$WORLD/gateway.ini" >"$WORLD/patient.ini"

# An agent that tries for ever; it holds the lock when it says who it is.
agent_start() {
    start gateway "$WORLD/agent.out" "$BIN/idevid-pledge" \
        -c "$WORLD/patient.ini" join --registrar localhost:1
    agent=$STARTED
    wait_text '^\(identity\) .*' "$WORLD/agent.out" "$agent"
}

ok 'an agent is at work' agent_start
held="idevid-pledge, process $agent"
fails 1 "$held" 'imprint waits for nobody, and says who is at work' \
    anchor gateway imprint --certificate "$WORLD/owner/domain-ca.pem" \
    --physical-presence --yes-i-am-present
fails 1 "$held" 'reset' anchor gateway reset --yes
fails 1 "$held" 'a second agent' pledge gateway join --registrar localhost:1
fails 1 "$held" 'its reset' pledge gateway reset
ok 'show only looks' anchor gateway show
ok 'status only looks' pledge gateway status
ok 'profile only looks' anchor gateway profile
fails 1 'not imprinted' 'check only looks' anchor gateway check
kill -9 "$agent"
wait "$agent" 2>/dev/null
ok 'killed, it leaves no lock' anchor gateway reset --yes
ok 'the file stays' test -e "$WORLD/gateway.state/lock"
is 'only its owner reads it' "$(stat -c %a "$WORLD/gateway.state/lock")" 600
done_testing
