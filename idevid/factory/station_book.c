/* SPDX-License-Identifier: Apache-2.0 */
/* What the station writes in the line's book. */
#include <string.h>

#include "factory/station_int.h"

static idv_rc set(struct idv_json *o, const char *name, const char *value)
{
    return value && *value
               ? idv_json_set(o, name, idv_json_new_text(idv_str(value)))
               : IDV_OK;
}

idv_rc idvi_station_body(const char *order, const char *station,
                         const char *operator_, const char *name,
                         const char *value, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (name)
        IDV_TRY(set(o, name, value));
    IDV_TRY(set(o, "operator", operator_));
    IDV_TRY(set(o, "order", order));
    IDV_TRY(set(o, "station", station));
    return idv_json_dump(o, false, out);
}

idv_rc idvi_station_put(struct idv_station *s,
                        const struct idv_factory_device *d,
                        enum idv_factory_state from, const char *kind,
                        enum idv_factory_why *why)
{
    IDV_AUTO(buf) body = {0};
    enum idv_factory_why refused = IDV_WHY_NONE;
    IDV_TRY(idvi_station_body(d->order, s->c.station, s->c.operator_, NULL,
                              NULL, &body));
    idv_rc rc = s->c.store->put(s->c.store->self, d, from, kind,
                                idv_view(&body), idv_now(s->c.env), &refused);
    if (rc != IDV_OK)
        *why = refused != IDV_WHY_NONE ? refused : IDV_WHY_STORE;
    return rc;
}

/* --- an identity that ends -------------------------------------------------
 */

/* what is written, and who says so */
struct end {
    const char *station, *operator_, *reason;
    int64_t now;
};

static idv_rc retire(const struct idv_factory_store *store,
                     struct idv_factory_device *d, const struct end *e,
                     enum idv_factory_why *why)
{
    IDV_AUTO(buf) body = {0};
    const enum idv_factory_state from = d->state;
    if (from == IDV_DEVICE_RETIRED || from == IDV_DEVICE_RELEASED)
        return idv_fail(IDV_E_STATE, "%s: %s before", d->serial_number,
                        idv_factory_state_to_text(from));
    IDV_TRY(idvi_station_body(d->order, e->station, e->operator_, "text",
                              e->reason, &body));
    d->state = IDV_DEVICE_RETIRED;
    return store->put(store->self, d, from, "retired", idv_view(&body), e->now,
                      why);
}

/* The certificate stays in the row, so that feeds say that it is not to be
 * trusted, until another device has the serial number. */
static idv_rc release(const struct idv_factory_store *store,
                      struct idv_factory_device *d, const struct end *e,
                      enum idv_factory_why *why)
{
    IDV_AUTO(buf) body = {0};
    const enum idv_factory_state from = d->state;
    if (from == IDV_DEVICE_RELEASED)
        return idv_fail(IDV_E_STATE, "%s: released before", d->serial_number);
    IDV_TRY(idvi_station_body(d->order, e->station, e->operator_, "text",
                              e->reason, &body));
    d->state = IDV_DEVICE_RELEASED;
    memset(d->ek, 0, sizeof(d->ek));
    memset(d->key, 0, sizeof(d->key));
    return store->put(store->self, d, from, "released", idv_view(&body), e->now,
                      why);
}

static idv_rc end_it(const struct idv_factory_store *store, const char *serial,
                     const struct end *e,
                     idv_rc (*how)(const struct idv_factory_store *store,
                                   struct idv_factory_device *d,
                                   const struct end *e,
                                   enum idv_factory_why *why),
                     enum idv_factory_why *why)
{
    struct idv_factory_device d = {0};
    bool found = false;
    *why = IDV_WHY_NONE;
    idv_rc rc =
        store->find(store->self, IDV_BY_SERIAL, idv_str(serial), &found, &d);
    if (rc == IDV_OK && !found)
        rc = idv_fail(IDV_E_STATE, "%s: the book knows no such device", serial);
    else if (rc == IDV_OK)
        rc = how(store, &d, e, why);
    idv_factory_device_free(&d);
    return idvi_station_said(rc, why);
}

idv_rc idv_factory_retire(const struct idv_factory_store *store,
                          const char *serial_number, const char *station,
                          const char *operator_, const char *reason,
                          const struct idv_env *env, enum idv_factory_why *why)
{
    const struct end e = {station, operator_, reason, idv_now(env)};
    return end_it(store, serial_number, &e, retire, why);
}

idv_rc idv_factory_release(const struct idv_factory_store *store,
                           const char *serial_number, const char *station,
                           const char *operator_, const char *reason,
                           const struct idv_env *env, enum idv_factory_why *why)
{
    const struct end e = {station, operator_, reason, idv_now(env)};
    return end_it(store, serial_number, &e, release, why);
}
