/* SPDX-License-Identifier: Apache-2.0 */
/* The desk that a maker has, behind the stations of station_run.h: it judges
 * what they ask for, with a book of its own or with theirs. */
#ifndef TESTS_STATION_DESK_H
#define TESTS_STATION_DESK_H

#include "tests/lib/station_run.h"

#define STATION_DEVICES 9 /* AB-0001 ... of order L1 are to be made */

/* l's requests go to it from now on; one at a time. shares: it keeps the
 * stations' book, otherwise one in l->dir. Whatever fails ends the program. */
void station_desk(struct station_line *l, bool shares);

#endif
