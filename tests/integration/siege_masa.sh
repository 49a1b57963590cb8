#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A MASA under attack, by an address that honest registrars share.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/crowd.inc"
. "$(dirname "$0")/monitor.inc"
. "$(dirname "$0")/siege.inc"
trap world_end EXIT

world_begin
CROWD_MASA='metrics = 127.0.0.1:0'
ok 'a MASA and a registrar before a crowd' crowd_world 4 || bail 'no MASA'
VICTIM_PORT=$MASA_PORT
siege "$WORLD/masa.out" "$MASA_PID"
done_testing
