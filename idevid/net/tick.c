/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does without being asked. */
#include "net/server_int.h"

#define SOON_MS 1000

static struct timeval in_ms(int ms)
{
    return (struct timeval){ms / 1000, ms % 1000 * 1000};
}

static void done(struct idvi_held *h, idv_rc rc)
{
    (void)h;
    (void)rc; /* logged, as each commit that fails */
}

/* on the disk with the next commit, as what requests did */
static void on_tick(evutil_socket_t fd, short what, void *worker)
{
    struct idvi_worker *w = worker;
    const struct timeval next = in_ms(w->made.tick_ms);
    (void)fd;
    (void)what;
    idv_note_clear();
    idv_rc rc = w->made.tick(w->made.self);
    if (rc != IDV_OK)
        idv_log_failure(w->conf->env, "tick-failed", rc);
    w->device_failed |= rc == IDV_E_DEVICE;
    if (!w->ticked.waits)
        idvi_hold(w, &w->ticked);
    event_add(w->ev_tick, &next);
}

idv_rc idvi_tick_start(struct idvi_worker *w)
{
    const int ms = w->made.tick_ms;
    const struct timeval first = in_ms(ms < SOON_MS ? ms : SOON_MS);
    if (!w->made.tick)
        return IDV_OK;
    w->ticked.go = done;
    w->ev_tick = evtimer_new(w->base, on_tick, w);
    if (!w->ev_tick || event_add(w->ev_tick, &first) != 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}
