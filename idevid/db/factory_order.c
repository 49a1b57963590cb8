/* SPDX-License-Identifier: Apache-2.0 */
/* Work orders of a line's book: their lines, and who makes which just now. */
#include <string.h>

#include <openssl/evp.h>

#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/db/factory_store.h"

/* --- an order as lines ---------------------------------------------------- */

static idv_rc set_text(struct idv_json *o, const char *name, const char *text)
{
    return text && *text
               ? idv_json_set(o, name, idv_json_new_text(idv_str(text)))
               : IDV_OK;
}

static idv_rc set_macs(struct idv_json *o, char *const *macs)
{
    if (!macs || !*macs)
        return IDV_OK;
    IDV_AUTO_PTR(idv_json) list = idv_json_new_array();
    for (; list && *macs; macs++)
        IDV_TRY(idv_json_append(list, idv_json_new_text(idv_str(*macs))));
    return idv_json_set(o, "macs", idv_steal(&list));
}

static const char *profile_of(const struct idv_order *o)
{
    return o->has_profile ? idv_factory_profile_to_text(o->profile) : NULL;
}

static const char *type_of(const struct idv_order *o)
{
    return o->has_type ? idv_key_type_to_text(o->type) : NULL;
}

/* Replaces what is in *out. Members were set in order: it is canonical. */
static idv_rc put_line(const struct idv_json *o, struct idv_buf *out)
{
    idv_buf_clear(out);
    return idv_json_dump(o, false, out);
}

static idv_rc order_line(const struct idv_order *order, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(set_text(o, "customer", order->customer));
    IDV_TRY(set_text(o, "id", order->id));
    IDV_TRY(set_text(o, "model", order->model));
    IDV_TRY(set_text(o, "profile", profile_of(order)));
    IDV_TRY(set_text(o, "sku", order->sku));
    IDV_TRY(set_text(o, "type", type_of(order)));
    return put_line(o, out);
}

static idv_rc device_line(const struct idv_order *order,
                          const struct idv_order_device *d, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(set_text(o, "customer", order->customer));
    IDV_TRY(set_macs(o, d->macs));
    IDV_TRY(set_text(o, "model", d->model ? d->model : order->model));
    IDV_TRY(set_text(o, "order", order->id));
    IDV_TRY(set_text(o, "owner", d->owner));
    IDV_TRY(set_text(o, "profile", profile_of(order)));
    IDV_TRY(set_text(o, "serial-number", d->serial_number));
    IDV_TRY(set_text(o, "sku", d->sku ? d->sku : order->sku));
    IDV_TRY(set_text(o, "type", type_of(order)));
    return put_line(o, out);
}

static bool hash_line(EVP_MD_CTX *ctx, const struct idv_buf *line)
{
    return EVP_DigestUpdate(ctx, line->p, line->n) == 1 &&
           EVP_DigestUpdate(ctx, "\n", 1) == 1;
}

static idv_rc hash_failed(void)
{
    return idv_fail(IDV_E_CRYPTO, "store: SHA-256 failed");
}

static idv_rc hash_order(const struct idv_order *order, uint8_t out[32])
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    IDV_AUTO(buf) line = {0};
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        return hash_failed();
    IDV_TRY(order_line(order, &line));
    bool ok = hash_line(ctx, &line);
    for (size_t i = 0; ok && i < order->n; i++) {
        IDV_TRY(device_line(order, &order->devices[i], &line));
        ok = hash_line(ctx, &line);
    }
    return ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? IDV_OK
                                                         : hash_failed();
}

/* --- adding --------------------------------------------------------------- */

static idv_rc there(struct idv_db *db, const char *id, bool *found,
                    uint8_t sha256[32])
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q, "SELECT sha256 FROM work_order WHERE id = $1",
                       "t", id));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? idvi_query_get(&q, "h", sha256) : IDV_OK;
}

/* Nobody else has this serial number: no order, no device. */
static idv_rc judge_device(struct idv_db *db, const char *order,
                           const char *serial)
{
    IDVI_QUERY(q);
    bool row = false, listed = false;
    char other[IDV_FACTORY_NAME_MAX + 1];
    IDV_TRY(idvi_query(db, &q,
                       "SELECT order_id, 1 FROM order_device"
                       " WHERE serial_number = $1 UNION ALL"
                       " SELECT order_id, 0 FROM device"
                       " WHERE serial_number = $1",
                       "t", serial));
    IDV_TRY(idvi_query_next(&q, &row));
    if (!row)
        return IDV_OK;
    IDV_TRY(idvi_query_get(&q, "tf", other, sizeof(other), &listed));
    return idv_fail(IDV_E_REJECT,
                    "order '%s': serial number '%s' %s order '%s'", order,
                    serial, listed ? "is in" : "was made in", other);
}

static idv_rc add_devices(struct idv_db *db, const struct idv_order *o)
{
    IDV_AUTO(buf) line = {0};
    for (size_t i = 0; i < o->n; i++) {
        const struct idv_order_device *d = &o->devices[i];
        IDV_TRY(judge_device(db, o->id, d->serial_number));
        IDV_TRY(device_line(o, d, &line));
        IDV_TRY(idvi_exec(db, NULL,
                          "INSERT INTO order_device (serial_number, order_id,"
                          " position, body)"
                          " VALUES ($1, $2, $3, CAST($4 AS TEXT))",
                          "ttib", d->serial_number, o->id, (int64_t)i,
                          idv_view(&line)));
    }
    return IDV_OK;
}

static idv_rc note_order(struct idv_db *db, const struct idv_order *o,
                         const uint8_t sha256[32], int64_t now)
{
    IDV_AUTO(buf) hex = {0}, line = {0};
    IDV_AUTO_PTR(idv_json) body = idv_json_new_object();
    if (!body)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_hex_from_bytes(idv_bytes(sha256, 32), &hex));
    IDV_TRY(idv_json_set(body, "devices", idv_json_new_int((int64_t)o->n)));
    IDV_TRY(set_text(body, "order", o->id));
    IDV_TRY(idv_json_set(body, "sha256", idv_json_new_text(idv_view(&hex))));
    IDV_TRY(put_line(body, &line));
    return idvi_entry_add(db, "order", "", idv_view(&line), now, NULL);
}

static idv_rc add_new(struct idv_db *db, const struct idv_order *o,
                      const uint8_t sha256[32], int64_t now)
{
    IDV_AUTO(buf) line = {0};
    IDV_TRY(order_line(o, &line));
    IDV_TRY(idvi_exec(db, NULL,
                      "INSERT INTO work_order (id, devices, sha256, body)"
                      " VALUES ($1, $2, $3, CAST($4 AS TEXT))",
                      "tihb", o->id, (int64_t)o->n, sha256, idv_view(&line)));
    IDV_TRY(add_devices(db, o));
    return note_order(db, o, sha256, now);
}

static idv_rc add(struct idv_db *db, const struct idv_order *o,
                  const uint8_t sha256[32], int64_t now)
{
    bool found = false;
    uint8_t has[32];
    IDV_TRY(there(db, o->id, &found, has));
    if (!found)
        return add_new(db, o, sha256, now);
    if (memcmp(has, sha256, 32) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "order '%s' is there already, with other contents", o->id);
}

idv_rc idvi_factory_order_add(void *self, const struct idv_order *o,
                              int64_t now)
{
    uint8_t sha256[32];
    IDV_TRY(hash_order(o, sha256));
    IDV_TRY(idvi_begin(self));
    return idvi_end(self, add(self, o, sha256, now));
}

/* --- reading -------------------------------------------------------------- */

static idv_rc device_body(struct idv_db *db, const char *order,
                          const char *serial, bool *found, struct idv_buf *out)
{
    IDVI_QUERY(q);
    char in[IDV_FACTORY_NAME_MAX + 1];
    IDV_TRY(idvi_query(
        db, &q,
        "SELECT order_id, body FROM order_device WHERE serial_number = $1", "t",
        serial));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    IDV_TRY(idvi_query_get(&q, "t", in, sizeof(in)));
    *found = !order || strcmp(order, in) == 0;
    return *found ? idvi_query_get(&q, "tb", in, sizeof(in), out) : IDV_OK;
}

idv_rc idvi_factory_order_device(void *self, const char *order,
                                 const char *serial, bool *order_found,
                                 bool *found, struct idv_buf *device_json)
{
    uint8_t sha256[32];
    *order_found = *found = false;
    if (order)
        IDV_TRY(there(self, order, order_found, sha256));
    if (order && !*order_found)
        return IDV_OK;
    IDV_TRY(device_body(self, order, serial, found, device_json));
    *order_found = *order_found || *found;
    return IDV_OK;
}

static idv_rc hash_rows(struct idv_db *db, const char *id, EVP_MD_CTX *ctx,
                        uint64_t *n)
{
    IDVI_QUERY(q);
    IDV_AUTO(buf) line = {0};
    bool row = false;
    IDV_TRY(idvi_query(db, &q,
                       "SELECT body FROM order_device WHERE order_id = $1"
                       " ORDER BY position",
                       "t", id));
    for (*n = 0;; ++*n) {
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(&q, "b", &line));
        if (!hash_line(ctx, &line))
            return hash_failed();
    }
}

static idv_rc hash_stored(struct idv_db *db, const char *id,
                          const struct idv_buf *head, uint64_t *n,
                          uint8_t out[32])
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
        !hash_line(ctx, head))
        return hash_failed();
    IDV_TRY(hash_rows(db, id, ctx, n));
    return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? IDV_OK : hash_failed();
}

idv_rc idvi_factory_each_order(void *self,
                               bool (*each)(void *arg, const char *order,
                                            uint64_t n,
                                            const uint8_t sha256[32]),
                               void *arg)
{
    IDVI_QUERY(q);
    IDV_AUTO(buf) head = {0};
    char id[IDV_FACTORY_NAME_MAX + 1];
    uint8_t sha256[32];
    uint64_t n = 0;
    bool row = false;
    IDV_TRY(idvi_query(self, &q, "SELECT id, body FROM work_order ORDER BY id",
                       ""));
    do {
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(&q, "tb", id, sizeof(id), &head));
        IDV_TRY(hash_stored(self, id, &head, &n, sha256));
    } while (each(arg, id, n, sha256));
    return IDV_OK;
}

/* --- the next one --------------------------------------------------------- */

static idv_rc first_of(struct idvi_query *q, char serial[IDV_MAX_SERIAL + 1])
{
    bool row = false;
    *serial = 0;
    IDV_TRY(idvi_query_next(q, &row));
    return row ? idvi_query_get(q, "t", serial, (size_t)IDV_MAX_SERIAL + 1)
               : IDV_OK;
}

static idv_rc own(struct idv_db *db, const char *order, const char *holder,
                  int64_t now, char serial[IDV_MAX_SERIAL + 1])
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT serial_number FROM order_device"
                       " INDEXED BY order_device_holder"
                       " WHERE order_id = $1 AND holder = $2 AND holder <> ''"
                       " AND made = 0 AND held_until > $3 LIMIT 1",
                       "tti", order, holder, now));
    return first_of(&q, serial);
}

static idv_rc unheld(struct idv_db *db, const char *order, int64_t now,
                     char serial[IDV_MAX_SERIAL + 1])
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT serial_number FROM order_device"
                       " WHERE order_id = $1 AND made = 0 AND held_until <= $2"
                       " ORDER BY position LIMIT 1",
                       "ti", order, now));
    return first_of(&q, serial);
}

static idv_rc take_next(struct idv_db *db, const char *order,
                        const char *holder, int64_t now, int64_t until,
                        char serial[IDV_MAX_SERIAL + 1])
{
    bool found = false;
    uint8_t sha256[32];
    IDV_TRY(there(db, order, &found, sha256));
    if (!found)
        return idv_fail(IDV_E_STATE, "store: there is no order '%s'", order);
    IDV_TRY(own(db, order, holder, now, serial));
    if (!*serial)
        IDV_TRY(unheld(db, order, now, serial));
    if (!*serial)
        return IDV_OK;
    return idvi_exec(db, NULL,
                     "UPDATE order_device SET holder = $1, held_until = $2"
                     " WHERE serial_number = $3",
                     "tit", holder, until, serial);
}

idv_rc idvi_factory_order_next(void *self, const char *order,
                               const char *holder, int64_t now, int64_t until,
                               char serial[IDV_MAX_SERIAL + 1])
{
    char next[IDV_MAX_SERIAL + 1] = "";
    if (!holder || !*holder)
        return idv_fail(IDV_E_ARG, "store: no holder named");
    IDV_TRY(idvi_begin(self));
    IDV_TRY(idvi_end(self, take_next(self, order, holder, now, until, next)));
    memcpy(serial, next, sizeof(next));
    return IDV_OK;
}
