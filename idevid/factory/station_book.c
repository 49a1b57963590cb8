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

static idv_rc retire(const struct idv_factory_store *store,
                     struct idv_factory_device *d, const char *station,
                     const char *operator_, const char *reason, int64_t now,
                     enum idv_factory_why *why)
{
    IDV_AUTO(buf) body = {0};
    const enum idv_factory_state from = d->state;
    if (from == IDV_DEVICE_RETIRED)
        return idv_fail(IDV_E_STATE, "%s: retired before", d->serial_number);
    IDV_TRY(
        idvi_station_body(d->order, station, operator_, "text", reason, &body));
    d->state = IDV_DEVICE_RETIRED;
    return store->put(store->self, d, from, "retired", idv_view(&body), now,
                      why);
}

idv_rc idv_factory_retire(const struct idv_factory_store *store,
                          const char *serial_number, const char *station,
                          const char *operator_, const char *reason,
                          const struct idv_env *env, enum idv_factory_why *why)
{
    struct idv_factory_device d = {0};
    bool found = false;
    *why = IDV_WHY_NONE;
    idv_rc rc = store->find(store->self, IDV_BY_SERIAL, idv_str(serial_number),
                            &found, &d);
    if (rc == IDV_OK && !found)
        rc = idv_fail(IDV_E_STATE, "%s: the book knows no such device",
                      serial_number);
    else if (rc == IDV_OK)
        rc = retire(store, &d, station, operator_, reason, idv_now(env), why);
    idv_factory_device_free(&d);
    return idvi_station_said(rc, why);
}
