/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for the maker's anchors, in a token: a data object for life. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>

#include "trust/maker.h"

static idv_rc wrong(const char *what)
{
    return idv_fail(IDV_E_REJECT, "maker's anchors: the object %s %s",
                    IDV_MAKER_P11_URI, what);
}

static idv_rc check(const struct idv_object *o, struct idv_bytes raw)
{
    if (o->fleeting)
        return wrong("is none of the token: it goes with the session");
    if (o->hidden)
        return wrong("is private");
    if (!o->write_locked)
        return wrong("can be modified");
    if (raw.n != IDV_MAKER_SIZE)
        return wrong("is not 40 bytes long");
    return IDV_OK;
}

/* several of that name: which one is meant? */
static idv_rc not_one(idv_rc rc)
{
    if (rc != IDV_E_ARG)
        return rc;
    return idv_fail_within(IDV_E_REJECT, "maker's anchors");
}

idv_rc idvi_maker_token_read(struct idv_device *dev,
                             struct idvi_maker_seen *out)
{
    IDV_AUTO(buf) raw = {0};
    struct idv_object o;
    struct idv_maker m;
    bool found;
    IDV_TRY(
        not_one(idv_device_inspect(dev, IDV_MAKER_P11_URI, &found, &o, &raw)));
    if (!found)
        return IDV_OK;
    IDV_TRY(check(&o, idv_view(&raw)));
    if (idv_maker_from_bytes(idv_view(&raw), &m) != IDV_OK)
        return idv_fail_within(IDV_E_REJECT, "%s", IDV_MAKER_P11_URI);
    memcpy(out->raw, raw.p, sizeof(out->raw));
    snprintf(out->where, sizeof(out->where), "%s", IDV_MAKER_P11_URI);
    out->found = true;
    return IDV_OK;
}

idv_rc idvi_maker_token_write(struct idv_device *dev,
                              const uint8_t raw[static IDV_MAKER_SIZE],
                              bool by_so)
{
    return idv_device_write(dev, IDV_MAKER_P11_URI,
                            idv_bytes(raw, IDV_MAKER_SIZE),
                            IDV_WRITE_NEW | IDV_WRITE_LOCK | IDV_WRITE_KEEP |
                                (by_so ? IDV_WRITE_SO : 0));
}
