#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# programs.sh with the keys of a TPM behind tpm2-abrmd.
DEVICE=abrmd
. "$(dirname "$0")/programs.sh"
