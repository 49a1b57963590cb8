/* SPDX-License-Identifier: Apache-2.0 */
/* How services say no. */
#include <stdio.h>

#include "idevid/base/refuse.h"

idv_rc idvi_refuse(struct idvi_refusal *r, int status, const char *why,
                   const char *text)
{
    r->status = status;
    r->why = why;
    r->text = text;
    snprintf(r->detail, sizeof(r->detail), "%s", idv_note());
    idv_note_clear();
    return IDV_E_REJECT;
}

idv_rc idvi_judge(struct idvi_refusal *r, idv_rc rc, int status,
                  const char *why, const char *text)
{
    switch (rc) {
    case IDV_E_FORMAT:
    case IDV_E_LIMIT:
    case IDV_E_REJECT:
    case IDV_E_CRYPTO: /* keys and signatures that libcrypto cannot digest */
        return idvi_refuse(r, status, why, text);
    default:
        return rc;
    }
}

idv_rc idvi_refusal_reply(const struct idvi_refusal *r,
                          const struct idv_env *env, const char *role,
                          const char *who, struct idv_call *call)
{
    idv_log(env, r->status < 300 ? IDV_LOG_INFO : IDV_LOG_WARN,
            r->status < 300 ? "deferred" : "refused",
            "role=%s why=%s status=%d device=%s address=%s detail=%s", role,
            r->why, r->status, idv_log_value(who),
            idv_log_value(call->peer ? call->peer->address : ""),
            idv_log_value(r->detail));
    IDV_TRY(idv_msg_refuse(&call->reply, r->status, r->text));
    if (r->retry_after > 0)
        call->reply.retry_after = r->retry_after;
    return IDV_OK;
}

idv_rc idvi_refuse_verb(struct idvi_refusal *r, const struct idv_call *call,
                        enum idv_verb verb)
{
    if (call->req.verb != verb)
        return idvi_refuse(r, 405, "verb", "method not allowed");
    if (call->req.body.n > IDV_MAX_BODY)
        return idvi_refuse(r, 413, "body-size", "request too large");
    return IDV_OK;
}
