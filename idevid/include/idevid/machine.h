/* SPDX-License-Identifier: Apache-2.0 */
/* Roles without I/O: messages, and what a machine asks for and is told. */
#ifndef IDEVID_MACHINE_H
#define IDEVID_MACHINE_H

#include <openssl/x509.h>

#include <idevid/buf.h>
#include <idevid/codec.h>
#include <idevid/limits.h>

/* --- messages: HTTP now, CoAP by the same fields ----------------------------
 */

enum idv_verb { IDV_GET, IDV_POST };

struct idv_msg {
    enum idv_verb verb;         /* of a request */
    int status;                 /* of a reply, HTTP numbers */
    char path[256];             /* absolute, without query */
    char media[128];            /* Content-Type of body; "" none */
    char accept[256];           /* request: Accept; "" none */
    char authorization[512];    /* request: Authorization; "" none */
    char authenticate[64];      /* reply: WWW-Authenticate; "" none */
    char location[IDV_MAX_URL]; /* reply: Location; "" none */
    int retry_after;            /* reply: seconds; -1 absent */
    int max_age;                /* reply: may be kept so long, s; -1 not said */
    int stale;           /* ... and then so long while nobody answers; 0 not */
    int64_t modified;    /* ... and is as it is since before then, seconds since
                            1970; -1 not said */
    struct idv_buf body; /* owned; bounded by IDV_MAX_BODY */
};
void idv_msg_init(struct idv_msg *m); /* an empty GET; -1 where that is none */
void idv_msg_free(struct idv_msg *m); /* authorization is wiped */
void idv_msg_move(struct idv_msg *to, struct idv_msg *from); /* body moved */
/* Sets status, media and body of a reply at once; text is copied. IDV_E_LIMIT:
 * body over IDV_MAX_BODY, IDV_E_ARG: media too long. */
idv_rc idv_msg_reply(struct idv_msg *m, int status, const char *media,
                     struct idv_bytes body) IDV_CHECKED;
/* A text/plain reply: "reason\n". */
idv_rc idv_msg_refuse(struct idv_msg *m, int status,
                      const char *reason) IDV_CHECKED;
/* media without parameters equals name, case ignored */
bool idv_media_is(const char *media, const char *name);
/* an Accept list ("" means anything) admits name; parameters, q=0 and the
 * wildcards are understood */
bool idv_accepts(const char *accept, const char *name);

/* --- the other end of a TLS connection --------------------------------------
 */

struct idv_peer {
    STACK_OF(X509) * chain; /* as it was shown, leaf first; NULL: none */
    uint8_t binding[64];    /* TLS 1.3: tls-exporter; 1.2: tls-unique */
    size_t binding_n;       /* 0: TLS 1.2 without extended master secret, or
                               fronted */
    struct idv_buf staple;  /* a server's OCSP response for its leaf, DER; not
                               judged. Empty: none, or over IDV_MAX_STAPLE */
    char address[64];       /* "192.0.2.1" or "fe80::1%eth0" */
    uint64_t connection;    /* differs between connections of a process */
    uint8_t sha256[32];     /* of the leaf: idv_peer_sha256() */
    bool has_sha256;
    bool fronted; /* a reverse proxy had its connection, and vouches
                     for chain and address; each request alone */
    bool claimed; /* chain was not shown in TLS but is what a request
                     said: it proves nothing */
};
void idv_peer_free(struct idv_peer *p);

/* --- client machines
 * ---------------------------------------------------------- */

enum idv_ask_kind {
    IDV_ASK_NOTHING,
    IDV_ASK_CONNECT,  /* close what is open, connect, then tell CONNECTED */
    IDV_ASK_EXCHANGE, /* send msg on this connection, then tell REPLY */
    IDV_ASK_WAIT,     /* keep what is open; tell ELAPSED after seconds */
    IDV_ASK_DONE,     /* close everything; rc and note say how it ended */
    IDV_ASK_LOOKUP,   /* close what is open; tell ADDRESSES of connect.host, or
                         LOST; asked only where that was configured */
};
#define IDV_FOREVER (-1) /* seconds of a WAIT that only news ends */

/*
 * CONNECT. verify NULL means provisional: any server certificate is accepted
 * (its handshake signature is still checked by TLS). Otherwise it judges the
 * chain during the handshake, so that nothing is sent to a stranger.
 * The first EXCHANGE after CONNECTED must have the verb, path, media and
 * accept announced here (a driver may have begun to send its header). Any other
 * ask in its place gives the connection up: nothing is open after it, whether
 * it is WAIT or not.
 */
struct idv_connect {
    const char *name; /* what is there, in notes; borrowed, NULL: registrar */
    char host[256];   /* name or address literal, with zone if link-local */
    uint16_t port;
    /* which of its addresses, a literal (with zone); "": any of them */
    char address[64];
    bool sni;                     /* send host as SNI (never an address) */
    EVP_PKEY *key;                /* client identity; borrowed, NULL: none */
    const STACK_OF(X509) * chain; /* leaf first; borrowed */
    idv_rc (*verify)(void *ctx, const STACK_OF(X509) * server_chain);
    void *verify_ctx;
    /* the first request; its body where it is known before anybody is connected
       to: it goes with its length then, and CONNECTED is answered by the same.
       Otherwise (POST) it is chunked. */
    struct idv_msg first;
};

struct idv_ask {
    enum idv_ask_kind kind;
    struct idv_connect connect;
    struct idv_msg msg; /* EXCHANGE; moved out by the driver */
    int seconds;        /* WAIT; IDV_FOREVER */
    bool close;         /* WAIT: close the connection first */
    bool news;          /* WAIT: news ends it as well (NEWS) */
    /* CONNECT, EXCHANGE: where nothing moves for a while, tell STALLED and go
     * on, instead of LOST */
    bool patient;
    /* of a crew, any ask: the other lanes' connections are closed, and they
     * are told nothing more */
    bool alone;
    /* of a crew, any ask: lanes whose WAIT news ends are told NEWS */
    bool stir;
    idv_rc rc;               /* DONE */
    char note[IDV_NOTE_MAX]; /* DONE: why, when rc is not IDV_OK */
};
void idv_ask_free(struct idv_ask *a); /* also resets to NOTHING */

enum idv_told_kind {
    IDV_TOLD_START,
    IDV_TOLD_CONNECTED, /* peer */
    IDV_TOLD_REPLY,     /* msg */
    IDV_TOLD_ELAPSED,
    IDV_TOLD_LOST, /* rc, note: no connection, or it broke, or no answer */
    IDV_TOLD_NEWS, /* there may be something new, in a WAIT that asked so */
    /* No byte came or went for some seconds, to a patient ask; told again each
     * second while that lasts. NOTHING as the answer goes on; any other gives
     * the exchange up and its connection with it. */
    IDV_TOLD_STALLED,
    IDV_TOLD_ADDRESSES, /* addresses, at least one */
    IDV_TOLD_STORE,     /* a service: store now what is ready for it */
};

struct idv_told {
    enum idv_told_kind kind;
    /* Milliseconds since some moment, never stepped back: the only clock by
     * which a machine waits. */
    int64_t at_ms;
    int stalled_ms; /* STALLED: for so long */
    struct {
        size_t n;
        char list[IDV_MAX_ADDRESSES][64]; /* in order of preference */
    } addresses;
    struct idv_peer peer; /* owned by told; a machine may steal chain, staple */
    struct idv_msg msg;   /* owned by told; a machine may move body */
    idv_rc rc;
    char note[IDV_NOTE_MAX];
};
void idv_told_free(struct idv_told *t);

/*
 * One step: consumes what it is told, fills *ask (zeroed or freed before).
 * What goes wrong on the network or in a reply is the machine's business and
 * comes out as an ask; an idv_rc other than IDV_OK means it cannot go on at
 * all (out of memory, broken contract) and the driver stops.
 */
struct idv_machine {
    idv_rc (*step)(void *self, struct idv_told *told, struct idv_ask *ask);
    void *self;
};

/*
 * Several lanes of one undertaking, each like a machine of its own, driven side
 * by side: START is told to each, lane 0 first. step is never entered twice at
 * once, whatever the lanes. DONE on any lane ends them all.
 */
struct idv_crew {
    idv_rc (*step)(void *self, size_t lane, struct idv_told *told,
                   struct idv_ask *ask);
    size_t lanes; /* 1 to IDV_MAX_LANES */
    void *self;
};

/* --- services
 * ------------------------------------------------------------------ */

/* What a service needs from elsewhere before it can answer: one HTTPS request
 * (server verified against anchors by DNS-ID, SNI always sent). */
struct idv_upstream {
    struct idv_url url; /* origin; msg.path is the path to use */
    struct idv_msg msg;
    const STACK_OF(X509) * anchors; /* borrowed; NULL: the system's */
    EVP_PKEY *key;                  /* client identity; borrowed, NULL: none */
    const STACK_OF(X509) * chain;
    /* for HTTP authentication, once the server is verified; borrowed, NULL:
     * none. Basic, or by digest. */
    const char *user, *password;
    bool digest;
    int timeout_s;
    /* when the outcome is not there by then, the service is told ELAPSED, once;
     * 0: never */
    int patience_ms;
};

struct idv_call {
    struct idv_peer *peer; /* borrowed: who asks */
    struct idv_msg req;    /* a service may move its body */
    struct idv_msg reply;
    const char *as; /* instead of its path in the log and in figures, where
                       that is one of very many, or a secret; static */
    bool close;     /* close the connection after the reply */
    bool may_store; /* serve may say STORE */
    struct idv_upstream up; /* when serve said UPSTREAM */
    void *state;            /* the service's own, between calls of serve */
    void (*free_state)(void *state); /* called even when state is NULL */
    void *ready; /* the same of a service within it, when it said STORE */
    void (*free_ready)(void *ready);
};
void idv_call_init(struct idv_call *c, struct idv_peer *peer);
void idv_call_free(struct idv_call *c);

enum idv_next {
    IDV_NEXT_REPLY,    /* reply is filled: send it */
    IDV_NEXT_UPSTREAM, /* do what up says, then serve again with its outcome */
    IDV_NEXT_STORE,    /* serve again within few milliseconds, with STORE */
};

/*
 * Answers one request. told is NULL at first, then REPLY or LOST after each
 * UPSTREAM. ELAPSED before that (idv_upstream.patience_ms) is answered by
 * UPSTREAM, to go on waiting, or by REPLY, for whoever waits: the upstream goes
 * on, its outcome is told as ever, and the reply to that is nobody's. STORE,
 * where may_store allows it, says that all that takes time is done, and what
 * came of it has to be written: told STORE, serve does that, one call after the
 * other in one transaction, and says REPLY. The reply is always filled when
 * *next is REPLY, also for refusals; an idv_rc other than IDV_OK means an
 * internal failure, which the server answers with 500, or 503 for IDV_E_IO and
 * IDV_E_DEVICE, after logging the note. Never blocks on a network.
 */
struct idv_service {
    idv_rc (*serve)(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next);
    void *self;
};

#endif
