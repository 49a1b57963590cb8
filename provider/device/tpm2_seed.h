/* SPDX-License-Identifier: Apache-2.0 */
/* A secret that a key of a TPM shares with who has its public half. */
#ifndef HWK_TPM2_SEED_H
#define HWK_TPM2_SEED_H

#include <openssl/types.h>
#include <tss2/tss2_tpm2_types.h>

#include "provider/err.h"

struct hwk_tpm_seed { /* to be wiped */
    uint8_t p[TPM2_SHA512_DIGEST_SIZE];
    size_t n; /* the size of key's nameAlg */
};

/* The name for OpenSSL of key's nameAlg: SHA-256, SHA-384 or SHA-512. NULL for
 * another. */
const char *hwk_tpm_seed_hash(const TPMT_PUBLIC *key);

/*
 * TPM 2.0 Part 1, B.10.4 and C.6.3: a seed for key, an RSA or EC decryption
 * key, and what tells it to the TPM: the seed encrypted with OAEP, or an
 * ephemeral point, the seed being KDFe of what both agree on. label says what
 * for ("DUPLICATE"; of a session's salt "SECRET"). A key named by SHA-1 will
 * do, too. soft is a context with the default provider. 1, or 0 with
 * HWK_R_KEY, HWK_R_DELEGATE.
 */
int hwk_tpm_seed_make(OSSL_LIB_CTX *soft, const TPM2B_PUBLIC *key,
                      const char *label, struct hwk_tpm_seed *seed,
                      TPM2B_ENCRYPTED_SECRET *secret);

#endif
