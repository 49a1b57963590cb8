/* SPDX-License-Identifier: Apache-2.0 */
/* RSA paddings where a device's own do not serve (RFC 8017), all pure. */
#ifndef HWK_PSS_H
#define HWK_PSS_H

#include <stddef.h>
#include <stdint.h>

#include "provider/pub.h"

#define HWK_PSS_HASH_MAX 64

/* A hash: who needs one here says where it is reckoned. */
struct hwk_pss_hash {
    size_t size; /* bytes, at most HWK_PSS_HASH_MAX; 0: there is none */
    /* of p[n], into out[size]; 0 when it cannot */
    int (*of)(const void *arg, const uint8_t *p, size_t n, uint8_t *out);
    const void *arg;
};

/* EMSA-PSS of digest (of hash) for a modulus of that many bits, into
 * out[(bits+7)/8]. 0 when it does not fit or there is no such hash. */
int hwk_pss_encode(const struct hwk_pss_hash *hash,
                   const struct hwk_pss_hash *mgf1, const uint8_t *digest,
                   const uint8_t *salt, size_t salt_len, unsigned bits,
                   uint8_t *out);

/* The length of the salt in sig[n], a PSS signature over digest by pub, with
 * hash in MGF1, too; -1 when it is no such signature. */
int hwk_pss_salt(const struct hwk_pss_hash *hash, const uint8_t *digest,
                 const struct hwk_pub *pub, const uint8_t *sig, size_t n);

/* Block type 1 of PKCS#1 v1.5 around in[n], out[size]. 0: does not fit. */
int hwk_pkcs1_block(const uint8_t *in, size_t n, uint8_t *out, size_t size);

#endif
