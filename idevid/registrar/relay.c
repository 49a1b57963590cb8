/* SPDX-License-Identifier: Apache-2.0 */
/* What the MASA answered, and what the pledge is told (10.1, 10 to 13). */
#include <stdio.h>
#include <string.h>

#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

/* --- a refusal ------------------------------------------------------------ */

/* The MASA's own words as far as they are fit to be shown: one line. */
static void keep_reason(struct idv_session *s, struct idv_bytes body)
{
    struct idv_bytes line = {0};
    body = idv_text_trim(body);
    (void)idv_text_next(&body, "\r\n", &line);
    if (line.n == 0 || line.n >= sizeof(s->reason) || !idv_text_printable(line))
        snprintf(s->reason, sizeof(s->reason), "refused by the manufacturer");
    else
        snprintf(s->reason, sizeof(s->reason), "%.*s", (int)line.n,
                 (const char *)line.p);
}

static idv_rc refused(struct idvi_reg_call *c, const struct idv_msg *reply)
{
    char text[sizeof(c->session.reason)];
    c->session.status = reply->status;
    keep_reason(&c->session, idv_view(&reply->body));
    memcpy(text, c->session.reason, sizeof(text));
    IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_REFUSED));
    idv_log(c->reg->env, IDV_LOG_WARN, "refused",
            "role=registrar why=masa-refused status=%d device=%s detail=%s",
            reply->status, idv_log_value(c->id.serial_number),
            idv_log_value(text));
    return idv_msg_refuse(&c->call->reply, reply->status, text);
}

/* --- not now -------------------------------------------------------------- */

/* Gives the claim back; the pledge comes again and so do we. */
static idv_rc release(struct idvi_reg_call *c, int64_t seconds)
{
    c->session.not_before = c->now + seconds;
    return idvi_reg_session_move(c, IDV_SESSION_PVR_OK);
}

static idv_rc later(struct idvi_reg_call *c, const char *why, int64_t seconds)
{
    bool done = false;
    IDV_TRY(release(c, seconds));
    if (strcmp(why, "masa-pending") != 0)
        IDV_TRY(idvi_reg_use_stored(c, &done));
    if (done)
        return idvi_reg_answer_voucher(c);
    return idvi_reg_defer(c, why, seconds);
}

static idv_rc broken(struct idvi_reg_call *c, int status, const char *why)
{
    IDV_TRY(release(c, c->reg->conf.retry_after_s));
    idv_log(c->reg->env, IDV_LOG_ERROR, "masa-trouble", "why=%s device=%s", why,
            idv_log_value(c->id.serial_number));
    IDV_TRY(idvi_reg_found_of_maker(c, why, c->call->up.url.host));
    return idvi_refuse(&c->no, status, why, "manufacturer cannot be asked");
}

/* --- a voucher ------------------------------------------------------------ */

static bool pins_us(const struct idvi_reg_call *c, const struct idv_voucher *v)
{
    bool ours = false;
    for (int i = 0; i < sk_X509_num(c->reg->conf.chain) && !ours; i++) {
        IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
        ours = idv_cert_to_der(sk_X509_value(c->reg->conf.chain, i), &der) ==
                   IDV_OK &&
               idv_bytes_eq(idv_view(&der), idv_view(&v->pinned_domain_cert));
    }
    return ours;
}

/* What is odd about it, or NULL. The pledge judges; we only tell people. */
static const char *oddity(const struct idvi_reg_call *c,
                          const struct idv_msg *reply)
{
    IDV_AUTO(opened) o = {0};
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER);
    if (idv_envelope_open(reply->media, idv_view(&reply->body), &o) != IDV_OK ||
        idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER, &v) !=
            IDV_OK)
        return "unreadable";
    if (strcmp(v.serial_number, c->session.serial_number) != 0)
        return "serial";
    if (strcmp(v.nonce, c->session.nonce) != 0)
        return "nonce";
    return pins_us(c, &v) ? NULL : "pin";
}

static idv_rc look_at(struct idvi_reg_call *c, const struct idv_msg *reply,
                      bool *readable)
{
    const char *odd = oddity(c, reply);
    *readable = !odd || strcmp(odd, "unreadable") != 0;
    if (!odd)
        return IDV_OK;
    idv_log(c->reg->env, IDV_LOG_WARN, "voucher-odd",
            "what=%s device=%s detail=%s", odd,
            idv_log_value(c->session.serial_number), idv_log_value(idv_note()));
    idv_note_clear();
    return idvi_reg_found(c, "voucher-odd", "%s", odd);
}

/* Kept, then answered, byte for byte as received (R-R-30). */
static idv_rc relay(struct idvi_reg_call *c, const struct idv_msg *reply)
{
    struct idv_session *s = &c->session;
    bool readable = false;
    IDV_TRY(look_at(c, reply, &readable));
    if (!readable && !c->reg->conf.unreadable)
        return broken(c, 502, "masa-unreadable");
    if (!readable)
        idvi_reg_reduced(c, "unreadable-vouchers");
    idv_buf_clear(&s->voucher);
    IDV_TRY(idv_buf_put(&s->voucher, idv_view(&reply->body)));
    IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_VOUCHER_SENT));
    if (!s->voucher.n) /* another worker's outcome stands */
        return idvi_reg_defer(c, "busy", 1);
    idv_log(c->reg->env, IDV_LOG_INFO, "voucher-relayed", "device=%s maker=%s",
            idv_log_value(s->serial_number), idv_log_value(s->maker));
    return idvi_reg_answer_voucher(c);
}

static idv_rc voucher(struct idvi_reg_call *c, const struct idv_msg *reply)
{
    if (reply->body.n == 0 || !idv_media_is(reply->media, c->session.media))
        return broken(c, 502, "masa-not-a-voucher");
    return relay(c, reply);
}

static int64_t wait_of(const struct idvi_reg_call *c, const struct idv_msg *m)
{
    return m->retry_after > 0 ? m->retry_after : c->reg->conf.retry_after_s;
}

/* The pledge comes again; what the MASA says is kept for it. */
static idv_rc slow(struct idvi_reg_call *c)
{
    c->resume = idvi_reg_relay;
    return idvi_reg_defer(c, "masa-slow", c->reg->conf.retry_after_s);
}

idv_rc idvi_reg_relay(struct idvi_reg_call *c, struct idv_told *told)
{
    const struct idv_msg *m = &told->msg;
    if (told->kind == IDV_TOLD_ELAPSED)
        return slow(c);
    if (told->kind != IDV_TOLD_REPLY) {
        idv_note_clear();
        (void)idv_fail(told->rc, "%s", told->note);
        return later(c, "masa-lost", c->reg->conf.retry_after_s);
    }
    switch (m->status) {
    case 200:
        return voucher(c, m);
    case 202:
        return later(c, "masa-pending", wait_of(c, m));
    case 429:
        return later(c, "masa-busy", wait_of(c, m));
    case 401:
        return broken(c, 503, "masa-unauthorized"); /* R-R-20 */
    case 403:
    case 404:
    case 406:
    case 415:
        return refused(c, m);
    default:
        if (m->status >= 500 && m->status < 600)
            return later(c, "masa-down", wait_of(c, m));
        return broken(c, 502, "masa-status");
    }
}
