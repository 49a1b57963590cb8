/* SPDX-License-Identifier: Apache-2.0 */
/* Many devices: a process for each fixture that has one. */
#ifndef FACTORY_BATCH_H
#define FACTORY_BATCH_H

#include "factory_device.h"

struct batch {
    const char *dir, *conf_path; /* of the workers, too */
    const char *fixtures;        /* file, "-" standard input */
    const char *order, *operator_;
    const char *const *pass; /* options handed on as they are, NULL-ended */
    int64_t jobs;            /* at the same time */
    int64_t retries;         /* of a device whose worker died or that failed */
};
/* Provisions what the fixtures have, in any order. IDV_OK: all are done;
 * IDV_E_REJECT: some failed, and were told. */
idv_rc batch_run(struct line *l, const struct batch *b) IDV_CHECKED;

#endif
