/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates in the NV indices of a TPM. */
#include <string.h>

#include <openssl/err.h>

#include "provider/device/tpm2_blob.h"
#include "provider/device/tpm2_list.h"
#include "provider/device/tpm2_nvitem.h"
#include "provider/device/tpm2_query.h"
#include "provider/spki.h"

/* an index whose content is being given out */
struct content {
    const struct hwk_tpm_query *q;
    struct hwk_object_info info;
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

static int give_keyfile(const struct content *c, const uint8_t *der, size_t n)
{
    const struct hwk_tpm_query *q = c->q;
    if (!(q->want & (HWK_WANT_PRIVATE | HWK_WANT_PUBLIC)))
        return 1;
    int rc = hwk_tpm_find_blob(q->tpm, der, n, c->info.uri, q->want, q->pin,
                               q->each, q->arg);
    if (rc >= 0)
        ++*q->given;
    return rc;
}

static int give_item(void *arg, enum hwk_object_type type, const uint8_t *der,
                     size_t n)
{
    const struct content *c = arg;
    switch (type) {
    case HWK_OBJ_CERT:
        return give_cert(c, der, n);
    case HWK_OBJ_PUBLIC:
        return give_public(c, der, n);
    default:
        return give_keyfile(c, der, n);
    }
}

/* With the URI's value where that is needed: it may be meant for the key in the
 * index. An index that is found and not named is left alone instead. */
static int read_index(const struct hwk_tpm_query *q, TPM2_HANDLE index,
                      bool named, struct hwk_tpm_nv *nv)
{
    struct hwk_tpm_nv_how how = {.careful = true};
    struct hwk_secret *auth = NULL;
    if (!named)
        return hwk_tpm_nv_bytes(q->tpm, index, &how, nv);
    if (!hwk_tpm_says_auth(q->uri, q->pin))
        return hwk_tpm_nv_bytes(q->tpm, index, NULL, nv);
    ERR_set_mark();
    bool done = hwk_tpm_nv_bytes(q->tpm, index, &how, nv);
    if (done || !hwk_err_is(HWK_R_PIN_MISSING)) {
        ERR_clear_last_mark();
        return done;
    }
    ERR_pop_to_mark();
    if (!hwk_tpm_ask_auth(q->uri, q->pin, index, &auth))
        return 0;
    how = (struct hwk_tpm_nv_how){.auth = auth};
    done = hwk_tpm_nv_bytes(q->tpm, index, &how, nv);
    hwk_secret_free(auth);
    return done;
}

/* an index that is there but cannot be read is no absent one, for who names
 * it */
static int unread(const struct hwk_tpm_nv *nv, bool named)
{
    if (!hwk_err_is(HWK_R_NOT_FOUND))
        return -1;
    if (nv->pub.attributes == 0 || !named)
        return 1;
    hwk_raise(HWK_R_FORMAT, "NV index 0x%08x: nothing was written there",
              nv->pub.nvIndex);
    return -1;
}

int hwk_tpm_find_nv(const struct hwk_tpm_query *q, TPM2_HANDLE index,
                    bool named)
{
    struct content c = {.q = q};
    struct hwk_tpm_nv nv = {.data = NULL};
    ERR_set_mark();
    if (!read_index(q, index, named, &nv)) {
        int rc = unread(&nv, named);
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
