/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge looks for registrars by itself. */
#ifndef PLEDGE_FIND_H
#define PLEDGE_FIND_H

#include <idevid/pledge.h>
#include <idevid/watch.h>

struct idv_discovery;
struct pledge_find {
    const struct idv_env *env; /* borrowed */
    struct idv_pledge *pledge; /* borrowed: whose candidates */
    struct idv_discovery *discovery;
};

/* By which methods, as configured: if nothing is said by all, or by none when
 * registrars are named. */
idv_rc pledge_find_methods(bool named, unsigned *methods) IDV_CHECKED;
/* Begins; without a method nothing does. */
idv_rc pledge_find_start(struct pledge_find *f, unsigned methods) IDV_CHECKED;
/* For the driver; NULL when nothing was begun. */
const struct idv_watch *pledge_find_watch(const struct pledge_find *f);
void pledge_find_end(struct pledge_find *f);

#endif
