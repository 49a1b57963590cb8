/* SPDX-License-Identifier: Apache-2.0 */
/* What people do with the MASA's store: devices, registrars, the log. */
#include <stdio.h>

#include "idevid/db/rows.h"

static idv_rc device_there(struct idv_db *db, const struct idv_masa_device *d,
                           bool *there)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT 1 FROM device WHERE serial_number = $1"
                       " AND keyid = $2",
                       "tb", d->serial_number,
                       idv_bytes(d->keyid, d->keyid_n)));
    return idvi_query_next(&q, there);
}

struct adding {
    const struct idv_masa_device *device;
    bool *fresh;
};

/* an absent certificate or maker does not wipe out what is known */
static idv_rc put_device(struct idv_db *db, void *arg)
{
    const struct adding *a = arg;
    const struct idv_masa_device *d = a->device;
    bool there = false;
    IDV_TRY(device_there(db, d, &there));
    *a->fresh = !there;
    return idvi_exec(
        db, NULL,
        "INSERT INTO device (keyid, serial_number, maker, owner, blocked,"
        " reason, cert) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (serial_number, keyid) DO UPDATE SET"
        " maker = CASE excluded.maker WHEN '' THEN device.maker"
        " ELSE excluded.maker END,"
        " owner = CASE excluded.owner WHEN '' THEN device.owner"
        " ELSE excluded.owner END,"
        " cert = CASE length(excluded.cert) WHEN 0 THEN device.cert"
        " ELSE excluded.cert END",
        "btttitb", idv_bytes(d->keyid, d->keyid_n), d->serial_number, d->maker,
        d->owner, (int64_t)d->blocked, d->reason, idv_view(&d->cert));
}

idv_rc idv_db_device_add(struct idv_db *db, const struct idv_masa_device *d,
                         bool *fresh)
{
    if (!d->serial_number[0] || !d->keyid_n || d->keyid_n > IDV_MAX_KEYID)
        return idv_fail(IDV_E_ARG, "device: no serial number or issuer");
    struct adding a = {d, fresh};
    return idvi_within(db, put_device, &a);
}

idv_rc idvi_device_rows(struct idvi_query *q,
                        bool (*each)(void *arg,
                                     const struct idv_masa_device *d),
                        void *arg)
{
    for (bool row = false, more = true; more;) {
        struct idv_masa_device d = {0};
        IDV_TRY(idvi_query_next(q, &row));
        if (!row)
            return IDV_OK;
        idv_rc rc = idvi_device_row(q, &d);
        if (rc == IDV_OK)
            more = each(arg, &d);
        idv_masa_device_free(&d);
        IDV_TRY(rc);
    }
    return IDV_OK;
}

idv_rc idv_db_device_each(struct idv_db *db, const char *serial,
                          bool (*each)(void *arg,
                                       const struct idv_masa_device *d),
                          void *arg)
{
    IDVI_QUERY(q);
    if (serial)
        IDV_TRY(idvi_stream(db, &q,
                            IDVI_DEVICE_SELECT " WHERE d.serial_number = $1"
                                               " ORDER BY d.keyid",
                            "t", serial));
    else
        IDV_TRY(idvi_stream(
            db, &q, IDVI_DEVICE_SELECT " ORDER BY d.serial_number, d.keyid",
            ""));
    return idvi_device_rows(&q, each, arg);
}

/* Which one is meant: IDV_E_STATE when it is none or not clear. */
static idv_rc device_id(struct idv_db *db, struct idv_bytes keyid,
                        const char *serial, int64_t *id)
{
    struct idv_masa_device d = {0};
    bool found = false;
    IDV_TRY(idvi_device_find(db, keyid, serial, &found, &d));
    *id = d.id;
    idv_masa_device_free(&d);
    if (!found)
        return idv_fail(IDV_E_STATE,
                        "device '%s': none, or several issuers have one",
                        serial);
    return IDV_OK;
}

idv_rc idv_db_device_block(struct idv_db *db, struct idv_bytes keyid,
                           const char *serial, bool blocked, const char *reason)
{
    int64_t id = 0;
    IDV_TRY(device_id(db, keyid, serial, &id));
    return idvi_exec(db, NULL,
                     "UPDATE device SET blocked = $1, reason = $2"
                     " WHERE id = $3",
                     "iti", (int64_t)blocked, blocked ? reason : "", id);
}

idv_rc idvi_device_retire(struct idv_db *db, struct idv_bytes keyid,
                          const char *serial, bool retired)
{
    static const char why[] = "retired by its factory";
    const char *sql = retired
                          ? "UPDATE device SET blocked = 1, reason = $1 WHERE"
                            " serial_number = $2 AND keyid = $3 AND blocked = 0"
                          : "UPDATE device SET blocked = 0, reason = '' WHERE"
                            " reason = $1 AND serial_number = $2 AND keyid = $3"
                            " AND blocked = 1";
    return idvi_exec(db, NULL, sql, "ttb", why, serial, keyid);
}

idv_rc idv_db_device_owner(struct idv_db *db, struct idv_bytes keyid,
                           const char *serial, const char *owner)
{
    int64_t id = 0;
    IDV_TRY(device_id(db, keyid, serial, &id));
    return idvi_exec(db, NULL, "UPDATE device SET owner = $1 WHERE id = $2",
                     "ti", owner, id);
}

idv_rc idv_db_registrar_set(struct idv_db *db, const X509 *cert,
                            const struct idv_masa_registrar *r)
{
    uint8_t hash[32];
    IDV_TRY(idv_cert_sha256(cert, hash));
    return idvi_exec(db, NULL,
                     "INSERT INTO known_registrar (cert_sha256, name,"
                     " nonceless, blocked) VALUES ($1, $2, $3, $4)"
                     " ON CONFLICT (cert_sha256) DO UPDATE SET"
                     " name = excluded.name, nonceless = excluded.nonceless,"
                     " blocked = excluded.blocked",
                     "htii", hash, r->name, (int64_t)r->nonceless,
                     (int64_t)r->blocked);
}

idv_rc idvi_registrar_rows(struct idvi_query *q,
                           bool (*each)(void *arg, const uint8_t sha256[32],
                                        const struct idv_masa_registrar *r),
                           void *arg)
{
    for (bool row = false;;) {
        uint8_t hash[32];
        struct idv_masa_registrar r = {0};
        IDV_TRY(idvi_query_next(q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(q, "htff", hash, r.name, sizeof(r.name),
                               &r.nonceless, &r.blocked));
        if (!each(arg, hash, &r))
            return IDV_OK;
    }
}

idv_rc idv_db_registrar_each(struct idv_db *db,
                             bool (*each)(void *arg, const uint8_t sha256[32],
                                          const struct idv_masa_registrar *r),
                             void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT cert_sha256, name, nonceless, blocked"
                       " FROM known_registrar ORDER BY name",
                       ""));
    return idvi_registrar_rows(&q, each, arg);
}

#define EVENT_SELECT                                                           \
    "SELECT d.serial_number, a.date, a.domain_id, a.nonce, a.assertion"        \
    " FROM audit_event a JOIN device d ON d.id = a.device_id"

idv_rc idv_db_log_each(struct idv_db *db, const char *serial,
                       bool (*each)(void *arg, const char *serial,
                                    const struct idv_audit_event *e),
                       void *arg)
{
    IDVI_QUERY(q);
    if (serial)
        IDV_TRY(idvi_stream(db, &q,
                            EVENT_SELECT " WHERE d.serial_number = $1"
                                         " ORDER BY a.id",
                            "t", serial));
    else
        IDV_TRY(idvi_stream(db, &q, EVENT_SELECT " ORDER BY a.id", ""));
    for (bool row = false;;) {
        char name[IDV_MAX_SERIAL + 1];
        struct idv_audit_event e = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(&q, "tittn", name, sizeof(name), &e.date,
                               e.domain_id, sizeof(e.domain_id), e.nonce,
                               sizeof(e.nonce), &e.assertion));
        if (!each(arg, name, &e))
            return IDV_OK;
    }
}
