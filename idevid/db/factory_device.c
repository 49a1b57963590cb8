/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of a line's book: rows, and the documents that they name. */
#include <string.h>

#include <openssl/evp.h>

#include <idevid/text.h>

#include "idevid/db/factory_store.h"

#define DOCUMENTS 5
#define DEVICE_SELECT                                                          \
    "SELECT serial_number, order_id, model, profile, state, ek, key, issue,"   \
    " station, operator, created, changed, cert, iak_cert, request, reply,"    \
    " escrow FROM device"

/* --- documents ------------------------------------------------------------ */

static idv_rc document(struct idv_db *db, const char *serial,
                       struct idv_bytes hash, struct idv_buf *out)
{
    IDVI_QUERY(q);
    bool row = false;
    uint8_t is[32];
    idv_buf_clear(out);
    if (hash.n == 0)
        return IDV_OK;
    IDV_TRY(idvi_query(db, &q, "SELECT data FROM document WHERE sha256 = $1",
                       "b", hash));
    IDV_TRY(idvi_query_next(&q, &row));
    if (!row)
        return idv_fail(IDV_E_FORMAT,
                        "store: device '%s': a document is missing", serial);
    IDV_TRY(idvi_query_get(&q, "b", out));
    if (EVP_Digest(out->p, out->n, is, NULL, EVP_sha256(), NULL) != 1 ||
        !idv_bytes_eq(hash, idv_bytes(is, sizeof(is))))
        return idv_fail(IDV_E_FORMAT,
                        "store: device '%s': a document is not what it was",
                        serial);
    return IDV_OK;
}

static idv_rc documents(struct idv_db *db, const struct idv_buf hash[DOCUMENTS],
                        struct idv_factory_device *d)
{
    struct idv_buf *const to[DOCUMENTS] = {&d->cert, &d->iak_cert, &d->request,
                                           &d->reply, &d->escrow};
    for (int i = 0; i < DOCUMENTS; i++)
        IDV_TRY(document(db, d->serial_number, idv_view(&hash[i]), to[i]));
    return IDV_OK;
}

/* --- rows ----------------------------------------------------------------- */

static idv_rc in_bounds(const struct idv_factory_device *d)
{
    if ((unsigned)d->profile > IDV_PROFILE_PLAIN ||
        (unsigned)d->state > IDV_DEVICE_RELEASED)
        return idv_fail(IDV_E_FORMAT,
                        "store: device '%s': profile %d, state %d",
                        d->serial_number, (int)d->profile, (int)d->state);
    return IDV_OK;
}

static idv_rc get_row(struct idvi_query *q, struct idv_factory_device *d,
                      struct idv_buf hash[DOCUMENTS])
{
    int64_t issue = 0;
    IDV_TRY(idvi_query_get(
        q, "tttnnhhittiibbbbb", d->serial_number, sizeof(d->serial_number),
        d->order, sizeof(d->order), d->model, sizeof(d->model), &d->profile,
        &d->state, d->ek, d->key, &issue, d->station, sizeof(d->station),
        d->operator_, sizeof(d->operator_), &d->created, &d->changed, &hash[0],
        &hash[1], &hash[2], &hash[3], &hash[4]));
    d->issue = (unsigned)issue;
    return in_bounds(d);
}

static idv_rc read_row(struct idvi_query *q, struct idv_factory_device *d,
                       bool whole)
{
    struct idv_buf hash[DOCUMENTS] = {0};
    idv_rc rc = get_row(q, d, hash);
    if (rc == IDV_OK && whole)
        rc = documents(q->db, hash, d);
    for (int i = 0; i < DOCUMENTS; i++)
        idv_buf_free(&hash[i]);
    return rc;
}

static idv_rc find_row(struct idv_db *db, const char *serial, bool whole,
                       bool *found, struct idv_factory_device *out)
{
    IDVI_QUERY(q);
    struct idv_factory_device d = {0};
    bool row = false;
    IDV_TRY(idvi_query(db, &q, DEVICE_SELECT " WHERE serial_number = $1", "t",
                       serial));
    IDV_TRY(idvi_query_next(&q, &row));
    *found = row;
    if (!row)
        return IDV_OK;
    idv_rc rc = read_row(&q, &d, whole);
    if (rc == IDV_OK)
        *out = d;
    else
        idv_factory_device_free(&d);
    return rc;
}

idv_rc idvi_factory_row(struct idv_db *db, const char *serial, bool *found,
                        struct idv_factory_device *out)
{
    return find_row(db, serial, false, found, out);
}

idv_rc idvi_claim_owner(struct idv_db *db, enum idvi_claim kind,
                        const uint8_t hash[32], bool *found,
                        char serial[IDV_MAX_SERIAL + 1])
{
    IDVI_QUERY(q);
    *found = false;
    if (!idvi_hash_there(hash))
        return IDV_OK;
    IDV_TRY(idvi_query(db, &q,
                       "SELECT serial_number FROM claim WHERE kind = $1"
                       " AND sha256 = $2",
                       "ih", (int64_t)kind, hash));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? idvi_query_get(&q, "t", serial, (size_t)IDV_MAX_SERIAL + 1)
                  : IDV_OK;
}

static idv_rc serial_of(struct idv_db *db, enum idv_factory_by by,
                        struct idv_bytes what, bool *found,
                        char serial[IDV_MAX_SERIAL + 1])
{
    if (by != IDV_BY_SERIAL && what.n != 32)
        return idv_fail(IDV_E_ARG, "store: a hash is not 32 bytes");
    *found = true;
    switch (by) {
    case IDV_BY_EK:
        return idvi_claim_owner(db, IDVI_CLAIM_EK, what.p, found, serial);
    case IDV_BY_KEY:
        return idvi_claim_owner(db, IDVI_CLAIM_KEY, what.p, found, serial);
    default:
        return idv_text_copy(serial, IDV_MAX_SERIAL + 1, what,
                             "store: serial number");
    }
}

static idv_rc find_by(struct idv_db *db, enum idv_factory_by by,
                      struct idv_bytes what, bool *found,
                      struct idv_factory_device *out)
{
    char serial[IDV_MAX_SERIAL + 1];
    IDV_TRY(serial_of(db, by, what, found, serial));
    return *found ? find_row(db, serial, true, found, out) : IDV_OK;
}

idv_rc idvi_factory_find(void *self, enum idv_factory_by by,
                         struct idv_bytes what, bool *found,
                         struct idv_factory_device *out)
{
    *found = false;
    return find_by(self, by, what, found, out);
}

/* --- all ------------------------------------------------------------------ */

static idv_rc start_all(struct idv_db *db, struct idvi_query *q,
                        const char *order)
{
    if (!order)
        return idvi_query(db, q, DEVICE_SELECT " ORDER BY serial_number", "");
    return idvi_query(
        db, q, DEVICE_SELECT " WHERE order_id = $1 ORDER BY serial_number", "t",
        order);
}

static idv_rc next_device(struct idvi_query *q, bool *row,
                          struct idv_factory_device *d)
{
    IDV_TRY(idvi_query_next(q, row));
    return *row ? read_row(q, d, true) : IDV_OK;
}

idv_rc idvi_factory_each_device(void *self, const char *order,
                                bool (*each)(void *arg,
                                             const struct idv_factory_device *),
                                void *arg)
{
    IDVI_QUERY(q);
    struct idv_factory_device d = {0};
    bool go = true;
    idv_rc rc = start_all(self, &q, order);
    while (rc == IDV_OK && go) {
        rc = next_device(&q, &go, &d);
        if (rc == IDV_OK && go)
            go = each(arg, &d);
    }
    idv_factory_device_free(&d);
    return rc;
}
