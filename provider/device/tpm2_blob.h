/* SPDX-License-Identifier: Apache-2.0 */
/* The keys in files labelled TSS2 PRIVATE KEY. */
#ifndef HWK_TPM2_BLOB_H
#define HWK_TPM2_BLOB_H

#include "provider/device/tpm2_key.h"

/*
 * The key in a file's DER, given to each once; uri ("" if there is none) finds
 * it again. Gives what each gave, or -1 with a reason.
 * Want PRIVATE: it is loaded, and in the TPM as long as somebody has it open;
 * its PIN is asked for when the file says that there is one, its parent's is
 * taken from where hwk_pin_get_parent finds it. Want PUBLIC without PRIVATE, or
 * NAMES: the public half, without the TPM.
 */
int hwk_tpm_find_blob(struct hwk_tpm *tpm, const uint8_t *der, size_t n,
                      const char *uri, unsigned want,
                      const struct hwk_pin_ask *pin, hwk_found_fn *each,
                      void *arg);

#endif
