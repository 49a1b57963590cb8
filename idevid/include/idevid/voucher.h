/* SPDX-License-Identifier: Apache-2.0 */
/* What a voucher, a voucher-request, a status report and a log say. */
#ifndef IDEVID_VOUCHER_H
#define IDEVID_VOUCHER_H

#include <idevid/buf.h>
#include <idevid/env.h>
#include <idevid/envelope.h>
#include <idevid/limits.h>
#include <idevid/x509.h>

enum idv_assertion {
    IDV_ASSERT_NONE = -1, /* leaf absent */
    IDV_ASSERT_VERIFIED = 0,
    IDV_ASSERT_LOGGED = 1,
    IDV_ASSERT_PROXIMITY = 2,
    IDV_ASSERT_AGENT_PROXIMITY = 3,
};
const char *idv_assertion_to_text(enum idv_assertion a); /* "" for NONE */
idv_rc idv_assertion_from_text(const char *text,
                               enum idv_assertion *out) IDV_CHECKED;

enum idv_voucher_kind { IDV_VOUCHER, IDV_VOUCHER_REQUEST };

#define IDV_TIME_ABSENT INT64_MIN

/*
 * The leaves of ietf-voucher and ietf-voucher-request (RFC 8366, RFC 8995).
 * Empty buffers and "" mean absent. nonce is the opaque text of the JSON form
 * and is copied, never decoded.
 */
struct idv_voucher {
    enum idv_voucher_kind kind;
    enum idv_assertion assertion;
    char serial_number[IDV_MAX_SERIAL + 1];
    char nonce[IDV_MAX_NONCE_TEXT + 1];
    int64_t created_on, expires_on, last_renewal_date; /* IDV_TIME_ABSENT */
    struct idv_buf idevid_issuer;
    struct idv_buf pinned_domain_cert;              /* voucher: DER */
    struct idv_buf pinned_domain_pubk;              /* voucher: SPKI DER */
    struct idv_buf pinned_domain_pubk_sha256;       /* voucher: 32 bytes */
    struct idv_buf proximity_registrar_cert;        /* request: DER */
    struct idv_buf proximity_registrar_pubk;        /* request: SPKI DER */
    struct idv_buf proximity_registrar_pubk_sha256; /* request: 32 bytes */
    struct idv_buf prior_signed;                    /* request: the whole PVR */
    int revocation_checks; /* -1 absent, 0 must not, 1 must */
    char est_domain[IDV_MAX_URL];
    char additional_configuration_url[IDV_MAX_URL];
    struct idv_buf manufacturer_proprietary; /* between maker and device */
};
void idv_voucher_init(struct idv_voucher *v, enum idv_voucher_kind kind);
void idv_voucher_free(struct idv_voucher *v);

static inline void idv_auto_voucher(struct idv_voucher *v)
{
    idv_voucher_free(v);
}

/* Writer and reader of the JSON form. The reader refuses: a root other than
 * the kind's (of a request, also a voucher's, which older pledges used, unless
 * it pins), no serial-number, wrong types, bad base64 or times, leaves that are
 * empty or over their limits, control characters in text; it ignores unknown
 * members, the leaves that a request must not carry, and a
 * manufacturer-proprietary that is not base64 or over its limit. The
 * writer refuses (IDV_E_ARG) what the reader would, both nonce and expires-on
 * in one voucher, and a last-renewal-date without expires-on; the reader takes
 * them: that date tells people something, and judges nothing.
 * from(to(v)) = v. */
idv_rc idv_voucher_to_json(const struct idv_voucher *v,
                           struct idv_buf *out) IDV_CHECKED;
idv_rc idv_voucher_from_json(struct idv_bytes json, enum idv_voucher_kind kind,
                             struct idv_voucher *out) IDV_CHECKED;
/*
 * Appends the voucher without manufacturer-proprietary, as RFC 8785 has it:
 * members by name, no blanks. It is a function of the leaves alone (times in
 * UTC and seconds, binary in padded base64), so that maker and device get the
 * same bytes from a voucher, whatever its encoding and container: what
 * something inside that leaf can speak of (<idevid/approval.h>).
 */
idv_rc idv_voucher_content(const struct idv_voucher *v,
                           struct idv_buf *out) IDV_CHECKED;
/* By the encoding of the media type. */
idv_rc idv_voucher_from(const char *media, struct idv_bytes payload,
                        enum idv_voucher_kind kind,
                        struct idv_voucher *out) IDV_CHECKED;
idv_rc idv_voucher_to(const char *media, const struct idv_voucher *v,
                      struct idv_buf *out) IDV_CHECKED;

/* --- requests ------------------------------------------------------------- */

/* Fills a pledge voucher-request: proximity, serial of idevid, a fresh nonce
 * of 16 random bytes, proximity-registrar-cert = registrar, created-on iff
 * the clock is trusted (RFC 8995 section 5.2). */
idv_rc idv_request_build(const X509 *idevid, const X509 *registrar,
                         const struct idv_env *env,
                         struct idv_voucher *out) IDV_CHECKED;
/* Does a request say that the pledge saw cert? By proximity-registrar-cert (the
 * very one, or by_key one of its key), -pubk and -pubk-sha256
 * (draft-ietf-anima-rfc8366bis): one of them at least, and all that are there.
 */
bool idv_request_saw(const struct idv_voucher *request, const X509 *cert,
                     bool by_key);
/* Does it say whom it saw at all? */
bool idv_request_saw_any(const struct idv_voucher *request);

/* --- the pledge's judgement (RFC 8995 section 5.6.1) -----------------------
 */

enum idv_verdict {
    IDV_VERDICT_OK = 0,
    IDV_VERDICT_FORMAT,    /* 1: not the media type asked for */
    IDV_VERDICT_SIGNATURE, /* 2: signature does not verify */
    IDV_VERDICT_SIGNER,    /* 2: signer does not chain to the maker */
    IDV_VERDICT_CONTENT,   /* 3: payload is not a voucher */
    IDV_VERDICT_SERIAL,    /* 4 */
    IDV_VERDICT_ISSUER,    /* 5: idevid-issuer is another maker's CA */
    IDV_VERDICT_NONCE,     /* 6: not the one of this request */
    IDV_VERDICT_NONCELESS, /* 6: none, and policy forbids it or (clock
                                 trusted) no expires-on limits it */
    IDV_VERDICT_EXPIRED,   /* 7: expires-on has passed */
    IDV_VERDICT_TIME,      /* 7: created-on or signingTime in the future,
                                 more than 10 minutes */
    IDV_VERDICT_ASSERTION, /* 8: not acceptable to policy */
    IDV_VERDICT_NO_PIN,    /* 9: nothing pinned */
    IDV_VERDICT_PIN,       /* 9: what is pinned cannot be read */
    IDV_VERDICT_CHAIN,     /* 10: TLS chain does not lead to the pin */
    IDV_VERDICT_REVOKED,   /* 11: revoked, or demanded, not shown good */
    IDV_VERDICT_COUNT
};
const char *idv_verdict_to_text(enum idv_verdict v); /* "nonce-mismatch", ... */

struct idv_voucher_policy {
    const STACK_OF(X509) * maker_anchors; /* the built-in MASA anchors */
    bool clock_trusted;
    int64_t now;
    bool refuse_nonceless;
    unsigned refused_assertions; /* bit 1u << enum idv_assertion; a voucher
                                    without the leaf counts as logged */
};

/* What a voucher is checked against. */
struct idv_voucher_claim {
    const X509 *idevid;
    const char *nonce;                /* of this connection's request */
    const STACK_OF(X509) * tls_chain; /* of this very connection, leaf first */
    /* There is no connection, and nonce and tls_chain are not looked at: a
     * voucher from a file. It must have no nonce, and whether a registrar is
     * the one it pins is judged at each connection (idv_trust_verify_server).
     */
    bool offline;
    bool revocation_good; /* the caller has seen CRL or OCSP answers that show
                             every certificate of tls_chain good */
    /* An OCSP response that the server stapled to its leaf, DER; empty: none.
     * Judged once tls_chain led to the pin, by the leaf's issuer there. Of a
     * leaf that is pinned itself, as a certificate: by the issuer in tls_chain
     * whose key it names by a hash. Nothing is known of intermediates. */
    struct idv_bytes staple;
    bool elsewhere; /* tls_chain is of a cloud registrar, validated otherwise:
                       when the voucher has an est-domain, steps 10 and 11
                       are the caller's, with that server's chain */
};

enum idv_pin_kind { IDV_PIN_CERT, IDV_PIN_PUBK, IDV_PIN_PUBK_SHA256 };

/* What follows from an accepted voucher. */
struct idv_pinned {
    enum idv_pin_kind kind;  /* which leaf pins */
    X509 *cert;              /* IDV_PIN_CERT, otherwise NULL */
    struct idv_buf spki;     /* IDV_PIN_PUBK: SPKI DER, otherwise empty */
    uint8_t spki_sha256[32]; /* of the pinned key, always filled */
    uint8_t voucher_sha256[32];
    struct idv_voucher voucher;
    /* where it was had, "https://host:port"; "" unknown. The caller's, who may
     * want to go on there after a restart: idv_trust_imprint keeps it. */
    char registrar[IDV_MAX_URL];
};
void idv_pinned_free(struct idv_pinned *p);

/*
 * Judges the voucher bytes, in the order of the numbers above, stopping at the
 * first fault. Pure: no clock, no device, no I/O. IDV_OK and *out filled, or
 * IDV_E_REJECT with *why and a note. IDV_E_NOMEM, IDV_E_ARG (no IDevID) and
 * IDV_E_CRYPTO (no SHA-256) judge nothing: *why is IDV_VERDICT_FORMAT then and
 * means no more than that it is not OK.
 */
idv_rc idv_voucher_check(const char *media, struct idv_bytes sealed,
                         const struct idv_voucher_claim *claim,
                         const struct idv_voucher_policy *policy,
                         struct idv_pinned *out,
                         enum idv_verdict *why) IDV_CHECKED;

/*
 * The TLS chain (leaf first) against a pin; step 10 alone, also for every
 * later connection. The pin is a certificate, or (pin NULL) the 32 bytes of
 * spki_sha256. Matched by key: the leaf has the pinned key, or a
 * signature-verified path leads from it to the pinned CA, which for a key must
 * be in tls_chain. IDV_E_REJECT otherwise.
 */
idv_rc idv_pin_verify(const STACK_OF(X509) * tls_chain, const X509 *pin,
                      const uint8_t *spki_sha256, bool check_time,
                      int64_t now) IDV_CHECKED;

/* Step 11 alone, for who met the server after the voucher was judged (an
 * est-domain); staple as in idv_voucher_claim. IDV_E_REJECT. */
idv_rc idv_pin_revocation(const struct idv_pinned *pinned,
                          const STACK_OF(X509) * tls_chain,
                          struct idv_bytes staple, bool check_time,
                          int64_t now) IDV_CHECKED;

/* May this end entity speak for the domain (RFC 7030 section 3.6.1)? It has
 * id-kp-cmcRA, or the pinned key itself, which the MASA named. A member of the
 * domain that is no registration authority is IDV_E_REJECT. */
idv_rc idv_authority_check(const X509 *leaf,
                           const uint8_t spki_sha256[static 32]) IDV_CHECKED;

/* --- telemetry (RFC 8995 5.7) ----------------------------------------------
 */

/* The member of reason-context in which an enrollstatus carries evidence of the
 * imprint (<idevid/evidence.h>): base64 of its DER. Its nonce is the SHA-256 of
 * the pledge's voucher-request as it was sent, the whole signed container. */
#define IDV_MEMBER_EVIDENCE "imprint-evidence"

struct idv_telemetry {
    int64_t version; /* 1 */
    bool status;
    char reason[IDV_MAX_REASON]; /* "" absent */
    char detail[IDV_MAX_REASON]; /* reason-context, member "detail" */
    struct idv_bytes evidence;   /* likewise, DER; borrowed, written only */
};
/* The reader takes what it needs, cuts long texts at IDV_MAX_REASON - 1 bytes
 * and accepts a number as a string; a higher version is for the caller to
 * notice. The writer fails with IDV_E_LIMIT when evidence is over
 * IDV_MAX_REPORTED. */
idv_rc idv_telemetry_to_json(const struct idv_telemetry *t,
                             struct idv_buf *out) IDV_CHECKED;
idv_rc idv_telemetry_from_json(struct idv_bytes json,
                               struct idv_telemetry *out) IDV_CHECKED;
/* The evidence in a report, DER, not judged; out stays empty where there is
 * none. IDV_E_FORMAT: it is no base64 text; IDV_E_LIMIT: over IDV_MAX_REPORTED.
 */
idv_rc idv_telemetry_evidence(struct idv_bytes json,
                              struct idv_buf *out) IDV_CHECKED;

/*
 * What a registrar may answer to a voucher_status (application/json, 200), the
 * one thing that it may ask for: {"evidence":"requested"}, that the
 * enrollstatus carries evidence. Pledges that know nothing of it ignore
 * answers; the reader ignores other members and values, and fails with
 * IDV_E_FORMAT or IDV_E_LIMIT (over IDV_MAX_STATUS_ANSWER).
 */
struct idv_status_answer {
    bool evidence;
};
idv_rc idv_status_answer_to_json(const struct idv_status_answer *a,
                                 struct idv_buf *out) IDV_CHECKED;
idv_rc idv_status_answer_from_json(struct idv_bytes json,
                                   struct idv_status_answer *out) IDV_CHECKED;

/* --- audit log (RFC 8995 5.8) -----------------------------------------------
 */

#define IDV_AUDIT_SALT 32 /* bytes */

struct idv_audit_event {
    int64_t date;
    char domain_id[96];                 /* base64 */
    char nonce[IDV_MAX_NONCE_TEXT + 1]; /* "" is null: nonceless */
    enum idv_assertion assertion;
    uint32_t truncated;
    /* Opens the commitment to the serial number in the event's entry in the
     * maker's Merkle tree; where the maker has none, salted is false. Member
     * "serial-salt", base64. */
    bool salted;
    uint8_t salt[IDV_AUDIT_SALT];
};
struct idv_audit_log {
    int64_t version;
    /* With the salts: the key identifier of the IDevID's issuer, as committed
     * to. Member "issuer-keyid", base64. */
    uint8_t keyid[IDV_MAX_KEYID];
    size_t keyid_n;
    struct idv_audit_event *events; /* oldest first, as received */
    size_t n;
    size_t cap; /* room that _add made; 0: events, if any, is the caller's,
                   which _add copies and _free leaves alone */
    uint32_t nonced_duplicates, nonceless_duplicates, arbitrary;
};
void idv_audit_log_free(struct idv_audit_log *log);
idv_rc idv_audit_log_add(struct idv_audit_log *log,
                         const struct idv_audit_event *event) IDV_CHECKED;
/* Numbers are emitted as numbers; numbers and strings are accepted. At most
 * IDV_MAX_AUDIT_EVENTS. */
idv_rc idv_audit_log_to_json(const struct idv_audit_log *log,
                             struct idv_buf *out) IDV_CHECKED;
idv_rc idv_audit_log_from_json(struct idv_bytes json,
                               struct idv_audit_log *out) IDV_CHECKED;

/* Reference policy (RFC 8995 5.8.3): events of a known domain are fine; one of
 * another domain needs allow_foreign_nonced and, without a nonce,
 * allow_nonceless too; so do events that the MASA says it left out (arbitrary).
 * The first offending one is named in the IDV_E_REJECT note. domain ids are
 * base64 text, compared as bytes. */
struct idv_audit_policy {
    const char *const *known; /* NULL-ended; own domainIDs among them */
    bool allow_foreign_nonced;
    bool allow_nonceless;
};
idv_rc idv_audit_log_judge(const struct idv_audit_log *log,
                           const struct idv_audit_policy *policy) IDV_CHECKED;

#endif
