/* SPDX-License-Identifier: Apache-2.0 */
/* A private key wrapped for a storage key that is elsewhere, in software. */
#ifndef HWK_TPM2_WRAP_H
#define HWK_TPM2_WRAP_H

#include <openssl/types.h>
#include <tss2/tss2_tpm2_types.h>

#include "provider/env.h"
#include "provider/priv.h"

/* What TPM2_Import takes besides the public area. */
struct hwk_tpm_wrapped {
    TPM2B_PRIVATE duplicate;
    TPM2B_ENCRYPTED_SECRET seed;
};

/*
 * TPM 2.0 Part 1, 23.3 "Duplication": no inner wrapper, and an outer one with
 * a seed that only the parent recovers, by RSA-OAEP or by ECDH and KDFe (B.10,
 * C.6.3). parent is the public area of a storage key, pub that of the key (its
 * name is bound in), auth its authorization value (NULL: empty). soft is a
 * context with the default provider. 1, or 0 with HWK_R_UNSUPPORTED (a parent
 * whose hash or cipher is none of SHA-256, 384, 512 and AES in CFB mode),
 * HWK_R_KEY, HWK_R_DELEGATE. What was secret on the way is wiped.
 */
int hwk_tpm_wrap(OSSL_LIB_CTX *soft, const TPM2B_PUBLIC *parent,
                 const TPM2B_PUBLIC *pub, const struct hwk_private *from,
                 const struct hwk_secret *auth, struct hwk_tpm_wrapped *out);

#endif
