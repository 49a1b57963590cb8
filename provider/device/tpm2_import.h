/* SPDX-License-Identifier: Apache-2.0 */
/* What was wrapped for a parent elsewhere becomes what it loads. */
#ifndef HWK_TPM2_IMPORT_H
#define HWK_TPM2_IMPORT_H

#include "provider/device/tpm2_under.h"

/*
 * TPM2_Import without an inner wrapper: duplicate and secret are its inputs,
 * pub the key's public area, *out what hwk_tpm_object_blob takes under the same
 * parent. Commands: ReadPublic of the parent (one of a hierarchy: CreatePrimary
 * and FlushContext) and Import; nothing is left in the TPM. Between begin and
 * end.
 */
int hwk_tpm_import(struct hwk_tpm *tpm, const struct hwk_tpm_parent *parent,
                   const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *duplicate,
                   const TPM2B_ENCRYPTED_SECRET *secret, TPM2B_PRIVATE *out);

/* The same under a parent that is open: one command. */
int hwk_tpm_import_under(struct hwk_tpm *tpm, const struct hwk_tpm_under *under,
                         const TPM2B_PUBLIC *pub,
                         const TPM2B_PRIVATE *duplicate,
                         const TPM2B_ENCRYPTED_SECRET *secret,
                         TPM2B_PRIVATE *out);

#endif
