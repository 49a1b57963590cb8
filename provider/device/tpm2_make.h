/* SPDX-License-Identifier: Apache-2.0 */
/* New keys, made persistent. */
#ifndef HWK_TPM2_MAKE_H
#define HWK_TPM2_MAKE_H

#include "provider/device/tpm2_key.h"

#define HWK_TPM_SRK 0x81000001
#define HWK_TPM_IDEVID_HANDLE 0x81020000
#define HWK_TPM_IAK_HANDLE 0x81020001

/*
 * Makes the key that spec describes at the persistent handle of uri. For
 * signing and decryption it is a child of the parent in uri; of the storage
 * root key at 0x81000001 when there is one; else of the owner's ECC primary
 * key, the same each time. An IDevID is an endorsement primary from the TCG's
 * template. auth (lent, NULL is fine) becomes the key's authorization value.
 *
 * Nothing transient stays, whatever fails. Between no key and the whole key at
 * its handle there is one command (EvictControl): after a power cut the handle
 * is free or has the key, and HWK_R_EXISTS says which. NULL with a reason.
 */
struct hwk_tpm_key *hwk_tpm_make(struct hwk_tpm *tpm, const struct hwk_uri *uri,
                                 const struct hwk_spec *spec,
                                 const struct hwk_secret *auth);

#endif
