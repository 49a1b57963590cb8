/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the pledge: its stages, and what it remembers between them. */
#ifndef IDEVID_PLEDGE_PRIV_H
#define IDEVID_PLEDGE_PRIV_H

#include <idevid/pledge.h>

#define STALL_HEARD_MS 2500 /* what was said of a stall holds for so long */

/* RFC 8995 section 2.1, with the places where an answer is awaited. */
enum idvi_stage {
    STAGE_IDLE,        /* S0 S1 */
    STAGE_BACKOFF,     /* S1 until a registrar may be tried again */
    STAGE_LOOKUP,      /* S1 what the addresses of one that failed are */
    STAGE_IDENTIFY,    /* S2 */
    STAGE_REQUEST,     /* S3 */
    STAGE_PENDING,     /* S3 after 202 */
    STAGE_STATUS_BAD,  /* S4 voucher refused, told so */
    STAGE_EST,         /* S4 whom the voucher names, not yet imprinted */
    STAGE_STATUS,      /* S4 imprinted, told so */
    STAGE_CACERTS,     /* S5 */
    STAGE_CSRATTRS,    /* S6 */
    STAGE_ENROLL,      /* S7 */
    STAGE_DOMAIN_WAIT, /* S7 after 202, S5 to S7 where it had no time */
    STAGE_ENROLL_BAD,  /* S7 failed, told so */
    STAGE_RESUME,      /* a connection within the domain, S5 to S7 */
    STAGE_REPORT,      /* S8 */
    STAGE_REPORTED,    /* S8 */
    STAGE_COUNT
};

struct idvi_candidate {
    struct idv_url url; /* host may have a zone; of the cloud with its path */
    char address[64];   /* one of those of the name; "": the name itself */
    unsigned origins;   /* a bit each; 0: this place of the table is free */
    bool gone;          /* forgotten when its attempt ends */
    bool busy;          /* in a lane */
    int tries;          /* since start, offer or change of link */
    int64_t due;        /* ms, on the pledge's clock */
    struct idvi_attempt
        *parked; /* owned: told to wait, until due; NULL: none */
    idv_rc last; /* how the last attempt ended */
    char reason[160];
};

/* On the way from the maker's cloud registrar; zeroed: not on it. */
struct idvi_cloud {
    bool on;
    bool implicit; /* this connection was validated, and is not provisional */
    int hops;      /* times sent on */
    char **seen;   /* places on the way, owned */
    bool est;      /* at the est-domain of a voucher: names are verified */
    struct idv_pinned pinned; /* by that voucher, until imprinted */
    struct idv_buf voucher;
};

/* One attempt, good or bad; a lane is at one, or idle. */
struct idvi_attempt {
    struct idv_pledge *p;
    enum idvi_stage stage;
    int64_t since;                    /* ms, when it came to this stage */
    int64_t until;                    /* ms, of a wait */
    int64_t stalled, stalled_told;    /* ms: since when, and when we heard */
    struct idvi_candidate *candidate; /* NULL: idle */

    /* until imprinted */
    struct idv_url at;      /* where we are, after redirects */
    char address[64];       /* of it; "": any */
    char path[256];         /* of requestvoucher there */
    bool crossed;           /* followed to another origin */
    int redirects;          /* followed within an origin */
    STACK_OF(X509) * chain; /* of this connection, leaf first */
    struct idv_buf staple;  /* to it */
    uint8_t binding[64];
    size_t binding_n;
    char nonce[IDV_MAX_NONCE_TEXT + 1];
    struct idv_buf pvr; /* sealed; kept for 202 and for reconnecting */
    int losses;         /* connections lost without progress between */
    bool pending;       /* in 202, */
    int64_t undecided;  /* ms, since */
    int64_t rest_s;     /* seconds until the next one at least */
    bool busy;          /* the last answer was one for later, */
    int64_t busy_since; /* ms, and since then all were */
    struct idvi_cloud cloud;

    /* within the domain */
    int owe_status; /* times voucher_status may still be sent */
    STACK_OF(X509) * anchors, *others;
    bool has_attrs;
    struct idv_csrattrs attrs;
    struct idv_buf csr; /* body of simpleenroll; kept for 202 */

    idv_rc last; /* what it failed with */
    char note[IDV_NOTE_MAX];
};

/* What all lanes share. */
struct idv_pledge {
    struct idv_pledge_conf conf;
    const struct idv_env *env;
    bool renewing; /* S9 */
    bool again;    /* S9, as one that has nothing but its IDevID */
    int64_t now;   /* ms, as told last; needs no clock that is right */

    struct idvi_candidate candidates[IDV_MAX_CANDIDATES];
    struct idvi_attempt lane[IDV_MAX_LANES];
    size_t lanes;
    struct idvi_attempt *alone; /* the only one that goes on; NULL: all */
    const struct idvi_candidate *begun; /* last, */
    int64_t spacing;                    /* ms: before which no other one is */
    int64_t started;                    /* ms */

    struct idv_buf accept; /* the forms of vouchers that we take */
    enum idv_verdict verdict;
    struct {
        bool asked;     /* by a registrar of the domain */
        bool bound;     /* there is */
        uint8_t to[32]; /* the hash of the request that was granted */
    } evidence;
    EVP_PKEY *key;        /* outlives attempts */
    EVP_PKEY *member_key; /* S9: that of the present LDevID */
    enum idv_key_type key_type;
    char key_uri[512];

    idv_rc last; /* how the last attempt ended */
    char note[IDV_NOTE_MAX];
};

/* A step: told holds what was expected, or LOST. Failure ends the attempt in
 * the way of its stage. */
typedef idv_rc idvi_step(struct idvi_attempt *a, struct idv_told *told,
                         struct idv_ask *ask);

/* --- pledge.c --- */
void idvi_say(struct idvi_attempt *a, const char *event, const char *detail);
const X509 *idvi_idevid(const struct idvi_attempt *a);
void idvi_stage(struct idvi_attempt *a, enum idvi_stage stage);
idv_rc idvi_done(struct idvi_attempt *a, idv_rc rc, const char *note,
                 struct idv_ask *ask) IDV_CHECKED;
/* The connection stays open. */
idv_rc idvi_wait(struct idvi_attempt *a, enum idvi_stage stage, int seconds,
                 struct idv_ask *ask) IDV_CHECKED;
/* Keeps rc and the note for the end of the attempt. */
void idvi_remember(struct idvi_attempt *a, idv_rc rc);

/* --- candidate.c: whom to try --- */
/* "host:port", "[v6]:port", "[fe80::1%eth0]:port", with or without https://,
 * and back. */
idv_rc idvi_registrar_read(const char *text, struct idv_url *url) IDV_CHECKED;
idv_rc idvi_registrar_write(const struct idv_url *url,
                            char out[static IDV_MAX_URL]) IDV_CHECKED;
/* Those of the configuration. */
idv_rc idvi_candidates_new(struct idv_pledge *p) IDV_CHECKED;
/* IDV_E_LIMIT: the table is full. */
idv_rc idvi_candidate_add(struct idv_pledge *p, const struct idv_url *url,
                          enum idv_origin origin) IDV_CHECKED;
void idvi_candidate_forget(struct idvi_candidate *c);
enum idv_origin idvi_candidate_origin(const struct idvi_candidate *c);
/* may be tried again, now or later */
bool idvi_candidate_free(const struct idv_pledge *p,
                         const struct idvi_candidate *c);
/* The free one that may be begun first, and when; NULL: none. */
struct idvi_candidate *idvi_candidate_first(struct idv_pledge *p,
                                            int64_t *when);
/* another try later, each time after twice the pause, and not before rest_s */
void idvi_candidate_failed(struct idv_pledge *p, struct idvi_candidate *c,
                           int64_t rest_s, idv_rc rc, const char *note);

/* --- address.c: a name of many addresses --- */
/* Are those of c to be looked up, now that it has failed? */
bool idvi_address_wanted(const struct idv_pledge *p,
                         const struct idvi_candidate *c);
idv_rc idvi_address_lookup(struct idvi_attempt *a, struct idvi_candidate *c,
                           struct idv_ask *ask) IDV_CHECKED;
idvi_step idvi_address_told, idvi_address_lost;
/* Somebody answers at another address of the same name: that is who is asked
 * there, not twice. */
bool idvi_address_answered(const struct idv_pledge *p,
                           const struct idvi_candidate *c);
/* All addresses of the name c, which goes. */
void idvi_address_forget(struct idv_pledge *p, const struct idvi_candidate *c);
bool idvi_is_name(const char *host);

/* --- lane.c: S1, whom to try next, and when --- */
idv_rc idvi_attempt_failed(struct idvi_attempt *a, idv_rc rc,
                           struct idv_ask *ask) IDV_CHECKED;
idvi_step idvi_start, idvi_look, idvi_attempt_lost, idvi_attempt_over;
/* What the attempt holds, but not its place. */
void idvi_attempt_clear(struct idvi_attempt *a);
/* Imprinted: the other lanes' attempts are over. */
void idvi_go_alone(struct idvi_attempt *a, struct idv_ask *ask);
idv_rc idvi_stalled(struct idvi_attempt *a, const struct idv_told *told,
                    struct idv_ask *ask) IDV_CHECKED;
/* PENDING: goes on waiting in its lane, or makes room for another. */
idvi_step idvi_pending_news;
idv_rc idvi_pending_hold(struct idvi_attempt *a, int seconds,
                         struct idv_ask *ask) IDV_CHECKED;

/* --- connect.c --- */
/* AS_MEMBER: with the LDevID that is being renewed; AS_NEW: with the one that
 * was issued just now */
enum idvi_as { AS_IDEVID, AS_MEMBER, AS_NEW };
/* CONNECT to a->at; verified against the domain unless provisional. */
void idvi_connect(struct idvi_attempt *a, enum idvi_as as, bool provisional,
                  struct idv_ask *ask);
/* Takes chain and binding of the new connection. */
idv_rc idvi_take_peer(struct idvi_attempt *a,
                      struct idv_told *told) IDV_CHECKED;
/* Each certificate of the chain that names the next as issuer is signed by
 * it, and a self-signed one by itself. */
idv_rc idvi_chain_consistent(const STACK_OF(X509) * chain) IDV_CHECKED;

/* --- request.c: S2 S3 --- */
idv_rc idvi_request_connect(struct idvi_attempt *a,
                            struct idv_ask *ask) IDV_CHECKED;
void idvi_request_forget(struct idvi_attempt *a);
idvi_step idvi_identify, idvi_voucher_reply, idvi_request_again,
    idvi_request_lost;
/* seconds to wait after a 202; IDV_E_TIMEOUT beyond four days */
idv_rc idvi_pending(struct idvi_attempt *a, const struct idv_msg *reply,
                    int *seconds) IDV_CHECKED;
/* REJECT for 4xx, NET for 5xx, with what the server says */
idv_rc idvi_refused(const char *what, const struct idv_msg *reply) IDV_CHECKED;

/* --- busy.c: answers for later --- */
/* 429, or a 503 that says when, refuses nothing: seconds to wait before the
 * same is asked again, bounded; 0: it is another answer. IDV_E_NET: a day of
 * nothing else. */
idv_rc idvi_busy(struct idvi_attempt *a, const struct idv_msg *reply,
                 int *seconds) IDV_CHECKED;

/* --- redirect.c --- */
idvi_step idvi_redirect;

/* --- cloud.c --- */
void idvi_cloud_forget(struct idvi_attempt *a);
/* The next connection may be; or else idvi_cloud_verify judges it. */
bool idvi_cloud_provisional(const struct idvi_attempt *a);
idv_rc idvi_cloud_verify(void *attempt,
                         const STACK_OF(X509) * chain) IDV_CHECKED;
/* Is the connection that there is now validated, though it need not be? */
void idvi_cloud_judge(struct idvi_attempt *a);
idv_rc idvi_cloud_redirect(struct idvi_attempt *a, const struct idv_url *to,
                           const char *path, int status,
                           struct idv_ask *ask) IDV_CHECKED;
/* 401; always fails */
idv_rc idvi_cloud_unknown(struct idvi_attempt *a,
                          const struct idv_msg *reply) IDV_CHECKED;
/* A voucher on this connection may speak of another server. */
bool idvi_cloud_elsewhere(const struct idvi_attempt *a);
/* Does it? Takes *pinned then, and a->at is there. */
idv_rc idvi_cloud_voucher(struct idvi_attempt *a, struct idv_pinned *pinned,
                          struct idv_bytes sealed, bool *elsewhere) IDV_CHECKED;
idv_rc idvi_cloud_est_connect(struct idvi_attempt *a,
                              struct idv_ask *ask) IDV_CHECKED;
idv_rc idvi_cloud_verify_est(void *attempt,
                             const STACK_OF(X509) * chain) IDV_CHECKED;
idv_rc idvi_cloud_resume(struct idvi_attempt *a) IDV_CHECKED;
idvi_step idvi_cloud_est;

/* --- imprint.c: S4 --- */
idvi_step idvi_imprint, idvi_status_told;
/* Sealed: no other attempt matters, and the domain is next. */
idv_rc idvi_imprinted(struct idvi_attempt *a, struct idv_ask *ask) IDV_CHECKED;

/* --- renew.c --- */
/* The enrollment that is being renewed: the present one, or the one before. */
const struct idv_enrollment *idvi_member(const struct idvi_attempt *a);
/* An answer came over a connection with the present LDevID: it works. */
idv_rc idvi_member_answered(struct idvi_attempt *a) IDV_CHECKED;
/* Opens what is to be renewed and where; from idvi_start. */
idv_rc idvi_renew_start(struct idvi_attempt *a) IDV_CHECKED;
/* The extensions wanted, with the subjectAltName of the present LDevID. */
idv_rc idvi_renew_body(struct idvi_attempt *a, struct idv_msg *m) IDV_CHECKED;

/* --- resume.c: the way through the domain, also after a loss --- */
/* The next message that is due, on this connection or on a new one. */
idv_rc idvi_domain_next(struct idvi_attempt *a,
                        struct idv_ask *ask) IDV_CHECKED;
idv_rc idvi_domain_connect(struct idvi_attempt *a,
                           struct idv_ask *ask) IDV_CHECKED;
void idvi_domain_forget(struct idvi_attempt *a);
/* Then the same again. */
idv_rc idvi_domain_hold(struct idvi_attempt *a, int seconds,
                        struct idv_ask *ask) IDV_CHECKED;
idvi_step idvi_resumed, idvi_domain_again, idvi_domain_lost;

/* --- enroll.c: S5 S6 S7 --- */
idvi_step idvi_cacerts, idvi_csrattrs, idvi_enroll;
idv_rc idvi_enroll_body(struct idvi_attempt *a, struct idv_msg *m) IDV_CHECKED;
/* One of the type that is wanted, made unless there is one. */
idv_rc idvi_need_key(struct idvi_attempt *a) IDV_CHECKED;

/* --- evidence.c: proof of the imprint, if the registrar asks for it --- */
/* The voucher for a->pvr imprints. */
void idvi_evidence_bind(struct idvi_attempt *a);
/* Does the answer to a voucher_status ask for it? */
void idvi_evidence_asked(struct idvi_attempt *a, const struct idv_msg *reply);
/* Stays empty where none is to be sent, or none can be made. */
idv_rc idvi_evidence_make(struct idvi_attempt *a,
                          struct idv_buf *out) IDV_CHECKED;

/* --- report.c: S8 and what is told when things fail --- */
/* evidence: DER, or empty */
idv_rc idvi_telemetry(const char *path, bool status, const char *reason,
                      struct idv_bytes evidence, struct idv_msg *m) IDV_CHECKED;
idv_rc idvi_voucher_failed(struct idvi_attempt *a, idv_rc rc,
                           struct idv_ask *ask) IDV_CHECKED;
idv_rc idvi_enroll_failed(struct idvi_attempt *a, idv_rc rc,
                          struct idv_ask *ask) IDV_CHECKED;
idv_rc idvi_report_connect(struct idvi_attempt *a,
                           struct idv_ask *ask) IDV_CHECKED;
idvi_step idvi_report, idvi_reported, idvi_finished;

#endif
