/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's store as people use it, in pages. */
#include "idevid/db/rows.h"

static idv_rc devices(void *self, const char *serial, struct idv_bytes keyid,
                      unsigned limit,
                      bool (*each)(void *arg, const struct idv_masa_device *d),
                      void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       IDVI_DEVICE_SELECT
                       " WHERE (d.serial_number, d.keyid) > ($1, $2)"
                       " ORDER BY d.serial_number, d.keyid LIMIT $3",
                       "tbi", serial, keyid, (int64_t)limit));
    return idvi_device_rows(&q, each, arg);
}

static idv_rc named(void *self, const char *serial,
                    bool (*each)(void *arg, const struct idv_masa_device *d),
                    void *arg)
{
    return idv_db_device_each(self, serial, each, arg);
}

static idv_rc stand(void *self, struct idv_bytes keyid, const char *serial,
                    enum idv_standing standing, const char *reason,
                    const struct idv_masa_by *by)
{
    return idv_db_device_stand(self, keyid, serial, standing, reason, by);
}

static idv_rc own(void *self, struct idv_bytes keyid, const char *serial,
                  const char *owner, const struct idv_masa_by *by)
{
    return idv_db_device_owner(self, keyid, serial, owner, by);
}

static idv_rc registrar_set(void *self, const X509 *cert,
                            const struct idv_masa_registrar *r)
{
    return idv_db_registrar_set(self, cert, r);
}

static idv_rc registrars(void *self, const uint8_t after[32], unsigned limit,
                         bool (*each)(void *arg, const uint8_t sha256[32],
                                      const struct idv_masa_registrar *r),
                         void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT cert_sha256, name, nonceless, blocked"
                       " FROM known_registrar WHERE cert_sha256 > $1"
                       " ORDER BY cert_sha256 LIMIT $2",
                       "hi", after, (int64_t)limit));
    return idvi_registrar_rows(&q, each, arg);
}

#define EVENT_SELECT                                                           \
    "SELECT a.id, d.serial_number, a.date, a.domain_id, a.nonce, a.assertion"  \
    " FROM audit_event a JOIN device d ON d.id = a.device_id"

static idv_rc event_rows(struct idvi_query *q,
                         bool (*each)(void *arg, int64_t number,
                                      const char *serial,
                                      const struct idv_audit_event *e),
                         void *arg)
{
    for (bool row = false;;) {
        char name[IDV_MAX_SERIAL + 1];
        struct idv_audit_event e = {0};
        int64_t number = 0;
        IDV_TRY(idvi_query_next(q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(q, "itittn", &number, name, sizeof(name),
                               &e.date, e.domain_id, sizeof(e.domain_id),
                               e.nonce, sizeof(e.nonce), &e.assertion));
        if (!each(arg, number, name, &e))
            return IDV_OK;
    }
}

static idv_rc events(void *self, const char *serial, int64_t after,
                     unsigned limit,
                     bool (*each)(void *arg, int64_t number, const char *serial,
                                  const struct idv_audit_event *e),
                     void *arg)
{
    IDVI_QUERY(q);
    if (*serial)
        IDV_TRY(idvi_query(self, &q,
                           EVENT_SELECT
                           " WHERE d.serial_number = $1 AND a.id > $2"
                           " ORDER BY a.id LIMIT $3",
                           "tii", serial, after, (int64_t)limit));
    else
        IDV_TRY(idvi_query(
            self, &q, EVENT_SELECT " WHERE a.id > $1 ORDER BY a.id LIMIT $2",
            "ii", after, (int64_t)limit));
    return event_rows(&q, each, arg);
}

struct idv_masa_people idv_db_masa_people(struct idv_db *db)
{
    struct idv_masa_people p = {
        .self = db,
        .devices = devices,
        .named = named,
        .stand = stand,
        .own = own,
        .changes = idvi_device_changes,
        .imprints = idvi_imprints,
        .origins = idvi_origins,
        .origins_forget = idvi_origins_forget,
        .registrar_set = registrar_set,
        .registrars = registrars,
        .events = events,
    };
    idvi_policy_people(&p);
    return p;
}
