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

struct seen {
    bool any;
    uint8_t sha256[32];
    int64_t not_before;
    char subject[256];
};

static idv_rc look(struct idv_db *db, const char *role, struct seen *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT cert_sha256, not_before, subject FROM shown"
                       " WHERE role = $1",
                       "t", role));
    IDV_TRY(idvi_query_next(&q, &out->any));
    return out->any ? idvi_query_get(&q, "hit", out->sha256, &out->not_before,
                                     out->subject, sizeof(out->subject))
                    : IDV_OK;
}

static idv_rc compare(const struct seen *s, const char *role,
                      const uint8_t sha256[32], const X509 *cert)
{
    if (memcmp(s->sha256, sha256, sizeof(s->sha256)) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_STATE,
                    "%s: certificate '%s' is not the one that the machines on "
                    "this database show ('%s', %02x%02x%02x%02x...), nor newer",
                    role, idv_cert_subject(cert), s->subject, s->sha256[0],
                    s->sha256[1], s->sha256[2], s->sha256[3]);
}

idv_rc idv_db_shown(struct idv_db *db, const char *role, const X509 *cert,
                    bool *fresh)
{
    struct seen s = {.any = false};
    uint8_t sha256[32];
    IDV_TRY(idv_cert_sha256(cert, sha256));
    IDV_TRY(put(db, role, sha256, cert, fresh));
    if (*fresh)
        return IDV_OK;
    IDV_TRY(look(db, role, &s));
    return s.any ? compare(&s, role, sha256, cert)
                 : idv_fail(IDV_E_IO, "database: what %s shows is gone", role);
}

idv_rc idv_db_may_show(struct idv_db *db, const char *role, const X509 *cert)
{
    struct seen s = {.any = false};
    uint8_t sha256[32];
    int64_t begins = 0, ends = 0;
    IDV_TRY(idv_cert_sha256(cert, sha256));
    IDV_TRY(idv_cert_times(cert, &begins, &ends));
    IDV_TRY(look(db, role, &s));
    return !s.any || begins > s.not_before ? IDV_OK
                                           : compare(&s, role, sha256, cert);
}
