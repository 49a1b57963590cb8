/* SPDX-License-Identifier: Apache-2.0 */
/* Orders as JSON, in and out. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/json.h>

#include "factory/order_int.h"

static idv_rc text_member(const struct idv_json *v, const char *name,
                          struct idv_bytes *out)
{
    const char *text = idv_json_text(v);
    if (!text)
        return idv_fail(IDV_E_FORMAT, "order: %.40s is not a text", name);
    *out = idv_str(text);
    return IDV_OK;
}

static idv_rc macs(struct idv_order_device *d, const struct idv_json *v)
{
    struct idv_bytes text;
    if (idv_json_type(v) != IDV_JSON_ARRAY)
        return idv_fail(IDV_E_FORMAT, "order: macs is not a list");
    for (size_t i = 0; i < idv_json_count(v); i++) {
        IDV_TRY(text_member(idv_json_at(v, i, NULL), "macs", &text));
        IDV_TRY(idvi_order_set(d, "mac", text));
    }
    return IDV_OK;
}

static idv_rc device(struct idv_order *o, const struct idv_json *v)
{
    struct idv_order_device *d = idvi_order_add(o);
    if (!d)
        return IDV_E_LIMIT;
    if (idv_json_type(v) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "order: not an object");
    for (size_t i = 0; i < idv_json_count(v); i++) {
        const char *name;
        struct idv_bytes text;
        const struct idv_json *m = idv_json_at(v, i, &name);
        if (strcmp(name, "macs") == 0) {
            IDV_TRY(macs(d, m));
            continue;
        }
        IDV_TRY(text_member(m, name, &text));
        IDV_TRY(idvi_order_set(d, name, text));
    }
    return IDV_OK;
}

static idv_rc devices(struct idv_order *o, const struct idv_json *v)
{
    if (idv_json_type(v) != IDV_JSON_ARRAY)
        return idv_fail(IDV_E_FORMAT, "order: devices is not a list");
    for (size_t i = 0; i < idv_json_count(v); i++) {
        idv_rc rc = device(o, idv_json_at(v, i, NULL));
        if (rc != IDV_OK)
            return idv_fail_within(rc, "device %zu", i + 1);
    }
    return IDV_OK;
}

static idv_rc member(struct idv_order *o, const char *name,
                     const struct idv_json *v)
{
    struct idv_bytes text;
    if (strcmp(name, "devices") == 0)
        return devices(o, v);
    IDV_TRY(text_member(v, name, &text));
    if (strcmp(name, "pattern") == 0)
        return idvi_order_pattern(o, text);
    return idvi_order_member(o, name, text);
}

idv_rc idvi_order_from_json(struct idv_bytes text, struct idv_order *o)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idv_json_parse(text, IDVI_ORDER_TEXT, &root));
    if (idv_json_get(root, "devices") && idv_json_get(root, "pattern"))
        return idv_fail(IDV_E_FORMAT, "order: devices beside a pattern");
    for (size_t i = 0; i < idv_json_count(root); i++) {
        const char *name;
        const struct idv_json *v = idv_json_at(root, i, &name);
        IDV_TRY(member(o, name, v));
    }
    return IDV_OK;
}

/* --- out ------------------------------------------------------------------ */

static idv_rc put(struct idv_json *to, const char *name, const char *text)
{
    return text ? idv_json_set(to, name, idv_json_new_text(idv_str(text)))
                : IDV_OK;
}

static idv_rc put_macs(struct idv_json *to, char *const *list)
{
    struct idv_json *all = idv_json_new_array();
    idv_rc rc = all ? IDV_OK : idv_fail(IDV_E_NOMEM, "order");
    for (; rc == IDV_OK && *list; list++)
        rc = idv_json_append(all, idv_json_new_text(idv_str(*list)));
    if (rc == IDV_OK)
        return idv_json_set(to, "macs", all);
    idv_json_free(all);
    return rc;
}

static idv_rc put_device(struct idv_json *list,
                         const struct idv_order_device *d)
{
    struct idv_json *v = idv_json_new_object();
    idv_rc rc = v ? put(v, "serial-number", d->serial_number)
                  : idv_fail(IDV_E_NOMEM, "order");
    if (rc == IDV_OK)
        rc = put(v, "model", d->model);
    if (rc == IDV_OK)
        rc = put(v, "sku", d->sku);
    if (rc == IDV_OK && d->macs)
        rc = put_macs(v, d->macs);
    if (rc == IDV_OK)
        rc = put(v, "owner", d->owner);
    if (rc == IDV_OK)
        return idv_json_append(list, v);
    idv_json_free(v);
    return rc;
}

static idv_rc put_devices(struct idv_json *to, const struct idv_order *o)
{
    struct idv_json *list = idv_json_new_array();
    idv_rc rc = list ? IDV_OK : idv_fail(IDV_E_NOMEM, "order");
    for (size_t i = 0; rc == IDV_OK && i < o->n; i++)
        rc = put_device(list, &o->devices[i]);
    if (rc == IDV_OK)
        return idv_json_set(to, "devices", list);
    idv_json_free(list);
    return rc;
}

static idv_rc put_order(struct idv_json *to, const struct idv_order *o)
{
    IDV_TRY(put(to, "order", o->id));
    IDV_TRY(put(to, "model", o->model));
    IDV_TRY(put(to, "sku", o->sku));
    IDV_TRY(put(to, "customer", o->customer));
    if (o->has_profile)
        IDV_TRY(put(to, "profile", idv_factory_profile_to_text(o->profile)));
    if (o->has_type)
        IDV_TRY(put(to, "type", idv_key_type_to_text(o->type)));
    return put_devices(to, o);
}

idv_rc idv_order_to_json(const struct idv_order *o, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    if (!root)
        return idv_fail(IDV_E_NOMEM, "order");
    IDV_TRY(put_order(root, o));
    return idv_json_dump(root, false, out);
}
