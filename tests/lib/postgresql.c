/* SPDX-License-Identifier: Apache-2.0 */
/* A PostgreSQL server of a test's own (postgresql.sh). */
#include "tests/lib/postgresql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idevid/db/driver.h"

/* The first line that the script prints; its exit code. */
static int script(const char *verb, const char *a, const char *b, char *line,
                  size_t room)
{
    char command[1024];
    const char *top = getenv("top_srcdir");
    snprintf(command, sizeof(command), "%s/tests/lib/postgresql.sh %s %s '%s'",
             top ? top : ".", verb, a, b);
    FILE *f = popen(command, "r");
    if (!f)
        return -1;
    *line = 0;
    if (fgets(line, (int)room, f))
        line[strcspn(line, "\n")] = 0;
    while (fgetc(f) != EOF)
        ;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void must(const char *verb, const char *a, const char *b, char *line,
                 size_t room)
{
    int code = script(verb, a, b, line, room);
    if (code == 0)
        return;
    fprintf(stderr, "postgresql.sh %s %s: %d\n", verb, a, code);
    abort();
}

bool pg_start(struct pg *p)
{
    char owner[16];
    *p = (struct pg){0};
    if (!idvi_postgresql_driver)
        return false;
    snprintf(owner, sizeof(owner), "%d", (int)getpid());
    int code = script("start", owner, "", p->dir, sizeof(p->dir));
    if (code != 0 && code != 77)
        abort();
    return code == 0;
}

void pg_stop(struct pg *p)
{
    char line[8];
    if (p->dir[0])
        must("stop", p->dir, "", line, sizeof(line));
}

void pg_url(struct pg *p, char url[static 256])
{
    char schema[16];
    snprintf(schema, sizeof(schema), "t%u", ++p->schemas);
    must("url", p->dir, schema, url, 256);
}

void pg_sql(struct pg *p, const char *sql)
{
    char line[8];
    must("sql", p->dir, sql, line, sizeof(line));
}

void pg_load(struct pg *p, const char *file)
{
    char line[8];
    must("load", p->dir, file, line, sizeof(line));
}

void pg_halt(struct pg *p)
{
    char line[8];
    must("halt", p->dir, "", line, sizeof(line));
}

void pg_go(struct pg *p)
{
    char line[8];
    must("go", p->dir, "", line, sizeof(line));
}
