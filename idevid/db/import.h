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

/* --- import_line.c: a line into n texts, absent ones empty ---------------- */

#define IDVI_FIELDS 8
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
/* Its factory retired it, unless it is blocked already; or took it back, which
 * lifts that block and no other. */
idv_rc idvi_device_retire(struct idv_db *db, struct idv_bytes keyid,
                          const char *serial, bool retired,
                          const struct idv_masa_by *by) IDV_CHECKED;

#endif
