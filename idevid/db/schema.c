/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a database forward to the version of this program (schema.sql tells
 * how a version is added). */
#include <stdlib.h>
#include <string.h>

#include "idevid/db/driver.h"

struct migration {
    int version; /* that it leads to */
    int reader;  /* programs that know this version may use the result */
    const char *sql;
};

static const struct migration services_sqlite[] = {
#include "idevid/db/services_sqlite.inc"
};
static const struct migration services_postgresql[] = {
#include "idevid/db/services_postgresql.inc"
};
static const struct migration book_sqlite[] = {
#include "idevid/db/book_sqlite.inc"
};
static const struct migration book_postgresql[] = {
#include "idevid/db/book_postgresql.inc"
};
#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

/* What a database may be. */
struct idvi_form {
    int id; /* an SQLite file's application_id */
    const char *name, *what;
    int version;
    const struct migration *steps[IDVI_DIALECTS];
};
static const struct idvi_form forms[] = {
    {0x49444556 /* "IDEV" */,
     "services",
     "the services' database",
     COUNT(services_sqlite),
     {services_sqlite, services_postgresql}},
    {0x49444642 /* "IDFB" */,
     "book",
     "a line's book",
     COUNT(book_sqlite),
     {book_sqlite, book_postgresql}},
};
_Static_assert(COUNT(services_sqlite) == COUNT(services_postgresql) &&
                   COUNT(book_sqlite) == COUNT(book_postgresql),
               "a version for one database program only");

/* Beside the tables of every form: one row a version. */
#define LIST                                                                   \
    "CREATE TABLE schema_version ("                                            \
    " version INTEGER NOT NULL PRIMARY KEY,"                                   \
    " reader INTEGER NOT NULL,"                                                \
    " form TEXT NOT NULL,"                                                     \
    " applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"

/* --- what is there -------------------------------------------------------- */

struct state {
    struct idvi_found found;
    int version, reader;
    const struct idvi_form *form; /* NULL: none of ours */
};

static const struct idvi_form *form_of(int id, const char *name)
{
    for (int i = 0; i < COUNT(forms); i++) {
        if (name ? strcmp(forms[i].name, name) == 0 : forms[i].id == id)
            return &forms[i];
    }
    return NULL;
}

static idv_rc read_list(struct idv_db *db, struct state *s)
{
    IDVI_QUERY(q);
    bool row = false;
    char name[32] = "";
    IDV_TRY(idvi_query(db, &q,
                       "SELECT version, reader, form FROM schema_version"
                       " ORDER BY version DESC LIMIT 1",
                       ""));
    IDV_TRY(idvi_query_next(&q, &row));
    if (!row)
        return IDV_OK;
    IDV_TRY(
        idvi_query_get(&q, "nnt", &s->version, &s->reader, name, sizeof(name)));
    s->form = form_of(0, name);
    return IDV_OK;
}

/* A file from before there was a list says its version by itself; what it says
 * beyond that is obeyed. */
static idv_rc look(struct idv_db *db, struct state *s)
{
    *s = (struct state){0};
    IDV_TRY(db->driver->look(db, &s->found));
    s->version = s->reader = s->found.reader;
    s->form = form_of(s->found.id, NULL);
    if (s->found.listed)
        IDV_TRY(read_list(db, s));
    if (s->reader < s->found.reader)
        s->reader = s->found.reader;
    return IDV_OK;
}

/* --- is it ours, and not from the future? --------------------------------- */

static idv_rc judge(struct idv_db *db, const struct state *s)
{
    if (!s->found.tables)
        return IDV_OK;
    if (!s->form)
        return idv_fail(IDV_E_FORMAT,
                        "store: %s: a database of another program", db->path);
    if (s->form != db->form)
        return idv_fail(IDV_E_FORMAT, "store: %s: this is %s, not %s", db->path,
                        s->form->what, db->form->what);
    if (s->reader > db->form->version)
        return idv_fail(IDV_E_FORMAT,
                        "store: %s: version %d is later than this program's %d",
                        db->path, s->reader, db->form->version);
    return IDV_OK;
}

/* in one view, or another process's first steps look foreign */
static idv_rc judge_whole(struct idv_db *db, struct state *s)
{
    IDV_TRY(idvi_view(db));
    return idvi_end(db, look(db, s));
}

/* --- forward -------------------------------------------------------------- */

static idv_rc list_one(struct idv_db *db, const struct migration *m)
{
    return idvi_exec(db, NULL,
                     "INSERT INTO schema_version (version, reader, form)"
                     " VALUES ($1, $2, $3)",
                     "iit", (int64_t)m->version, (int64_t)m->reader,
                     db->form->name);
}

static idv_rc step(struct idv_db *db, const struct migration *m, bool there)
{
    if (!there)
        IDV_TRY(db->driver->script(db, m->sql));
    IDV_TRY(list_one(db, m));
    return db->driver->mark(db, db->form->id, m->reader);
}

/* another process may have been first */
static idv_rc migrate(struct idv_db *db)
{
    const struct migration *steps = db->form->steps[db->driver->dialect];
    struct state s;
    IDV_TRY(look(db, &s));
    IDV_TRY(judge(db, &s));
    if (!s.found.listed)
        IDV_TRY(db->driver->script(db, LIST));
    for (int i = s.found.listed ? s.version : 0; i < db->form->version; i++)
        IDV_TRY(step(db, &steps[i], i < s.version));
    return IDV_OK;
}

idv_rc idvi_schema_open(struct idv_db *db)
{
    struct state s;
    IDV_TRY(judge_whole(db, &s));
    IDV_TRY(judge(db, &s));
    if (db->driver->ours)
        IDV_TRY(db->driver->ours(db));
    if (s.found.listed && s.version >= db->form->version)
        return IDV_OK;
    IDV_TRY(idvi_begin(db));
    return idvi_end(db, migrate(db));
}

/* --- opening -------------------------------------------------------------- */

static const struct idvi_driver *driver_of(const char *url)
{
    if (strncmp(url, "postgresql://", 13) == 0 ||
        strncmp(url, "postgres://", 11) == 0)
        return idvi_postgresql_driver;
    return &idvi_sqlite_driver;
}

/* "scheme://user@host/name": neither a password nor options */
static char *path_for_notes(const char *url)
{
    char *out = strdup(url), *from = out ? strstr(out, "://") : NULL;
    if (!from)
        return out;
    from += 3;
    from[strcspn(from, "?")] = 0;
    char *at = strrchr(from, '@');
    char *colon = memchr(from, ':', at ? (size_t)(at - from) : 0);
    if (colon)
        memmove(colon, at, strlen(at) + 1);
    return out;
}

static idv_rc open_form(const char *url, const struct idvi_form *form,
                        struct idv_db **out)
{
    if (strncmp(url, "sqlite:", 7) == 0)
        url += 7;
    if (!*url)
        return idv_fail(IDV_E_ARG, "store: no file named");
    struct idv_db *db = calloc(1, sizeof(*db));
    if (!db)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    db->form = form;
    db->url = strdup(url);
    db->path = path_for_notes(url);
    db->driver = driver_of(url);
    idv_rc rc =
        db->url && db->path ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK && !db->driver)
        rc = idv_fail(IDV_E_ARG,
                      "store: %s: this program was built without PostgreSQL",
                      db->path);
    if (rc == IDV_OK)
        rc = db->driver->open(db);
    if (rc == IDV_OK)
        rc = idvi_schema_open(db);
    if (rc == IDV_OK)
        *out = db;
    else
        idv_db_close(db);
    return rc;
}

idv_rc idv_db_open(const char *url, struct idv_db **out)
{
    return open_form(url, &forms[0], out);
}

idv_rc idv_db_open_factory(const char *url, struct idv_db **out)
{
    return open_form(url, &forms[1], out);
}

idv_rc idv_db_backup(struct idv_db *db, const char *path)
{
    return db->driver->backup(db, path);
}

idv_rc idv_db_restore(struct idv_db *db, struct idv_db *from)
{
    if (from && from->driver != db->driver)
        return idv_fail(IDV_E_ARG, "store: %s: not a copy of such a database",
                        from->path);
    return db->driver->restore(db, from);
}

void idv_db_close(struct idv_db *db)
{
    if (!db)
        return;
    if (db->driver)
        db->driver->close(db);
    free(db->url);
    free(db->path);
    free(db);
}
