#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A line of two hundred TPMs and two hundred tokens, one device of ten cut: see
# line_run.inc. LINE_SEED repeats one that went wrong.
TPMS=200 TOKENS=200 JOBS=8 PERCENT=10
. "$(dirname "$0")/line_run.inc"
done_testing
