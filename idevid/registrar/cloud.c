/* SPDX-License-Identifier: Apache-2.0 */
/* requestvoucher to a cloud registrar: whose is this device? */
#include <string.h>

#include <idevid/text.h>

#include "idevid/registrar/cloud.h"
#include "idevid/registrar/registrar_call.h"

#define UNKNOWN_RETRY_S 3600

/* R-C-2: a device of an unknown maker is an unknown device. */
static idv_rc identify(struct idvi_reg_call *c)
{
    idv_rc rc = idvi_reg_identify(c);
    if (rc == IDV_E_REJECT && c->leaf && c->no.status == 403)
        c->no.status = 404;
    return rc;
}

/* Proximity proves nothing here, but a request meant for another is not ours.
 */
static idv_rc check_addressee(struct idvi_reg_call *c)
{
    if (!idv_request_saw_any(&c->pvr) ||
        idv_request_saw(&c->pvr, idvi_reg_shown(c), false))
        return IDV_OK;
    c->call->close = true;
    return idvi_refuse(&c->no, 403, "proximity", "request to another");
}

static idv_rc check_decision(struct idvi_reg_call *c)
{
    enum idv_decision d = IDV_DECISION_NONE;
    IDV_TRY(idvi_reg_decision(c, false, &d));
    if (d == IDV_DECISION_REFUSED)
        return idvi_refuse(&c->no, 404, "device-refused",
                           "device is not known here");
    return IDV_OK;
}

/* --- the answers ---------------------------------------------------------- */

/* R-C-3 */
static idv_rc no_owner(struct idvi_reg_call *c)
{
    int seconds = c->reg->conf.cloud->retry_after_s;
    idv_rc rc = idvi_refuse(&c->no, 401, "no-owner", "owner is not known yet");
    c->no.retry_after = seconds ? seconds : UNKNOWN_RETRY_S;
    return rc;
}

/* R-C-8: never back to where it came from, also if somebody said so before
 * that was configured */
static idv_rc redirect(struct idvi_reg_call *c, const struct idv_owner *o)
{
    struct idv_msg *m = &c->call->reply;
    if (idv_cloud_never_to(c->reg->conf.cloud->never_to, o->to))
        return idvi_refuse(&c->no, 404, "sent-back",
                           "device is not known here");
    IDV_TRY(idv_msg_refuse(m, 307, "the owner's registrar is elsewhere"));
    IDV_TRY(idv_text_copy(m->location, sizeof(m->location), idv_str(o->to),
                          "Location"));
    IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_PVR_OK));
    idv_log(c->reg->env, IDV_LOG_INFO, "sent-on", "device=%s maker=%s to=%s",
            idv_log_value(c->id.serial_number), idv_log_value(c->maker->name),
            idv_log_value(o->to));
    return IDV_OK;
}

static idv_rc build(struct idvi_reg_call *c, const struct idv_owner *o,
                    struct idv_voucher *v)
{
    v->assertion = IDV_ASSERT_VERIFIED;
    v->created_on = c->now;
    IDV_TRY(idv_text_copy(v->serial_number, sizeof(v->serial_number),
                          idv_str(c->id.serial_number), "voucher"));
    IDV_TRY(idv_text_copy(v->nonce, sizeof(v->nonce), idv_str(c->pvr.nonce),
                          "voucher"));
    IDV_TRY(idv_text_copy(v->est_domain, sizeof(v->est_domain), idv_str(o->to),
                          "est-domain"));
    IDV_TRY(idv_text_copy(v->additional_configuration_url,
                          sizeof(v->additional_configuration_url),
                          idv_str(o->more), "additional-configuration-url"));
    IDV_TRY(idv_buf_put(&v->pinned_domain_cert, idv_view(&o->pin)));
    return idv_idevid_issuer(c->leaf, c->maker->issuer_sequence,
                             &v->idevid_issuer);
}

static idv_rc seal(struct idvi_reg_call *c, const struct idv_voucher *v,
                   struct idv_buf *out)
{
    const struct idv_cloud_conf *conf = c->reg->conf.cloud;
    IDV_AUTO(buf) payload = {.max = IDV_MAX_BODY};
    struct idv_signer signer = {
        .key = conf->key,
        .cert = conf->cert,
        .chain = conf->chain,
        .signing_time = c->now,
        .id_data = c->maker->id_data,
    };
    IDV_TRY(idv_voucher_to(c->opened.media, v, &payload));
    return idv_envelope_seal(c->opened.media, idv_view(&payload), &signer, out);
}

/* Kept before it is answered: the same request gets the same voucher. */
static idv_rc give_voucher(struct idvi_reg_call *c, const struct idv_owner *o)
{
    struct idv_session *s = &c->session;
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER);
    if (!c->reg->conf.cloud->key)
        return idvi_refuse(&c->no, 503, "no-voucher-key",
                           "no voucher can be had now");
    if (!c->pvr.nonce[0])
        return idvi_refuse(&c->no, 400, "nonce", "request without a nonce");
    IDV_TRY(build(c, o, &v));
    IDV_TRY(seal(c, &v, &s->voucher));
    IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_VOUCHER_SENT));
    if (!s->voucher.n)
        return idvi_reg_defer(c, "busy", 1);
    idv_log(c->reg->env, IDV_LOG_INFO, "voucher-issued",
            "device=%s maker=%s est-domain=%s", idv_log_value(s->serial_number),
            idv_log_value(s->maker), idv_log_value(o->to));
    return idv_msg_reply(&c->call->reply, 200, s->media, idv_view(&s->voucher));
}

/* R-C-4 */
static idv_rc answer(struct idvi_reg_call *c, const struct idv_owner *o)
{
    switch (o->kind) {
    case IDV_OWNER_REDIRECT:
        return redirect(c, o);
    case IDV_OWNER_VOUCHER:
        return give_voucher(c, o);
    default:
        return idvi_refuse(&c->no, 404, "owner-nobody",
                           "device is not known here");
    }
}

static idv_rc requestvoucher(struct idvi_reg_call *c)
{
    const struct idv_owner_store *store = &c->reg->conf.cloud->owners;
    struct idv_owner o = {.kind = IDV_OWNER_NOBODY};
    bool found = false;
    IDV_TRY(identify(c));
    IDV_TRY(idvi_reg_open_request(c));
    IDV_TRY(check_addressee(c));
    IDV_TRY(idvi_reg_session_load(c));
    IDV_TRY(check_decision(c));
    if (c->session.voucher.n)
        return idv_msg_reply(&c->call->reply, 200, c->session.media,
                             idv_view(&c->session.voucher));
    IDV_TRY(store->get(store->self, c->maker->name, c->id.serial_number, &found,
                       &o));
    idv_rc rc = found ? answer(c, &o) : no_owner(c);
    idv_owner_free(&o);
    return rc;
}

/* R-C-5: EST, and what is told of a certificate, are the owner's. */
idv_rc idvi_reg_cloud(struct idvi_reg_call *c)
{
    const char *path = c->call->req.path;
    bool voucher = strcmp(path, IDVI_BRSKI "/requestvoucher") == 0;
    if (!voucher && strcmp(path, IDVI_BRSKI "/voucher_status") != 0)
        return idvi_refuse(&c->no, 404, "path", "not found");
    IDV_TRY(idvi_refuse_verb(&c->no, c->call, IDV_POST));
    return voucher ? requestvoucher(c) : idvi_reg_cloud_status(c);
}
