/* SPDX-License-Identifier: Apache-2.0 */
/* Is this device welcome? What people decided on it, rules, configuration. */
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

/* --- what it rests on ----------------------------------------------------- */

struct verdict {
    enum idv_rule_action action;
    const char *by;         /* "decision", "rule", "maker" */
    const char *why, *text; /* of a refusal */
    struct idv_rule rule;   /* by "rule" */
    const struct idvi_reg_call *call;
    char model[IDV_MAX_PATTERN + 1];
    bool found;
};

static bool try_rule(void *arg, const struct idv_rule *r)
{
    struct verdict *v = arg;
    v->found = idv_rule_matches(r, v->call->maker->name, v->model,
                                v->call->id.serial_number, v->call->now);
    if (v->found)
        v->rule = *r;
    return !v->found;
}

static idv_rc by_rule(struct idvi_reg_call *c, struct verdict *v)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    v->call = c;
    idvi_reg_model_of(c, v->model);
    IDV_TRY(store->rules(store->self, try_rule, v));
    if (!v->found)
        return IDV_OK;
    v->by = "rule";
    v->action = v->rule.action;
    v->why = "rule-denied";
    v->text = "device is not accepted here";
    return IDV_OK;
}

static void by_maker(const struct idvi_reg_call *c, struct verdict *v)
{
    static const enum idv_rule_action actions[] = {
        [IDV_ADMIT_LISTED] = IDV_RULE_DENY,
        [IDV_ADMIT_ASK] = IDV_RULE_ASK,
        [IDV_ADMIT_ALL] = IDV_RULE_ALLOW,
    };
    v->by = "maker";
    v->action = actions[c->maker->admit];
    v->why = "not-listed";
    v->text = "device is not expected here";
}

/* The word on this very device counts most, then the first rule about it. */
static idv_rc judge(struct idvi_reg_call *c, struct verdict *v)
{
    enum idv_decision d = IDV_DECISION_NONE;
    IDV_TRY(idvi_reg_decision(c, false, &d));
    if (d == IDV_DECISION_REFUSED || d == IDV_DECISION_APPROVED) {
        v->by = "decision";
        v->action = d == IDV_DECISION_APPROVED ? IDV_RULE_ALLOW : IDV_RULE_DENY;
        v->why = "device-refused";
        v->text = "device is not accepted here";
        return IDV_OK;
    }
    IDV_TRY(by_rule(c, v));
    if (!v->found)
        by_maker(c, v);
    return IDV_OK;
}

idv_rc idvi_reg_check_denied(struct idvi_reg_call *c)
{
    struct verdict v = {0};
    IDV_TRY(judge(c, &v));
    if (v.action != IDV_RULE_DENY || v.by[0] == 'm')
        return IDV_OK;
    return idvi_refuse(&c->no, 403, v.why, v.text);
}

/* --- what follows --------------------------------------------------------- */

static idv_rc allow(struct idvi_reg_call *c, const struct verdict *v)
{
    if (!judged_by_policy(&c->session))
        return IDV_OK;
    idv_log(c->reg->env, IDV_LOG_INFO, "admitted",
            "device=%s maker=%s by=%s rule=%lld",
            idv_log_value(c->id.serial_number), idv_log_value(c->maker->name),
            v->by, (long long)v->rule.id);
    if (c->maker->admit == IDV_ADMIT_ALL && v->by[0] == 'm')
        idvi_reg_reduced(c, "admit-all");
    return note_state(c, IDV_SESSION_PVR_OK, 0, "");
}

static idv_rc deny(struct idvi_reg_call *c, const struct verdict *v)
{
    IDV_TRY(note_state(c, IDV_SESSION_REFUSED, 404, v->text));
    if (v->found)
        (void)idv_fail(IDV_E_REJECT, "rule %lld", (long long)v->rule.id);
    return idvi_refuse(&c->no, 404, v->why, v->text);
}

static idv_rc ask(struct idvi_reg_call *c)
{
    enum idv_decision d = IDV_DECISION_NONE;
    IDV_TRY(idvi_reg_decision(c, true, &d));
    IDV_TRY(note_state(c, IDV_SESSION_PENDING, 0, ""));
    return idvi_reg_defer(c, "pending", c->reg->conf.retry_after_s);
}

idv_rc idvi_reg_policy(struct idvi_reg_call *c)
{
    struct verdict v = {0};
    IDV_TRY(judge(c, &v));
    switch (v.action) {
    case IDV_RULE_ALLOW:
        return allow(c, &v);
    case IDV_RULE_ASK:
        return ask(c);
    case IDV_RULE_DENY:
        break;
    }
    return deny(c, &v);
}
