/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The factory's two sides and what passes between them: a station, which has
 * the device in a fixture, and a desk, which has the maker's issuing CA. Two
 * messages make an identity: a request goes out, a reply comes back, over TLS
 * or as files.
 */
#ifndef IDEVID_FACTORY_H
#define IDEVID_FACTORY_H

#include <openssl/x509.h>

#include <idevid/buf.h>
#include <idevid/env.h>
#include <idevid/key.h>
#include <idevid/limits.h>

/* How a device proves that its key is in it. */
enum idv_factory_profile {
    IDV_PROFILE_TCG,    /* TPM: IAK certifies the IDevID (TPM2_Certify) and is
                           activated; both kept at handles, both certificates in
                           NV, locked */
    IDV_PROFILE_LEAN,   /* TPM: the same by TPM2_CertifyCreation; only the
                           IDevID's certificate in NV */
    IDV_PROFILE_DIRECT, /* TPM: no IAK, the IDevID itself is activated */
    IDV_PROFILE_TOKEN,  /* PKCS#11: made in the token, a PKCS#10 request */
    IDV_PROFILE_PLAIN,  /* TPM: a PKCS#10 request, residency is not proved */
};
/* "tcg", "lean", "direct", "token", "plain"; IDV_E_ARG otherwise */
idv_rc idv_factory_profile_from_text(const char *text,
                                     enum idv_factory_profile *out) IDV_CHECKED;
const char *idv_factory_profile_to_text(enum idv_factory_profile p);

#define IDV_FACTORY_NAME_MAX                                                   \
    64 /* an order, a station, an operator, a model                            \
        */
#define IDV_FACTORY_CHALLENGE 32
#define IDV_FACTORY_REWORK 16
/* In a CMS of at most IDV_MAX_BODY, after base64. */
#define IDV_MAX_TCG_CSR (40 * 1024)

/* application/idevid-request+cms, application/idevid-reply+json */
#define IDV_MEDIA_REQUEST "application/idevid-request+cms"
#define IDV_MEDIA_REPLY "application/idevid-reply+json"

/*
 * A request: JSON in a CMS signed by the station. Strings are NUL-terminated
 * text without control characters, "" absent. Owned by the structure.
 */
struct idv_factory_request {
    enum idv_factory_profile profile;
    enum idv_key_type type;
    char order[IDV_FACTORY_NAME_MAX + 1];
    char serial_number[IDV_MAX_SERIAL + 1];
    char station[IDV_FACTORY_NAME_MAX + 1]; /* checked against its cert. */
    char operator_[IDV_FACTORY_NAME_MAX + 1];
    int64_t created_on;
    uint8_t challenge[IDV_FACTORY_CHALLENGE];
    /* A device that has an identity gets another one: which rework this is,
       random, drawn once for each that somebody asks for, and the same in every
       request until it is done. All zero: none. */
    uint8_t rework[IDV_FACTORY_REWORK];
    struct idv_buf tcg_csr; /* TCG-CSR-IDEVID of the profiles tcg lean direct */
    struct idv_buf csr;     /* PKCS#10: token and plain, others on demand */
    struct idv_buf ek_cert; /* DER, where it is not in tcg_csr */
    struct idv_buf ek_public; /* TPMT_PUBLIC of the EK: tcg lean direct */
    /* token and plain: who the device says it is, as ek of struct
       idv_factory_device (tcg, lean, direct prove it), and its own serial */
    uint8_t device_id[32];
    char hw_serial[IDV_MAX_HW_SERIAL + 1];
    char device[128]; /* maker, model, firmware, token serial: for people*/
};
/* The device_id of a token: SHA-256("idevid-token-1" 00 || maker 00 || model 00
 * || serial); all zero, as below, when memory is out: nobody takes that. */
void idv_factory_token_id(const char *maker, const char *model,
                          const char *serial, uint8_t out[32]);
void idv_factory_request_free(struct idv_factory_request *r);
idv_rc idv_factory_request_to_json(const struct idv_factory_request *r,
                                   struct idv_buf *out) IDV_CHECKED;
idv_rc
idv_factory_request_from_json(struct idv_bytes json,
                              struct idv_factory_request *out) IDV_CHECKED;
/*
 * The request as it travels: a CMS (id-data, signing time created_on) with the
 * station's certificate and its chain inside. Opened, the signature is by a
 * certificate that chains to anchors (which may be that certificate itself),
 * whose commonName is the request's station. IDV_E_REJECT: signed by somebody
 * else, or another's name; IDV_E_FORMAT, IDV_E_LIMIT: not a request, too long.
 * check_time: the station's certificate is judged at now. signer: the caller's,
 * NULL to do without.
 */
idv_rc idv_factory_request_seal(const struct idv_factory_request *r,
                                EVP_PKEY *key, X509 *cert,
                                const STACK_OF(X509) * chain,
                                struct idv_buf *out) IDV_CHECKED;
idv_rc idv_factory_request_open(struct idv_bytes cms,
                                const STACK_OF(X509) * anchors, bool check_time,
                                int64_t now, struct idv_factory_request *out,
                                X509 **signer) IDV_CHECKED;

/*
 * A reply: JSON, not signed: its certificates speak for themselves. For a TPM
 * they are encrypted to a secret which only that TPM gets out of the
 * credential, and only while it holds the key that is certified.
 */
struct idv_factory_reply {
    enum idv_factory_profile profile;
    char order[IDV_FACTORY_NAME_MAX + 1];
    char serial_number[IDV_MAX_SERIAL + 1];
    uint8_t request_sha256[32]; /* of the request's CMS */
    struct idv_buf credential;  /* TPM2B_ID_OBJECT */
    struct idv_buf secret;      /* TPM2B_ENCRYPTED_SECRET */
    struct idv_buf sealed;      /* AES-256-GCM: IV 12, text, tag 16, over the
                                   bag; AAD: credential || secret */
    struct idv_buf bag;         /* certs-only PKCS#7, token and plain */
    uint8_t next_challenge[IDV_FACTORY_CHALLENGE]; /* for the next request */
    bool has_next;
};
void idv_factory_reply_free(struct idv_factory_reply *r);
idv_rc idv_factory_reply_to_json(const struct idv_factory_reply *r,
                                 struct idv_buf *out) IDV_CHECKED;
idv_rc idv_factory_reply_from_json(struct idv_bytes json,
                                   struct idv_factory_reply *out) IDV_CHECKED;
/* Seals a bag into *r with the activation secret (16 to 64 bytes), opens it. */
idv_rc idv_factory_reply_seal(struct idv_factory_reply *r,
                              struct idv_bytes activation, struct idv_bytes bag,
                              const struct idv_env *env) IDV_CHECKED;
idv_rc idv_factory_reply_open(const struct idv_factory_reply *r,
                              struct idv_bytes activation,
                              struct idv_buf *bag) IDV_CHECKED;

/* What attestations carry as extraData, and every TCG-CSR-IDEVID as prodCaData:
 * SHA-256("idevid-factory-1" 00 || challenge || order 00 || serial). */
void idv_factory_nonce(const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                       const char *order, const char *serial, uint8_t out[32]);

/* Why a desk or station refuses: for line software, beside the note. */
enum idv_factory_why {
    IDV_WHY_NONE,
    IDV_WHY_REQUEST,    /* malformed, too large, cut off */
    IDV_WHY_STATION,    /* not signed by a station of ours */
    IDV_WHY_ORDER,      /* no such order, or serial number not in it */
    IDV_WHY_CHALLENGE,  /* not the order's, or too old */
    IDV_WHY_NONCE,      /* the attestation is not for this request */
    IDV_WHY_SIGNATURE,  /* of the CSR */
    IDV_WHY_EK_MISSING, /* no EK certificate, and the order asks for one */
    IDV_WHY_EK_CHAIN,   /* signed by no known vendor root */
    IDV_WHY_EK_KEY,     /* is for another EK */
    IDV_WHY_TEMPLATE,   /* public area of IAK or IDevID is not TCG's */
    IDV_WHY_ATTEST,     /* attestation: by another key, of another key */
    IDV_WHY_DUPLICATE,  /* serial number, EK or key is another device's */
    IDV_WHY_RETIRED,    /* the device was retired */
    IDV_WHY_CA,         /* the issuing CA does not answer: try again */
    IDV_WHY_CERT,       /* what the CA returned is not what was asked for */
    IDV_WHY_DEVICE,     /* the device failed */
    IDV_WHY_HAS_ONE,    /* it has a valid IDevID and nobody said again */
    IDV_WHY_ACTIVATE,   /* the reply is not for this device */
    IDV_WHY_STORE,      /* journal: disk full, damaged */
    IDV_WHYS
};
/* "ek-chain"; what a technician does about it, one sentence */
const char *idv_factory_why_to_text(enum idv_factory_why w);
const char *idv_factory_why_advice(enum idv_factory_why w);

#endif
