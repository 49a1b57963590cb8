/* SPDX-License-Identifier: Apache-2.0 */
/* A place for a store: a file in a directory of its own, or an empty schema of
 * a PostgreSQL server. */
#ifndef TESTS_PLACE_H
#define TESTS_PLACE_H

#include "tests/lib/postgresql.h"
#include "tests/unit/codec.h"

struct place {
    struct pg *pg; /* NULL: a file */
    char dir[64], url[256];
};

static inline void place_make(struct place *p, struct pg *pg)
{
    p->pg = pg;
    if (pg) {
        pg_url(pg, p->url);
        return;
    }
    test_dir(p->dir);
    snprintf(p->url, sizeof(p->url), "%s/store.db", p->dir);
}

static inline void place_drop(struct place *p)
{
    if (!p->pg)
        test_dir_drop(p->dir);
}

#endif
