/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the driver: lanes, and what they share. */
#ifndef IDEVID_NET_DRIVE_INT_H
#define IDEVID_NET_DRIVE_INT_H

#include "net/http_client.h"

struct idvi_lane {
    struct idvi_drive *d;
    size_t number;
    struct idv_ask ask; /* what it wants */
    bool fresh;         /* not yet begun */
    bool over;          /* told nothing more */
    struct idvi_client *client;
    struct idv_msg first; /* announced with CONNECT: texts only */
    bool other;           /* what it wants after CONNECTED is not to send */
    int64_t until;        /* ticks, of a WAIT; INT64_MAX: news */
    int64_t told_stalled; /* ticks */
};

struct idvi_drive {
    const struct idv_crew *crew;
    const struct idv_drive_conf *conf;
    struct idvi_lane lanes[IDV_MAX_LANES];
    size_t n;
    int64_t skipped; /* ms that conf.wait did not take */
    idv_rc fatal;    /* a step failed: all ends */
    bool stir;       /* NEWS is to be told */
    struct idvi_lane *alone, *done;
};

/* --- drive_lane.c --- */
/* Tells START, ELAPSED or NEWS. Failure of any of these ends the drive. */
idv_rc idvi_lane_tell(struct idvi_lane *l, enum idv_told_kind kind) IDV_CHECKED;
/* Begins what is asked. */
idv_rc idvi_lane_begin(struct idvi_lane *l) IDV_CHECKED;
/* What its descriptors and the time have brought. */
idv_rc idvi_lane_turn(struct idvi_lane *l, const struct pollfd *fds,
                      size_t n) IDV_CHECKED;
/* when to turn at the latest, ticks; INT64_MAX: never by itself */
int64_t idvi_lane_due(const struct idvi_lane *l);
bool idvi_lane_works(const struct idvi_lane *l); /* does not just wait */
void idvi_lane_end(struct idvi_lane *l);

/* --- drive_sleep.c --- */
bool idvi_drive_stopped(const struct idvi_drive *d);
/* Waits for all lanes and the watch, and turns those that are ready. */
idv_rc idvi_drive_sleep(struct idvi_drive *d) IDV_CHECKED;

#endif
