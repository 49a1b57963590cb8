/* SPDX-License-Identifier: Apache-2.0 */
/* Which process has taken something on, and whether it can still do it. */
#ifndef IDEVID_DB_LIFE_H
#define IDEVID_DB_LIFE_H

#include <stdbool.h>

#define IDVI_LIFE_MAX 128

/*
 * This process, as no other one is called: this start of this machine, the
 * space of its process numbers, its number and when it began. "": it cannot be
 * told here (no /proc), and nothing is said of its end.
 */
void idvi_life_self(char out[static IDVI_LIFE_MAX]);

/* It ran on this machine as it runs now, and has ended: no doubt about it.
 * False for one that is elsewhere. */
bool idvi_life_over(const char *life);

#endif
