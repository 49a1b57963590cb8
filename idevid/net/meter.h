/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what a service logs, over all its worker processes. */
#ifndef IDEVID_NET_METER_H
#define IDEVID_NET_METER_H

#include <idevid/buf.h>
#include <idevid/env.h>

#include "net/board.h"

struct idv_meter_counts;

/*
 * An env that passes everything on to another and reads its counters off the
 * events that go by, whatever level is shown: there is no second book. What
 * the labels say is bounded, in length and in number. A line whose last pair is
 * tenant=NAME counts as that one's, by a label of its own.
 */
struct idv_meter {
    struct idv_env env; /* its ctx is this struct: do not move it */
    const struct idv_env *to;
    struct idv_meter_counts *counts; /* shared with the workers */
};
/* Before the workers are forked. */
idv_rc idv_meter_open(struct idv_meter *m,
                      const struct idv_env *to) IDV_CHECKED;
void idv_meter_close(struct idv_meter *m);

/* Appends the counters in the text format of Prometheus (0.0.4), and those of
 * board (NULL: none). */
idv_rc idv_meter_print(const struct idv_meter *m, const struct idv_board *board,
                       struct idv_buf *out) IDV_CHECKED;

#endif
