/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates of a TPM by URI. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_file.h"
#include "provider/device/tpm2_list.h"
#include "provider/device/tpm2_make.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_query.h"
#include "provider/device/tpm2_satisfy.h"

bool hwk_tpm_says_auth(const struct hwk_uri *uri, const struct hwk_pin_ask *pin)
{
    return pin && (uri->ask_auth || uri->pin_value.p || uri->pin_source.p);
}

int hwk_tpm_ask_auth(const struct hwk_uri *uri, const struct hwk_pin_ask *pin,
                     TPM2_HANDLE handle, struct hwk_secret **out)
{
    char what[32];
    *out = NULL;
    if (!hwk_tpm_says_auth(uri, pin))
        return 1;
    if (handle == TPM2_RH_ENDORSEMENT)
        snprintf(what, sizeof(what), "TPM endorsement hierarchy");
    else
        snprintf(what, sizeof(what), "TPM %s 0x%08x",
                 handle >> 24 == TPM2_HT_NV_INDEX ? "NV index" : "key", handle);
    return hwk_pin_get(pin, what, out);
}

int hwk_tpm_found_key(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                      struct hwk_found *out)
{
    const TPM2B_PUBLIC *pub = &key->object->pub;
    struct hwk_object_info info;
    memset(out, 0, sizeof(*out));
    if (!hwk_tpm_public(pub, &out->pub)) {
        hwk_tpm_key_free(tpm, key);
        return 0;
    }
    hwk_tpm_describe_key(key->object->handle, pub, &info);
    out->type = HWK_OBJ_PRIVATE;
    memcpy(out->uri, info.uri, sizeof(out->uri));
    memcpy(out->label, info.label, sizeof(out->label));
    out->flags = hwk_tpm_flags(pub);
    out->md = hwk_tpm_mandatory_md(pub);
    out->ref = key;
    return 1;
}

static int object_file(const struct hwk_uri *uri, TPM2_HANDLE *out)
{
    const char *path = (const char *)uri->path.p;
    struct hwk_tpm_file file;
    if (!hwk_tpm_file_read(path, &file))
        return 0;
    bool is_handle = file.kind == HWK_TPM_FILE_HANDLE;
    *out = file.handle;
    hwk_tpm_file_clear(&file);
    return is_handle ||
           hwk_raise(HWK_R_FORMAT,
                     "%s: a key, not the handle of a persistent object", path);
}

int hwk_tpm_uri_handle(const struct hwk_uri *uri, TPM2_HANDLE *out)
{
    *out = 0;
    switch (uri->tpm) {
    case HWK_TPM_HANDLE:
        *out = uri->handle;
        return 1;
    case HWK_TPM_OBJECT:
        return object_file(uri, out);
    case HWK_TPM_IDEVID:
        *out = HWK_TPM_IDEVID_HANDLE;
        return 1;
    case HWK_TPM_IAK:
        *out = HWK_TPM_IAK_HANDLE;
        return 1;
    default:
        return 1;
    }
}

int hwk_tpm_give(const struct hwk_tpm_query *q, struct hwk_found *found)
{
    ++*q->given;
    int rc = q->each(q->arg, found);
    if (found->ref)
        hwk_tpm_key_free(q->tpm, found->ref);
    return rc;
}

int hwk_tpm_give_key(const struct hwk_tpm_query *q, struct hwk_found *found)
{
    if (!(q->want & HWK_WANT_PRIVATE)) {
        found->type = HWK_OBJ_PUBLIC;
        found->flags = 0;
        hwk_tpm_key_free(q->tpm, found->ref);
        found->ref = NULL;
    } else {
        hwk_tpm_guard_ask(q->tpm, found->ref, q->pin ? q->pin->prompt : NULL);
    }
    return hwk_tpm_give(q, found);
}

static struct hwk_tpm_object *open_object(struct hwk_tpm *tpm,
                                          TPM2_HANDLE handle)
{
    struct hwk_tpm_object *o = NULL;
    if (hwk_tpm_begin(tpm)) {
        o = hwk_tpm_object_open(tpm, handle);
        hwk_tpm_end(tpm);
    }
    return o;
}

/* takes both */
static struct hwk_tpm_key *
new_key(struct hwk_tpm *tpm, struct hwk_tpm_object *o, struct hwk_secret *auth)
{
    struct hwk_tpm_key *key = NULL;
    if (hwk_tpm_begin(tpm)) {
        key = hwk_tpm_key_new(tpm, o, auth);
        hwk_tpm_end(tpm);
        return key;
    }
    hwk_tpm_object_release(tpm, o);
    hwk_secret_free(auth);
    return NULL;
}

/* one persistent key; nobody is asked for the value of one that is not there */
static int find_key(const struct hwk_tpm_query *q, TPM2_HANDLE handle)
{
    struct hwk_secret *auth = NULL;
    struct hwk_found found;
    struct hwk_tpm_object *o = open_object(q->tpm, handle);
    if (!o)
        return -1;
    if (q->want & HWK_WANT_PRIVATE &&
        !hwk_tpm_ask_auth(q->uri, q->pin, handle, &auth)) {
        hwk_tpm_object_release(q->tpm, o);
        return -1;
    }
    struct hwk_tpm_key *key = new_key(q->tpm, o, auth);
    if (!key || !hwk_tpm_found_key(q->tpm, key, &found))
        return -1;
    return hwk_tpm_give_key(q, &found);
}

int hwk_tpm_find_at(const struct hwk_tpm_query *q, TPM2_HANDLE handle)
{
    int rc = 1;
    if (handle >> 24 != TPM2_HT_PERSISTENT)
        return hwk_tpm_find_nv(q, handle,
                               q->uri->tpm == HWK_TPM_HANDLE ||
                                   q->uri->tpm == HWK_TPM_OBJECT);
    if (!(q->want & (HWK_WANT_PRIVATE | HWK_WANT_PUBLIC)))
        return 1;
    ERR_set_mark();
    rc = find_key(q, handle);
    if (rc < 0 && hwk_err_is(HWK_R_NOT_FOUND)) {
        ERR_pop_to_mark();
        return 1;
    }
    ERR_clear_last_mark();
    return rc;
}

/* What is of no use or cannot be read hides nothing else; a TPM that is gone
 * does. */
static bool passable(TPM2_HANDLE handle)
{
    if (handle >> 24 != TPM2_HT_NV_INDEX)
        return hwk_err_is(HWK_R_KEY); /* no key pair of ours */
    return !hwk_err_is(HWK_R_NO_DEVICE) && !hwk_err_is(HWK_R_MEMORY);
}

static int find_all(const struct hwk_tpm_query *q)
{
    TPM2_HANDLE *handles;
    size_t n;
    int rc = 1;
    if (!hwk_tpm_all_handles(q->tpm, &handles, &n))
        return 0;
    for (size_t i = 0; rc > 0 && i < n; i++) {
        unsigned before = *q->given;
        ERR_set_mark();
        rc = hwk_tpm_find_at(q, handles[i]);
        if (rc < 0 && *q->given == before && passable(handles[i])) {
            ERR_pop_to_mark();
            rc = 1;
        } else {
            ERR_clear_last_mark();
        }
    }
    OPENSSL_free(handles);
    return rc >= 0;
}

int hwk_tpm_find(struct hwk_tpm *tpm, const struct hwk_uri *uri, unsigned want,
                 const struct hwk_pin_ask *pin, hwk_found_fn *each, void *arg)
{
    unsigned given = 0;
    struct hwk_tpm_query q = {tpm, uri, want, pin, each, arg, &given};
    TPM2_HANDLE handle;
    if (uri->tpm == 0 && uri->has_parent)
        return hwk_raise(HWK_R_BAD_URI, "tpm2: parent= alone says where a key "
                                        "is made, not which one there is");
    if (uri->tpm == 0)
        return find_all(&q);
    if (uri->tpm == HWK_TPM_IDEVID || uri->tpm == HWK_TPM_IAK)
        return hwk_tpm_find_devid(&q) >= 0;
    if (uri->tpm == HWK_TPM_OBJECT)
        return hwk_tpm_find_file(&q) >= 0;
    return hwk_tpm_uri_handle(uri, &handle) && hwk_tpm_find_at(&q, handle) >= 0;
}
