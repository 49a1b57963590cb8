/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of JWS share: its algorithms and its protected header. */
#ifndef IDEVID_JWS_H
#define IDEVID_JWS_H

#include <idevid/envelope.h>
#include <idevid/json.h>

/* RFC 7518 section 3.1: signatures by a private key, and no weaker hash. */
struct idvi_jws_alg {
    const char *name; /* "ES256" */
    const char *key;  /* the type of key it is used for when we sign */
    int curve;        /* NID; 0: RSA */
    size_t half;      /* ECDSA: bytes of r, and of s */
    const char *digest;
    bool pss;
};
/* NULL: none that is taken, "none" and all by a shared secret among them. */
const struct idvi_jws_alg *idvi_jws_alg(const char *name);
const struct idvi_jws_alg *idvi_jws_alg_of(const EVP_PKEY *key);

/* Appends the signature as JWS has it: r and s of full length, or RSA's. One
 * private-key operation. */
idv_rc idvi_jws_sign(const struct idvi_jws_alg *alg, EVP_PKEY *key,
                     struct idv_bytes input, struct idv_buf *out) IDV_CHECKED;
/* A signature of a length that alg does not have. */
idv_rc idvi_jws_check_length(const struct idvi_jws_alg *alg,
                             struct idv_bytes sig) IDV_CHECKED;
idv_rc idvi_jws_verify(const struct idvi_jws_alg *alg, const EVP_PKEY *key,
                       struct idv_bytes input,
                       struct idv_bytes sig) IDV_CHECKED;

/* Appends base64url of the protected header: alg, typ, x5c. */
idv_rc idvi_jws_head_put(const struct idvi_jws_alg *alg,
                         const struct idv_signer *signer,
                         struct idv_buf *out) IDV_CHECKED;
/* Its inverse. *certs are the caller's, also on failure. */
idv_rc idvi_jws_head_get(struct idv_bytes text, const struct idvi_jws_alg **alg,
                         STACK_OF(X509) * *certs) IDV_CHECKED;

#endif
