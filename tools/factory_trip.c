/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with an HTTPS server, as a machine that the driver runs. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/x509.h>

#include "factory_trip.h"

struct trip {
    const struct trip_to *to;
    struct idv_msg *request, *reply;
};

/* --- who is there ------------------------------------------------------------
 */

static idv_rc is_named(const struct trip_to *to, X509 *cert)
{
    const char *host = to->url.host;
    const int ok = X509_check_host(cert, host, 0, 0, NULL) == 1 ||
                   X509_check_ip_asc(cert, host, 0) == 1;
    ERR_clear_error();
    return ok ? IDV_OK
              : idv_fail(IDV_E_REJECT, "%s: '%s' is not the certificate of %s",
                         to->name, idv_cert_subject(cert), host);
}

static idv_rc verify(void *ctx, const STACK_OF(X509) * chain)
{
    const struct trip_to *to = ctx;
    const struct idv_chain_policy policy = {
        .anchors = to->anchors,
        .extra = chain,
        .check_time = idv_clock_trusted(to->env),
        .now = idv_now(to->env),
        .eku = IDV_OID_SERVER_AUTH,
    };
    X509 *leaf = sk_X509_value(chain, 0);
    IDV_TRY(idv_chain_verify(leaf, &policy));
    return is_named(to, leaf);
}

/* --- the machine -------------------------------------------------------------
 */

static idv_rc ask_connect(const struct trip *t, struct idv_ask *ask)
{
    struct idv_connect *c = &ask->connect;
    ask->kind = IDV_ASK_CONNECT;
    c->name = t->to->name;
    snprintf(c->host, sizeof(c->host), "%s", t->to->url.host);
    c->port = t->to->url.port;
    c->sni = true;
    c->key = t->to->key;
    c->chain = t->to->chain;
    c->verify = verify;
    c->verify_ctx = (void *)(uintptr_t)t->to;
    idv_msg_init(&c->first);
    c->first.verb = t->request->verb;
    memcpy(c->first.path, t->request->path, sizeof(c->first.path));
    memcpy(c->first.media, t->request->media, sizeof(c->first.media));
    memcpy(c->first.accept, t->request->accept, sizeof(c->first.accept));
    return idv_buf_put(&c->first.body, idv_view(&t->request->body));
}

static idv_rc step(void *self, struct idv_told *told, struct idv_ask *ask)
{
    struct trip *t = self;
    switch (told->kind) {
    case IDV_TOLD_START:
        return ask_connect(t, ask);
    case IDV_TOLD_CONNECTED:
        ask->kind = IDV_ASK_EXCHANGE;
        idv_msg_move(&ask->msg, t->request);
        return IDV_OK;
    case IDV_TOLD_REPLY:
        idv_msg_move(t->reply, &told->msg);
        ask->kind = IDV_ASK_DONE;
        return IDV_OK;
    default:
        ask->kind = IDV_ASK_DONE;
        ask->rc = told->rc;
        snprintf(ask->note, sizeof(ask->note), "%s", told->note);
        return IDV_OK;
    }
}

idv_rc trip_go(const struct trip_to *to, struct idv_msg *request,
               struct idv_msg *reply)
{
    struct trip t = {to, request, reply};
    const struct idv_machine machine = {step, &t};
    const struct idv_drive_conf conf = {.env = to->env};
    return idv_drive(&machine, &conf);
}
