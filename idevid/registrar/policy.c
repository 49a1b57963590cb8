/* SPDX-License-Identifier: Apache-2.0 */
/* Is this device welcome? Configuration, and what people decided. */
#include <stdio.h>

#include "idevid/registrar/registrar_call.h"

idv_rc idvi_reg_decision(struct idvi_reg_call *c, bool ask,
                         enum idv_decision *out)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    return store->decision(store->self, c->maker->name, c->id.serial_number,
                           ask, c->now, out);
}

/* Not for good: what policy refused it may admit later, the same request too;
 * only what the MASA refused has a signed request and stays. */
static bool judged_by_policy(const struct idv_session *s)
{
    return s->state == IDV_SESSION_NEW || s->state == IDV_SESSION_PENDING ||
           (s->state == IDV_SESSION_REFUSED && s->rvr.n == 0);
}

static idv_rc note_state(struct idvi_reg_call *c, enum idv_session_state to,
                         int status, const char *reason)
{
    struct idv_session *s = &c->session;
    if (!judged_by_policy(s))
        return IDV_OK;
    s->status = status;
    snprintf(s->reason, sizeof(s->reason), "%s", reason);
    return idvi_reg_session_move(c, to);
}

static idv_rc refuse(struct idvi_reg_call *c, const char *why, const char *text)
{
    IDV_TRY(note_state(c, IDV_SESSION_REFUSED, 404, text));
    return idvi_refuse(&c->no, 404, why, text);
}

idv_rc idvi_reg_policy(struct idvi_reg_call *c)
{
    enum idv_admit admit = c->maker->admit;
    enum idv_decision d = IDV_DECISION_NONE;
    IDV_TRY(idvi_reg_decision(c, admit == IDV_ADMIT_ASK, &d));
    if (d == IDV_DECISION_REFUSED)
        return refuse(c, "device-refused", "device is not accepted here");
    if (d == IDV_DECISION_APPROVED || admit == IDV_ADMIT_ALL)
        return note_state(c, IDV_SESSION_PVR_OK, 0, "");
    if (admit == IDV_ADMIT_LISTED)
        return refuse(c, "not-listed", "device is not expected here");
    IDV_TRY(note_state(c, IDV_SESSION_PENDING, 0, ""));
    return idvi_reg_defer(c, "pending", c->reg->conf.retry_after_s);
}
