/* SPDX-License-Identifier: Apache-2.0 */
/* Where the record is kept: the table of kinds, and what they share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trust/anchor.h"

static const struct {
    bool tpm;
    const char *uri;
    const struct idv_anchor_ops *(*ops)(const struct idv_device_info *info);
} kinds[] = {
    {true, IDV_ANCHOR_TPM2_URI, idvi_anchor_tpm2},
    {false, IDV_ANCHOR_P11_URI, idvi_anchor_p11},
};

idv_rc idv_anchor_open(struct idv_device *dev, const char *object_uri,
                       struct idv_anchor *out)
{
    struct idv_device_info info = {0};
    IDV_TRY(idv_device_info(dev, &info));
    const size_t kind = info.tpm ? 0 : 1;
    const char *uri = object_uri ? object_uri : kinds[kind].uri;
    struct idvi_anchor *a = calloc(1, sizeof(*a));
    if (!a)
        return idv_fail(IDV_E_NOMEM, "anchor");
    if (strlen(uri) >= sizeof(a->uri)) {
        free(a);
        return idv_fail(IDV_E_ARG, "anchor: its URI is too long");
    }
    strcpy(a->uri, uri);
    a->dev = dev;
    out->ops = kinds[kind].ops(&info);
    out->self = a;
    return IDV_OK;
}

void idv_anchor_close(struct idv_anchor *a)
{
    if (a->ops && a->ops->close)
        a->ops->close(a->self);
    memset(a, 0, sizeof(*a));
}

idv_rc idvi_anchor_read(void *self, bool *found, struct idv_buf *record)
{
    struct idvi_anchor *a = self;
    return idv_device_read(a->dev, a->uri, found, record);
}

idv_rc idvi_anchor_write(void *self, struct idv_bytes record)
{
    struct idvi_anchor *a = self;
    struct idv_buf old = {0};
    bool found = false;
    idv_rc rc = idv_device_read(a->dev, a->uri, &found, &old);
    idv_buf_free(&old);
    IDV_TRY(rc);
    if (found)
        return idv_fail(IDV_E_STATE, "anchor: %s holds a record already",
                        a->uri);
    IDV_TRY(idv_device_erase(a->dev, a->uri));
    return idv_device_write(a->dev, a->uri, record,
                            IDV_WRITE_NEW | IDV_WRITE_LOCK);
}

idv_rc idvi_anchor_reset(void *self)
{
    struct idvi_anchor *a = self;
    return idv_device_erase(a->dev, a->uri);
}

void idvi_anchor_close(void *self)
{
    free(self);
}
