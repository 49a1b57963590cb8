/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a device is, as somebody says it. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/registrar/cloud.h"
#include "idevid/registrar/registrar_call.h"

void idv_owner_free(struct idv_owner *o)
{
    idv_buf_free(&o->pin);
    memset(o, 0, sizeof(*o));
}

bool idv_cloud_never_to(const char *const *never_to, const char *url)
{
    struct idv_url to, never;
    bool same = false;
    if (idv_url_from_text(idv_str(url), &to) != IDV_OK) {
        idv_note_clear();
        return false;
    }
    for (; never_to && *never_to && !same; never_to++)
        same = idv_url_from_text(idv_str(*never_to), &never) == IDV_OK &&
               idv_url_same_origin(&to, &never);
    idv_note_clear();
    return same;
}

/* whole: what stands in Location is not put together by the device */
static idv_rc check_redirect(const struct idv_cloud_conf *conf,
                             struct idv_owner *o)
{
    IDV_AUTO(buf) whole = {.max = IDV_MAX_URL};
    struct idv_url url;
    IDV_TRY(idv_url_from_text(idv_str(o->to), &url));
    if (conf && idv_cloud_never_to(conf->never_to, o->to))
        return idv_fail(IDV_E_ARG, "owner: %s is where devices come from",
                        o->to);
    if (!url.path[0])
        strcpy(url.path, IDVI_BRSKI "/requestvoucher");
    IDV_TRY(idv_url_to_text(&url, &whole));
    return idv_text_copy(o->to, sizeof(o->to), idv_view(&whole), "owner");
}

static idv_rc check_voucher(const struct idv_owner *o)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    struct idv_url url;
    IDV_TRY(idv_url_from_text(idv_str(o->to), &url));
    if (strchr(o->to, '/'))
        return idv_fail(IDV_E_ARG, "owner: est-domain is HOST or HOST:PORT");
    if (o->more[0])
        IDV_TRY(idv_url_from_text(idv_str(o->more), &url));
    if (o->pin.n == 0)
        return idv_fail(IDV_E_ARG, "owner: nothing to pin");
    return idv_cert_from_der(idv_view(&o->pin), &cert);
}

idv_rc idv_owner_check(const struct idv_cloud_conf *conf, struct idv_owner *o)
{
    switch (o->kind) {
    case IDV_OWNER_NOBODY:
        return IDV_OK;
    case IDV_OWNER_REDIRECT:
        return check_redirect(conf, o);
    case IDV_OWNER_VOUCHER:
        return check_voucher(o);
    default:
        return idv_fail(IDV_E_ARG, "owner: of no kind");
    }
}
