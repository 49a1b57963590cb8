#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A name server that lies, with ten and with a hundred addresses.
IDEVID_LONG=1
export IDEVID_LONG
exec bash "$(dirname "$0")/lying_dns.sh"
