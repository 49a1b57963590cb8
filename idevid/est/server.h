/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment over Secure Transport, the server's half (RFC 7030, RFC 8951). */
#ifndef IDEVID_EST_SERVER_H
#define IDEVID_EST_SERVER_H

#include <idevid/env.h>
#include <idevid/est.h>
#include <idevid/machine.h>
#include <idevid/x509.h>

/* --- who signs ------------------------------------------------------------ */

/* Names that were approved; nothing else of a request gets into a
 * certificate but its public key. */
struct idv_est_grant {
    X509_NAME *subject;                     /* owned, never NULL */
    STACK_OF(X509_EXTENSION) * extensions;  /* owned; NULL none */
    char serial_number[IDV_MAX_SERIAL + 1]; /* of the device; "" unknown:
                            a request that names another one is refused */
    int64_t lifetime_s; /* at most that long; 0: as the CA has it */
};
void idv_est_grant_free(struct idv_est_grant *g);

/* A certification authority. Both may fail with any class; a refusal of the
 * CA is IDV_E_REJECT. */
struct idv_est_ca {
    void *self;
    /* An end-entity certificate for the granted names and this key, DER. */
    idv_rc (*issue)(void *self, const struct idv_est_grant *grant,
                    const EVP_PKEY *key, struct idv_buf *out);
    /* or NULL, and who does instead; cacerts are that one's then */
    const struct idv_est_forward *forward;
    /* What cacerts answers: the root and all intermediates; borrowed, valid
     * as long as self. The anchors of LDevIDs are among them. */
    idv_rc (*cacerts)(void *self, const STACK_OF(X509) * *out);
};

/* The CA that signs here, with a key in software, a token or a TPM. */
struct idv_est_local_ca {
    EVP_PKEY *key;                 /* borrowed */
    X509 *cert;                    /* borrowed */
    const STACK_OF(X509) * chain;  /* cert first, up to the root; borrowed */
    int64_t lifetime_s;            /* of what it issues; 0: one year */
    int64_t backdate_s;            /* notBefore = now - this; 0: 5 minutes */
    bool servers;                  /* id-kp-serverAuth beside clientAuth */
    const char *const *purposes;   /* more of them, OIDs; NULL none */
    const char *const *policies;   /* of its certificates, OIDs; NULL none */
    const char *crl_url, *aia_url; /* http(s); NULL: not said */
    const struct idv_env *env;
};
/* IDV_E_ARG: chain does not begin with the certificate of a CA, or not with
 * that of key (NULL: it is not here), or does not lead up to a root, which
 * cacerts has to tell (RFC 7030 section 4.1.3). */
idv_rc idv_est_ca_check(const STACK_OF(X509) * chain,
                        const EVP_PKEY *key) IDV_CHECKED;
/* The table over conf, which must stay. */
struct idv_est_ca idv_est_local_ca(struct idv_est_local_ca *conf);

/* --- what must be kept ---------------------------------------------------- */

enum idv_issued_state { IDV_ISSUED_VALID, IDV_ISSUED_REVOKED };

struct idv_issued {
    uint8_t client_sha256[32];              /* certificate that asked */
    uint8_t csr_sha256[32];                 /* request, DER, and scope */
    uint8_t cert_sha256[32];                /* what was issued, DER */
    uint8_t subject_sha256[32];             /* its subject, DER */
    char serial_number[IDV_MAX_SERIAL + 1]; /* device, "" unknown */
    int64_t issued, not_after;
    enum idv_issued_state state;
    int64_t revoked;     /* when; 0 never */
    int reason;          /* of it: CRLReason, RFC 5280 section 5.3.1 */
    struct idv_buf cert; /* DER */
};
void idv_issued_free(struct idv_issued *i);

/*
 * Store of issued certificates; each call is atomic and durable (when it
 * returns, or with the server's commit), and several processes may share one.
 * find_* set *found false when there is none; out is then untouched. A store
 * that fails returns IDV_E_IO and has changed nothing.
 */
struct idv_est_store {
    void *self;
    idv_rc (*find_csr)(void *self, const uint8_t client_sha256[32],
                       const uint8_t csr_sha256[32], bool *found,
                       struct idv_issued *out);
    idv_rc (*find_cert)(void *self, const uint8_t cert_sha256[32], bool *found,
                        struct idv_issued *out);
    /* the newest of that subject */
    idv_rc (*find_subject)(void *self, const uint8_t subject_sha256[32],
                           bool *found, struct idv_issued *out);
    /* the newest that this client asked for */
    idv_rc (*find_client)(void *self, const uint8_t client_sha256[32],
                          bool *found, struct idv_issued *out);
    /* *done false: no such certificate in force */
    idv_rc (*revoke)(void *self, const uint8_t cert_sha256[32], int reason,
                     int64_t now, bool *done);
    /* This request is the caller's to ask another CA about, unless somebody
     * else asks since stale; order_end: the answer is there. */
    idv_rc (*order)(void *self, const uint8_t client_sha256[32],
                    const uint8_t csr_sha256[32], int64_t now, int64_t stale,
                    bool *claimed);
    idv_rc (*order_end)(void *self, const uint8_t client_sha256[32],
                        const uint8_t csr_sha256[32]);
    /* The client's own number for good, from 1; given when first asked for. */
    idv_rc (*number)(void *self, const char *client, int64_t *number);
    /* *fresh false: one for the same client and request is there already and
     * nothing was added */
    idv_rc (*add)(void *self, const struct idv_issued *issued, bool *fresh);
};

/* --- another CA ----------------------------------------------------------- */

/*
 * An EST server that issues instead (RFC 7030 section 2.3): requests are passed
 * on to it as they came, by whoever's key this is, a registration authority.
 */
struct idv_est_forward {
    struct idv_url url; /* path "": /.well-known/est */
    const STACK_OF(X509) *
        anchors;                  /* of its TLS; borrowed, NULL: the system's */
    EVP_PKEY *key;                /* of the client; borrowed */
    const STACK_OF(X509) * chain; /* borrowed */
    int timeout_s;                /* 0: 20 */
};

/* --- the server ----------------------------------------------------------- */

/* Answer of admit: a status of 0 grants, anything else is the reply. */
struct idv_est_verdict {
    struct idv_est_grant grant;
    int status;
    int retry_after;    /* with 202 and 503; -1 none */
    const char *reason; /* static text: log event and short answer */
};

struct idv_est_server_conf {
    /* Tells this server's requests from those of others on the same store: the
     * same request to two of them is two. NULL: as there is one only. */
    const char *scope;
    struct idv_est_ca ca;
    struct idv_est_store store;
    /* What csrattrs answers and what requests must then have: key type,
     * challengePassword, extensions (these values go into certificates).
     * Borrowed; NULL: nothing is asked for (204). */
    const struct idv_csrattrs *attrs;
    /* The client certificate of simplereenroll must be the one renewed, unless
     * this is set: then a client with id-kp-cmcRA from this CA may renew any
     * subject in the store (proxies, registration authorities). */
    bool renew_by_ra;
    /* A device's certificate that ended no longer ago renews, and does nothing
     * else (RFC 8994 section 6.2.5.5). */
    int64_t renew_expired_s;
    /* Answers serverkeygen, too: with a key that is made here, sent, and
     * neither kept nor logged. Encrypted, if the request names the key of the
     * client's certificate for that (AsymmetricDecryptKeyIdentifier), and
     * signed by signer, which is borrowed. Never with forward. */
    bool server_keys;
    EVP_PKEY *signer_key;
    X509 *signer_cert;
    /* The client has shown no certificate: it is this user, who proved that
     * otherwise; NULL: there must be one. */
    const char *user;
    int64_t limit_s; /* life of what this client gets, at most; 0 none */
    /* Decides on simpleenroll: who may, and under which names. Called after
     * the message was found well-formed; peer has a client certificate. NULL
     * admits nobody. */
    idv_rc (*admit)(void *arg, struct idv_peer *peer,
                    struct idv_est_verdict *out);
    /* What csrattrs tells this client beyond attrs: the names (*san, a
     * subjectAltName, the caller's) that it would be granted; none is NULL.
     * Where this is set, a request must carry the names that admit grants.
     * NULL: names are granted without a word. */
    idv_rc (*names)(void *arg, struct idv_peer *peer, X509_EXTENSION **san);
    /* Told of a certificate that is in the store, before it is answered, also
     * when it is answered once more; NULL ok. */
    idv_rc (*issued)(void *arg, struct idv_peer *peer,
                     const struct idv_issued *issued);
    void *arg;
};

struct idv_est_server;
/* conf is copied, what it points to is borrowed. */
idv_rc idv_est_server_new(const struct idv_est_server_conf *conf,
                          const struct idv_env *env,
                          struct idv_est_server **out) IDV_CHECKED;
void idv_est_server_free(struct idv_est_server *s);

/*
 * Serves the four paths of <idevid/est.h>, serverkeygen if that is wanted, 501
 * for fullcmc, 404 for others, 405 for a wrong
 * verb, 415 for a wrong type, 406 when Accept has no room for ours. cacerts
 * and csrattrs need no client certificate. Errors are text/plain. Asks for
 * UPSTREAM with forward alone. The same request from the same client gets the
 * same certificate as long as it is valid.
 */
struct idv_service idv_est_server_service(struct idv_est_server *s);

/* Is it a path of EST's? */
bool idv_est_path(const char *path);

/* Whether cert was issued by this CA, is in force (time, store) and not
 * revoked: an LDevID of this domain. *found false otherwise. For renewal it may
 * have ended as renew_expired_s says. */
idv_rc idv_est_server_ldevid(struct idv_est_server *s, X509 *cert,
                             const STACK_OF(X509) * chain, bool renewal,
                             bool *found, struct idv_issued *out) IDV_CHECKED;

#endif
