#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# rollover.sh with TPMs behind tpm2-abrmd.
DEVICE=abrmd
. "$(dirname "$0")/rollover.sh"
