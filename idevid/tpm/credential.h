/* SPDX-License-Identifier: Apache-2.0 */
/* A secret that only one TPM gets, and only while it holds one key: what
 * TPM2_MakeCredential does, without a TPM (TPM 2.0 Library, Part 1, 24 and
 * annexes B.10.4 and C.6.4). */
#ifndef IDEVID_TPM_CREDENTIAL_H
#define IDEVID_TPM_CREDENTIAL_H

#include <idevid/env.h>

#include "tpm/public.h"

/*
 * secret (1 byte to as many as ek's nameAlg digests) for the TPM with the
 * endorsement key ek while the key with that Name is in it. *credential gets
 * TPM2B_ID_OBJECT, *encrypted TPM2B_ENCRYPTED_SECRET, both with their sizes in
 * front: what TPM2_ActivateCredential takes. IDV_E_ARG: a Name or secret that
 * is none; IDV_E_REJECT: ek is no RSA or ECC key for keys (restricted,
 * decrypt, symmetric AES in CFB), or not a valid key.
 */
idv_rc idvi_credential_make(const struct idvi_tpm_public *ek,
                            struct idv_bytes name, struct idv_bytes secret,
                            const struct idv_env *env,
                            struct idv_buf *credential,
                            struct idv_buf *encrypted) IDV_CHECKED;

#endif
