/* SPDX-License-Identifier: Apache-2.0 */
/* S2 and S3: a provisional connection, and a voucher-request over it. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "pledge/pledge_priv.h"

#define MAX_LOSSES 1 /* reconnects in a row without an answer between */

static void head(const struct idvi_attempt *a, struct idv_msg *m)
{
    m->verb = IDV_POST;
    strcpy(m->path, a->path[0] ? a->path : IDV_PATH_REQUESTVOUCHER);
    snprintf(m->media, sizeof(m->media), "%s", a->p->conf.media);
    snprintf(m->accept, sizeof(m->accept), "%s", (const char *)a->p->accept.p);
}

idv_rc idvi_request_connect(struct idvi_attempt *a, struct idv_ask *ask)
{
    idvi_stage(a, STAGE_IDENTIFY);
    idvi_connect(a, AS_IDEVID, true, ask);
    if (!idvi_cloud_provisional(a)) {
        ask->connect.verify = idvi_cloud_verify;
        ask->connect.verify_ctx = a;
    }
    ask->patient = true;
    head(a, &ask->connect.first);
    return IDV_OK;
}

void idvi_request_forget(struct idvi_attempt *a)
{
    idv_certs_free(a->chain);
    a->chain = NULL;
    idv_buf_free(&a->staple);
    a->binding_n = 0;
    a->nonce[0] = a->path[0] = 0;
    a->crossed = false;
    a->redirects = a->losses = 0;
    a->pending = false;
    idv_buf_free(&a->pvr);
}

static idv_rc build(struct idvi_attempt *a)
{
    IDV_AUTO(voucher) request;
    IDV_AUTO(buf) payload = {.max = IDV_MAX_BODY};
    const struct idv_signer signer = {
        .key = a->p->conf.idevid_key,
        .cert = sk_X509_value(a->p->conf.idevid_chain, 0),
        .chain = a->p->conf.idevid_chain,
        .signing_time = idv_clock_trusted(a->p->env) ? idv_now(a->p->env) : 0,
    };
    a->pvr.max = IDV_MAX_BODY;
    IDV_TRY(idv_request_build(idvi_idevid(a), sk_X509_value(a->chain, 0),
                              a->p->env, &request));
    IDV_TRY(idv_trust_statement(a->p->conf.trust,
                                &request.manufacturer_proprietary));
    IDV_TRY(idv_voucher_to(a->p->conf.media, &request, &payload));
    memcpy(a->nonce, request.nonce, sizeof(a->nonce));
    return idv_envelope_seal(a->p->conf.media, idv_view(&payload), &signer,
                             &a->pvr);
}

static idv_rc send_request(struct idvi_attempt *a, struct idv_ask *ask)
{
    idvi_stage(a, STAGE_REQUEST);
    ask->kind = IDV_ASK_EXCHANGE;
    ask->patient = true;
    head(a, &ask->msg);
    return idv_buf_put(&ask->msg.body, idv_view(&a->pvr));
}

/* The request names the certificate of its connection: on another one it
 * serves only if the registrar is the same to the byte. */
static idv_rc same_registrar(const struct idvi_attempt *a,
                             const struct idv_told *told)
{
    if (sk_X509_num(told->peer.chain) < 1 ||
        !idv_cert_eq(sk_X509_value(a->chain, 0),
                     sk_X509_value(told->peer.chain, 0)))
        return idv_fail(IDV_E_REJECT, "registrar: changed its certificate "
                                      "between connections");
    return IDV_OK;
}

idv_rc idvi_identify(struct idvi_attempt *a, struct idv_told *told,
                     struct idv_ask *ask)
{
    const bool again = a->pvr.n > 0;
    if (again)
        IDV_TRY(same_registrar(a, told));
    IDV_TRY(idvi_take_peer(a, told));
    IDV_TRY(idvi_chain_consistent(a->chain));
    if (!idvi_cloud_provisional(a))
        IDV_TRY(idvi_cloud_verify(a, a->chain));
    idvi_cloud_judge(a);
    if (!again) {
        idvi_say(a, a->cloud.implicit ? "cloud" : "provisional",
                 idv_cert_subject(sk_X509_value(a->chain, 0)));
        IDV_TRY(build(a));
    }
    return send_request(a, ask);
}

/* --- answers -------------------------------------------------------------- */

/* the first words of a text/plain body, harmless to print */
static void words_of(const struct idv_msg *m, char out[static 100])
{
    size_t n = 0;
    out[0] = 0;
    if (!idv_media_is(m->media, "text/plain"))
        return;
    for (size_t i = 0; i < m->body.n && n < 90; i++) {
        const uint8_t c = m->body.p[i];
        if (c == '\r' || c == '\n')
            break;
        out[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    out[n] = 0;
}

idv_rc idvi_refused(const char *what, const struct idv_msg *reply)
{
    char words[100];
    words_of(reply, words);
    return idv_fail(reply->status >= 500 ? IDV_E_NET : IDV_E_REJECT,
                    "%s: the registrar answered %d%s%s", what, reply->status,
                    words[0] ? ": " : "", words);
}

idv_rc idvi_pending(struct idvi_attempt *a, const struct idv_msg *reply,
                    int *seconds)
{
    int s = reply->retry_after;
    if (s < 0 || s > IDV_MAX_RETRY_AFTER)
        s = IDV_MAX_RETRY_AFTER;
    if (s < 1)
        s = 1;
    if (!a->pending)
        a->undecided = a->p->now;
    a->pending = true;
    if ((a->p->now - a->undecided) / 1000 + s > IDV_MAX_PENDING)
        return idv_fail(IDV_E_TIMEOUT, "registrar: undecided for four days");
    a->losses = 0;
    *seconds = s;
    return IDV_OK;
}

static idv_rc pending(struct idvi_attempt *a, const struct idv_msg *reply,
                      struct idv_ask *ask)
{
    int seconds;
    IDV_TRY(idvi_pending(a, reply, &seconds));
    idvi_say(a, "pending", "the registrar has not decided yet");
    return idvi_pending_hold(a, seconds, ask);
}

idv_rc idvi_voucher_reply(struct idvi_attempt *a, struct idv_told *told,
                          struct idv_ask *ask)
{
    const int status = told->msg.status;
    if (status == 200)
        return idvi_imprint(a, told, ask);
    if (status == 202)
        return pending(a, &told->msg, ask);
    if (status >= 300 && status <= 399)
        return idvi_redirect(a, told, ask);
    if (status == 401 && a->cloud.implicit)
        return idvi_cloud_unknown(a, &told->msg);
    return idvi_refused("voucher", &told->msg);
}

idv_rc idvi_request_again(struct idvi_attempt *a, struct idv_told *told,
                          struct idv_ask *ask)
{
    (void)told;
    return send_request(a, ask);
}

idv_rc idvi_request_lost(struct idvi_attempt *a, struct idv_told *told,
                         struct idv_ask *ask)
{
    if (a->losses++ >= MAX_LOSSES)
        return idvi_attempt_lost(a, told, ask);
    idv_note_clear();
    return idvi_request_connect(a, ask);
}
