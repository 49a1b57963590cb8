#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pledge cut at each call, change and 128 bytes, not at some of them: by
# several processes, each with a world of its own.
. "$(dirname "$0")/../lib/story.sh"
SHARES=${SHARES:-4}
pids=
for ((i = 0; i < SHARES; i++)); do
    IDEVID_LONG=1 IDEVID_SHARE=$i/$SHARES \
        bash "$(dirname "$0")/cut_pledge.sh" >"$tap_dir/share.$i" 2>&1 &
    pids="$pids $!"
done
i=0
for pid in $pids; do
    ok "share $i of $SHARES" wait "$pid"
    grep '^not ok' "$tap_dir/share.$i" | sed 's/^/# /'
    ok "share $i: $(grep -c '^ok' "$tap_dir/share.$i") of its cases hold" \
        grep -q '^1\.\.[1-9]' "$tap_dir/share.$i"
    i=$((i + 1))
done
done_testing
