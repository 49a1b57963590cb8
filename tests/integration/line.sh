#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A line of six TPMs and six tokens: see line_run.inc.
TPMS=6 TOKENS=6 JOBS=4 PERCENT=34
. "$(dirname "$0")/line_run.inc"
done_testing
