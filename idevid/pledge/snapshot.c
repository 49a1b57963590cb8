/* SPDX-License-Identifier: Apache-2.0 */
/* What the pledge is at, for those who ask. */
#include <stdio.h>
#include <string.h>

#include "pledge/pledge_priv.h"

static const char *const names[STAGE_COUNT] = {
    [STAGE_IDLE] = "idle",
    [STAGE_BACKOFF] = "discover",
    [STAGE_LOOKUP] = "lookup",
    [STAGE_IDENTIFY] = "identify",
    [STAGE_REQUEST] = "request",
    [STAGE_PENDING] = "pending",
    [STAGE_STATUS_BAD] = "voucher-refused",
    [STAGE_EST] = "est-domain",
    [STAGE_STATUS] = "imprinted",
    [STAGE_CACERTS] = "cacerts",
    [STAGE_CSRATTRS] = "csrattrs",
    [STAGE_ENROLL] = "enroll",
    [STAGE_DOMAIN_WAIT] = "wait",
    [STAGE_ENROLL_BAD] = "enroll-failed",
    [STAGE_RESUME] = "resume",
    [STAGE_REPORT] = "report",
    [STAGE_REPORTED] = "reported",
};

static int due_s(const struct idv_pledge *p, const struct idvi_candidate *c,
                 int64_t at)
{
    if (c->busy)
        return 0;
    if (!idvi_candidate_free(p, c))
        return -1;
    return c->due > at ? (int)((c->due - at + 999) / 1000) : 0;
}

static void show(const struct idv_pledge *p, const struct idvi_candidate *c,
                 int64_t at, struct idv_pledge_candidate *out)
{
    out->origin = idvi_candidate_origin(c);
    memcpy(out->host, c->url.host, sizeof(out->host));
    out->port = c->url.port;
    memcpy(out->address, c->address, sizeof(out->address));
    out->busy = c->busy;
    out->pending = c->parked != NULL;
    out->tries = c->tries;
    out->due_s = due_s(p, c, at);
    out->last = c->last;
    memcpy(out->reason, c->reason, sizeof(out->reason));
}

void idv_pledge_snapshot(const struct idv_pledge *p, int64_t at_ms,
                         struct idv_pledge_snapshot *out)
{
    int at[IDV_MAX_CANDIDATES]; /* place in out */
    *out = (struct idv_pledge_snapshot){
        .trust = idv_trust_state(p->conf.trust),
        .renewing = p->renewing,
        .n_lanes = p->lanes,
    };
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        at[i] = (int)out->n;
        if (p->candidates[i].origins)
            show(p, &p->candidates[i], at_ms, &out->candidates[out->n++]);
    }
    for (size_t i = 0; i < p->lanes; i++) {
        const struct idvi_attempt *a = &p->lane[i];
        struct idv_pledge_lane *lane = &out->lanes[i];
        lane->stage = names[a->stage];
        lane->stage_s = at_ms > a->since ? (int)((at_ms - a->since) / 1000) : 0;
        lane->candidate = a->candidate ? at[a->candidate - p->candidates] : -1;
        if (a->candidate && a->stage == STAGE_PENDING)
            out->candidates[lane->candidate].pending = true;
    }
}
