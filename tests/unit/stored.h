/* SPDX-License-Identifier: Apache-2.0 */
/* A case on SQLite, and the same on PostgreSQL: an open store for each. */
#ifndef TESTS_STORED_H
#define TESTS_STORED_H

#include "idevid/db/db.h"
#include "tests/unit/place.h"

/* What a case finds; a fixture with more begins with it, the rest zeroed. */
struct stored {
    struct place place;
    struct idv_db *db;
};

/* the server of ON_BOTH's second half: stored_run starts and stops it */
static struct pg stored_pg;

static inline int stored_make(void **state, struct pg *pg)
{
    const size_t *size = *state;
    struct stored *s = calloc(1, *size);
    *state = NULL;
    assert_non_null(s);
    place_make(&s->place, pg);
    OK(idv_db_open(s->place.url, &s->db));
    *state = s;
    return 0;
}

static inline int in_sqlite(void **state)
{
    return stored_make(state, NULL);
}

static inline int in_postgresql(void **state)
{
    if (stored_pg.dir[0])
        return stored_make(state, &stored_pg);
    *state = NULL;
    return 0;
}

static inline int stored_drop(void **state)
{
    struct stored *s = *state;
    if (!s)
        return 0;
    idv_db_close(s->db);
    place_drop(&s->place);
    free(s);
    return 0;
}

/* The fixture; where there is no PostgreSQL its half is skipped. */
static inline void *ready(void **state)
{
    if (!*state)
        skip();
    return *state;
}

/* Elements of a list of tests; fixture: the type of what ready() returns. */
#define ON_SQLITE(f, fixture)                                                  \
    {                                                                          \
#f, f, in_sqlite, stored_drop, &(size_t)                               \
        {                                                                      \
            sizeof(fixture)                                                    \
        }                                                                      \
    }
#define ON_BOTH(f, fixture)                                                    \
    ON_SQLITE(f, fixture),                                                     \
    {                                                                          \
#f " (PostgreSQL)", f, in_postgresql, stored_drop, &(size_t)           \
        {                                                                      \
            sizeof(fixture)                                                    \
        }                                                                      \
    }

static inline int stored_run(const struct CMUnitTest *tests, size_t n)
{
    (void)pg_start(&stored_pg);
    int failed = _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
    pg_stop(&stored_pg);
    return failed;
}
#define STORED_RUN(tests) stored_run(tests, sizeof(tests) / sizeof(*(tests)))

#endif
