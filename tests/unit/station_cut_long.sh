#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A device on the line cut at each step, not at some of them.
exec sh "$top_srcdir/tests/lib/long.sh" tests/unit/test_station_cut
