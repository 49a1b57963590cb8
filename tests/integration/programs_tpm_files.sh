#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# programs.sh with TSS2 key files of a TPM.
DEVICE=tpm KEY_FILES=yes
. "$(dirname "$0")/programs.sh"
