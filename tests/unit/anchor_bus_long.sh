#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each command about the anchor altered in every way, not in some of them.
exec sh "$top_srcdir/tests/lib/long.sh" tests/unit/test_anchor_bus
