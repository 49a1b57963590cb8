/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate that all machines of a service show. */
#include <string.h>

#include "idevid/db/rows.h"

/* a newer one takes the place of the one before */
static idv_rc put(struct idv_db *db, const char *role, const uint8_t sha256[32],
                  const X509 *cert, bool *fresh)
{
    int64_t begins = 0, ends = 0;
    unsigned changed = 0;
    IDV_TRY(idv_cert_times(cert, &begins, &ends));
    IDV_TRY(idvi_exec(db, &changed,
                      "INSERT INTO shown (role, cert_sha256, not_before,"
                      " subject) VALUES ($1, $2, $3, $4)"
                      " ON CONFLICT (role) DO UPDATE SET"
                      " cert_sha256 = excluded.cert_sha256,"
                      " not_before = excluded.not_before,"
                      " subject = excluded.subject"
                      " WHERE excluded.not_before > shown.not_before",
                      "thit", role, sha256, begins, idv_cert_subject(cert)));
    *fresh = changed > 0;
    return IDV_OK;
}

static idv_rc compare(struct idv_db *db, const char *role,
                      const uint8_t sha256[32], const X509 *cert)
{
    IDVI_QUERY(q);
    uint8_t shown[32];
    char subject[256];
    bool row = false;
    IDV_TRY(idvi_query(db, &q,
                       "SELECT cert_sha256, subject FROM shown WHERE role = $1",
                       "t", role));
    IDV_TRY(idvi_query_next(&q, &row));
    if (!row)
        return idv_fail(IDV_E_IO, "database: what %s shows is gone", role);
    IDV_TRY(idvi_query_get(&q, "ht", shown, subject, sizeof(subject)));
    if (memcmp(shown, sha256, sizeof(shown)) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_STATE,
                    "%s: certificate '%s' is not the one that the machines on "
                    "this database show ('%s', %02x%02x%02x%02x...), nor newer",
                    role, idv_cert_subject(cert), subject, shown[0], shown[1],
                    shown[2], shown[3]);
}

idv_rc idv_db_shown(struct idv_db *db, const char *role, const X509 *cert,
                    bool *fresh)
{
    uint8_t sha256[32];
    IDV_TRY(idv_cert_sha256(cert, sha256));
    IDV_TRY(put(db, role, sha256, cert, fresh));
    return *fresh ? IDV_OK : compare(db, role, sha256, cert);
}
