/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that tests of the store put into it, and count. */
#ifndef TESTS_STORE_H
#define TESTS_STORE_H

#include "idevid/db/db.h"
#include "idevid/db/sql.h"
#include "tests/lib/pki.h"
#include "tests/unit/by.h"

static inline idv_rc add_device(struct idv_db *db, const char *serial,
                                uint8_t keyid)
{
    struct idv_masa_device d = {.keyid = {keyid}, .keyid_n = 20};
    bool fresh = false;
    snprintf(d.serial_number, sizeof(d.serial_number), "%s", serial);
    return idv_db_device_add(db, &d, &fresh);
}

static inline bool count_device(void *arg, const struct idv_masa_device *d)
{
    (void)d;
    ++*(int *)arg;
    return true;
}

static inline int devices(struct idv_db *db, const char *serial)
{
    int n = 0;
    OK(idv_db_device_each(db, serial, count_device, &n));
    return n;
}

static inline struct idv_masa_issue some_issue(int n)
{
    struct idv_masa_issue i = {
        .device_id = 1, .rvr_sha256 = {(uint8_t)n}, .date = 100};
    i.repeat_until = 200;
    i.assertion = IDV_ASSERT_LOGGED;
    strcpy(i.domain_id, "ZG9tYWlu");
    strcpy(i.media, IDV_MEDIA_VOUCHER_CMS);
    pki_must(idv_buf_puts(&i.voucher, "voucher"), "put");
    return i;
}

static inline idv_rc issue(struct idv_db *db, int n, bool *fresh)
{
    struct idv_masa_issue i = some_issue(n);
    struct idv_masa_store s = idv_db_masa_store(db);
    idv_rc rc = s.issue_add(s.self, &i, fresh);
    idv_masa_issue_free(&i);
    return rc;
}

static inline bool count_event(void *arg, int64_t number, const char *serial,
                               const struct idv_audit_event *e)
{
    (void)number;
    ++*(int *)arg;
    return serial[0] && e->date > 0;
}

static inline int events(struct idv_db *db)
{
    int n = 0;
    struct idv_masa_people p = idv_db_masa_people(db);
    OK(p.events(p.self, "", 0, UINT_MAX, count_event, &n));
    return n;
}

#endif
