#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The line of a pledge broken at every byte, not at some of them.
exec sh "$top_srcdir/tests/lib/long.sh" tests/unit/test_worst_line
