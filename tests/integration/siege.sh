#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registrar under attack, by an address that honest devices share.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
. "$(dirname "$0")/monitor.inc"
. "$(dirname "$0")/siege.inc"
trap world_end EXIT

world_begin
CROWD_SERVER='metrics = 127.0.0.1:0'
ok 'a registrar before a crowd' crowd_world 4 || bail 'no registrar'
VICTIM_PORT=$REG_PORT
siege "$WORLD/owner.out" "$REG_PID"
done_testing
