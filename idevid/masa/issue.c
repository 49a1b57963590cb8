/* SPDX-License-Identifier: Apache-2.0 */
/* requestvoucher: may this device have one, what is in it, sign, log, send. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/masa/masa_call.h"

static idv_rc answer(struct idvi_masa_call *c, const struct idv_masa_issue *i)
{
    if (!idv_accepts(c->call->req.accept, i->media)) /* one of before */
        return idvi_refuse(&c->no, 406, "accept", "not acceptable");
    return idvi_carried_reply(&c->request, &c->call->reply, i->media,
                              idv_view(&i->voucher));
}

/* The same bytes again: the same voucher, no second event. */
static idv_rc find_issued(struct idvi_masa_call *c, bool *found)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    struct idv_masa_issue old = {0};
    idv_rc rc =
        store->issue_find(store->self, c->rvr_sha256, c->now, found, &old);
    if (rc == IDV_OK && *found)
        rc = answer(c, &old);
    idv_masa_issue_free(&old);
    return rc;
}

/* --- the voucher ---------------------------------------------------------- */

static idv_rc build(struct idvi_masa_call *c, struct idv_voucher *v)
{
    v->assertion = c->assertion;
    v->created_on = c->now;
    IDV_TRY(idv_text_copy(v->serial_number, sizeof(v->serial_number),
                          idv_str(c->device.serial_number), "voucher"));
    IDV_TRY(idv_text_copy(v->nonce, sizeof(v->nonce), idv_str(c->rvr.nonce),
                          "voucher"));
    IDV_TRY(idvi_masa_put_pin(c, v));
    if (!v->nonce[0])
        IDV_TRY(idvi_masa_set_expiry(c, v));
    return c->device.serial_shared
               ? idv_masa_device_issuer(&c->device, c->maker->issuer_sequence,
                                        &v->idevid_issuer)
               : IDV_OK;
}

/* The voucher is complete but for this. */
static idv_rc sign_approval(struct idvi_masa_call *c,
                            const struct idv_voucher *v,
                            struct idv_approval *out)
{
    struct idv_approval_ref ref;
    struct idv_record record;
    IDV_TRY(idv_approval_ref(c->device.serial_number, &ref));
    IDV_TRY(idv_approval_record(v, c->approval.generation, &record));
    return idv_approval_sign(&c->approval, &record, c->maker->approval_key,
                             &ref, out);
}

static idv_rc approve(struct idvi_masa_call *c, struct idv_voucher *v)
{
    struct idv_approval a;
    if (!c->approve)
        return IDV_OK;
    idv_rc rc = sign_approval(c, v, &a);
    IDV_TRY(idvi_judge(&c->no, rc, 403, "approval",
                       "not approved: not what the factory made"));
    return idv_approval_to_json(&a, &v->manufacturer_proprietary);
}

static idv_rc seal(struct idvi_masa_call *c, const struct idv_voucher *v,
                   struct idv_masa_issue *i)
{
    IDV_AUTO(buf) payload = {.max = IDV_MAX_BODY};
    struct idv_signer signer = {
        .key = c->signer->key,
        .cert = c->signer->cert,
        .chain = c->signer->chain,
        .signing_time = c->now,
        .id_data = c->draft || c->maker->id_data,
    };
    IDV_TRY(c->draft ? idvi_masa_put_token(c, v, &payload)
                     : idv_voucher_to(c->media, v, &payload));
    return idv_envelope_seal(c->media, idv_view(&payload), &signer,
                             &i->voucher);
}

static idv_rc describe(struct idvi_masa_call *c, const struct idv_voucher *v,
                       struct idv_masa_issue *i)
{
    i->device_id = c->device.id;
    memcpy(i->rvr_sha256, c->rvr_sha256, sizeof(i->rvr_sha256));
    i->date = c->now;
    i->repeat_until = c->now + c->masa->conf.repeat_s;
    if (v->expires_on != IDV_TIME_ABSENT && v->expires_on < i->repeat_until)
        i->repeat_until = v->expires_on;
    i->assertion = v->assertion;
    i->quota = c->quota;
    memcpy(i->domain_key, c->domain_key, sizeof(i->domain_key));
    memcpy(i->network, c->network, sizeof(i->network));
    i->generation = c->approve ? c->approval.generation : 0;
    IDV_TRY(idv_random(c->masa->env, i->seed, sizeof(i->seed)));
    memcpy(i->domain_id, c->domain_id, sizeof(i->domain_id));
    IDV_TRY(idv_text_copy(i->nonce, sizeof(i->nonce), idv_str(v->nonce),
                          "voucher"));
    return idv_text_copy(i->media, sizeof(i->media),
                         idv_str(c->draft ? IDVI_MASA_TOKEN : c->media),
                         "voucher");
}

/* The event is on disk before anybody sees the voucher. */
static idv_rc commit(struct idvi_masa_call *c, const struct idv_masa_issue *i)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    bool fresh = false, found = false;
    idv_rc rc = store->issue_add(store->self, i, &fresh);
    if (rc == IDV_E_LIMIT)
        return idvi_masa_quota_over(c);
    IDV_TRY(rc);
    if (!fresh) {
        IDV_TRY(find_issued(c, &found));
        return found ? IDV_OK
                     : idv_fail(IDV_E_STATE, "masa: a voucher for the "
                                             "same bytes is lost");
    }
    idv_log(c->masa->env, IDV_LOG_INFO, "voucher-issued",
            "device=%s domain=%s assertion=%s nonced=%d approved=%d "
            "registrar=%s",
            idv_log_value(c->device.serial_number), c->domain_id,
            idv_assertion_to_text(i->assertion), i->nonce[0] != 0, c->approve,
            idv_log_value(idv_cert_subject(c->opened.signer)));
    return answer(c, i);
}

static idv_rc issue(struct idvi_masa_call *c, struct idv_masa_issue *i)
{
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER);
    IDV_TRY(build(c, &v));
    IDV_TRY(approve(c, &v));
    IDV_TRY(seal(c, &v, i));
    IDV_TRY(describe(c, &v, i));
    return commit(c, i);
}

idv_rc idvi_masa_voucher(struct idvi_masa_call *c)
{
    struct idv_masa_issue i = {0};
    bool found = false;
    IDV_TRY(idvi_masa_check_accept(c));
    IDV_TRY(idvi_masa_open(c));
    IDV_TRY(idvi_masa_check_draft(c));
    IDV_TRY(idvi_masa_standing(c));
    IDV_TRY(find_issued(c, &found));
    if (found)
        return IDV_OK;
    IDV_TRY(idvi_masa_check_clock(c));
    IDV_TRY(idvi_masa_check_nonceless(c));
    IDV_TRY(idvi_masa_evidence(c));
    IDV_TRY(idvi_masa_check_origin(c));
    IDV_TRY(idvi_masa_limit_rate(c));
    IDV_TRY(idvi_masa_choose_signer(c));
    IDV_TRY(idvi_masa_choose_media(c));
    idv_rc rc = issue(c, &i);
    idv_masa_issue_free(&i);
    return rc;
}
