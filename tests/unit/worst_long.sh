#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The line of a pledge broken at every byte, not at some of them.
IDEVID_LONG=1
export IDEVID_LONG
exec "$top_builddir/libtool" --quiet --mode=execute \
    "$top_builddir/tests/unit/test_worst_line"
