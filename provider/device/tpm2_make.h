/* SPDX-License-Identifier: Apache-2.0 */
/* New keys, made or brought in: at a handle, or as a key file. */
#ifndef HWK_TPM2_MAKE_H
#define HWK_TPM2_MAKE_H

#include "provider/device/tpm2_key.h"

#define HWK_TPM_SRK 0x81000001
#define HWK_TPM_IDEVID_HANDLE 0x81020000
#define HWK_TPM_IAK_HANDLE 0x81020001

/*
 * Makes the key that spec describes, or brings in spec->from: at the persistent
 * handle of uri, or, when uri names none, as a key file (tpm2_key.h). It is a
 * child of the parent in uri (tpm2_under.h says of which where there is none;
 * spec->session: one of the null hierarchy's, gone with the TPM's next start);
 * an IDevID is an endorsement primary from the TCG's template. auth (lent, NULL
 * is fine) becomes the key's authorization value, unless spec has one.
 *
 * Nothing transient stays, whatever fails. Between no key and the whole key at
 * its handle there is one command (EvictControl): after a power cut the handle
 * is free or has the key, and HWK_R_EXISTS says which. NULL with a reason.
 */
struct hwk_tpm_key *hwk_tpm_make(struct hwk_tpm *tpm, const struct hwk_uri *uri,
                                 const struct hwk_spec *spec,
                                 const struct hwk_secret *auth);

#endif
