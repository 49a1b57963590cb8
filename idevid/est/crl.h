/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate revocation lists (RFC 5280 section 5): whole ones, made of what
 * the store says when one is asked for and the last will not do. */
#ifndef IDEVID_EST_CRL_H
#define IDEVID_EST_CRL_H

#include "idevid/est/server.h"

#define IDV_MAX_CRL ((size_t)8 << 20) /* DER bytes */
#define IDV_MEDIA_CRL "application/pkix-crl"

struct idv_crl {
    int64_t number; /* cRLNumber: each one's is higher */
    int64_t made, next_update;
    int64_t revocations; /* that the store knew of */
    struct idv_buf der;  /* max IDV_MAX_CRL */
};

/* As idv_est_store; a CA is told by the SHA-256 of its certificate. */
struct idv_crl_store {
    void *self;
    idv_rc (*get)(void *self, const uint8_t ca_sha256[32], bool *found,
                  struct idv_crl *out);
    /* Certificates revoked until now, of all CAs. */
    idv_rc (*revocations)(void *self, int64_t *n);
    /* Those that end after then; each returns false to stop. */
    idv_rc (*revoked)(void *self, int64_t end,
                      bool (*each)(void *arg, const struct idv_issued *i),
                      void *arg);
    /* The next one is the caller's to make, unless another claimed that after
     * stale and has not put it yet. */
    idv_rc (*claim)(void *self, const uint8_t ca_sha256[32], int64_t now,
                    int64_t stale, bool *claimed);
    /* Ends the claim. */
    idv_rc (*put)(void *self, const uint8_t ca_sha256[32],
                  const struct idv_crl *crl);
};

/* Who signs; all borrowed. */
struct idv_crl_maker {
    EVP_PKEY *key;
    X509 *cert;
    struct idv_crl_store store;
    int64_t lifetime_s; /* to nextUpdate; 0: 7 days */
};

/*
 * The CRL of now: the last one, or one made and kept when that is past half of
 * its life, or something was revoked since, or again is set. While another
 * process makes it the last one will do as long as it lives; otherwise
 * *found is false.
 */
idv_rc idv_crl_current(const struct idv_crl_maker *m, const struct idv_env *env,
                       bool again, bool *found,
                       struct idv_crl *out) IDV_CHECKED;
/* The same where there was one before, for a clock to call: nobody has to ask
 * for what others keep copies of. */
idv_rc idv_crl_renew(const struct idv_crl_maker *m,
                     const struct idv_env *env) IDV_CHECKED;
void idv_crl_free(struct idv_crl *c);

/* CRLReason both ways: "keyCompromise" ... as RFC 5280 writes them; -1 for a
 * word that is none, or is not for a certificate that is revoked for good. */
int idv_crl_reason_from_text(const char *word);
const char *idv_crl_reason_to_text(int reason);

#endif
