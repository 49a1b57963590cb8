/* SPDX-License-Identifier: Apache-2.0 */
/* S2 and S3: a provisional connection, and a voucher-request over it. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "pledge/pledge_priv.h"

#define MAX_LOSSES 1 /* reconnects in a row without an answer between */

static void head(const struct idv_pledge *p, struct idv_msg *m)
{
    m->verb = IDV_POST;
    strcpy(m->path, p->path[0] ? p->path : IDV_PATH_REQUESTVOUCHER);
    snprintf(m->media, sizeof(m->media), "%s", p->conf.media);
    snprintf(m->accept, sizeof(m->accept), "%s", (const char *)p->accept.p);
}

idv_rc idvi_request_connect(struct idv_pledge *p, struct idv_ask *ask)
{
    p->stage = STAGE_IDENTIFY;
    idvi_connect(p, AS_IDEVID, true, ask);
    head(p, &ask->connect.first);
    return IDV_OK;
}

void idvi_request_forget(struct idv_pledge *p)
{
    idv_certs_free(p->chain);
    p->chain = NULL;
    p->binding_n = 0;
    p->nonce[0] = p->path[0] = 0;
    p->crossed = false;
    p->redirects = p->losses = 0;
    p->pending = 0;
    idv_buf_free(&p->pvr);
}

static idv_rc build(struct idv_pledge *p)
{
    IDV_AUTO(voucher) request;
    IDV_AUTO(buf) payload = {.max = IDV_MAX_BODY};
    const struct idv_signer signer = {
        .key = p->conf.idevid_key,
        .cert = sk_X509_value(p->conf.idevid_chain, 0),
        .chain = p->conf.idevid_chain,
        .signing_time = idv_clock_trusted(p->env) ? idv_now(p->env) : 0,
    };
    p->pvr.max = IDV_MAX_BODY;
    IDV_TRY(idv_request_build(idvi_idevid(p), sk_X509_value(p->chain, 0),
                              p->env, &request));
    IDV_TRY(
        idv_trust_statement(p->conf.trust, &request.manufacturer_proprietary));
    IDV_TRY(idv_voucher_to(p->conf.media, &request, &payload));
    memcpy(p->nonce, request.nonce, sizeof(p->nonce));
    return idv_envelope_seal(p->conf.media, idv_view(&payload), &signer,
                             &p->pvr);
}

static idv_rc send_request(struct idv_pledge *p, struct idv_ask *ask)
{
    p->stage = STAGE_REQUEST;
    ask->kind = IDV_ASK_EXCHANGE;
    head(p, &ask->msg);
    return idv_buf_put(&ask->msg.body, idv_view(&p->pvr));
}

/* The request names the certificate of its connection: on another one it
 * serves only if the registrar is the same to the byte. */
static idv_rc same_registrar(const struct idv_pledge *p,
                             const struct idv_told *told)
{
    if (sk_X509_num(told->peer.chain) < 1 ||
        !idv_cert_eq(sk_X509_value(p->chain, 0),
                     sk_X509_value(told->peer.chain, 0)))
        return idv_fail(IDV_E_REJECT, "registrar: changed its certificate "
                                      "between connections");
    return IDV_OK;
}

idv_rc idvi_identify(struct idv_pledge *p, struct idv_told *told,
                     struct idv_ask *ask)
{
    const bool again = p->pvr.n > 0;
    if (again)
        IDV_TRY(same_registrar(p, told));
    IDV_TRY(idvi_take_peer(p, told));
    IDV_TRY(idvi_chain_consistent(p->chain));
    if (!again) {
        idvi_say(p, "provisional",
                 idv_cert_subject(sk_X509_value(p->chain, 0)));
        IDV_TRY(build(p));
    }
    return send_request(p, ask);
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

idv_rc idvi_pending(struct idv_pledge *p, const struct idv_msg *reply,
                    int *seconds)
{
    int s = reply->retry_after;
    if (s < 0 || s > IDV_MAX_RETRY_AFTER)
        s = IDV_MAX_RETRY_AFTER;
    if (s < 1)
        s = 1;
    if (p->pending + s > IDV_MAX_PENDING)
        return idv_fail(IDV_E_TIMEOUT, "registrar: undecided for four days");
    p->pending += s;
    p->losses = 0;
    *seconds = s;
    return IDV_OK;
}

static idv_rc pending(struct idv_pledge *p, const struct idv_msg *reply,
                      struct idv_ask *ask)
{
    int seconds;
    IDV_TRY(idvi_pending(p, reply, &seconds));
    idvi_say(p, "pending", "the registrar has not decided yet");
    return idvi_wait(p, STAGE_PENDING, seconds, false, ask);
}

idv_rc idvi_voucher_reply(struct idv_pledge *p, struct idv_told *told,
                          struct idv_ask *ask)
{
    const int status = told->msg.status;
    if (status == 200)
        return idvi_imprint(p, told, ask);
    if (status == 202)
        return pending(p, &told->msg, ask);
    if (status >= 300 && status <= 399)
        return idvi_redirect(p, told, ask);
    return idvi_refused("voucher", &told->msg);
}

idv_rc idvi_request_again(struct idv_pledge *p, struct idv_told *told,
                          struct idv_ask *ask)
{
    (void)told;
    return send_request(p, ask);
}

idv_rc idvi_request_lost(struct idv_pledge *p, struct idv_told *told,
                         struct idv_ask *ask)
{
    if (p->stage == STAGE_PENDING)
        p->clock += p->waiting;
    if (p->losses++ >= MAX_LOSSES)
        return idvi_attempt_lost(p, told, ask);
    idv_note_clear();
    return idvi_request_connect(p, ask);
}
