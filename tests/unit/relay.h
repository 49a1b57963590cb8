/* SPDX-License-Identifier: Apache-2.0 */
/* A service that passes on what it is given, and answers with what it is told.
 */
#ifndef TESTS_RELAY_H
#define TESTS_RELAY_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static struct pki pki;

struct relay {
    uint16_t port;
    const char *host;
    const STACK_OF(X509) * anchors;
    EVP_PKEY *key;
    const STACK_OF(X509) * chain;
    bool login, digest;
    int timeout_s, patience_ms;
    bool stays;     /* when its patience ends */
    int outcome[2]; /* a byte for each told */
};

static inline idv_rc ask(struct relay *r, struct idv_call *call)
{
    struct idv_upstream *up = &call->up;
    strcpy(up->url.host, r->host);
    up->url.port = r->port;
    up->msg.verb = IDV_POST;
    strcpy(up->msg.path, "/masa");
    strcpy(up->msg.media, "text/plain");
    idv_buf_move(&up->msg.body, &call->req.body);
    up->anchors = r->anchors;
    up->key = r->key;
    up->chain = r->chain;
    up->timeout_s = r->timeout_s;
    up->patience_ms = r->patience_ms;
    up->user = r->login ? "us" : NULL;
    up->password = r->login ? "them" : NULL;
    up->digest = r->digest;
    return IDV_OK;
}

static inline idv_rc serve(void *self, struct idv_call *call,
                           struct idv_told *told, enum idv_next *next)
{
    struct relay *r = self;
    char text[IDV_NOTE_MAX + 64];
    if (!told) {
        *next = IDV_NEXT_UPSTREAM;
        return ask(r, call);
    }
    assert_int_equal(write(r->outcome[1], "", 1), 1);
    *next = IDV_NEXT_REPLY;
    if (told->kind == IDV_TOLD_ELAPSED) {
        *next = r->stays ? IDV_NEXT_UPSTREAM : IDV_NEXT_REPLY;
        call->reply.retry_after = 7;
        return idv_msg_reply(&call->reply, 202, "text/plain", idv_str("wait"));
    }
    if (told->kind == IDV_TOLD_REPLY)
        return idv_msg_reply(&call->reply, told->msg.status, told->msg.media,
                             idv_view(&told->msg.body));
    snprintf(text, sizeof(text), "%s %s", idv_rc_name(told->rc), told->note);
    return idv_msg_reply(&call->reply, 502, "text/plain", idv_str(text));
}

static inline void relay_init(struct relay *r)
{
    *r = (struct relay){.host = "localhost",
                        .anchors = pki.anchors,
                        .key = pki.registrar.key,
                        .chain = pki.tls_chain,
                        .timeout_s = 10};
    assert_int_equal(pipe(r->outcome), 0);
}

static inline void relay_free(struct relay *r)
{
    close(r->outcome[0]);
    close(r->outcome[1]);
}

#define POST "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
#define OK3 "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

static inline int relay_setup(void **state)
{
    (void)state;
    pki_make(&pki);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static inline int relay_teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

#endif
