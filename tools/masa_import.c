/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa import, sales: files of any length, line by line, into the store.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <idevid/auto.h>

#include "masa.h"

#define LINE_MAX_BYTES (128 * 1024)

struct reading {
    const struct tool *t;
    const char *path;
    FILE *f;
    uint64_t n; /* lines */
    int64_t begun;
    bool terminal;
    char line[LINE_MAX_BYTES];
};

/* --- lines ---------------------------------------------------------------- */

static idv_rc at_end(const struct reading *r, bool *more)
{
    *more = false;
    return ferror(r->f) ? idv_fail(IDV_E_IO, "%s: %s", r->path, strerror(errno))
                        : IDV_OK;
}

static idv_rc next(void *arg, struct idv_bytes *line, bool *more)
{
    struct reading *r = arg;
    if (!fgets(r->line, sizeof(r->line), r->f))
        return at_end(r, more);
    const size_t n = strlen(r->line);
    r->n++;
    *more = true;
    *line = idv_bytes(r->line, n);
    if ((n && r->line[n - 1] == '\n') ||
        (n + 1 < sizeof(r->line) && feof(r->f)))
        return IDV_OK;
    return idv_fail(IDV_E_FORMAT,
                    "line %llu: a NUL inside, or longer than %d bytes",
                    (unsigned long long)r->n, LINE_MAX_BYTES - 2);
}

static void progress(void *arg, const struct idv_db_imported *sofar)
{
    const struct reading *r = arg;
    const int64_t ms = tool_ms() - r->begun;
    if (!r->terminal)
        return;
    fprintf(
        stderr, "\r%s: line %llu, %llu a second ", r->path,
        (unsigned long long)sofar->lines,
        (unsigned long long)(ms > 0 ? sofar->lines * 1000 / (uint64_t)ms : 0));
}

/* --- files ---------------------------------------------------------------- */

static idv_rc reading_open(struct reading *r, const char *path)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    r->path = is_stdin ? "standard input" : path;
    r->f = is_stdin ? stdin : fopen(path, "r");
    r->begun = tool_ms();
    if (!r->f)
        return idv_fail(IDV_E_IO, "%s: %s", path, strerror(errno));
    return IDV_OK;
}

static void reading_close(struct reading *r)
{
    if (r->f && r->f != stdin)
        fclose(r->f);
    if (r->terminal)
        fputc('\n', stderr);
    r->f = NULL;
}

static void say_sofar(const struct reading *r,
                      const struct idv_db_imported *sofar)
{
    tool_say(r->t, "%s: stopped; lines up to %llu are in the store", r->path,
             (unsigned long long)sofar->lines);
}

static idv_rc import_file(struct idv_db *db, struct reading *r,
                          struct idv_db_import *from,
                          struct idv_db_imported *sum)
{
    struct idv_db_imported one = {0};
    idv_rc rc = idv_db_import(db, from, &one);
    sum->fresh += one.fresh;
    sum->known += one.known;
    if (rc == IDV_OK)
        return rc;
    say_sofar(r, &one);
    return idv_fail_within(rc, "%s", r->path);
}

static idv_rc import_all(struct tool *t, enum idv_db_rows rows, int argc,
                         char **argv, struct idv_db_imported *sum)
{
    AUTO_DB struct idv_db *db = NULL;
    static struct reading r;
    char who[32];
    service_who(who);
    r.t = t;
    r.terminal = !t->json && !t->quiet && isatty(STDERR_FILENO);
    struct idv_db_import from = {.rows = rows,
                                 .by = {who, idv_now(t->env)},
                                 .next = next,
                                 .progress = progress,
                                 .arg = &r};
    IDV_TRY(idv_db_open(masa_maker()->service.database, &db));
    for (int i = 0; i < argc; i++) {
        r.n = 0;
        idv_rc rc = reading_open(&r, argv[i]);
        if (rc == IDV_OK)
            rc = import_file(db, &r, &from, sum);
        reading_close(&r);
        IDV_TRY(rc);
    }
    return IDV_OK;
}

/* --- the commands --------------------------------------------------------- */

static idv_rc say(struct tool *t, const struct idv_db_imported *sum,
                  const char *done)
{
    if (!t->json) {
        tool_say(t, "%llu devices %s, %llu known already",
                 (unsigned long long)sum->fresh, done,
                 (unsigned long long)sum->known);
        return IDV_OK;
    }
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = idv_json_set(o, "fresh", idv_json_new_int((int64_t)sum->fresh));
    if (rc == IDV_OK)
        rc = idv_json_set(o, "known", idv_json_new_int((int64_t)sum->known));
    return tool_print_put(o, rc);
}

idv_rc masa_import(struct tool *t, int argc, char **argv)
{
    struct idv_db_imported sum = {0};
    IDV_TRY(import_all(t, IDV_DB_DEVICES, argc, argv, &sum));
    return say(t, &sum, "added");
}

idv_rc masa_sales(struct tool *t, int argc, char **argv)
{
    struct idv_db_imported sum = {0};
    IDV_TRY(import_all(t, IDV_DB_SALES, argc, argv, &sum));
    return say(t, &sum, "sold");
}
