#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# programs.sh with the keys of a TPM.
DEVICE=tpm
. "$(dirname "$0")/programs.sh"
