/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM on paper: evidence with a software key, every value as one likes. */
#ifndef TESTS_PAPER_H
#define TESTS_PAPER_H

#include <idevid/evidence.h>

/* The certificates of a signer: what its CA says of it. */
struct paper_pki {
    EVP_PKEY *ca_key, *key;
    X509 *ca, *cert;
    STACK_OF(X509) * chain, *anchors; /* cert; ca */
};
enum paper_says { PAPER_EKU = 1, PAPER_POLICY = 2 };
/* algorithm "P-256", "P-384", "P-521", "RSA 2048"; says: PAPER_ bits. Whatever
 * fails here ends the program. */
void paper_pki_make(struct paper_pki *p, const char *algorithm, int says);
/* The same for a key that is there, which it takes over. */
void paper_pki_make_for(struct paper_pki *p, EVP_PKEY *key, int says);
void paper_pki_free(struct paper_pki *p);
#define PAPER_NOW                                                              \
    1795305600 /* certificates are good a day before and a year                \
                  after */

struct paper_index {
    uint32_t index, attributes;
    uint16_t name_alg, size;
    uint8_t policy[64];
    size_t policy_n;
};
struct paper_attest {
    uint32_t magic;
    uint16_t type;
    uint8_t nonce[64];
    size_t nonce_n;
    uint64_t clock;
    uint32_t resets, restarts;
    uint8_t safe;
    uint64_t firmware;
    uint16_t offset;
    uint8_t contents[160];
    size_t contents_n;
    uint16_t name_alg;  /* of the index's Name, 0: as in its index */
    uint32_t hierarchy; /* of which the signer is a primary key */
    bool other_name;    /* of another index */
    bool spoilt;        /* the signature is of other bytes */
    bool longer;        /* one byte after it */
};

struct paper {
    const struct paper_pki *pki;
    char profile[16];
    uint8_t nonce[32];
    struct idv_record record;
    uint64_t count;
    struct paper_index anchor_index, counter_index;
    struct paper_attest anchor, counter;
    bool gated;
    uint32_t gate_pcrs;
    uint8_t gate_digest[32];
    uint32_t key_attributes;
    uint16_t key_scheme, key_hash, key_name_alg;
};
/* A sealed anchor of the profile owner, freshly attested by a primary key of
 * the endorsement hierarchy. gate_pcrs 0: none. */
void paper_begin(struct paper *p, const struct paper_pki *pki,
                 uint32_t gate_pcrs);
/* The same of the profile platform: approved by key for serial. */
void paper_begin_platform(struct paper *p, const struct paper_pki *pki,
                          const EVP_PKEY *key, const char *serial);
/* Again from record, count and gate: contents and, of the profile owner,
 * authPolicy. */
void paper_seal(struct paper *p);
/* out is made anew; the caller's to free. */
void paper_evidence(const struct paper *p, struct idv_evidence *out);

#endif
