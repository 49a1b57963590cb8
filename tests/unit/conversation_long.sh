#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The conversation with every message cut at every byte, not at some of them.
exec sh "$top_srcdir/tests/lib/long.sh" tests/unit/test_conversation
