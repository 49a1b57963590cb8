/* SPDX-License-Identifier: Apache-2.0 */
/* The handle behind struct idv_db, and what a database program does for it. */
#ifndef IDEVID_DB_DRIVER_H
#define IDEVID_DB_DRIVER_H

#include "idevid/db/db.h"
#include "idevid/db/sql.h"

#define IDVI_PARAMS 24 /* of a statement, at most */

/* A value that is bound: type as idvi_query tells it. */
struct idvi_param {
    char type;
    int64_t i;
    struct idv_bytes b;
};

/* A column of a row: a number, or bytes that are valid until the next one. */
struct idvi_value {
    bool is_int;
    int64_t i;
    struct idv_bytes b;
};

/* What is in a database before anything is done to it. */
struct idvi_found {
    bool tables; /* any, of whomever */
    bool listed; /* schema_version is among them */
    int id;      /* of the form, where the file itself tells; 0 */
    int reader;  /* the same; 0 */
};

enum idvi_dialect { IDVI_SQLITE, IDVI_POSTGRESQL, IDVI_DIALECTS };

enum idvi_isolation {
    IDVI_READ,         /* one view, nothing is written */
    IDVI_SERIALIZABLE, /* may end in a conflict: then it is done again */
    IDVI_ALONE,        /* no other writer of this kind meanwhile */
};

/*
 * One database program. Failures are noted and have the classes of db.h. All
 * of it is called by sql.c and schema.c only.
 */
struct idvi_driver {
    enum idvi_dialect dialect;
    /* db->url to db->native; changes nothing that is there */
    idv_rc (*open)(struct idv_db *db);
    /* it was found to be ours: what is to be set up in it; may be NULL */
    idv_rc (*ours)(struct idv_db *db);
    void (*close)(struct idv_db *db); /* also after a failed open */
    idv_rc (*look)(struct idv_db *db, struct idvi_found *out);
    /* keeps id and reader where the file itself tells them */
    idv_rc (*mark)(struct idv_db *db, int id, int reader);
    /* several statements without parameters */
    idv_rc (*script)(struct idv_db *db, const char *sql);

    /* sets q->native; sql lives as long as the program */
    idv_rc (*start)(struct idvi_query *q, const char *sql,
                    const struct idvi_param *p, size_t n);
    idv_rc (*next)(struct idvi_query *q, bool *row);
    idv_rc (*column)(struct idvi_query *q, int i, struct idvi_value *out);
    unsigned (*changed)(struct idvi_query *q);
    void (*end)(struct idvi_query *q); /* q->native is not NULL */

    idv_rc (*begin)(struct idv_db *db, enum idvi_isolation how);
    idv_rc (*commit)(struct idv_db *db); /* rolled back when it fails */
    void (*rollback)(struct idv_db *db);
    /* One call's part of a transaction of many: it begins, and ends. NULL: such
     * are not for this driver. */
    idv_rc (*part)(struct idv_db *db);
    idv_rc (*part_end)(struct idv_db *db, idv_rc rc);
    /* the last failure was another writer's doing; again is worth it */
    bool (*conflict)(const struct idv_db *db);

    /* whether a commit waits for the disk */
    idv_rc (*wait)(struct idv_db *db, bool on);
    /* IDV_E_ARG: how else it is done */
    idv_rc (*backup)(struct idv_db *db, const char *path);
    /* both of this driver, or from NULL; IDV_E_ARG: how else it is done */
    idv_rc (*restore)(struct idv_db *db, struct idv_db *from);
    /* All that was committed before, here and elsewhere, is on the disk.
     * written: something of this handle's must be. */
    idv_rc (*sync)(struct idv_db *db, bool written);
    /* Very many rows come (begins), or came: memory for pages of indexes, and
     * what was written is put in its place less often. NULL: it makes no
     * difference. */
    idv_rc (*bulk)(struct idv_db *db, bool begins);
};

struct idv_db {
    const struct idvi_driver *driver;
    char *url;  /* as given, without "sqlite:" */
    char *path; /* the same for notes: no password */
    const struct idvi_form *form;
    void *native;
    bool batching; /* durable with idv_db_commit only */
    bool written;  /* since then: something that must last */
    bool relied;   /* since then: on what may be another's, not yet durable */
    bool within;   /* a transaction is open */
    bool gathered; /* and it is of many calls; idv_db_commit ends it */
    bool part;     /* one of them has begun its part */
};

extern const struct idvi_driver idvi_sqlite_driver;
/* NULL where this program was built without it. */
extern const struct idvi_driver *const idvi_postgresql_driver;

/* Brings the schema of an opened database up to date. */
idv_rc idvi_schema_open(struct idv_db *db) IDV_CHECKED;

#endif
