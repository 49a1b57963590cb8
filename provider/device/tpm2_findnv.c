/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates in the NV indices of a TPM. */
#include <string.h>

#include <openssl/err.h>

#include "provider/device/tpm2_keyfile.h"
#include "provider/device/tpm2_list.h"
#include "provider/device/tpm2_nvitem.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_query.h"
#include "provider/spki.h"

/* an index whose content is being given out */
struct content {
    const struct hwk_tpm_query *q;
    struct hwk_object_info info;
    int rc; /* what each gave last */
};

static void name_it(const struct content *c, enum hwk_object_type type,
                    struct hwk_found *out)
{
    out->type = type;
    memcpy(out->uri, c->info.uri, sizeof(out->uri));
    memcpy(out->label, c->info.label, sizeof(out->label));
}

static int give_cert(const struct content *c, const uint8_t *der, size_t n)
{
    struct hwk_found found = {.der = der, .der_len = n};
    if (!(c->q->want & HWK_WANT_CERT))
        return 1;
    name_it(c, HWK_OBJ_CERT, &found);
    return hwk_tpm_give(c->q, &found);
}

static int give_public(const struct content *c, const uint8_t *der, size_t n)
{
    struct hwk_found found = {.ref = NULL};
    if (!(c->q->want & HWK_WANT_PUBLIC))
        return 1;
    if (!hwk_spki_to_pub(der, n, &found.pub))
        return -1;
    name_it(c, HWK_OBJ_PUBLIC, &found);
    return hwk_tpm_give(c->q, &found);
}

/* the public half that a key file has beside the private one */
static int give_half(const struct content *c, const uint8_t *der, size_t n)
{
    struct hwk_found found = {.ref = NULL};
    struct hwk_tpm_keyfile *file = NULL;
    if (!hwk_tpm_keyfile_parse(der, n, &file))
        return -1;
    int ok = hwk_tpm_public(&file->pub, &found.pub);
    hwk_tpm_keyfile_free(file);
    if (!ok)
        return -1;
    name_it(c, HWK_OBJ_PUBLIC, &found);
    return hwk_tpm_give(c->q, &found);
}

/* a key of a file is found again where the file is */
static int loaded(void *arg, struct hwk_found *found)
{
    struct content *c = arg;
    name_it(c, HWK_OBJ_PRIVATE, found);
    ++*c->q->given;
    return c->rc = c->q->each(c->q->arg, found);
}

static int give_keyfile(struct content *c, const uint8_t *der, size_t n)
{
    const struct hwk_backend *row = &hwk_backend_tpm2;
    if (!(c->q->want & HWK_WANT_PRIVATE))
        return c->q->want & HWK_WANT_PUBLIC ? give_half(c, der, n) : 1;
    if (!row->load_blob)
        return 1;
    c->rc = 1;
    return row->load_blob(c->q->tpm, der, n, c->q->pin, loaded, c) ? c->rc : -1;
}

static int give_item(void *arg, enum hwk_object_type type, const uint8_t *der,
                     size_t n)
{
    struct content *c = arg;
    switch (type) {
    case HWK_OBJ_CERT:
        return give_cert(c, der, n);
    case HWK_OBJ_PUBLIC:
        return give_public(c, der, n);
    default:
        return give_keyfile(c, der, n);
    }
}

/* an index that is there but cannot be read is no absent one, for who names
 * it */
static int unread(const struct hwk_tpm_nv *nv, const struct hwk_tpm_nv_how *how)
{
    if (!hwk_err_is(HWK_R_NOT_FOUND))
        return -1;
    if (nv->pub.attributes == 0 || (how && how->careful))
        return 1;
    hwk_raise(HWK_R_FORMAT, "NV index 0x%08x: nothing was written there",
              nv->pub.nvIndex);
    return -1;
}

int hwk_tpm_find_nv(const struct hwk_tpm_query *q, TPM2_HANDLE index,
                    const struct hwk_tpm_nv_how *how)
{
    struct content c = {.q = q};
    struct hwk_tpm_nv nv;
    ERR_set_mark();
    if (!hwk_tpm_nv_bytes(q->tpm, index, how, &nv)) {
        int rc = unread(&nv, how);
        if (rc < 0)
            ERR_clear_last_mark();
        else
            ERR_pop_to_mark();
        return rc;
    }
    ERR_clear_last_mark();
    hwk_tpm_describe_nv(&nv, &c.info);
    int rc = hwk_tpm_nv_items(nv.data, nv.n, give_item, &c);
    hwk_tpm_nv_clear(&nv);
    return rc;
}
