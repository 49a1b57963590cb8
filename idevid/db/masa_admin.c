/* SPDX-License-Identifier: Apache-2.0 */
/* What people do with the MASA's store: devices, registrars, the log. */
#include <stdio.h>

#include "idevid/db/rows.h"

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
