/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for everything at once, and for nothing in vain. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <idevid/auto.h>

#include "net/drive_int.h"

/* While there is work a stop flag is looked at so often, because a signal may
 * come to one of curl's threads; where all just wait there are none. */
#define TICK_MS 250

#define MAX_FDS (IDV_MAX_LANES * IDVI_CLIENT_FDS + IDV_MAX_WATCHED)

bool idvi_drive_stopped(const struct idvi_drive *d)
{
    const volatile int *stop = d->conf->stop;
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED);
}

/* --- how long ------------------------------------------------------------- */

static int64_t earliest(const struct idvi_drive *d)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < d->n; i++) {
        const int64_t one = idvi_lane_due(&d->lanes[i]);
        due = one < due ? one : due;
    }
    return due;
}

static bool working(const struct idvi_drive *d)
{
    for (size_t i = 0; i < d->n; i++) {
        if (idvi_lane_works(&d->lanes[i]))
            return true;
    }
    return false;
}

static int64_t watch_due(const struct idv_watch *w)
{
    const int ms = w && w->timeout_ms ? w->timeout_ms(w->self) : -1;
    return ms < 0 ? INT64_MAX : idv_ticks_ms() + ms;
}

/* --- sleeping ------------------------------------------------------------- */

/* ms, -1: for ever. Signals are let in only while it sleeps, so that none
 * comes between the look at the flag and the sleep. */
static int nap(const struct idvi_drive *d, struct pollfd *fds, size_t n,
               int64_t ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    const struct timespec *limit = ms < 0 ? NULL : &t;
    sigset_t all, before;
    int ready = 0;
    if (!d->conf->stop)
        return ppoll(fds, n, limit, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!idvi_drive_stopped(d))
        ready = ppoll(fds, n, limit, &before);
    const int number = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return ready;
}

static idv_rc wait_for(const struct idvi_drive *d, struct pollfd *fds, size_t n,
                       int64_t due)
{
    int64_t ms = -1;
    if (due != INT64_MAX) {
        ms = due - idv_ticks_ms();
        ms = ms < 0 ? 0 : ms;
    }
    if (d->conf->stop && working(d) && (ms < 0 || ms > TICK_MS))
        ms = TICK_MS;
    if (ms < 0 && !d->conf->stop && n == 0)
        return idv_fail(IDV_E_STATE, "drive: all wait for news, and nobody "
                                     "brings any");
    if (nap(d, fds, n, ms) >= 0)
        return IDV_OK;
    if (errno != EINTR && errno != EAGAIN)
        return idv_fail(IDV_E_NET, "drive: poll: %s", strerror(errno));
    for (size_t i = 0; i < n; i++)
        fds[i].revents = 0;
    return IDV_OK;
}

/* --- turning what is ready ------------------------------------------------ */

static bool ready(const struct pollfd *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i].revents)
            return true;
    }
    return false;
}

static idv_rc turn_watch(struct idvi_drive *d, const struct pollfd *fds,
                         size_t n, int64_t due)
{
    const struct idv_watch *w = d->conf->watch;
    if (!w || (!ready(fds, n) && idv_ticks_ms() < due))
        return IDV_OK;
    IDV_TRY(w->ready(w->self, fds, n));
    d->stir = true;
    return IDV_OK;
}

static idv_rc turn_lane(struct idvi_lane *l, const struct pollfd *fds, size_t n)
{
    struct idvi_drive *d = l->d;
    /* what an earlier one of this round wished holds already */
    if (l->over || d->done || (d->alone && d->alone != l))
        return IDV_OK;
    if (!ready(fds, n) && idv_ticks_ms() < idvi_lane_due(l))
        return IDV_OK;
    return idvi_lane_turn(l, fds, n);
}

idv_rc idvi_drive_sleep(struct idvi_drive *d)
{
    struct pollfd fds[MAX_FDS];
    size_t at[IDV_MAX_LANES + 1], n = 0;
    const struct idv_watch *w = d->conf->watch;
    int64_t watched = watch_due(w), due = earliest(d);
    for (size_t i = 0; i < d->n; i++) {
        at[i] = n;
        if (idvi_lane_works(&d->lanes[i]))
            n += idvi_client_fds(d->lanes[i].client, fds + n);
    }
    at[d->n] = n;
    const size_t w_n = w ? w->fds(w->self, fds + n, IDV_MAX_WATCHED) : 0;
    IDV_TRY(wait_for(d, fds, n + w_n, watched < due ? watched : due));
    if (idvi_drive_stopped(d))
        return idv_fail(IDV_E_STATE, "stopped");
    IDV_TRY(turn_watch(d, fds + n, w_n, watched));
    for (size_t i = 0; i < d->n; i++)
        IDV_TRY(turn_lane(&d->lanes[i], fds + at[i], at[i + 1] - at[i]));
    return IDV_OK;
}
