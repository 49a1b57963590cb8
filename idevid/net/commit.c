/* SPDX-License-Identifier: Apache-2.0 */
/* What calls lead to waits until what they did is on the disk, many at once. */
#include "net/server_int.h"

#define WAIT_MS 5 /* of the first one, for others to come along */

void idvi_hold(struct idvi_worker *w, struct idvi_held *h)
{
    if (!w->made.commit) {
        h->go(h, IDV_OK);
        return;
    }
    if (TAILQ_EMPTY(&w->held))
        w->held_since = idv_ticks_ms();
    TAILQ_INSERT_TAIL(&w->held, h, link);
    h->waits = true;
    w->held_n++;
}

void idvi_unhold(struct idvi_worker *w, struct idvi_held *h)
{
    if (h->waits)
        TAILQ_REMOVE(&w->held, h, link);
    h->waits = false;
}

static struct idvi_held *next_to_store(struct idvi_worker *w)
{
    struct idvi_held *h;
    TAILQ_FOREACH(h, &w->held, link)
    {
        if (h->stores)
            return h;
    }
    return NULL;
}

/* each is held again by it, or ends */
static idv_rc store_all(struct idvi_worker *w)
{
    struct idvi_held *h = next_to_store(w);
    if (!h)
        return IDV_OK;
    IDV_TRY(w->made.gather(w->made.self));
    for (; h; h = next_to_store(w)) {
        h->stores = false;
        h->store(h);
    }
    return IDV_OK;
}

TAILQ_HEAD(held, idvi_held);

static idv_rc commit_of(struct idvi_worker *w,
                        const struct idv_server_host *host)
{
    idv_rc rc = host && host->commit ? host->commit(host->self)
                                     : w->made.commit(w->made.self);
    if (rc != IDV_OK)
        idv_log_failure(w->conf->env, "commit-failed", rc);
    return rc;
}

static void let_all_fail(struct held *all, idv_rc rc)
{
    struct idvi_held *h;
    while ((h = TAILQ_FIRST(all))) {
        TAILQ_REMOVE(all, h, link);
        h->waits = false;
        h->go(h, rc);
    }
}

/* those of the host that the first is of; who fails is not the others' trouble
 */
static void let_some_go(struct idvi_worker *w, struct held *all)
{
    struct idvi_held *h = TAILQ_FIRST(all), *next;
    const struct idv_server_host *host = h->host;
    const idv_rc rc = commit_of(w, host);
    for (; h; h = next) {
        next = TAILQ_NEXT(h, link);
        if (h->host != host)
            continue;
        TAILQ_REMOVE(all, h, link);
        h->waits = false;
        h->go(h, rc);
    }
}

/* those that came along while this is done wait for the next one */
static void let_go(struct idvi_worker *w)
{
    struct held all;
    TAILQ_INIT(&all);
    idv_note_clear();
    idv_rc rc = store_all(w);
    if (rc != IDV_OK)
        idv_log_failure(w->conf->env, "commit-failed", rc);
    TAILQ_CONCAT(&all, &w->held, link);
    w->held_n = 0;
    if (rc != IDV_OK)
        let_all_fail(&all, rc);
    while (!TAILQ_EMPTY(&all))
        let_some_go(w, &all);
}

bool idvi_worker_turn(struct idvi_worker *w, int how)
{
    return event_base_loop(w->base, how) == 0 && !event_base_got_break(w->base);
}

bool idvi_commit_turn(struct idvi_worker *w)
{
    unsigned before = 0;
    while (w->held_n > before && idv_ticks_ms() - w->held_since < WAIT_MS) {
        before = w->held_n;
        if (!idvi_worker_turn(w, EVLOOP_NONBLOCK))
            return false;
    }
    if (!TAILQ_EMPTY(&w->held))
        let_go(w);
    return true;
}
