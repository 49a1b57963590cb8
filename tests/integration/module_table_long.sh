#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What each PKCS#11 module can, all of it with each of them.
IDEVID_LONG=1
export IDEVID_LONG
exec bash "$(dirname "$0")/module_table.sh"
