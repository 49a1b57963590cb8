/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a TPM, and what the TPM is. */
#ifndef HWK_TPM2_LIST_H
#define HWK_TPM2_LIST_H

#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_nv.h"

typedef int hwk_tpm_each(void *arg, const struct hwk_object_info *object);

/* As info and list of device.h. each is called when the TPM is free again. */
int hwk_tpm_info(struct hwk_tpm *tpm, struct hwk_device_info *out);
int hwk_tpm_list(struct hwk_tpm *tpm, hwk_tpm_each *each, void *arg);

/* All persistent keys and NV indices: *n handles, OPENSSL_malloc'ed. */
int hwk_tpm_all_handles(struct hwk_tpm *tpm, TPM2_HANDLE **out, size_t *n);

/* Describe one; pure. */
void hwk_tpm_describe_key(TPM2_HANDLE handle, const TPM2B_PUBLIC *pub,
                          struct hwk_object_info *out);
void hwk_tpm_describe_nv(const struct hwk_tpm_nv *nv,
                         struct hwk_object_info *out);
/* Properties of the fixed and of the variable group as device.h has them. */
void hwk_tpm_describe(const struct hwk_tpm_properties *fixed,
                      const struct hwk_tpm_properties *var,
                      struct hwk_device_info *out);

#endif
