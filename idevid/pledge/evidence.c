/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of the imprint for the registrar, if it asks for it. */
#include <openssl/evp.h>

#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

/* The request is of this attempt alone, and who has the proof has the request:
 * nothing older or of another device fits. */
void idvi_evidence_bind(struct idvi_attempt *a)
{
    struct idv_pledge *p = a->p;
    p->evidence.bound =
        a->pvr.n > 0 && EVP_Digest(a->pvr.p, a->pvr.n, p->evidence.to, NULL,
                                   EVP_sha256(), NULL) == 1;
}

/* All answers were fine until there was one that asks, and still are. */
void idvi_evidence_asked(struct idvi_attempt *a, const struct idv_msg *reply)
{
    struct idv_status_answer answer = {0};
    if (reply->status != 200 || !idv_media_is(reply->media, "application/json"))
        return;
    if (idv_status_answer_from_json(idv_view(&reply->body), &answer) == IDV_OK)
        a->p->evidence.asked |= answer.evidence;
    idv_note_clear();
}

static bool wanted(const struct idv_pledge *p)
{
    return p->conf.evidence && p->evidence.bound && !p->renewing && !p->again &&
           (p->evidence.asked || p->conf.evidence_unasked);
}

static idv_rc make(struct idv_pledge *p, struct idv_buf *out)
{
    const struct idv_bytes nonce =
        idv_bytes(p->evidence.to, sizeof(p->evidence.to));
    IDV_TRY(p->conf.evidence(p->conf.evidence_arg, nonce, out));
    return out->n <= IDV_MAX_REPORTED
               ? IDV_OK
               : idv_fail(IDV_E_LIMIT, "evidence of %zu bytes", out->n);
}

idv_rc idvi_evidence_make(struct idvi_attempt *a, struct idv_buf *out)
{
    struct idv_pledge *p = a->p;
    IDV_AUTO(buf) der = {0};
    if (!wanted(p))
        return IDV_OK;
    idv_rc rc = make(p, &der);
    if (rc == IDV_OK) {
        idvi_say(a, "evidence",
                 p->evidence.asked ? "asked for, and sent" : "sent");
        idv_buf_move(out, &der);
        return IDV_OK;
    }
    idv_log(p->env, IDV_LOG_WARN, "no-evidence", "class=%s reason=%s",
            idv_rc_name(rc), idv_log_value(idv_note()));
    idv_note_clear();
    return rc == IDV_E_NOMEM ? rc : IDV_OK;
}
