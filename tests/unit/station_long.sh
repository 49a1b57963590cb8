#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A station with each type of key in each profile, not with one.
exec sh "$top_srcdir/tests/lib/long.sh" tests/unit/test_station
