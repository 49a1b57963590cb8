#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pledge cut at each call, change and kilobyte, not at some of them.
IDEVID_LONG=1
export IDEVID_LONG
exec bash "$(dirname "$0")/cut_pledge.sh"
