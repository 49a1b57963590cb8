/* SPDX-License-Identifier: Apache-2.0 */
/* The feed that registers devices with the MASA. */
#include <idevid/auto.h>
#include <idevid/x509.h>

#include "factory/export_int.h"

static idv_rc set_issuer(const struct idv_factory_device *d, struct idv_json *o)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO(buf) issuer = {0};
    IDV_TRY(idv_cert_from_der(idv_view(&d->cert), &cert));
    IDV_TRY(idv_idevid_issuer(cert, false, &issuer));
    return idvi_member_base64(o, "idevid-issuer", &issuer);
}

static idv_rc set_order(const struct idvi_export *x,
                        const struct idv_factory_device *d, struct idv_json *o)
{
    static const char *const names[] = {"customer", "model", "owner"};
    IDV_AUTO_PTR(idv_json) ordered = NULL;
    IDV_TRY(idvi_ordered(x, d, &ordered));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        IDV_TRY(idvi_member_text(
            o, names[i], idv_json_text(idv_json_get(ordered, names[i]))));
    return idvi_member_text(o, "order", d->order);
}

idv_rc idvi_feed_members(const struct idvi_export *x,
                         const struct idv_factory_device *d, struct idv_json *o)
{
    IDV_TRY(idvi_member_base64(o, "certificate", &d->cert));
    IDV_TRY(idvi_member_hash(o, "ek-sha256", d->ek));
    idv_rc rc = set_issuer(d, o);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "device '%s'", d->serial_number);
    IDV_TRY(idv_json_set(o, "issue", idv_json_new_int(d->issue)));
    IDV_TRY(idvi_member_text(o, "maker", x->maker));
    IDV_TRY(set_order(x, d, o));
    bool retired = d->state == IDV_DEVICE_RETIRED ||
                   d->state == IDV_DEVICE_WIPED ||
                   d->state == IDV_DEVICE_RELEASED;
    IDV_TRY(idv_json_set(o, "retired", idv_json_new_bool(retired)));
    IDV_TRY(idvi_member_text(o, "serial-number", d->serial_number));
    return idvi_member_text(o, "state", idv_factory_state_to_text(d->state));
}

static idv_rc feed_line(const struct idvi_export *x,
                        const struct idv_factory_device *d,
                        struct idv_buf *line)
{
    if (!idvi_has_identity(d))
        return IDV_OK;
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_feed_members(x, d, o));
    return idvi_json_line(o, line);
}

idv_rc idv_export_feed(const struct idv_factory_store *store, const char *order,
                       const char *maker, const struct idv_export *to)
{
    struct idvi_export x = {store, to, maker, feed_line};
    return idvi_export_devices(&x, "", order);
}
