/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's identities made of software keys: public areas, attestations,
 * requests and activation as a TPM would make them, and as none would. */
#ifndef TESTS_SOFTTPM_H
#define TESTS_SOFTTPM_H

#include <idevid/factory.h>

#include "factory/tcgcsr.h"
#include "tests/lib/pki.h"
#include "tpm/devid.h"

struct softtpm_key {
    EVP_PKEY *key;
    struct idv_buf pub; /* TPMT_PUBLIC */
};
/* By TCG's template of that type, ours of several; its attributes turned by
 * flip. Whatever fails here ends the program with a message. */
void softtpm_key_make(struct softtpm_key *k, enum idvi_devid what,
                      enum idv_key_type type, uint32_t flip);
void softtpm_key_free(struct softtpm_key *k);

/* EK (RSA-2048 or P-256, the low range), IAK and IDevID of that type, the EK's
 * certificate by vendor. */
struct softtpm {
    enum idv_key_type type;
    struct softtpm_key ek, iak, idevid;
    X509 *ek_cert;
};
void softtpm_make(struct softtpm *t, enum idv_key_type type, struct pki *pki,
                  const struct pki_id *vendor);
void softtpm_free(struct softtpm *t);

/* What is to be attested, and what is to be wrong with it: zero is a sound one
 * of the profile's kind. */
struct softtpm_attest {
    struct idv_bytes nonce;
    bool creation;                    /* TPM2_CertifyCreation */
    uint32_t magic;                   /* 0: a TPM's */
    uint32_t hierarchy;               /* of the signer; 0: endorsement */
    const struct softtpm_key *key;    /* attested; NULL: the IDevID */
    const struct softtpm_key *by;     /* said to sign; NULL: the IAK */
    const struct softtpm_key *signer; /* signs; NULL: by */
    bool spoilt;                      /* signed, then a bit turned */
};
void softtpm_certify(const struct softtpm *t, const struct softtpm_attest *a,
                     struct idv_buf *info, struct idv_buf *sig);

/* A TCG-CSR-IDEVID of parts signed with signer's key. */
void softtpm_csr(const struct idvi_tcgcsr_parts *parts,
                 const struct softtpm_key *signer, struct idv_buf *out);

/* A whole request of the profile as a station would make it, sound; attest may
 * be NULL or say what is to be wrong (its nonce empty: the right one). */
void softtpm_request(const struct softtpm *t, enum idv_factory_profile profile,
                     const char *order, const char *serial,
                     const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                     const struct softtpm_attest *attest,
                     struct idv_factory_request *out);

/* TPM2_ActivateCredential: false when it is for another EK or another key. */
bool softtpm_activate(const struct softtpm *t, const struct softtpm_key *key,
                      const struct idv_factory_reply *r, struct idv_buf *out);

#endif
