#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# key_files.sh with a TPM behind tpm2-abrmd.
DEVICE=abrmd
. "$(dirname "$0")/key_files.sh"
