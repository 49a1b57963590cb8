/* SPDX-License-Identifier: Apache-2.0 */
/* A clock that went back: the log's order is its dates' order, and whatever is
 * bounded in time would begin anew. */
#include <idevid/codec.h>

#include "idevid/masa/masa_call.h"

#define BACK_S 300
#define AGAIN_S 60

/* how many seconds it is before the log's last entry, beyond what is borne */
static idv_rc behind(struct idv_masa *m, int64_t now, int64_t *last,
                     int64_t *out)
{
    const struct idv_masa_store *store = m->conf.store;
    const int64_t borne = m->conf.back_s ? m->conf.back_s : BACK_S;
    *out = 0;
    if (!idv_clock_trusted(m->env))
        return IDV_OK;
    IDV_TRY(store->log_latest(store->self, last));
    if (*last - now > borne)
        *out = *last - now;
    return IDV_OK;
}

static idv_rc is_behind(int64_t last, int64_t seconds)
{
    char text[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text(last, text));
    return idv_fail(IDV_E_STATE,
                    "clock: %lld s before the log's last entry, of %s",
                    (long long)seconds, text);
}

idv_rc idv_masa_check(struct idv_masa *m)
{
    int64_t last = 0, seconds = 0;
    IDV_TRY(behind(m, idv_now(m->env), &last, &seconds));
    return seconds ? is_behind(last, seconds) : IDV_OK;
}

idv_rc idvi_masa_check_clock(struct idvi_masa_call *c)
{
    int64_t last = 0, seconds = 0;
    IDV_TRY(behind(c->masa, c->now, &last, &seconds));
    if (!seconds || is_behind(last, seconds) == IDV_OK)
        return IDV_OK;
    c->no.retry_after = AGAIN_S;
    return idvi_refuse(&c->no, 503, "clock", "not now, try again");
}
