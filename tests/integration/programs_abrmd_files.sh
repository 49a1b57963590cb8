#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# programs.sh with TSS2 key files of a TPM behind tpm2-abrmd.
DEVICE=abrmd KEY_FILES=yes
. "$(dirname "$0")/programs.sh"
