/* SPDX-License-Identifier: Apache-2.0 */
/* The manufacturer's authority: issues vouchers, keeps the log of them. */
#ifndef IDEVID_MASA_H
#define IDEVID_MASA_H

#include <idevid/env.h>
#include <idevid/machine.h>
#include <idevid/voucher.h>

#include "idevid/tree/entry.h"
#include "idevid/tree/item.h"

/* --- what is configured --------------------------------------------------- */

enum idv_pin_choice {
    IDV_PIN_FARTHEST,      /* the certificate farthest from the registrar's */
    IDV_PIN_REGISTRAR,     /* the registrar's own */
    IDV_PIN_ISSUER,        /* that of the registrar's issuer, if it is there */
    IDV_PIN_REGISTRAR_KEY, /* the registrar's public key */
};

enum idv_masa_nonceless {
    IDV_NONCELESS_NAMED, /* registrars that the store names for it */
    IDV_NONCELESS_NEVER, /* nobody, and no renewal */
    IDV_NONCELESS_OWNER, /* those, and the domain that owns the device */
};

enum idv_masa_form {
    IDV_FORM_DEVICE, /* as the device's own request, or else the registrar's */
    IDV_FORM_CMS,
    IDV_FORM_JWS,
};

enum idv_masa_revocation {
    IDV_REVOCATION_IF_NAMED, /* where a certificate says whom to ask; who does
                                not answer is not waited for */
    IDV_REVOCATION_REQUIRE,  /* the same, and without an answer no voucher */
    IDV_REVOCATION_NEVER,
};

enum idv_masa_origin {
    IDV_ORIGIN_ANY,
    IDV_ORIGIN_NOTE, /* the networks of a domain are kept, a new one logged */
    IDV_ORIGIN_BIND, /* those of its first day are all (403) */
};

/*
 * What a device's vouchers depend on, and how they are: of a maker for all its
 * devices, and what people say of a model, a customer or one device instead,
 * each setting by itself (masa/policy.h). Zeroed: what is in brackets.
 */
struct idv_masa_policy {
    int pin;        /* enum idv_pin_choice */
    int form;       /* enum idv_masa_form */
    int nonceless;  /* enum idv_masa_nonceless */
    int revocation; /* enum idv_masa_revocation, of the registrar's chain */
    int origin;     /* enum idv_masa_origin, of domains that nobody knows */
    bool proximity; /* only where the pledge proves to see this registrar */
    bool claim;     /* only for the domain that has claimed the device */
    /* Vouchers of one device in an hour without any evidence (assertion
     * logged), so that nobody fills its history. Those with evidence are not
     * counted and not refused. [60] */
    int64_t device_hourly;
    int64_t nonceless_minutes; /* life of a voucher without nonce [20] */
    /* So long after its first nonceless voucher a domain, by its key, gets
     * another without being named for it, as long as nobody else had one for
     * that device; they say so in last-renewal-date. [not at all] */
    int64_t renewal_days;
};

enum idv_masa_use {
    IDV_MASA_ANY,
    IDV_MASA_NONCED,    /* vouchers with a nonce only */
    IDV_MASA_NONCELESS, /* those without one only */
};

/* A key that signs vouchers. All borrowed. */
struct idv_masa_signer {
    EVP_PKEY *key;
    X509 *cert;
    const STACK_OF(X509) * chain; /* beside cert in a voucher; NULL none */
    enum idv_masa_use use;
    /* Issuers of those devices' IDevIDs that have its anchor, each with a
     * subjectKeyIdentifier; NULL: all devices have it. */
    const STACK_OF(X509) * devices;
    int64_t from, until; /* it signs before until; 0: no bound */
};

/*
 * A brand, with its own signing keys and habits. All borrowed.
 *
 * Of the signers that a device has the anchor of, those sign that are for this
 * kind of voucher, or else for any; of these, those for this very generation of
 * devices, or else for all. When none of them may at the time no other does
 * instead (503); of several it is the one with the latest from, then the first.
 */
struct idv_masa_maker {
    const char *name; /* as devices in the store name it */
    const struct idv_masa_signer *signers;
    size_t n_signers;
    /* Issuers of its IDevIDs, intermediate ones or roots: judge a pledge's
     * request when the device's own certificate is not registered. NULL: only
     * registered ones. */
    const STACK_OF(X509) * idevid_anchors;
    bool id_data;         /* eContentType id-data, as older pledges want */
    bool issuer_sequence; /* idevid-issuer as the bare SEQUENCE */
    struct idv_masa_policy policy;
    /* Approves what the TPM of a device of profile platform is to keep, when
     * the pledge's own, proven request asks (<idevid/approval.h>). NULL: such a
     * device gets a voucher without approval, which it cannot use. */
    EVP_PKEY *approval_key;
};

struct idv_masa_store;

struct idv_masa_conf {
    const struct idv_masa_maker *makers; /* first: devices that name none */
    size_t n_makers;
    const struct idv_masa_store *store; /* borrowed */
    /* The same request bytes get the same voucher this long; 0: one day. A
     * nonceless voucher not beyond its expires-on. */
    int64_t repeat_s;
    /* created-on of a registrar's request older than this, or more than ten
     * minutes ahead, is stale (403) when the clock is trusted; 0: 4 days */
    int64_t max_age_s;
    /* Requests that one registrar signs in a minute, and vouchers that one
     * domain, by the key that is pinned, has in an hour (of the clock): beyond
     * that 429 with Retry-After. 0: any number */
    int64_t registrar_minute, domain_hourly;
    /* A request more of a registrar, by a hash of the key that it signs with:
     * how many in this minute? NULL: registrar_minute does not count. Where
     * several makers have one counter each has a tenant name of its own, NULL
     * one of them, which is in the hash: what one registrar asks of them is
     * counted apart. */
    unsigned (*asked)(void *arg, const uint8_t registrar_sha256[32]);
    void *asked_arg;
    const char *tenant;
    bool tell_reason; /* registrars read why a device is refused, too */
    /* Serves est/requestaudittoken and est/requestMASAlog, too: the paths and
     * forms of draft-ietf-anima-bootstrapping-keyinfra-02, POST both. */
    bool draft_era;
    /* Signs the heads of the tree over the log (P-256 or Ed25519); borrowed.
     * NULL: the tree grows all the same, and nobody is shown it. */
    EVP_PKEY *log_key;
    /* A head is not made anew for whoever asks before the last one is so old;
     * 0: 10 s. Who proves to have an entry need not wait. */
    int64_t head_s;
    /* No entry is dated so many seconds before the last one: the clock went
     * back then, and vouchers have to wait (503) until it is right, or this is
     * more; 0: 300. Not looked at where the clock is not trusted. */
    int64_t back_s;
    /* Where the service is, "https://HOST[:PORT]" without a path: audit logs
     * are not answered but told where they are (201, Location), at a path under
     * /auditlog that nobody can guess, for location_s seconds, 0 an hour. NULL:
     * answered at once. All that serve for one another have the same key. */
    const char *location;
    int64_t location_s;
    uint8_t location_key[32];
};

/* --- what must be kept ---------------------------------------------------- */

#define IDV_MAX_NETWORK 24   /* "192.0.2.0/24", "2001:db8:1::/48" */
#define IDV_MAX_DOMAIN_ID 96 /* base64 text, with its NUL */

/* How a device stands with its maker. Only a normal one gets vouchers; its log
 * stays what it is, whatever becomes of it. */
enum idv_standing {
    IDV_STANDING_NORMAL,
    IDV_STANDING_BLOCKED,     /* for now */
    IDV_STANDING_STOLEN,      /* until it is found */
    IDV_STANDING_TRANSFERRED, /* its owner gave it away: until the next claims
                               */
    IDV_STANDING_RETIRED,     /* taken out of service */
    IDV_STANDING_END_OF_LIFE, /* its maker looks after it no longer */
};
/* "normal", "blocked", "stolen", "transferred", "retired", "end-of-life" */
const char *idv_standing_to_text(enum idv_standing s);
idv_rc idv_standing_from_text(const char *text,
                              enum idv_standing *out) IDV_CHECKED;

struct idv_masa_device {
    int64_t id;                   /* the store's own */
    uint8_t keyid[IDV_MAX_KEYID]; /* of the IDevID's issuer (2.7) */
    size_t keyid_n;
    char serial_number[IDV_MAX_SERIAL + 1];
    char maker[64];                /* "" the first configured */
    char model[65];                /* or SKU; "" not known */
    char customer[65];             /* whom it was sold to; "" not known */
    char owner[IDV_MAX_DOMAIN_ID]; /* domainID of that one; "" unknown */
    enum idv_standing standing;
    char reason[128];    /* why not normal; people's words */
    bool serial_shared;  /* another issuer has a device of this serial */
    struct idv_buf cert; /* its IDevID, DER; empty when not registered */
};
void idv_masa_device_free(struct idv_masa_device *d);
/* idevid-issuer: DER of an AuthorityKeyIdentifier with its keyid (RFC 8366
 * section 5.3, RFC 5280 section 4.2.1.1), with the outer OCTET STRING or not.
 */
idv_rc idv_masa_device_issuer(const struct idv_masa_device *d,
                              bool sequence_only,
                              struct idv_buf *out) IDV_CHECKED;

/* One setting of a policy, as people gave it (masa/policy.h). */
enum idv_policy_of {
    IDV_POLICY_MODEL = 1, /* what counts more comes later */
    IDV_POLICY_CUSTOMER,
    IDV_POLICY_DEVICE,
};
struct idv_masa_term {
    enum idv_policy_of of;
    char subject[64];  /* the model, the customer, or a serial number */
    int64_t device_id; /* of a device, else 0 */
    char setting[24];
    char value[24];
};

/* Of a domain's vouchers in an hour. */
struct idv_masa_quota {
    uint8_t key_sha256[32]; /* of its SubjectPublicKeyInfo */
    int64_t hour;           /* since 1970 */
    int64_t most;           /* 0: any number, and they are not counted */
};

/* A voucher and its event in the log. */
struct idv_masa_issue {
    int64_t device_id;
    uint8_t rvr_sha256[32];
    int64_t date, repeat_until;
    char domain_id[IDV_MAX_DOMAIN_ID];
    char nonce[IDV_MAX_NONCE_TEXT + 1]; /* "" nonceless */
    enum idv_assertion assertion;
    char media[128];
    struct idv_buf voucher;
    uint8_t seed[32];            /* random: the salt of its entry in the tree */
    struct idv_masa_quota quota; /* it counts for, when it is added */
    uint8_t domain_key[32];      /* SHA-256 of the SubjectPublicKeyInfo */
    char network[IDV_MAX_NETWORK]; /* it came from, to be kept; "" not */
    uint64_t generation; /* that the device proves to be at; 0: it says none */
};
void idv_masa_issue_free(struct idv_masa_issue *i);

/* A registrar or domain CA that is known by name. */
struct idv_masa_registrar {
    char name[64];
    bool nonceless; /* may have vouchers without nonce */
    bool blocked;
};

/* What is known of a certificate's revocation. Times; 0: never. */
struct idv_cert_status {
    int64_t wanted; /* it was needed last, about */
    int64_t asked;  /* since when there is no answer */
    int64_t good_until;
    int64_t failed; /* nobody can tell since */
    bool revoked;
};

/*
 * Each call is atomic and durable: on disk before anything is answered of it
 * (when it returns, or with the server's commit). Several processes may share
 * one store. A store that fails returns IDV_E_IO and has changed nothing.
 */
struct idv_masa_store {
    void *self;
    /* keyid empty: by serial alone, *found only if exactly one has it */
    idv_rc (*device_find)(void *self, struct idv_bytes keyid,
                          const char *serial, bool *found,
                          struct idv_masa_device *out);
    /* What was set for this device's model, its customer and itself, in this
     * order, until each returns false. */
    idv_rc (*policy_each)(void *self, const struct idv_masa_device *d,
                          bool (*each)(void *arg,
                                       const struct idv_masa_term *t),
                          void *arg);
    /* sha256 of a certificate of the verified chain, DER */
    idv_rc (*registrar_find)(void *self, const uint8_t cert_sha256[32],
                             bool *found, struct idv_masa_registrar *out);
    /* Of a certificate, by SHA-256 of its DER; and that it is to be found out,
     * from whom it names itself. *taken false: too many wait for that already.
     * May be lost. */
    idv_rc (*status_find)(void *self, const uint8_t cert_sha256[32],
                          bool *found, struct idv_cert_status *out);
    idv_rc (*status_want)(void *self, const X509 *cert, const X509 *issuer,
                          int64_t now, bool *taken);
    /* where the domain of this key had vouchers from, in no order */
    idv_rc (*origins)(void *self, const uint8_t key_sha256[32],
                      bool (*each)(void *arg, int64_t first_seen,
                                   const char *network),
                      void *arg);
    /* the voucher for these request bytes, if repeat_until is after now */
    idv_rc (*issue_find)(void *self, const uint8_t rvr_sha256[32], int64_t now,
                         bool *found, struct idv_masa_issue *out);
    /* Voucher, log event and its leaf in the tree in one. *fresh false: another
     * worker issued for the same bytes meanwhile; nothing added. IDV_E_LIMIT,
     * and nothing added: the quota's most are there. */
    idv_rc (*issue_add)(void *self, const struct idv_masa_issue *issue,
                        bool *fresh);
    /* how many of the quota are there, of its hour */
    idv_rc (*quota_used)(void *self, const struct idv_masa_quota *q,
                         int64_t *n);
    /* the highest that it ever proved to be at; 0: none */
    idv_rc (*generation_highest)(void *self, int64_t device_id,
                                 uint64_t *generation);
    /* events of this device with this assertion since then */
    idv_rc (*event_count)(void *self, int64_t device_id,
                          enum idv_assertion assertion, int64_t since,
                          unsigned *n);
    /* has this domain an event of this device? */
    idv_rc (*owner_known)(void *self, int64_t device_id, const char *domain_id,
                          bool *known);
    /* When this domain had its first nonceless voucher for this device since
     * any other domain had one; 0: it has none */
    idv_rc (*nonceless_since)(void *self, int64_t device_id,
                              const char *domain_id, int64_t *date);
    /* of the last event, whichever device's; 0: there is none */
    idv_rc (*log_latest)(void *self, int64_t *date);
    /* The newest IDV_MAX_AUDIT_EVENTS events, oldest first; those left out
     * are counted in arbitrary. */
    idv_rc (*log_read)(void *self, int64_t device_id,
                       struct idv_audit_log *out);

    /* The tree over the log. It only grows, and what is read here of it is as
     * durable as what issue_add did. */
    idv_rc (*tree_size)(void *self, uint64_t *size);
    /* as idv_tree_nodes.read */
    idv_rc (*tree_read)(void *self, const struct idv_tree_node *which, size_t n,
                        struct idv_hash *out);
    idv_rc (*tree_find)(void *self, const struct idv_hash *leaf, bool *found,
                        uint64_t *index);
    /* From leaf first on, n at most, in order, until each returns false: made
     * anew of what the log says; e->event has the salt. One whose event is gone
     * is left out. */
    idv_rc (*tree_entries)(void *self, uint64_t first, unsigned n,
                           bool (*each)(void *arg, uint64_t index,
                                        const struct idv_log_entry *e),
                           void *arg);
    /* The last signed tree head. */
    idv_rc (*head_last)(void *self, bool *found, struct idv_buf *out);
    /* Keeps one; nothing happens if there is a larger or a younger one. */
    idv_rc (*head_add)(void *self, const struct idv_tree_head *h,
                       struct idv_bytes item);
};

/* The hash of the tree of the first so many leaves. */
idv_rc idv_masa_root(const struct idv_masa_store *s, uint64_t size,
                     struct idv_hash *out) IDV_CHECKED;

/* The network of an address as idv_peer has it: of IPv4 a /24, of IPv6 a /48.
 */
void idv_masa_network(const char *address, char out[static IDV_MAX_NETWORK]);

/* --- the service ---------------------------------------------------------- */

struct idv_masa;
/* conf is copied, what it points to is borrowed. IDV_E_ARG: no maker, or a key
 * that is not its certificate's. */
idv_rc idv_masa_new(const struct idv_masa_conf *conf, const struct idv_env *env,
                    struct idv_masa **out) IDV_CHECKED;
void idv_masa_free(struct idv_masa *m);

/*
 * Serves brski/requestvoucher and brski/requestauditlog under /.well-known;
 * requests may be in base64, and are answered so, and of the form (CMS, JWS)
 * that is accepted and the device's own request has, or the registrar's;
 * and with a log_key the transparency log by GET, anybody's, under /log/v1: the
 * messages of RFC 9162 section 5, their inputs in the path instead of a query,
 * hashes in hexadecimal, items (tree/item.h) in base64:
 *
 *     get-sth                           {"sth"}
 *     get-sth-consistency/FIRST/SECOND  {"consistency"}
 *     get-proof-by-hash/HASH/SIZE       {"inclusion"}
 *     get-all-by-hash/HASH/SIZE         {"inclusion", "sth", "consistency"}:
 * the tree of SIZE, which may be 0, grew to this head's, and HASH is in that
 *     get-entries/START/END             {"entries": [{"log_entry"}, ...]}, END
 *                                       included, 128 at most
 *
 * 404 for all else. Never asks for UPSTREAM. The assertion comes from own
 * evidence only: verified when the store names this domain as owner (and a
 * device sold to another domain is refused, 403), else proximity when the
 * pledge's request inside proves it, else logged. The event is durable before
 * the voucher is answered. Revocation of registrar certificates is what the
 * store's registrars say (blocked), and what is known of certificates that name
 * a CRL or OCSP; nothing is fetched here: the registrar comes again (503).
 * Every refusal is logged once: event "refused" with why=CODE, a code of its
 * own each.
 */
struct idv_service idv_masa_service(struct idv_masa *m);

/* Could it issue a voucher now? IDV_E_STATE: the clock is behind the log, as
 * back_s says. */
idv_rc idv_masa_check(struct idv_masa *m) IDV_CHECKED;

#endif
