/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of a sealed anchor for somebody else: what a TPM signs, and what
 * follows from it. */
#ifndef IDEVID_EVIDENCE_H
#define IDEVID_EVIDENCE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <idevid/json.h>
#include <idevid/limits.h>
#include <idevid/trust.h>

/*
 * Evidence is two attestations (TPM2_NV_Certify), of the anchor and of its
 * counter, with the verifier's nonce in both, by one restricted key of the
 * TPM: such a key signs no structure of that kind that the TPM did not make.
 *
 *   Evidence ::= SEQUENCE {
 *     version INTEGER (1), profile UTF8String, nonce OCTET STRING,
 *     anchor Item, counter Item,
 *     gate [0] EXPLICIT SEQUENCE { pcrs INTEGER, digest OCTET STRING }
 * OPTIONAL, signer OCTET STRING,               -- TPMT_PUBLIC chain SEQUENCE OF
 * Certificate }    -- the signer's first Item ::= SEQUENCE { index OCTET
 * STRING,                -- TPMS_NV_PUBLIC attest OCTET STRING, -- TPMS_ATTEST
 *     signature OCTET STRING }           -- ECDSA: DER; RSA: as it is
 */
#define IDV_EVIDENCE_MAX IDV_MAX_BODY /* bytes of a file */
#define IDV_EVIDENCE_PEM "IDEVID EVIDENCE"

struct idv_evidence_item {
    struct idv_buf index, attest, signature;
};
struct idv_evidence {
    char profile[16]; /* "owner", "platform" */
    struct idv_buf nonce;
    struct idv_evidence_item anchor, counter;
    bool gated;              /* the anchor could be written only with these */
    uint32_t gate_pcrs;      /* bit n is PCR n, SHA-256 bank */
    uint8_t gate_digest[32]; /* SHA-256 of their values */
    struct idv_buf signer;
    STACK_OF(X509) * chain;
};
void idv_evidence_free(struct idv_evidence *e);

/* IDV_E_ARG: a part is missing or out of bounds (named). */
idv_rc idv_evidence_to_der(const struct idv_evidence *e,
                           struct idv_buf *out) IDV_CHECKED;
idv_rc idv_evidence_to_pem(const struct idv_evidence *e,
                           struct idv_buf *out) IDV_CHECKED;
/* DER, or PEM with nothing but blanks around it. IDV_E_FORMAT: not exactly
 * one, not DER, a part out of bounds (named); IDV_E_LIMIT: too long. What it
 * says is not judged. out is the caller's to free. */
idv_rc idv_evidence_from_bytes(struct idv_bytes file,
                               struct idv_evidence *out) IDV_CHECKED;

/* --- making it ------------------------------------------------------------ */

struct idv_evidence_request {
    const char *profile;          /* of the anchor */
    uint32_t anchor, counter;     /* NV indices */
    uint32_t gate_pcrs;           /* 0: none */
    const uint8_t *gate_digest;   /* 32 bytes, unless none */
    const char *key_uri;          /* the restricted key; NULL: there is none */
    const STACK_OF(X509) * chain; /* its certificates, its own first */
    struct idv_bytes nonce;       /* the verifier's, IDV_MIN_NONCE to
                                     IDV_MAX_NONCE bytes */
};
/* Profile, indices and gate of what t is imprinted with; the rest is zeroed.
 * What it points to is t's. IDV_E_STATE in NONE. */
idv_rc idv_evidence_request_of(const struct idv_trust *t,
                               struct idv_evidence_request *out) IDV_CHECKED;
/*
 * Has the TPM attest both indices, and looks at the outcome as a verifier
 * would, so that nothing goes out that proves nothing. out is the caller's to
 * free. IDV_E_UNABLE: a token; a profile without evidence; no key, one
 * that is not restricted, or one without a certificate that says so.
 * IDV_E_STATE: no anchor is sealed. IDV_E_REJECT: what the TPM attested is no
 * proof (named).
 */
idv_rc idv_evidence_make(struct idv_device *dev,
                         const struct idv_evidence_request *request,
                         struct idv_evidence *out) IDV_CHECKED;

/* --- what it proves ------------------------------------------------------- */

/* What a verifier knows beforehand. Zeroed: nothing. */
struct idv_evidence_policy {
    struct idv_bytes nonce; /* the verifier's own; empty: not asked for now */
    const STACK_OF(X509) * anchors; /* who certifies keys of TPMs */
    struct idv_bytes pin; /* expected: certificate or SubjectPublicKeyInfo, DER;
                             empty: any */
    const uint8_t *pin_sha256;    /* the same as a hash, 32 bytes, or NULL */
    const EVP_PKEY *approval_key; /* profile "platform": the maker's, */
    const char *serial_number;    /* and whose anchor it is to be; or NULL */
    uint32_t anchor_index;        /* NV; 0: where the profile has it */
    uint32_t counter_index;       /* the same */
    bool check_time;              /* false: no clock, times not judged */
    int64_t now;
};

/* The statements, in the order in which they are looked at. */
enum idv_evidence_fact {
    IDV_EVIDENCE_FORM, /* every part is what it should be */
    IDV_EVIDENCE_KEY,  /* the signer's certificate is of the signer's key */
    IDV_EVIDENCE_KIND, /* which never leaves its TPM and is restricted */
    IDV_EVIDENCE_CERTIFIED, /* as the certificate says, too */
    IDV_EVIDENCE_CHAIN,     /* it leads to a certificate of the verifier's */
    IDV_EVIDENCE_SIGNED,    /* both attestations are the key's */
    IDV_EVIDENCE_FRESH,     /* made for the verifier's nonce */
    IDV_EVIDENCE_NAMES,     /* of these two indices, as they are described */
    IDV_EVIDENCE_PLACES,    /* which are the profile's */
    IDV_EVIDENCE_WHOLE,     /* the record and the counter, all of them */
    IDV_EVIDENCE_LOCKED,    /* nobody can write the one, only count the other */
    IDV_EVIDENCE_RECORD,    /* a record of a format known here */
    IDV_EVIDENCE_POLICY,    /* the index was made for this very content */
    IDV_EVIDENCE_FUSED,     /* the counter stands one after its generation */
    IDV_EVIDENCE_BOOT,      /* both were signed since one start of the TPM */
    IDV_EVIDENCE_PIN,       /* what is pinned is what was expected */
    IDV_EVIDENCE_FACTS
};
enum idv_evidence_standing {
    IDV_EVIDENCE_NOT_ASKED, /* nothing to hold it against, or never reached */
    IDV_EVIDENCE_CLAIMED,   /* true if the signer is what it says it is */
    IDV_EVIDENCE_PROVED,
    IDV_EVIDENCE_REFUSED,
};
enum idv_evidence_verdict {
    IDV_EVIDENCE_SOUND,      /* all proved but the expected pin, if none was */
    IDV_EVIDENCE_INCOMPLETE, /* nothing is wrong, not everything was asked */
    /* refused: */
    IDV_EVIDENCE_MALFORMED,    /* a part cannot be read */
    IDV_EVIDENCE_NO_PROFILE,   /* of a profile without evidence, or unknown */
    IDV_EVIDENCE_OTHER_KEY,    /* the certificate is of another key */
    IDV_EVIDENCE_WEAK_KEY,     /* algorithm, curve, size or scheme */
    IDV_EVIDENCE_UNRESTRICTED, /* a key that signs anything, or may move */
    IDV_EVIDENCE_UNCERTIFIED,  /* nobody certified that it is restricted */
    IDV_EVIDENCE_NO_CHAIN,     /* no path to the verifier's anchors */
    IDV_EVIDENCE_BAD_SIGNATURE,
    IDV_EVIDENCE_OTHER_NONCE,
    IDV_EVIDENCE_OTHER_INDEX, /* attested is another one than described */
    IDV_EVIDENCE_OTHER_PLACE, /* not the indices that were to be attested */
    IDV_EVIDENCE_CUT,         /* of the contents only a part */
    IDV_EVIDENCE_UNLOCKED,    /* size or attributes are not a sealed anchor's */
    IDV_EVIDENCE_BAD_RECORD,
    IDV_EVIDENCE_OTHER_POLICY, /* the index was made for something else */
    IDV_EVIDENCE_NOT_FUSED,    /* an imprint that was not finished */
    IDV_EVIDENCE_RESET,        /* reset since: the anchor is dead */
    IDV_EVIDENCE_TWO_BOOTS,    /* the TPM was restarted between them */
    IDV_EVIDENCE_OTHER_PIN,
    IDV_EVIDENCE_VERDICTS
};
/* "sound", "incomplete", "not-fused", ...; never NULL */
const char *idv_evidence_verdict_to_text(enum idv_evidence_verdict v);
/* "chain", "fresh", ...; "proved", "claimed", "not asked", "refused" */
const char *idv_evidence_fact_to_text(enum idv_evidence_fact f);
const char *idv_evidence_standing_to_text(enum idv_evidence_standing s);

#define IDV_EVIDENCE_TEXT 256
struct idv_evidence_report {
    enum idv_evidence_verdict verdict;
    struct idv_evidence_statement {
        enum idv_evidence_standing standing;
        char text[IDV_EVIDENCE_TEXT]; /* one sentence */
    } facts[IDV_EVIDENCE_FACTS];
    /* What was read, as far as the verdict let it be reached: each is as good
     * as the statement that it belongs to. */
    char profile[16];
    char signer[IDV_EVIDENCE_TEXT]; /* subject of its certificate */
    char hierarchy[16]; /* "endorsement", "owner", "platform", "null": the
                           signer is a primary key there; "" it is below one */
    bool says_eku;      /* tcg-kp-AIKCertificate */
    bool says_policy;   /* tcg-cap-verifiedTPMRestricted */
    uint8_t anchor_name[34], counter_name[34]; /* TPM Names, SHA-256 */
    struct idv_record record;
    uint64_t counter;
    uint64_t clock; /* ms of the TPM's life, at the later attestation */
    uint32_t resets, restarts; /* as the signer shows them: see plain */
    bool plain; /* resets, restarts and firmware are not disguised */
    bool safe;  /* no value of clock before was ever greater */
    uint64_t firmware;
};

/*
 * Needs no TPM. IDV_OK: sound. IDV_E_REJECT: any other verdict, named in the
 * note as in out. Both fill out; other failures leave it untouched.
 */
idv_rc idv_evidence_verify(const struct idv_evidence *e,
                           const struct idv_evidence_policy *policy,
                           struct idv_evidence_report *out) IDV_CHECKED;
/* Lines for people, each with its LF. */
idv_rc idv_evidence_report_to_text(const struct idv_evidence_report *r,
                                   struct idv_buf *out) IDV_CHECKED;
idv_rc idv_evidence_report_to_json(const struct idv_evidence_report *r,
                                   struct idv_json **out) IDV_CHECKED;

#endif
