/* SPDX-License-Identifier: Apache-2.0 */
/* The library context that a TPM's sessions compute in. */
#ifndef HWK_TPM2_SOFT_H
#define HWK_TPM2_SOFT_H

#include <openssl/provider.h>
#include <openssl/types.h>

struct hwk_tpm;

/* One of our own, kept in struct hwk_tpm where the configuration lends none. */
struct hwk_tpm_soft {
    OSSL_LIB_CTX *own; /* NULL: none */
    OSSL_PROVIDER *provider;
};

/* That of the configuration, else our own, made on first need; under the lock
 * of the TPM. NULL with HWK_R_DELEGATE. */
OSSL_LIB_CTX *hwk_tpm_soft(struct hwk_tpm *tpm);

/* For tpm2_conn.c. */
void hwk_tpm_soft_clear(struct hwk_tpm_soft *soft);

#endif
