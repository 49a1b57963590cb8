/* SPDX-License-Identifier: Apache-2.0 */
/* Runs client machines side by side: asks become connections, exchanges and
 * waiting. */
#include <idevid/auto.h>

#include "net/drive_int.h"

static idv_rc stopped(struct idvi_drive *d)
{
    return idvi_drive_stopped(d) && !d->done ? idv_fail(IDV_E_STATE, "stopped")
                                             : IDV_OK;
}

/* what a step wanted of the lanes beside its own */
static void part(struct idvi_drive *d)
{
    for (size_t i = 0; d->alone && i < d->n; i++) {
        if (&d->lanes[i] != d->alone)
            idvi_lane_end(&d->lanes[i]);
    }
}

static idv_rc start(struct idvi_drive *d)
{
    for (size_t i = 0; i < d->n && !d->done; i++) {
        if (!d->lanes[i].over)
            IDV_TRY(idvi_lane_tell(&d->lanes[i], IDV_TOLD_START));
        part(d);
    }
    return IDV_OK;
}

static bool wants_news(const struct idvi_lane *l)
{
    return !l->over && !l->fresh && l->ask.kind == IDV_ASK_WAIT && l->ask.news;
}

static idv_rc news(struct idvi_drive *d)
{
    d->stir = false;
    for (size_t i = 0; i < d->n && !d->done; i++) {
        if (wants_news(&d->lanes[i]))
            IDV_TRY(idvi_lane_tell(&d->lanes[i], IDV_TOLD_NEWS));
        part(d);
    }
    return IDV_OK;
}

static struct idvi_lane *fresh(struct idvi_drive *d)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->lanes[i].fresh && !d->lanes[i].over)
            return &d->lanes[i];
    }
    return NULL;
}

/* until all that is asked is under way */
static idv_rc begin_all(struct idvi_drive *d)
{
    for (struct idvi_lane *l; !d->done; part(d)) {
        IDV_TRY(stopped(d));
        if ((l = fresh(d)) != NULL)
            IDV_TRY(idvi_lane_begin(l));
        else if (d->stir)
            IDV_TRY(news(d));
        else
            break;
    }
    return IDV_OK;
}

static idv_rc done(const struct idv_ask *ask)
{
    idv_note_clear();
    if (ask->rc == IDV_OK)
        return IDV_OK;
    return idv_fail(ask->rc, "%s", ask->note);
}

static idv_rc run(struct idvi_drive *d)
{
    IDV_TRY(start(d));
    for (;;) {
        IDV_TRY(begin_all(d));
        if (d->done)
            return done(&d->done->ask);
        IDV_TRY(idvi_drive_sleep(d));
        part(d);
    }
}

idv_rc idv_drive_crew(const struct idv_crew *crew,
                      const struct idv_drive_conf *conf)
{
    if (crew->lanes < 1 || crew->lanes > IDV_MAX_LANES)
        return idv_fail(IDV_E_ARG, "drive: %zu lanes", crew->lanes);
    struct idvi_drive *d = calloc(1, sizeof(*d));
    if (!d)
        return idv_fail(IDV_E_NOMEM, "drive");
    d->crew = crew;
    d->conf = conf;
    d->n = crew->lanes;
    for (size_t i = 0; i < d->n; i++) {
        d->lanes[i].d = d;
        d->lanes[i].number = i;
        idv_ask_free(&d->lanes[i].ask);
    }
    idv_rc rc = run(d);
    for (size_t i = 0; i < d->n; i++)
        idvi_lane_end(&d->lanes[i]);
    free(d);
    return rc;
}

/* --- a single machine: a crew of one -------------------------------------- */

static idv_rc only_step(void *self, size_t lane, struct idv_told *told,
                        struct idv_ask *ask)
{
    const struct idv_machine *machine =
        *(const struct idv_machine *const *)self;
    (void)lane;
    return machine->step(machine->self, told, ask);
}

idv_rc idv_drive(const struct idv_machine *machine,
                 const struct idv_drive_conf *conf)
{
    const struct idv_crew crew = {only_step, 1, &machine};
    return idv_drive_crew(&crew, conf);
}
