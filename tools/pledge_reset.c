/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-pledge reset: out of the domain. */
#include "pledge.h"

idv_rc pledge_reset(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    (void)argc;
    (void)argv;
    idv_rc rc = pledge_start(&p, t, STATE_CHANGE);
    if (rc != IDV_OK && !state_tampered(&p.s, rc))
        return rc;
    IDV_TRY(state_reset(&p.s));
    IDV_TRY(pledge_event(&p.s, "reset"));
    tool_say(t, "back to factory default; the IDevID is kept");
    return IDV_OK;
}
