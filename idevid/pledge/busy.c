/* SPDX-License-Identifier: Apache-2.0 */
/* Registrars that have no time now, which refuses nothing (RFC 6585 section 4,
 * RFC 9110 section 15.6.4). */
#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

static bool for_later(const struct idv_msg *reply)
{
    return reply->status == 429 ||
           (reply->status == 503 && reply->retry_after >= 0);
}

static int bounded(int seconds)
{
    if (seconds < 0)
        return IDV_MAX_RETRY_AFTER;
    if (seconds < 1)
        return 1;
    return seconds < IDV_MAX_BUSY_WAIT ? seconds : IDV_MAX_BUSY_WAIT;
}

idv_rc idvi_busy(struct idvi_attempt *a, const struct idv_msg *reply,
                 int *seconds)
{
    const int s = bounded(reply->retry_after);
    const bool before = a->busy;
    *seconds = 0;
    a->busy = for_later(reply);
    if (!a->busy)
        return IDV_OK;
    if (!before)
        a->busy_since = a->p->now;
    if ((a->p->now - a->busy_since) / 1000 + s > IDV_MAX_BUSY)
        return idv_fail(IDV_E_NET, "registrar: had no time for a day (%d)",
                        reply->status);
    a->losses = 0;
    *seconds = s;
    idvi_say(a, "busy", "the registrar has no time now");
    return IDV_OK;
}
