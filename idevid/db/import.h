/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a file that become rows: of devices made, and of devices sold. */
#ifndef IDEVID_DB_IMPORT_H
#define IDEVID_DB_IMPORT_H

#include <idevid/auto.h>

#include "idevid/db/db.h"
#include "idevid/db/sql.h"

enum idvi_word { IDVI_SILENT, IDVI_RETIRED, IDVI_TAKEN_BACK };

struct idvi_line {
    struct idv_masa_device device; /* what the line says of it */
    enum idvi_word word;           /* of its factory */
    int64_t sold;                  /* when, of a sale; IDV_TIME_ABSENT */
};

/* One kind of line. */
struct idvi_import {
    /* Appends nothing to *out when it fails. */
    idv_rc (*read)(struct idv_bytes text, struct idvi_line *out);
    /* Within a transaction. *fresh: it was not so before. */
    idv_rc (*put)(struct idv_db *db, const struct idvi_line *line,
                  const struct idv_masa_by *by, bool *fresh);
};
extern const struct idvi_import idvi_import_devices, idvi_import_sales;

/* --- import_ahead.c: lines are read while those before them are stored -----
 */

#define IDVI_LINES 2000

struct idvi_lines {
    struct idvi_line *line;
    uint64_t *number; /* of each, in the file */
    size_t n;         /* at most IDVI_LINES */
};

struct idvi_ahead;
/* Calls from->next in a thread of its own, one call at a time. kind and from
 * are borrowed. *out is the caller's also when it fails. */
idv_rc idvi_ahead_new(const struct idvi_import *kind,
                      const struct idv_db_import *from,
                      struct idvi_ahead **out) IDV_CHECKED;
/* The next ones, good until the next call; n is 0 when there are none. A line
 * that cannot be read is an error (IDV_E_FORMAT, named by its number) when
 * those before it have been given; what from->next says comes at once. */
idv_rc idvi_ahead_next(struct idvi_ahead *a,
                       const struct idvi_lines **out) IDV_CHECKED;
void idvi_ahead_free(struct idvi_ahead *a);

/* --- import_line.c: a line into n texts, absent ones empty ---------------- */

#define IDVI_FIELDS 9
struct idvi_fields {
    const char *const *names; /* of n, in the order of CSV */
    size_t n;
    struct idv_buf text[IDVI_FIELDS];
    enum idvi_word word; /* "retired" of a JSON object */
};
/* IDV_E_FORMAT: neither a JSON object of texts nor CSV of at most n fields, or
 * one of the first `needed` is empty. what: "device". */
idv_rc idvi_fields_read(struct idvi_fields *f, struct idv_bytes line,
                        const char *what, size_t needed) IDV_CHECKED;
void idvi_fields_free(struct idvi_fields *f);
#define IDVI_FIELDS_AUTO __attribute__((cleanup(idvi_fields_free)))

/* base64 of an AuthorityKeyIdentifier */
idv_rc idvi_keyid_from(struct idv_bytes text,
                       struct idv_masa_device *d) IDV_CHECKED;

/* --- device_change.c: within a transaction -------------------------------- */

/* The row that is meant: IDV_E_STATE when it is none or not clear. */
idv_rc idvi_device_meant(struct idv_db *db, struct idv_bytes keyid,
                         const char *serial,
                         struct idv_masa_device *out) IDV_CHECKED;
/* It is that domain's from now on ("": nobody knows whose), which ends that it
 * was transferred; noted. customer "": as before. */
idv_rc idvi_device_sold(struct idv_db *db, const struct idv_masa_device *d,
                        const char *owner, const char *customer,
                        const struct idv_masa_by *by) IDV_CHECKED;
/* What is noted of it, by whom. */
idv_rc idvi_device_note(struct idv_db *db, int64_t id, const char *what,
                        const char *detail,
                        const struct idv_masa_by *by) IDV_CHECKED;
/* It stands so: noted, of one that is there. */
idv_rc idvi_device_note_standing(struct idv_db *db,
                                 const struct idv_masa_device *d,
                                 const struct idv_masa_by *by) IDV_CHECKED;
/* Its factory retired it, unless it is blocked already; or took it back, which
 * lifts that block and no other. */
idv_rc idvi_device_retire(struct idv_db *db, struct idv_bytes keyid,
                          const char *serial, bool retired,
                          const struct idv_masa_by *by) IDV_CHECKED;

#endif
