/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's own request: where the MASA is, what it is asked. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

#define STALE_MARGIN_S 10

idv_rc idvi_reg_defer(struct idvi_reg_call *c, const char *why, int64_t seconds)
{
    idv_rc rc = idvi_refuse(&c->no, 202, why, "try again later");
    if (seconds < 1)
        seconds = 1;
    c->no.retry_after = seconds < 3600 ? (int)seconds : 3600;
    return rc;
}

/* --- where (R-R-16, R-R-17) ----------------------------------------------- */

static idv_rc masa_url(struct idvi_reg_call *c, struct idv_url *url)
{
    const struct idv_registrar_maker *m = c->maker;
    if (m->masa_url)
        return idv_url_from_text(idv_str(m->masa_url), url);
    if (c->id.has_masa_url) {
        *url = c->id.masa_url;
        return IDV_OK;
    }
    if (m->masa_fallback)
        return idv_url_from_text(idv_str(m->masa_fallback), url);
    return idvi_refuse(&c->no, 404, "no-masa",
                       "no voucher can be had for this device");
}

/* An authority alone stands for its /.well-known/brski. */
static idv_rc put_path(struct idvi_reg_call *c, const char *operation)
{
    struct idv_upstream *up = &c->call->up;
    IDV_AUTO(buf) path = {0};
    IDV_TRY(idv_buf_putf(&path, "%s/%s",
                         up->url.path[0] ? up->url.path : IDVI_BRSKI,
                         operation));
    idv_rc rc = idv_text_copy(up->msg.path, sizeof(up->msg.path),
                              idv_view(&path), "MASA path");
    return idvi_judge(&c->no, rc, 404, "masa-path",
                      "no voucher can be had for this device");
}

idv_rc idvi_reg_upstream(struct idvi_reg_call *c, const char *operation,
                         const char *accept)
{
    struct idv_upstream *up = &c->call->up;
    idv_msg_free(&up->msg);
    idv_msg_init(&up->msg);
    IDV_TRY(masa_url(c, &up->url));
    IDV_TRY(put_path(c, operation));
    up->msg.verb = IDV_POST;
    IDV_TRY(idv_text_copy(up->msg.media, sizeof(up->msg.media),
                          idv_str(c->session.media), "media"));
    IDV_TRY(idv_text_copy(up->msg.accept, sizeof(up->msg.accept),
                          idv_str(accept), "accept"));
    IDV_TRY(idv_buf_put(&up->msg.body, idv_view(&c->session.rvr)));
    up->anchors = c->maker->masa_anchors;
    up->key = c->maker->masa_client_auth ? c->reg->conf.key : NULL;
    up->chain = c->maker->masa_client_auth ? c->reg->conf.chain : NULL;
    up->user = c->maker->masa_user;
    up->password = c->maker->masa_password;
    up->digest = c->maker->masa_digest;
    up->timeout_s = c->reg->conf.masa_timeout_s;
    up->patience_ms = 0;
    return IDV_OK;
}

/* --- what (RFC 8995 section 5.5) ------------------------------------------ */

/* The serial number is the one TLS proved; the pledge's whole request goes in,
 * its proximity certificate does not (R-R-12, 23 to 26). */
static idv_rc build(struct idvi_reg_call *c, struct idv_voucher *rvr)
{
    rvr->assertion = c->pvr.assertion;
    if (idv_clock_trusted(c->reg->env))
        rvr->created_on = c->now;
    IDV_TRY(idv_text_copy(rvr->serial_number, sizeof(rvr->serial_number),
                          idv_str(c->id.serial_number), "request"));
    IDV_TRY(idv_text_copy(rvr->nonce, sizeof(rvr->nonce), idv_str(c->pvr.nonce),
                          "request"));
    IDV_TRY(idv_idevid_issuer(c->leaf, c->maker->issuer_sequence,
                              &rvr->idevid_issuer));
    return idv_buf_put(&rvr->prior_signed, c->request.bytes);
}

/* In the container: our certificate up to what shall be pinned (R-R-27). */
static idv_rc seal(struct idvi_reg_call *c, const struct idv_voucher *rvr,
                   struct idv_buf *out)
{
    const struct idv_registrar_conf *conf = &c->reg->conf;
    IDV_AUTO(buf) payload = {.max = IDV_MAX_BODY};
    struct idv_signer signer = {
        .key = conf->key,
        .cert = conf->cert,
        .chain = c->reg->sent,
        .signing_time = idv_clock_trusted(c->reg->env) ? c->now : 0,
        .id_data = c->maker->id_data,
    };
    IDV_TRY(idv_voucher_to(c->opened.media, rvr, &payload));
    return idv_envelope_seal(c->opened.media, idv_view(&payload), &signer, out);
}

static idv_rc make_request(struct idvi_reg_call *c, struct idv_buf *out)
{
    IDV_AUTO(voucher) rvr;
    idv_voucher_init(&rvr, IDV_VOUCHER_REQUEST);
    IDV_TRY(build(c, &rvr));
    idv_rc rc = seal(c, &rvr, out);
    if (rc == IDV_E_LIMIT)
        return idvi_refuse(&c->no, 413, "request-size", "request too large");
    return rc;
}

/* --- one at a time -------------------------------------------------------- */

/* The signed request is kept before it is used: whoever asks again for this
 * pledge asks with the same bytes. */
static idv_rc keep_request(struct idvi_reg_call *c)
{
    bool done = false;
    if (c->session.rvr.n)
        return IDV_OK;
    IDV_TRY(make_request(c, &c->session.rvr));
    IDV_TRY(idvi_reg_session_save(c, c->session.state, &done));
    return done ? IDV_OK : idvi_reg_defer(c, "busy", 1);
}

static bool is_asked_here(const struct idvi_reg_call *c)
{
    const struct idvi_reg_call *other;
    bool is = false;
    pthread_mutex_lock(&c->reg->asking.lock);
    LIST_FOREACH(other, &c->reg->asking.calls, asks_link)
    is = is || memcmp(other->pvr_sha256, c->pvr_sha256, 32) == 0;
    pthread_mutex_unlock(&c->reg->asking.lock);
    return is;
}

static void asks(struct idvi_reg_call *c)
{
    pthread_mutex_lock(&c->reg->asking.lock);
    if (!c->asks)
        LIST_INSERT_HEAD(&c->reg->asking.calls, c, asks_link);
    c->asks = true;
    pthread_mutex_unlock(&c->reg->asking.lock);
}

void idvi_reg_asks_no_more(struct idvi_reg_call *c)
{
    if (!c->asks)
        return;
    pthread_mutex_lock(&c->reg->asking.lock);
    LIST_REMOVE(c, asks_link);
    c->asks = false;
    pthread_mutex_unlock(&c->reg->asking.lock);
}

/* What this very process claimed and does not ask any more (its answer could
 * not be stored) is claimed again at once. */
static idv_rc claim(struct idvi_reg_call *c)
{
    const struct idv_registrar_conf *conf = &c->reg->conf;
    int64_t stale = c->now - conf->masa_timeout_s - STALE_MARGIN_S;
    bool claimed = false;
    IDV_TRY(conf->store->session_claim(conf->store->self, c->pvr_sha256, c->now,
                                       stale, !is_asked_here(c), &claimed));
    if (!claimed)
        return idvi_reg_defer(c, "masa-asked", conf->retry_after_s);
    asks(c);
    c->session.state = IDV_SESSION_MASA_WAIT;
    c->session.changed = c->now;
    return IDV_OK;
}

idv_rc idvi_reg_ask_masa(struct idvi_reg_call *c)
{
    bool done = false;
    if (c->maker->stored == IDV_STORED_FIRST)
        IDV_TRY(idvi_reg_use_stored(c, &done));
    if (done)
        return idvi_reg_answer_voucher(c);
    if (c->session.not_before > c->now)
        return idvi_reg_defer(c, "masa-later", c->session.not_before - c->now);
    IDV_TRY(keep_request(c));
    /* what the pledge accepts, among more perhaps: the form it asked in */
    IDV_TRY(idvi_reg_upstream(c, "requestvoucher", c->session.media));
    c->call->up.patience_ms = c->reg->conf.masa_patience_ms;
    IDV_TRY(claim(c));
    c->resume = idvi_reg_relay;
    return IDV_OK;
}
