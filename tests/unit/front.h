/* SPDX-License-Identifier: Apache-2.0 */
/* A server behind a reverse proxy, and what the proxy says to it: a service
 * that tells whom it takes the client for, and fields with certificates. */
#ifndef TESTS_FRONT_H
#define TESTS_FRONT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static struct pki pki;
static atomic_int served, turned;

static uint16_t deaf_port; /* where whoever asks for /wait waits */

/* the last line about the front; of the server's thread */
static char logged[256];

static inline void hear_log(void *ctx, enum idv_level level, const char *line)
{
    (void)ctx;
    (void)level;
    if (strncmp(line, "front-", 6) == 0)
        snprintf(logged, sizeof(logged), "%s", line);
}

static inline idv_rc tell_peer(const struct idv_call *call,
                               struct idv_msg *reply)
{
    IDV_AUTO(buf) text = {0};
    const struct idv_peer *p = call->peer;
    IDV_TRY(idv_buf_putf(&text, "%s %zu %d %d %s", p->address, p->binding_n,
                         p->fronted, p->chain ? sk_X509_num(p->chain) : 0,
                         p->chain ? idv_cert_subject(sk_X509_value(p->chain, 0))
                                  : "nobody"));
    return idv_msg_reply(reply, 200, "text/plain", idv_view(&text));
}

static inline idv_rc serve(void *self, struct idv_call *call,
                           struct idv_told *told, enum idv_next *next)
{
    (void)self;
    served++;
    *next = IDV_NEXT_REPLY;
    if (told)
        return idv_msg_refuse(&call->reply, 502, "nobody there");
    if (strcmp(call->req.path, "/wait") != 0)
        return tell_peer(call, &call->reply);
    *next = IDV_NEXT_UPSTREAM;
    strcpy(call->up.url.host, "127.0.0.1");
    call->up.url.port = deaf_port;
    strcpy(call->up.msg.path, "/");
    call->up.timeout_s = 600;
    return IDV_OK;
}
static const struct idv_service service = {serve, NULL};

static inline void turned_away(void *self, const struct idv_peer *peer)
{
    (void)self;
    assert_true(peer->fronted);
    turned++;
}

static const char *const here[] = {"127.0.0.1:0", NULL};
static const char *const us[] = {"127.0.0.1", NULL};

static inline void front_start(struct nt_server *s, enum idv_front_form form)
{
    if (!s->conf.front.listen)
        s->conf.front.listen = here;
    if (!s->conf.front.proxies)
        s->conf.front.proxies = us;
    s->conf.front.form = form;
    s->turned_away = turned_away;
    nt_server_start(s, &pki, &service);
}

/* --- fields --------------------------------------------------------------- */

static inline char *base64_of(const X509 *cert)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO(buf) text = {0};
    assert_int_equal(idv_cert_to_der(cert, &der), IDV_OK);
    assert_int_equal(idv_base64_from_bytes(idv_view(&der), 0, &text), IDV_OK);
    return strdup((char *)text.p);
}

/* as nginx does it */
static inline char *escaped(const char *text)
{
    char *out = malloc(strlen(text) * 3 + 1), *to = out;
    assert_non_null(out);
    for (; *text; text++) {
        if (strchr(" \n+/=", *text))
            to += sprintf(to, "%%%02X", *text);
        else
            *to++ = *text;
    }
    *to = 0;
    return out;
}

static inline char *pem_of(const X509 *cert)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_FILE};
    STACK_OF(X509) *one = sk_X509_new_null();
    union {
        const X509 *in;
        X509 *out;
    } c = {.in = cert};
    sk_X509_push(one, c.out);
    assert_int_equal(idv_certs_to_pem(one, &text), IDV_OK);
    sk_X509_free(one);
    char *plain = strndup((char *)text.p, text.n);
    char *out = escaped(plain);
    free(plain);
    return out;
}

static char *device, *other, *issuer; /* base64 */
static char *device_pem, *other_pem;  /* escaped */
static struct idv_buf said;           /* the last answer, to its end */

/* one request with those fields, on a connection that is there */
static inline int ask_on(struct nt_client *c, const char *from,
                         const char *fields)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_FILE};
    assert_int_equal(idv_buf_putf(&text, "GET /peer HTTP/1.1\r\nHost: x\r\n"),
                     IDV_OK);
    if (from)
        assert_int_equal(idv_buf_putf(&text, "X-Forwarded-For: %s\r\n", from),
                         IDV_OK);
    assert_int_equal(idv_buf_puts(&text, fields), IDV_OK);
    assert_int_equal(idv_buf_puts(&text, "\r\n"), IDV_OK);
    assert_int_equal(idv_buf_put(&text, idv_bytes("", 1)), IDV_OK);
    if (!nt_say(c, (char *)text.p))
        return 0;
    int status = nt_hear(c, &said, false);
    assert_int_equal(idv_buf_put(&said, idv_bytes("", 1)), IDV_OK);
    return status;
}

static inline int ask(const struct nt_server *s, const char *from,
                      const char *fields)
{
    struct nt_client c;
    assert_true(nt_tcp(&c, s->front_port));
    int status = ask_on(&c, from, fields);
    nt_close(&c);
    return status;
}

static inline void expect(const char *what)
{
    if (!strstr((char *)said.p, what))
        fail_msg("'%s' is not in: %s", what, (char *)said.p);
}

static inline int front_setup(void **state)
{
    (void)state;
    pki_make(&pki);
    pki.env.env.log = hear_log;
    signal(SIGPIPE, SIG_IGN);
    said.max = IDV_MAX_FILE;
    device = base64_of(pki.idevid.cert);
    other = base64_of(pki.registrar.cert);
    issuer = base64_of(pki.maker_ca.cert);
    device_pem = pem_of(pki.idevid.cert);
    other_pem = pem_of(pki.registrar.cert);
    return 0;
}

static inline int front_teardown(void **state)
{
    (void)state;
    free(device);
    free(other);
    free(issuer);
    free(device_pem);
    free(other_pem);
    idv_buf_free(&said);
    pki_free(&pki);
    return 0;
}

#endif
