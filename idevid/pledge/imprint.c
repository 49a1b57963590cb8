/* SPDX-License-Identifier: Apache-2.0 */
/* S4: the voucher judged, the anchor sealed, the registrar told. */
#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

/* Any form that we said we accept, whichever we asked in. */
static idv_rc check_media(struct idv_pledge *p, const struct idv_msg *reply)
{
    if (idv_envelope_known(reply->media))
        return IDV_OK;
    p->verdict = IDV_VERDICT_FORMAT;
    return idv_fail(IDV_E_REJECT, "voucher: media type '%.60s', not of %s",
                    reply->media, (const char *)p->accept.p);
}

static idv_rc judge(struct idv_pledge *p, const struct idv_msg *reply,
                    struct idv_pinned *pinned)
{
    struct idv_voucher_policy policy = p->conf.policy;
    const struct idv_voucher_claim claim = {
        .idevid = idvi_idevid(p),
        .nonce = p->nonce,
        .tls_chain = p->chain,
    };
    policy.clock_trusted = idv_clock_trusted(p->env);
    policy.now = idv_now(p->env);
    return idv_voucher_check(reply->media, idv_view(&reply->body), &claim,
                             &policy, pinned, &p->verdict);
}

static idv_rc check_authority(struct idv_pledge *p,
                              const struct idv_pinned *pinned)
{
    idv_rc rc =
        idv_authority_check(sk_X509_value(p->chain, 0), pinned->spki_sha256);
    if (rc == IDV_E_REJECT)
        p->verdict = IDV_VERDICT_CHAIN;
    return rc;
}

static idv_rc accept(struct idv_pledge *p, const struct idv_msg *reply)
{
    struct idv_pinned pinned = {0};
    IDV_TRY(check_media(p, reply));
    IDV_TRY(judge(p, reply, &pinned));
    idv_rc rc = check_authority(p, &pinned);
    if (rc == IDV_OK) {
        idvi_say(p, "voucher", idv_assertion_to_text(pinned.voucher.assertion));
        rc = idv_trust_imprint(p->conf.trust, &pinned, idv_view(&reply->body));
    }
    idv_pinned_free(&pinned);
    return rc;
}

/* From here on the candidate is where we were redirected to. */
static void settle(struct idv_pledge *p)
{
    p->candidates[p->current].url = p->at;
    p->losses = 0;
    p->pending = 0;
    p->owe_status = 2;
    idv_buf_free(&p->pvr);
    p->nonce[0] = 0;
}

idv_rc idvi_imprint(struct idv_pledge *p, struct idv_told *told,
                    struct idv_ask *ask)
{
    p->verdict = IDV_VERDICT_OK;
    idv_rc rc = accept(p, &told->msg);
    /* who does not know whether it is imprinted says neither yes nor no */
    if (rc == IDV_E_NOMEM || idv_trust_unsure(p->conf.trust))
        return rc;
    if (rc != IDV_OK)
        return idvi_voucher_failed(p, rc, ask);
    settle(p);
    idvi_say(p, "imprinted", idv_trust_assurance(p->conf.trust));
    return idvi_domain_next(p, ask);
}

idv_rc idvi_status_told(struct idv_pledge *p, struct idv_told *told,
                        struct idv_ask *ask)
{
    (void)told;
    idvi_say(p, "voucher_status", "accepted");
    p->owe_status = 0;
    p->losses = 0;
    return idvi_domain_next(p, ask);
}
