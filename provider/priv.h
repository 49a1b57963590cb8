/* SPDX-License-Identifier: Apache-2.0 */
/* A private key of software on its way into a token, as plain values. */
#ifndef HWK_PRIV_H
#define HWK_PRIV_H

#include <openssl/evp.h>

#include "provider/pub.h"

enum { HWK_P, HWK_Q, HWK_DP, HWK_DQ, HWK_QINV, HWK_CRT };

struct hwk_private {
    OSSL_LIB_CTX *soft; /* the context of the functions below, lent */
    struct hwk_pub pub;
    uint8_t d[HWK_RSA_MAX]; /* EC: order bytes; ED, X: RFC 8032, RFC 7748 */
    size_t d_len;
    struct {
        uint8_t v[HWK_RSA_MAX / 2];
        size_t n;
    } crt[HWK_CRT]; /* RSA */
};

/* The values of a key of kind's type (hwk_pub_from_params), checked: both
 * halves are there and belong together. soft is a context with the default
 * provider. NULL with HWK_R_KEY; free it with hwk_private_free, which wipes. */
struct hwk_private *hwk_private_from_params(OSSL_LIB_CTX *soft,
                                            const struct hwk_pub *kind,
                                            const OSSL_PARAM params[]);

/* The same of a file, PEM or DER, without a passphrase. NULL with HWK_R_FILE,
 * HWK_R_FORMAT, HWK_R_KEY. */
struct hwk_private *hwk_private_from_file(OSSL_LIB_CTX *soft,
                                          const struct hwk_pub *kind,
                                          const char *path);

void hwk_private_free(struct hwk_private *priv); /* NULL is fine */

#endif
