/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-pledge join and renew: once, in the foreground. */
#include "pledge.h"

static const char *registrars[TOOL_LIST_MAX + 1], *voucher;

const struct tool_option pledge_join_options[] = {
    {"registrar", 0, "HOST:PORT", "try this one (repeatable)", NULL, NULL,
     registrars},
    {"voucher", 0, "FILE", "imprint by this one, without a registrar", &voucher,
     NULL, NULL},
    {0}};
const struct tool_option pledge_renew_options[] = {{"registrar", 0, "HOST:PORT",
                                                    "try this one (repeatable)",
                                                    NULL, NULL, registrars},
                                                   {0}};

idv_rc pledge_join(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    const struct pledge_work work = {
        .job = PLEDGE_JOIN,
        .registrars = registrars,
        .attempts = (int)pledge_configuration.attempts,
    };
    (void)argc;
    (void)argv;
    IDV_TRY(pledge_start(&p, t, STATE_CHANGE));
    if (idv_trust_state(p.s.trust) == IDV_TRUST_ENROLLED) {
        IDV_TRY(pledge_output(&p.s));
        tool_say(t, "enrolled already, nothing to do");
        return t->json ? pledge_summary(&p, IDV_OK, "", IDV_VERDICT_OK)
                       : IDV_OK;
    }
    if (voucher)
        IDV_TRY(pledge_offline(&p, voucher));
    if (voucher && !registrars[0] && !pledge_configuration.registrars) {
        tool_say(t, "imprinted; join enrolls it where there is a registrar");
        return t->json ? pledge_summary(&p, IDV_OK, "", IDV_VERDICT_OK)
                       : IDV_OK;
    }
    return pledge_work(&p, &work);
}

idv_rc pledge_renew(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    const struct pledge_work work = {
        .job = PLEDGE_RENEW,
        .registrars = registrars,
        .attempts = (int)pledge_configuration.attempts,
    };
    (void)argc;
    (void)argv;
    IDV_TRY(pledge_start(&p, t, STATE_CHANGE));
    if (idv_trust_state(p.s.trust) != IDV_TRUST_ENROLLED)
        return idv_fail(IDV_E_STATE, "not enrolled: join first");
    return pledge_work(&p, &work);
}
