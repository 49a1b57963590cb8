/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of a run: a line per device, and how it goes. */
#ifndef FACTORY_PROGRESS_H
#define FACTORY_PROGRESS_H

#include <idevid/json.h>

#include "tool.h"

struct progress {
    const struct tool *t;
    const char *order; /* or NULL */
    uint64_t total;    /* devices to make; 0: not known */
    uint64_t done, kept, failed, running;
    int64_t begun; /* tool_ms() */
    bool terminal; /* the last line is drawn again and again */
    size_t drawn;  /* characters of it */
};
void progress_begin(struct progress *p, const struct tool *t, const char *order,
                    uint64_t total);
/* An event of a device, as device_event prints it: counted and told. */
void progress_event(struct progress *p, const struct idv_json *event);
/* A worker without an end: what of it is known. */
void progress_died(struct progress *p, const char *fixture, const char *how);
void progress_draw(struct progress *p);
/* "200 done, 0 failed in 34 min, 352 an hour" */
void progress_end(struct progress *p);

#endif
