/* SPDX-License-Identifier: Apache-2.0 */
/* The record in a PKCS#11 token: a data object that cannot be modified. */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "trust/anchor.h"

struct token {
    struct idv_device *dev; /* borrowed */
    char uri[512];
};

static idv_rc read_object(void *self, const struct idv_anchor_memo *memo,
                          struct idv_anchor_seen *out)
{
    struct token *a = self;
    IDV_AUTO(buf) raw = {0};
    bool found = false;
    (void)memo;
    IDV_TRY(idv_device_read(a->dev, a->uri, &found, &raw));
    if (!found)
        return IDV_OK;
    if (raw.n != sizeof(out->record))
        return idv_fail(IDV_E_REJECT, "record: %zu bytes, not %zu", raw.n,
                        sizeof(out->record));
    memcpy(out->record, raw.p, raw.n);
    out->found = IDV_ANCHOR_SEALED;
    return IDV_OK;
}

static idv_rc prepare(void *self, struct idv_anchor_memo *memo)
{
    struct token *a = self;
    struct idv_anchor_seen seen = {0};
    IDV_TRY(read_object(a, NULL, &seen));
    if (seen.found != IDV_ANCHOR_NOTHING)
        return idv_fail(IDV_E_STATE, "anchor: %s holds a record already",
                        a->uri);
    strcpy(memo->profile, "token");
    strcpy(memo->cap, "none");
    return IDV_OK;
}

/* What a cut write left is cleared away first. */
static idv_rc write_object(void *self, const struct idv_anchor_memo *memo,
                           struct idv_anchor_seen *out)
{
    struct token *a = self;
    IDV_TRY(idv_device_erase(a->dev, a->uri));
    IDV_TRY(idv_device_write(a->dev, a->uri,
                             idv_bytes(memo->record, sizeof(memo->record)),
                             IDV_WRITE_NEW | IDV_WRITE_LOCK));
    memcpy(out->record, memo->record, sizeof(out->record));
    out->found = IDV_ANCHOR_SEALED;
    return IDV_OK;
}

/* with the write all is done */
static idv_rc finish(void *self, struct idv_anchor_memo *memo)
{
    (void)self;
    (void)memo;
    return IDV_OK;
}

static idv_rc erase(void *self)
{
    struct token *a = self;
    return idv_device_erase(a->dev, a->uri);
}

static const struct idv_anchor_ops hardware = {
    .profile = "token",
    .assurance = "detect",
    .prepare = prepare,
    .write = write_object,
    .read = read_object,
    .finish = finish,
    .discard = erase,
    .reset = erase,
    .close = free,
};

/* files of the same user: who can change the certificate can change these */
static const struct idv_anchor_ops software = {
    .profile = "token",
    .assurance = "none",
    .prepare = prepare,
    .write = write_object,
    .read = read_object,
    .finish = finish,
    .discard = erase,
    .reset = erase,
    .close = free,
};

idv_rc idvi_anchor_token(struct idv_device *dev,
                         const struct idv_device_info *info,
                         const struct idv_anchor_conf *conf,
                         struct idv_anchor *out)
{
    const bool soft =
        strstr(info->maker, "SoftHSM") || strstr(info->model, "SoftHSM");
    const char *uri = conf->uri ? conf->uri : IDV_ANCHOR_P11_URI;
    struct token *a = calloc(1, sizeof(*a));
    if (!a)
        return idv_fail(IDV_E_NOMEM, "anchor");
    a->dev = dev;
    idv_rc rc = idv_text_copy(a->uri, sizeof(a->uri), idv_str(uri), "anchor");
    if (rc != IDV_OK) {
        free(a);
        return rc;
    }
    *out = (struct idv_anchor){soft ? &software : &hardware, a};
    return IDV_OK;
}
