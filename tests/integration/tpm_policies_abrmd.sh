#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tpm_policies.sh with a TPM behind tpm2-abrmd.
DEVICE=abrmd
. "$(dirname "$0")/tpm_policies.sh"
