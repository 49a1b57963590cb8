/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa restore: a copy into the place of the database, unless entries of
 * the log would be gone. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <idevid/auto.h>

#include "masa.h"

/* --- nobody uses it ------------------------------------------------------- */

static bool alone;

static idv_rc nobody(struct tool *t, const char *path, struct idv_bytes in,
                     struct idv_msg *reply)
{
    (void)t;
    (void)path;
    (void)in;
    alone = true;
    return idv_msg_reply(reply, 200, "application/json", idv_str("{}"));
}

static idv_rc hear(struct tool *t, const struct idv_json *answer)
{
    (void)t;
    (void)answer;
    return IDV_OK;
}

/* (a service that answers with a refusal is one) */
static idv_rc check_alone(struct tool *t)
{
    const struct service_ask a = {.tool = t,
                                  .conf = &masa_conf.service,
                                  .path = "/status",
                                  .direct = nobody,
                                  .page = hear};
    IDV_TRY(service_ask(&a, idv_json_new_object()));
    return alone ? IDV_OK
                 : idv_fail(IDV_E_STATE, "restore: the service runs: it has to "
                                         "be stopped before");
}

/* --- nothing is lost ------------------------------------------------------ */

/* all that is in the log there is in that of the copy */
static idv_rc check_whole(const struct idv_masa_store *there,
                          const struct idv_masa_store *copy, const char *path)
{
    uint64_t size = 0, has = 0;
    struct idv_hash mine, its;
    IDV_TRY(there->tree_size(there->self, &size));
    IDV_TRY(copy->tree_size(copy->self, &has));
    if (has < size)
        return idv_fail(IDV_E_REJECT,
                        "restore: %s has %llu entries of the log, %llu are "
                        "there (--older: all the same)",
                        path, (unsigned long long)has,
                        (unsigned long long)size);
    IDV_TRY(idv_masa_root(there, size, &mine));
    IDV_TRY(idv_masa_root(copy, size, &its));
    if (!idv_hash_eq(&mine, &its))
        return idv_fail(IDV_E_REJECT,
                        "restore: %s has another log than is there (--older: "
                        "all the same)",
                        path);
    return IDV_OK;
}

/* --- the command ---------------------------------------------------------- */

/* (what is opened is made, where it is not there) */
static idv_rc check_file(const char *path)
{
    const char *database = masa_maker()->service.database;
    struct stat st, its;
    if (stat(path, &st) != 0)
        return idv_fail(IDV_E_IO, "restore: %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return idv_fail(IDV_E_ARG, "restore: %s: not a file", path);
    if (stat(database, &its) == 0 && st.st_dev == its.st_dev &&
        st.st_ino == its.st_ino)
        return idv_fail(IDV_E_ARG, "restore: %s: the database itself", path);
    return IDV_OK;
}

idv_rc masa_restore(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *copy = NULL;
    AUTO_DB struct idv_db *db = NULL;
    uint64_t n = 0;
    (void)argc;
    IDV_TRY(check_file(argv[0]));
    IDV_TRY(check_alone(t));
    IDV_TRY(idv_db_open(argv[0], &copy));
    IDV_TRY(idv_db_open(masa_maker()->service.database, &db));
    const struct idv_masa_store there = idv_db_masa_store(db),
                                its = idv_db_masa_store(copy);
    IDV_TRY(idv_db_restore(db, NULL));
    if (!masa_opt.older)
        IDV_TRY(check_whole(&there, &its, argv[0]));
    IDV_TRY(idv_db_restore(db, copy));
    IDV_TRY(there.tree_size(there.self, &n));
    tool_say(t, "%s: %llu entries", masa_maker()->service.database,
             (unsigned long long)n);
    return IDV_OK;
}
