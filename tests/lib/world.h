/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar and a MASA with their stores, talked to without a network. */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "idevid/db/db.h"
#include "tests/lib/pki.h"

#define W_BRSKI "/.well-known/brski/"

/* How the MASA is reached from the registrar. */
enum world_link {
    WORLD_LINK_MASA,   /* the real one */
    WORLD_LINK_LOST,   /* no connection */
    WORLD_LINK_CANNED, /* what canned says */
};

struct world {
    struct pki pki;
    char log[16384]; /* lines since the last request, oldest first */
    struct idv_db *reg_db, *masa_db;
    struct idv_masa_store masa_store;
    struct idv_registrar_store reg_store;
    struct idv_masa_signer signer;
    struct idv_masa_maker maker;
    struct idv_masa_conf masa_conf;
    struct idv_registrar_maker reg_maker;
    struct idv_est_local_ca ca;
    struct idv_registrar_conf reg_conf;
    struct idv_masa *masa;
    struct idv_registrar *reg;

    struct idv_peer pledge; /* shows idevid and maker_ca */
    struct idv_peer member; /* shows an LDevID, once set */
    enum world_link link;
    bool at_once;            /* calls store at once what they store */
    struct idv_msg canned;   /* CANNED: status, media, body, ... */
    int upstreams;           /* requests that reached the link */
    struct idv_msg upstream; /* the last one, as the MASA saw it */
    char upstream_host[256];
    uint16_t upstream_port;
    bool upstream_auth; /* with the registrar's certificate */
    char upstream_user[64], upstream_password[64];
    bool upstream_digest;
    char accept[256];     /* of requests; "" none */
    struct idv_msg reply; /* to the last request */
    bool closed;          /* it ended the connection */

    /* Fault injection: of all store calls, counted from 1 in calls, the
     * fail-th fails, before it did anything or (after) when it was done. */
    int calls, fail;
    bool after;
};

/* Where the worlds that are made next keep their rows (the registrar's and the
 * MASA's), by URL; NULL: in memory, as at first. */
void world_place(const char *url);
/* (world_store.c) What the services are given as their stores: those that are
 * open, with the faults that w asks for. */
void world_stores(struct world *w);
void world_make(struct world *w); /* the device is known to the MASA */
void world_free(struct world *w);
/* New services after a change to a conf. */
void world_configure(struct world *w);

/* Puts a canned reply on the link. */
void world_can(struct world *w, int status, const char *media,
               const char *body);

/* What a call is ready to store is stored, in a transaction of its own. */
idv_rc world_store(struct world *w, struct idv_service s, struct idv_call *call,
                   enum idv_next *next);

/* One request; the status of the reply, or minus the idv_rc of a failure. */
int world_ask(struct world *w, struct idv_service s, struct idv_peer *peer,
              enum idv_verb verb, const char *path, const char *media,
              struct idv_bytes body);
int world_registrar(struct world *w, const char *path, const char *media,
                    struct idv_bytes body); /* POST by the pledge */
int world_masa(struct world *w, const char *path,
               struct idv_bytes body); /* POST of a request container */

/* Does the link's work once. */
void world_upstream(struct world *w, const struct idv_upstream *up,
                    struct idv_told *told);

/* Was this why=... in the log of the last request? */
bool world_why(const struct world *w, const char *why);
/* The device's newest session's state, or -1. */
int world_state(struct world *w);
/* Lines of the MASA's log. */
int world_events(struct world *w);
/* A base64 PKCS#10 body for key; subject may be NULL. */
void world_csr(EVP_PKEY *key, const X509_NAME *subject, const char *challenge,
               struct idv_buf *out);
/* A chain to show: leaf and one more (NULL ok). */
void world_peer(struct idv_peer *p, X509 *leaf, X509 *next, uint64_t number);

#endif
