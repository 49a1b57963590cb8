/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of a TPM that a file holds or names: object=FILE. */
#include <stdio.h>
#include <string.h>

#include "provider/device/tpm2_blob.h"
#include "provider/device/tpm2_file.h"
#include "provider/device/tpm2_query.h"

/* finds the file again; "" when its path is too long for that */
static void uri_of(const struct hwk_uri *uri, char *out, size_t max)
{
    snprintf(out, max, "tpm2:");
    if (!hwk_uri_put(out, max, "object", uri->path.p, uri->path.n, false))
        *out = 0;
}

static int relay(void *arg, struct hwk_found *found)
{
    const struct hwk_tpm_query *q = arg;
    ++*q->given;
    return q->each(q->arg, found);
}

static int find_key(struct hwk_tpm_query *q, const struct hwk_tpm_file *file)
{
    char uri[HWK_OBJECT_URI_MAX];
    if (!(q->want & (HWK_WANT_PRIVATE | HWK_WANT_PUBLIC)))
        return 1;
    uri_of(q->uri, uri, sizeof(uri));
    return hwk_tpm_find_blob(q->tpm, file->der, file->n, uri, q->want, q->pin,
                             relay, q);
}

/* a key that somebody had in the TPM, public area and all */
static int find_context(const struct hwk_tpm_query *q,
                        const struct hwk_tpm_file *file)
{
    struct hwk_secret *auth = NULL;
    struct hwk_tpm_object *o = NULL;
    struct hwk_tpm_key *key = NULL;
    struct hwk_found found;
    if (!(q->want & (HWK_WANT_PRIVATE | HWK_WANT_PUBLIC)))
        return 1;
    if (q->want & HWK_WANT_PRIVATE &&
        !hwk_tpm_ask_auth(q->uri, q->pin, 0, &auth))
        return -1;
    if (hwk_tpm_begin(q->tpm)) {
        o = hwk_tpm_object_context(q->tpm, &file->context);
        key = o ? hwk_tpm_key_new(q->tpm, o, auth) : NULL;
        hwk_tpm_end(q->tpm);
    }
    if (!o)
        hwk_secret_free(auth);
    if (!key || !hwk_tpm_found_key(q->tpm, key, &found))
        return -1;
    uri_of(q->uri, found.uri, sizeof(found.uri));
    return hwk_tpm_give_key(q, &found);
}

int hwk_tpm_find_file(struct hwk_tpm_query *q)
{
    struct hwk_tpm_file file;
    int rc;
    if (!hwk_tpm_file_read((const char *)q->uri->path.p, &file))
        return -1;
    if (file.kind == HWK_TPM_FILE_KEY)
        rc = find_key(q, &file);
    else if (file.kind == HWK_TPM_FILE_CONTEXT)
        rc = find_context(q, &file);
    else
        rc = hwk_tpm_find_at(q, file.handle);
    hwk_tpm_file_clear(&file);
    return rc;
}
