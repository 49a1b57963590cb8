/* SPDX-License-Identifier: Apache-2.0 */
/* Many devices, by workers. */
#ifndef FACTORY_BATCH_H
#define FACTORY_BATCH_H

#include "factory_worker.h"

struct batch {
    struct worker_conf workers;
    const char *fixtures; /* file, "-" standard input */
    int64_t jobs;         /* at the same time */
    int64_t retries;      /* of a device whose worker died or that failed */
};
/* Provisions what the fixtures have, in any order. IDV_OK: all are done;
 * IDV_E_REJECT: some failed, and were told. */
idv_rc batch_run(struct line *l, const struct batch *b) IDV_CHECKED;

#endif
