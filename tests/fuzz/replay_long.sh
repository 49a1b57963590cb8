#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The corpora of the targets that are slow, as many places of each input as of
# those that are not.
. "$top_srcdir/tests/lib/story.sh"
IDEVID_LONG=1
export IDEVID_LONG
for target in registrar pledge jws tpm; do
    ok "fuzz_$target" "$top_builddir/libtool" --quiet --mode=execute \
        "$top_builddir/tests/fuzz/fuzz_$target"
done
done_testing
