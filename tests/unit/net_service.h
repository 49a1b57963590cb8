/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the server share: a service that tells what it sees. */
#ifndef TESTS_NET_SERVICE_H
#define TESTS_NET_SERVICE_H

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static struct pki pki;
static struct pki_env client_env;
static int served; /* requests that reached the service; read when idle */

static inline idv_rc tell_peer(const struct idv_call *call,
                               struct idv_msg *reply)
{
    IDV_AUTO(buf) text = {0};
    const struct idv_peer *p = call->peer;
    IDV_TRY(idv_hex_from_bytes(idv_bytes(p->binding, p->binding_n), &text));
    IDV_TRY(idv_buf_putf(
        &text, " %s %llu %d %s", p->address, (unsigned long long)p->connection,
        p->chain ? sk_X509_num(p->chain) : 0,
        p->chain ? idv_cert_subject(sk_X509_value(p->chain, 0)) : "nobody"));
    return idv_msg_reply(reply, 200, "text/plain", idv_view(&text));
}

static uint16_t deaf_port; /* of somebody who listens, and that is all */

static inline idv_rc ask_deaf(struct idv_upstream *up)
{
    strcpy(up->url.host, "127.0.0.1");
    up->url.port = deaf_port;
    strcpy(up->msg.path, "/");
    up->timeout_s = 600;
    return IDV_OK;
}

static inline idv_rc serve(void *self, struct idv_call *call,
                           struct idv_told *told, enum idv_next *next)
{
    const char *path = call->req.path;
    (void)self;
    __atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST);
    *next = IDV_NEXT_REPLY;
    if (told)
        return idv_msg_refuse(&call->reply, 502, "nobody there");
    if (strcmp(path, "/wait") == 0) {
        *next = IDV_NEXT_UPSTREAM;
        return ask_deaf(&call->up);
    }
    if (strcmp(path, "/peer") == 0)
        return tell_peer(call, &call->reply);
    if (strcmp(path, "/fail") == 0)
        return idv_fail(IDV_E_DEVICE, "token: wrong PIN");
    if (strcmp(path, "/nothing") == 0)
        return IDV_OK;
    if (strcmp(path, "/pending") == 0) {
        call->reply.retry_after = 7;
        strcpy(call->reply.location, "/later");
        return idv_msg_refuse(&call->reply, 202, "wait");
    }
    if (strcmp(path, "/other-verb") == 0)
        return idv_msg_refuse(&call->reply, 405, "not so");
    if (strcmp(path, "/empty") == 0)
        return idv_msg_reply(&call->reply, 204, "", idv_str(NULL));
    call->close = strcmp(path, "/close") == 0;
    return idv_msg_reply(&call->reply, 200, "text/plain",
                         call->req.verb == IDV_POST ? idv_view(&call->req.body)
                                                    : idv_str(call->req.path));
}

static const struct idv_service service = {serve, NULL};

static inline int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    pki_env_init(&client_env);
    signal(SIGPIPE, SIG_IGN); /* of the raw clients */
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

#endif
