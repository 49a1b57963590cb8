/* SPDX-License-Identifier: Apache-2.0 */
/* A device's row written with its entry: whose it is, in which state, once. */
#include <string.h>

#include <openssl/evp.h>

#include <idevid/text.h>

#include "idevid/db/factory_store.h"

/* --- whose it is ---------------------------------------------------------- */

static idv_rc duplicate(struct idv_db *db, const struct idv_factory_device *d,
                        const char *what, const char *owner)
{
    struct idv_factory_device o = {0};
    bool found = false;
    IDV_TRY(idvi_factory_row(db, owner, &found, &o));
    return idv_fail(IDV_E_REJECT,
                    "store: %s of device '%s' (order '%s') is that of device "
                    "'%s' (order '%s', %s)",
                    what, d->serial_number, d->order, owner, o.order,
                    idv_factory_state_to_text(o.state));
}

static idv_rc judge_claim(struct idv_db *db, enum idvi_claim kind,
                          const uint8_t hash[32],
                          const struct idv_factory_device *d)
{
    char owner[IDV_MAX_SERIAL + 1];
    bool found = false;
    IDV_TRY(idvi_claim_owner(db, kind, hash, &found, owner));
    if (!found || strcmp(owner, d->serial_number) == 0)
        return IDV_OK;
    return duplicate(db, d, kind == IDVI_CLAIM_EK ? "the EK" : "the key",
                     owner);
}

static void hex_start(const uint8_t hash[32], char out[static 17])
{
    for (int i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* The serial number is there: of this EK? */
static idv_rc judge_serial(const struct idv_factory_device *row,
                           const struct idv_factory_device *d)
{
    char was[17], is[17];
    if (!idvi_hash_there(row->ek) || memcmp(row->ek, d->ek, 32) == 0 ||
        d->state == IDV_DEVICE_RELEASED)
        return IDV_OK;
    hex_start(row->ek, was);
    hex_start(d->ek, is);
    return idv_fail(IDV_E_REJECT,
                    "store: serial number '%s' (order '%s') is that of the "
                    "device with EK %s... (order '%s', %s), not of the one "
                    "with EK %s...",
                    d->serial_number, d->order, was, row->order,
                    idv_factory_state_to_text(row->state), is);
}

/* The serial number may be waiting in an order: in this one? */
static idv_rc judge_order(struct idv_db *db, const struct idv_factory_device *d)
{
    IDVI_QUERY(q);
    bool row = false;
    char order[IDV_FACTORY_NAME_MAX + 1];
    IDV_TRY(idvi_query(
        db, &q, "SELECT order_id FROM order_device WHERE serial_number = $1",
        "t", d->serial_number));
    IDV_TRY(idvi_query_next(&q, &row));
    if (!row)
        return IDV_OK;
    IDV_TRY(idvi_query_get(&q, "t", order, sizeof(order)));
    if (strcmp(order, d->order) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "store: serial number '%s' is in order '%s', not in '%s'",
                    d->serial_number, order, d->order);
}

static idv_rc judge_state(const struct idv_factory_device *row,
                          const struct idv_factory_device *d,
                          enum idv_factory_state from)
{
    if (row->state == from ||
        (row->state == IDV_DEVICE_RELEASED && from == IDV_DEVICE_NONE))
        return IDV_OK;
    return idv_fail(IDV_E_STATE, "store: device '%s' is in state %s, not %s",
                    d->serial_number, idv_factory_state_to_text(row->state),
                    idv_factory_state_to_text(from));
}

static idv_rc judge(struct idv_db *db, const struct idv_factory_device *d,
                    enum idv_factory_state from, enum idv_factory_why *why)
{
    struct idv_factory_device row = {.state = IDV_DEVICE_NONE};
    bool found = false;
    IDV_TRY(idvi_factory_row(db, d->serial_number, &found, &row));
    *why = IDV_WHY_DUPLICATE; /* unless what follows finds none */
    IDV_TRY(judge_claim(db, IDVI_CLAIM_EK, d->ek, d));
    IDV_TRY(judge_claim(db, IDVI_CLAIM_KEY, d->key, d));
    IDV_TRY(judge_serial(&row, d));
    *why = IDV_WHY_ORDER;
    IDV_TRY(judge_order(db, d));
    *why = IDV_WHY_NONE;
    return judge_state(&row, d, from);
}

/* --- writing -------------------------------------------------------------- */

/* hash: 32 bytes, or none for an empty document. */
static idv_rc put_document(struct idv_db *db, const struct idv_buf *data,
                           uint8_t space[static 32], struct idv_bytes *hash)
{
    *hash = idv_bytes(NULL, 0);
    if (data->n == 0)
        return IDV_OK;
    IDV_TRY(idv_sha256(idv_bytes(data->p, data->n), space));
    *hash = idv_bytes(space, 32);
    return idvi_exec(db, NULL,
                     "INSERT INTO document (sha256, data) SELECT $1, $2"
                     " WHERE NOT EXISTS"
                     " (SELECT 1 FROM document WHERE sha256 = $1)",
                     "bb", *hash, idv_view(data));
}

static idv_rc put_row(struct idv_db *db, const struct idv_factory_device *d)
{
    const struct idv_buf *from[5] = {&d->cert, &d->iak_cert, &d->request,
                                     &d->reply, &d->escrow};
    uint8_t space[5][32];
    struct idv_bytes h[5];
    for (int i = 0; i < 5; i++)
        IDV_TRY(put_document(db, from[i], space[i], &h[i]));
    return idvi_exec(
        db, NULL,
        "INSERT INTO device (serial_number, order_id, model, profile, state,"
        " ek, key, issue, station, operator, created, changed, cert, iak_cert,"
        " request, reply, escrow) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
        " $10, $11, $12, $13, $14, $15, $16, $17)"
        " ON CONFLICT (serial_number) DO UPDATE SET order_id ="
        " excluded.order_id, model = excluded.model, profile ="
        " excluded.profile, state = excluded.state, ek = excluded.ek, key ="
        " excluded.key, issue = excluded.issue, station = excluded.station,"
        " operator = excluded.operator, created = excluded.created, changed ="
        " excluded.changed, cert = excluded.cert, iak_cert ="
        " excluded.iak_cert, request = excluded.request, reply ="
        " excluded.reply, escrow = excluded.escrow",
        "tttiihhittiibbbbb", d->serial_number, d->order, d->model,
        (int64_t)d->profile, (int64_t)d->state, d->ek, d->key,
        (int64_t)d->issue, d->station, d->operator_, d->created, d->changed,
        h[0], h[1], h[2], h[3], h[4]);
}

static idv_rc put_claim(struct idv_db *db, enum idvi_claim kind,
                        const uint8_t hash[32], const char *serial)
{
    if (!idvi_hash_there(hash))
        return IDV_OK;
    return idvi_exec(db, NULL,
                     "INSERT INTO claim (kind, sha256, serial_number)"
                     " SELECT $1, $2, $3 WHERE NOT EXISTS"
                     " (SELECT 1 FROM claim WHERE kind = $1 AND sha256 = $2)",
                     "iht", (int64_t)kind, hash, serial);
}

/* after its row says so: nothing else lets claims go */
static idv_rc let_go(struct idv_db *db, const struct idv_factory_device *d,
                     const char *kind, struct idv_bytes body, int64_t now)
{
    IDV_TRY(put_row(db, d));
    IDV_TRY(idvi_exec(db, NULL, "DELETE FROM claim WHERE serial_number = $1",
                      "t", d->serial_number));
    IDV_TRY(idvi_exec(db, NULL,
                      "UPDATE order_device SET made = 0, holder = '',"
                      " held_until = 0 WHERE serial_number = $1",
                      "t", d->serial_number));
    return idvi_entry_add(db, kind, d->serial_number, body, now, NULL);
}

static idv_rc write_all(struct idv_db *db, const struct idv_factory_device *d,
                        const char *kind, struct idv_bytes body, int64_t now)
{
    IDV_TRY(put_row(db, d));
    IDV_TRY(put_claim(db, IDVI_CLAIM_EK, d->ek, d->serial_number));
    IDV_TRY(put_claim(db, IDVI_CLAIM_KEY, d->key, d->serial_number));
    IDV_TRY(idvi_exec(db, NULL,
                      "UPDATE order_device SET made = 1, holder = '',"
                      " held_until = 0 WHERE serial_number = $1 AND made = 0",
                      "t", d->serial_number));
    return idvi_entry_add(db, kind, d->serial_number, body, now, NULL);
}

static idv_rc judge_arguments(const struct idv_factory_device *d)
{
    if (!idv_text_printable(idv_str(d->serial_number)) || !*d->serial_number)
        return idv_fail(IDV_E_ARG, "store: a device without a serial number");
    if (d->state == IDV_DEVICE_NONE ||
        (unsigned)d->state > IDV_DEVICE_RELEASED ||
        (unsigned)d->profile > IDV_PROFILE_PLAIN)
        return idv_fail(IDV_E_ARG, "store: device '%s': profile %d, state %d",
                        d->serial_number, (int)d->profile, (int)d->state);
    if (d->state == IDV_DEVICE_RELEASED &&
        (idvi_hash_there(d->ek) || idvi_hash_there(d->key)))
        return idv_fail(IDV_E_ARG, "store: device '%s': released with its EK",
                        d->serial_number);
    return IDV_OK;
}

static idv_rc put_within(struct idv_db *db, const struct idv_factory_device *d,
                         enum idv_factory_state from, const char *kind,
                         struct idv_bytes body, int64_t now,
                         enum idv_factory_why *why)
{
    IDV_TRY(judge(db, d, from, why));
    return d->state == IDV_DEVICE_RELEASED ? let_go(db, d, kind, body, now)
                                           : write_all(db, d, kind, body, now);
}

static idv_rc put(struct idv_db *db, const struct idv_factory_device *d,
                  enum idv_factory_state from, const char *kind,
                  struct idv_bytes members, int64_t now,
                  enum idv_factory_why *why)
{
    IDV_AUTO(buf) body = {0};
    IDV_TRY(judge_arguments(d));
    IDV_TRY(idv_journal_body(members, d, &body));
    IDV_TRY(idvi_begin(db));
    return idvi_end(db,
                    put_within(db, d, from, kind, idv_view(&body), now, why));
}

idv_rc idvi_factory_put(void *self, const struct idv_factory_device *d,
                        enum idv_factory_state from, const char *kind,
                        struct idv_bytes body, int64_t now,
                        enum idv_factory_why *why)
{
    enum idv_factory_why found = IDV_WHY_NONE;
    idv_rc rc = put(self, d, from, kind, body, now, &found);
    if (rc == IDV_E_IO || rc == IDV_E_FORMAT)
        found = IDV_WHY_STORE;
    else if (rc != IDV_E_REJECT)
        found = IDV_WHY_NONE;
    if (why)
        *why = found;
    return rc;
}
