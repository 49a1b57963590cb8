/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the services on each database program. */
#include "tests/lib/stores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "idevid/db/sql.h"
#include "tests/lib/postgresql.h"
#include "tests/lib/world.h"

#define MARK " (PostgreSQL)"

/* without its triggers: also what only grows */
#define EMPTY                                                                  \
    "DO $$ DECLARE t TEXT; BEGIN"                                              \
    " SET LOCAL session_replication_role = replica;"                           \
    " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname ="             \
    " current_schema() AND tablename <> 'schema_version' LOOP"                 \
    " EXECUTE 'DELETE FROM ' || quote_ident(t); END LOOP;"                     \
    " PERFORM setval(quote_ident(sequencename)::regclass, 1, false)"           \
    " FROM pg_sequences WHERE schemaname = current_schema(); END $$"

static struct pg pg;
static char url[256];
static struct idv_db *tables; /* one schema for all, which takes a while */

static int begin(void **state)
{
    const struct CMUnitTest *t = *state;
    *state = t->initial_state;
    return t->setup_func ? t->setup_func(state) : 0;
}

static int in_memory(void **state)
{
    world_place(NULL);
    return begin(state);
}

static int in_postgresql(void **state)
{
    if (!tables) {
        pg_url(&pg, url);
        pki_must(idv_db_open(url, &tables), "PostgreSQL");
    }
    pki_must(idvi_exec(tables, NULL, EMPTY, ""), "empty tables");
    world_place(url);
    return begin(state);
}

static void none(void **state)
{
    (void)state;
    skip();
}

static char *marked(const char *name)
{
    size_t room = strlen(name) + sizeof(MARK);
    char *out = malloc(room);
    pki_must(out ? IDV_OK : IDV_E_NOMEM, "name");
    snprintf(out, room, "%s" MARK, name);
    return out;
}

static void both(const struct CMUnitTest *t, struct CMUnitTest out[2])
{
    out[0] = out[1] = *t;
    out[0].initial_state = out[1].initial_state = (void *)(uintptr_t)t;
    out[0].setup_func = in_memory;
    out[1].setup_func = in_postgresql;
    out[1].name = marked(t->name);
    if (!pg.dir[0])
        out[1] = (struct CMUnitTest){.name = out[1].name, .test_func = none};
}

int stores_run(const struct CMUnitTest *tests, size_t n)
{
    struct CMUnitTest *all = calloc(n, 2 * sizeof(*all));
    pki_must(all ? IDV_OK : IDV_E_NOMEM, "tests");
    (void)pg_start(&pg);
    for (size_t i = 0; i < n; i++)
        both(&tests[i], &all[2 * i]);
    int failed = _cmocka_run_group_tests("tests", all, 2 * n, NULL, NULL);
    idv_db_close(tables);
    pg_stop(&pg);
    for (size_t i = 0; i < n; i++)
        free((char *)(uintptr_t)all[2 * i + 1].name);
    free(all);
    return failed;
}
