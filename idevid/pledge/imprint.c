/* SPDX-License-Identifier: Apache-2.0 */
/* S4: the voucher judged, the anchor sealed, the registrar told. */
#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

/* Any form that we said we accept, whichever we asked in. */
static idv_rc check_media(struct idvi_attempt *a, const struct idv_msg *reply)
{
    if (idv_envelope_known(reply->media))
        return IDV_OK;
    a->p->verdict = IDV_VERDICT_FORMAT;
    return idv_fail(IDV_E_REJECT, "voucher: media type '%.60s', not of %s",
                    reply->media, (const char *)a->p->accept.p);
}

static idv_rc judge(struct idvi_attempt *a, const struct idv_msg *reply,
                    struct idv_pinned *pinned)
{
    struct idv_voucher_policy policy = a->p->conf.policy;
    const struct idv_voucher_claim claim = {
        .idevid = idvi_idevid(a),
        .nonce = a->nonce,
        .tls_chain = a->chain,
        .staple = idv_view(&a->staple),
        .elsewhere = idvi_cloud_elsewhere(a),
    };
    policy.clock_trusted = idv_clock_trusted(a->p->env);
    policy.now = idv_now(a->p->env);
    return idv_voucher_check(reply->media, idv_view(&reply->body), &claim,
                             &policy, pinned, &a->p->verdict);
}

static idv_rc check_authority(struct idvi_attempt *a,
                              const struct idv_pinned *pinned)
{
    idv_rc rc =
        idv_authority_check(sk_X509_value(a->chain, 0), pinned->spki_sha256);
    if (rc == IDV_E_REJECT)
        a->p->verdict = IDV_VERDICT_CHAIN;
    return rc;
}

/* After a loss of power we go on here, wherever we were redirected from. */
static idv_rc seal(struct idvi_attempt *a, const struct idv_msg *reply,
                   struct idv_pinned *pinned)
{
    IDV_TRY(check_authority(a, pinned));
    IDV_TRY(idvi_registrar_write(&a->at, pinned->registrar));
    idvi_say(a, "voucher", idv_assertion_to_text(pinned->voucher.assertion));
    return idv_trust_imprint(a->p->conf.trust, pinned, idv_view(&reply->body));
}

static idv_rc accept(struct idvi_attempt *a, const struct idv_msg *reply,
                     bool *elsewhere)
{
    struct idv_pinned pinned = {0};
    IDV_TRY(check_media(a, reply));
    IDV_TRY(judge(a, reply, &pinned));
    idv_rc rc =
        idvi_cloud_voucher(a, &pinned, idv_view(&reply->body), elsewhere);
    if (rc == IDV_OK && !*elsewhere)
        rc = seal(a, reply, &pinned);
    idv_pinned_free(&pinned);
    return rc;
}

/* From here on the candidate is where we were redirected to. */
static void settle(struct idvi_attempt *a)
{
    a->candidate->url = a->at;
    memcpy(a->candidate->address, a->address, sizeof(a->address));
    a->losses = 0;
    a->pending = false;
    a->owe_status = a->cloud.est ? 0 : 2; /* EST alone is spoken there */
    idvi_evidence_bind(a);
    idv_buf_free(&a->pvr);
    idv_buf_free(&a->staple);
    a->nonce[0] = 0;
}

idv_rc idvi_imprinted(struct idvi_attempt *a, struct idv_ask *ask)
{
    settle(a);
    idvi_go_alone(a, ask);
    idvi_say(a, "imprinted", idv_trust_assurance(a->p->conf.trust));
    return idvi_domain_next(a, ask);
}

idv_rc idvi_imprint(struct idvi_attempt *a, struct idv_told *told,
                    struct idv_ask *ask)
{
    bool elsewhere = false;
    a->p->verdict = IDV_VERDICT_OK;
    idv_rc rc = accept(a, &told->msg, &elsewhere);
    /* who does not know whether it is imprinted says neither yes nor no */
    if (rc == IDV_E_NOMEM || idv_trust_unsure(a->p->conf.trust))
        return rc;
    if (rc != IDV_OK)
        return idvi_voucher_failed(a, rc, ask);
    return elsewhere ? idvi_cloud_est_connect(a, ask) : idvi_imprinted(a, ask);
}

idv_rc idvi_status_told(struct idvi_attempt *a, struct idv_told *told,
                        struct idv_ask *ask)
{
    idvi_evidence_asked(a, &told->msg);
    idvi_say(a, "voucher_status", "accepted");
    a->owe_status = 0;
    a->losses = 0;
    return idvi_domain_next(a, ask);
}
