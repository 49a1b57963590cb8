#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The line of a pledge closed after every byte, reset after and spoilt at every
# third, not at some of them: by several processes, for most of it is waiting.
. "$(dirname "$0")/../lib/story.sh"
SHARES=8
pids=
for ((i = 0; i < SHARES; i++)); do
    IDEVID_LONG=1 IDEVID_SHARE=$i/$SHARES CMOCKA_MESSAGE_OUTPUT=TAP \
        "$top_builddir/libtool" --quiet --mode=execute \
        "$top_builddir/tests/unit/test_worst_line" >"$tap_dir/share.$i" 2>&1 &
    pids="$pids $!"
done
i=0
for pid in $pids; do
    ok "share $i of $SHARES" wait "$pid" || tap_show "$tap_dir/share.$i"
    i=$((i + 1))
done
done_testing
