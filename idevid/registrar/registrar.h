/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar: admits pledges, gets their vouchers, lets them enroll. */
#ifndef IDEVID_REGISTRAR_H
#define IDEVID_REGISTRAR_H

#include <idevid/env.h>
#include <idevid/machine.h>
#include <idevid/voucher.h>

#include "idevid/est/crl.h"
#include "idevid/est/profile.h"
#include "idevid/est/server.h"

/* --- what is configured --------------------------------------------------- */

/* Which devices of a maker are let in without a person's word. */
enum idv_admit {
    IDV_ADMIT_LISTED, /* those approved in the store; others: 404 */
    IDV_ADMIT_ASK,    /* others wait (202) until somebody decides */
    IDV_ADMIT_ALL,    /* every one not refused in the store */
};

/* Where the serial number of a device stands in its IDevID (R-R-10). */
enum idv_serial_field {
    IDV_SERIAL_SUBJECT,     /* serialNumber of the subject, as 802.1AR says */
    IDV_SERIAL_HARDWARE,    /* hwSerialNum of hardwareModuleName: text, or in
                               hexadecimal what is none */
    IDV_SERIAL_COMMON_NAME, /* CN of the subject */
};

/* What rules call the model of a device. */
enum idv_model_field {
    IDV_MODEL_COMMON_NAME, /* of the subject; "" where there is none */
    IDV_MODEL_UNIT,        /* OU of the subject */
    IDV_MODEL_HARDWARE,    /* hwType of hardwareModuleName, a dotted OID */
};

/* When a nonceless voucher that was had ahead is used. */
enum idv_stored_use {
    IDV_STORED_NEVER,
    IDV_STORED_WHEN_DOWN, /* the MASA cannot be reached */
    IDV_STORED_FIRST,     /* whenever there is one */
};

/* Whether the maker's transparency log is asked for our vouchers' entries. */
enum idv_maker_log {
    IDV_MAKER_LOG_OFF,
    IDV_MAKER_LOG_ON,       /* what is wrong with it is a finding */
    IDV_MAKER_LOG_REQUIRED, /* and no device enrolls without a proof */
};

/* A manufacturer. All borrowed. */
struct idv_registrar_maker {
    const char *name;               /* unique; in logs and in the store */
    const STACK_OF(X509) * anchors; /* of its IDevIDs */
    bool ignore_expiry;             /* notAfter of IDevIDs (R-R-9) */
    enum idv_serial_field serial_field;
    enum idv_model_field model_field;
    enum idv_admit admit;
    const char *masa_url;      /* instead of the one in the IDevID; or NULL */
    const char *masa_fallback; /* when the IDevID has none; or NULL */
    const STACK_OF(X509) * masa_anchors; /* of its TLS; NULL: the system's */
    bool masa_client_auth; /* show the registrar's certificate to the MASA */
    const char *masa_user, *masa_password; /* for HTTP; NULL: none */
    bool masa_digest;                      /* by Digest, not Basic */
    enum idv_stored_use stored;
    /* of certificates of keys that sign evidence; NULL: anchors */
    const STACK_OF(X509) * evidence_anchors;
    /* approves the anchors of profile "platform", whose evidence is incomplete
     * without; or NULL */
    const EVP_PKEY *approval_key;
    /* Any client certificate is taken for one of its IDevIDs, if no other
     * maker's is: with idv_registrar_conf.unauthenticated only. */
    bool unauthenticated;
    bool id_data;         /* its MASA wants eContentType id-data */
    bool issuer_sequence; /* its MASA wants idevid-issuer as a SEQUENCE */
    enum idv_maker_log log;
    EVP_PKEY *const *log_keys; /* public ones of that log, NULL-ended */
};

enum idv_evidence_mode {
    IDV_EVIDENCE_OFF,     /* not asked for; what comes is looked at */
    IDV_EVIDENCE_REQUEST, /* asked for in the answer to voucher_status */
    IDV_EVIDENCE_REQUIRE, /* without it, or with bad one, an enrollment counts
                             as failed */
};

enum idv_audit_mode {
    IDV_AUDIT_REQUIRED,   /* no enrollment without an acceptable log */
    IDV_AUDIT_IF_OFFERED, /* a MASA that answers 404 has no log */
    IDV_AUDIT_OFF,        /* history is ignored */
};

/*
 * Clients of EST that are no devices and have no certificate yet: they prove
 * themselves by a password (HTTP Basic, RFC 7030 section 3.2.3), and get one by
 * a template of its own that says nothing of a device. Who shows a certificate
 * is judged by that alone.
 */
struct idv_registrar_users {
    /* Takes the same time whether there is such a user or not. */
    idv_rc (*check)(void *arg, const char *user, const char *password,
                    bool *ok);
    void *arg;
    const char *subject; /* {serial} is the user's name; NULL: "CN={serial}" */
    int64_t lifetime_s;  /* 0: 30 days */
    unsigned tries;      /* wrong ones of one address in a minute; 0: 5 */
};

/* A CA that devices enroll with, and what it makes of them. All borrowed. */
struct idv_registrar_ca {
    /* .../est/LABEL/... (RFC 7030 section 3.2.2): letters, digits, "-._~",
     * not the name of an operation; NULL: the one without */
    const char *label;
    struct idv_est_server_conf est; /* admit, issued, names, arg are ours */
    /* Names of an LDevID: a subject "TYPE=value, ..." with {serial} for the
     * device's, backslash quotes a comma; a serialNumber RDN is always added.
     */
    struct idv_est_profile profile;
    /* Makes the CRL that is served as /crl/ca.crl, or /crl/LABEL.crl; NULL
     * none. */
    const struct idv_crl_maker *crl;
    const struct idv_registrar_users *users; /* NULL none */
    bool revoke_unused; /* a certificate that the device could not use */
};

/* What a MASA is asked to pin: the end of the chain that goes with requests. */
enum idv_pinning {
    IDV_PINNING_CHAIN,  /* the last of chain */
    IDV_PINNING_ISSUER, /* the CA that issued cert: no other one's registrars */
    IDV_PINNING_OWN, /* cert: this registrar alone, until it gets another key */
};

struct idv_registrar_store;
struct idv_cloud_conf;

struct idv_registrar_conf {
    /* TLS server key and certificate; it signs the requests too and must have
     * id-kp-cmcRA. chain: cert first, up to and including what shall be
     * pinned. Borrowed. */
    EVP_PKEY *key;
    X509 *cert;
    const STACK_OF(X509) * chain;
    /* What devices see instead of cert where a reverse proxy has their
     * connection: of the same key, or no MASA would believe that they are near
     * (RFC 8995 section 5.5.5). Borrowed; NULL: cert. */
    X509 *front_cert;
    enum idv_pinning pin;
    const struct idv_registrar_maker *makers; /* borrowed */
    size_t n_makers;
    const struct idv_registrar_store *store; /* borrowed */
    /* Whom devices enroll with, and what else they may ask for by label. */
    struct idv_registrar_ca ca;            /* its label is NULL */
    const struct idv_registrar_ca *labels; /* borrowed */
    size_t n_labels;
    enum idv_audit_mode audit;
    bool refuse_new_logs; /* of a version above 1; otherwise read as 1 */
    bool ignore_own;      /* events under our domainID that the ledger does
                             not know are no finding: registrars share it */
    enum idv_evidence_mode evidence;
    /* RFC 8995 section 7.3: reduced security. Each is said at the start and
     * at each use, event "reduced-security". */
    bool unauthenticated; /* heeds makers' unauthenticated */
    bool unreadable;      /* relay a voucher that cannot be read here */
    struct idv_audit_policy audit_policy; /* own domainID is added to known */
    int retry_after_s;                    /* of a 202; 0: 30 */
    int masa_timeout_s;                   /* 0: 20 */
    int masa_patience_ms; /* then 202, while the MASA is waited for; 0: never */
    unsigned device_hourly; /* requests of one device in an hour; 0: 60 */
    /* Not NULL: it is a cloud registrar (cloud.h). Its certificate is a web
     * server's then, needs no cmcRA, and there is no CA. Borrowed. */
    const struct idv_cloud_conf *cloud;
};

/* --- what must be kept: the ledger ---------------------------------------- */

/* A pledge's way through (RFC 8995 sections 5.2 to 5.9). The numbers are in
 * databases. */
enum idv_session_state {
    IDV_SESSION_NEW = 0,
    IDV_SESSION_PVR_OK = 1,        /* request in order, policy admits */
    IDV_SESSION_PENDING = 2,       /* waits for a person (202) */
    IDV_SESSION_REFUSED = 3,       /* status and reason say why */
    IDV_SESSION_MASA_WAIT = 4,     /* a worker is asking the MASA */
    IDV_SESSION_VOUCHER_SENT = 5,  /* voucher kept and answered */
    IDV_SESSION_VSTATUS_OK = 6,    /* pledge accepted it */
    IDV_SESSION_VSTATUS_FAIL = 7,  /* pledge refused it: no enrollment */
    IDV_SESSION_LOG_OK = 8,        /* audit log acceptable: may enroll */
    IDV_SESSION_LOG_BAD = 9,       /* not acceptable: no enrollment */
    IDV_SESSION_ENROLLING = 10,    /* certificate is being made */
    IDV_SESSION_ENROLLED = 11,     /* certificate answered */
    IDV_SESSION_ESTATUS_OK = 12,   /* pledge uses it */
    IDV_SESSION_ESTATUS_FAIL = 13, /* pledge refused it; may try again */
    IDV_SESSION_STATES
};
const char *idv_session_state_to_text(enum idv_session_state s);

struct idv_session {
    uint8_t pvr_sha256[32];    /* key: of the pledge's whole request */
    uint8_t idevid_sha256[32]; /* of its TLS client certificate */
    char maker[64];
    char serial_number[IDV_MAX_SERIAL + 1];
    char nonce[IDV_MAX_NONCE_TEXT + 1];
    char address[64];
    enum idv_session_state state;
    int status;       /* REFUSED: what to answer */
    char reason[128]; /* REFUSED, LOG_BAD: why */
    int64_t created, changed;
    int64_t not_before;     /* ask the MASA (again) not before; 0 at once */
    char media[128];        /* of rvr and voucher */
    struct idv_buf rvr;     /* as signed: the MASA gets these bytes each time */
    struct idv_buf voucher; /* as received */
    struct idv_buf audit_log; /* as received */
    struct idv_buf judged_on; /* binding of the connection of that time */
};
void idv_session_free(struct idv_session *s);

enum idv_decision {
    IDV_DECISION_NONE = 0,
    IDV_DECISION_PENDING = 1,
    IDV_DECISION_APPROVED = 2,
    IDV_DECISION_REFUSED = 3,
};

/* Something a pledge reported, or that happened to its session. */
struct idv_status_event {
    uint8_t pvr_sha256[32];
    int64_t date;
    const char *kind; /* "voucher_status", "enrollstatus", "audit_log" */
    bool status;
    bool cert_matches; /* enrollstatus: came with the certificate issued */
    const char *reason, *detail;
    struct idv_bytes report; /* the first IDV_MAX_REPORT bytes of what came */
};
#define IDV_MAX_REPORT 4096

/* --- rules: who is welcome ------------------------------------------------ */

enum idv_rule_action { IDV_RULE_ALLOW, IDV_RULE_DENY, IDV_RULE_ASK };
const char *idv_rule_action_to_text(enum idv_rule_action a);
idv_rc idv_rule_action_from_text(const char *text,
                                 enum idv_rule_action *out) IDV_CHECKED;

/* Patterns: "*" any run of characters, "?" any one byte, "" anything. */
#define IDV_MAX_PATTERN 128
struct idv_rule {
    int64_t id, position;
    enum idv_rule_action action;
    char maker[IDV_MAX_PATTERN + 1], model[IDV_MAX_PATTERN + 1],
        serial_number[IDV_MAX_PATTERN + 1];
    int64_t not_before, not_after; /* applies from, until; 0 always */
    char comment[128], who[64];
    int64_t date;
};
bool idv_rule_matches(const struct idv_rule *r, const char *maker,
                      const char *model, const char *serial, int64_t now);

/* --- findings ------------------------------------------------------------- */

/* Something that a person should look at; the same again is counted. */
struct idv_finding {
    char maker[64];
    char serial_number[IDV_MAX_SERIAL + 1]; /* "": of the maker */
    char kind[32];                          /* "audit-log", "evidence", ... */
    char detail[256];
    int64_t first, last, times;
};

/* A nonceless voucher, had before its device came. */
struct idv_stored_voucher {
    int64_t id;
    char maker[64];
    char serial_number[IDV_MAX_SERIAL + 1];
    char media[128];
    int64_t fetched, expires_on; /* 0: it does not say */
    struct idv_buf rvr, voucher;
};
void idv_stored_voucher_free(struct idv_stored_voucher *v);

/* Evidence of an anchor (<idevid/evidence.h>) and what became of it. */
struct idv_kept_evidence {
    uint8_t pvr_sha256[32];
    int64_t date;
    char verdict[32], detail[256];
    struct idv_buf evidence; /* DER */
};

/*
 * Each call is atomic; several processes may share one store. A store that
 * fails returns IDV_E_IO and has changed nothing. session_update to
 * VOUCHER_SENT, and all that came before, is on disk before the call that made
 * it is answered (when it returns, or with the server's commit); a power cut
 * may take back other calls, which are then done again. Times are seconds since
 * 1970.
 */
struct idv_registrar_store {
    void *self;
    idv_rc (*session_get)(void *self, const uint8_t pvr_sha256[32], bool *found,
                          struct idv_session *out);
    /* the device's newest session */
    idv_rc (*session_last)(void *self, const uint8_t idevid_sha256[32],
                           bool *found, struct idv_session *out);
    /* and only how far that is: what was sent and received is long */
    idv_rc (*session_state)(void *self, const uint8_t idevid_sha256[32],
                            bool *found, enum idv_session_state *out);
    /* sessions the device began since then */
    idv_rc (*session_count)(void *self, const uint8_t idevid_sha256[32],
                            int64_t since, unsigned *n);
    /* *fresh false: there is one with that pvr_sha256; nothing was added */
    idv_rc (*session_add)(void *self, const struct idv_session *s, bool *fresh);
    /* Replaces everything but the key, if its state still is from; otherwise
     * *done is false and nothing changed. */
    idv_rc (*session_update)(void *self, const struct idv_session *s,
                             enum idv_session_state from, bool *done);
    /* PVR_OK, or MASA_WAIT that was last changed before stale or whose claimer
     * surely has ended, or (own) is this process: becomes MASA_WAIT, changed at
     * now, and is the caller's
     * (*claimed). */
    idv_rc (*session_claim)(void *self, const uint8_t pvr_sha256[32],
                            int64_t now, int64_t stale, bool own,
                            bool *claimed);
    /* What a person decided on a device. With ask, a device nobody decided on
     * becomes PENDING. */
    idv_rc (*decision)(void *self, const char *maker, const char *serial,
                       bool ask, int64_t now, enum idv_decision *out);
    idv_rc (*status_add)(void *self, const struct idv_status_event *e);
    /* in their order, until each returns false */
    idv_rc (*rules)(void *self,
                    bool (*each)(void *arg, const struct idv_rule *r),
                    void *arg);
    /* first, last and times are the store's; f->last is now */
    idv_rc (*finding_add)(void *self, const struct idv_finding *f);
    /* The nonces of what we asked for this device, until each returns false;
     * *stored counts the nonceless vouchers we had. */
    idv_rc (*own_requests)(void *self, const char *maker, const char *serial,
                           bool (*each)(void *arg, const char *nonce),
                           void *arg, unsigned *stored);
    /* was a MASA asked with this one, whose row was let go since? */
    idv_rc (*own_forgotten)(void *self, const char *maker, const char *serial,
                            const char *nonce, bool *known);
    /* the newest for this device of that media type ("" any) that holds
     * beyond now */
    idv_rc (*stored_get)(void *self, const char *maker, const char *serial,
                         const char *media, int64_t now, bool *found,
                         struct idv_stored_voucher *out);
    /* may it enroll on an imprint made elsewhere? */
    idv_rc (*imprinted)(void *self, const char *maker, const char *serial,
                        bool *allowed);
    idv_rc (*evidence_put)(void *self, const struct idv_kept_evidence *e);
    /* The signed head of the largest tree that a maker's transparency log
     * proved to be its own. */
    idv_rc (*log_head)(void *self, const char *maker, bool *found,
                       struct idv_buf *item);
    idv_rc (*log_head_keep)(void *self, const char *maker, uint64_t size,
                            struct idv_bytes item);
};

/* --- the service ---------------------------------------------------------- */

struct idv_registrar;
/* conf is copied, what it points to is borrowed. IDV_E_ARG names what is
 * missing or wrong: no cmcRA in cert, key not its own, chain not leading from
 * cert, a malformed URL or subject template. */
idv_rc idv_registrar_new(const struct idv_registrar_conf *conf,
                         const struct idv_env *env,
                         struct idv_registrar **out) IDV_CHECKED;
void idv_registrar_free(struct idv_registrar *r);

/*
 * Serves, under /.well-known, brski/requestvoucher, brski/voucher_status,
 * brski/enrollstatus and EST, and the CRLs of its CAs. Stateless between calls
 * but for the store, so any number of workers and threads may serve; one call
 * is served by one. Every refusal is logged once: event "refused" with
 * why=CODE, a code of its own each, and answered by status and a short text
 * (RFC 8995 sections 5.3 and 5.6). The body of requestvoucher may be in base64,
 * as deployed pledges send it; then the voucher is, too.
 */
struct idv_service idv_registrar_service(struct idv_registrar *r);
/* The CRLs alone, for those who need no TLS (RFC 5280 section 8: what would be
 * needed to judge a certificate must not depend on another one). */
struct idv_service idv_registrar_crls(struct idv_registrar *r);
/* What is due without being asked: CRLs before they end. */
idv_rc idv_registrar_tick(struct idv_registrar *r) IDV_CHECKED;

#endif
