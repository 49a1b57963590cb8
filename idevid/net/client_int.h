/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the client half. */
#ifndef IDEVID_NET_CLIENT_INT_H
#define IDEVID_NET_CLIENT_INT_H

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "net/http.h"
#include "net/http_client.h"
#include "net/http_reply.h"

struct idvi_client {
    struct idv_connect to;
    const struct idv_drive_conf *conf;
    char where[300]; /* "registrar host:port", or another name */
    CURLM *multi;    /* its own: a connection is never found by another */
    CURL *easy;
    struct curl_slist *headers;         /* of the exchange that runs */
    struct curl_slist *at;              /* to.address, for curl */
    struct pollfd fds[IDVI_CLIENT_FDS]; /* what curl waits for */
    size_t n_fds;
    int64_t timer; /* ticks: when curl wants to be called; -1 never */
    char error[CURL_ERROR_SIZE];

    struct idv_peer peer;
    SSL *ssl;       /* curl's, from the handshake to before_request */
    bool shaken;    /* handshake done: no further socket */
    bool goodbye;   /* close_notify came */
    bool told;      /* connected() was called */
    bool refused;   /* a further socket was wanted and refused */
    unsigned scope; /* of to.address, if that is link-local */

    struct idvi_lookup *looks; /* the addresses are wanted, no connection */

    idvi_connected *connected;
    void *connected_arg;
    bool running;        /* an exchange is */
    bool first;          /* it is the first one, its body chunked */
    struct idv_msg req;  /* a further one */
    struct idv_buf body; /* of the first one */
    size_t sent;

    struct idvi_reply reply;
    idv_rc failed;    /* what a callback ended the transfer with */
    int64_t began;    /* ticks: of connecting, then of the exchange */
    int64_t progress; /* ticks: of the last byte */
};

/* --- client_lookup.c --- */
struct idvi_lookup;
/* In a thread, which nobody waits for; *fd is readable when it is done. */
idv_rc idvi_lookup_new(const char *host, struct idvi_lookup **out,
                       int *fd) IDV_CHECKED;
/* After that. IDV_E_NET: it has none, or nobody knows. */
idv_rc idvi_lookup_result(const struct idvi_lookup *l, const char *where,
                          struct idv_told *told) IDV_CHECKED;
void idvi_lookup_free(struct idvi_lookup *l); /* NULL is fine */
/* Of to.host only to.address: for curl, the caller's to free. */
idv_rc idvi_client_at(struct idvi_client *c,
                      struct curl_slist **out) IDV_CHECKED;

/* --- client_tls.c --- */

/* The SSL_CTX as curl makes it: identity, verification, binding, SNI. */
CURLcode idvi_client_ssl(CURL *easy, void *ssl_ctx, void *client);
/* once the handshake is done; fills peer.binding and peer.staple */
idv_rc idvi_client_shaken(struct idvi_client *c);

#endif
