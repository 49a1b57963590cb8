#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The anchor cut at each step, not at some of them.
exec sh "$top_srcdir/tests/lib/long.sh" tests/unit/test_anchor_cut
