/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a token: searching, naming, and finding them again. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

/* --- searching --- */

static size_t template_of(const CK_OBJECT_CLASS *class,
                          const struct hwk_uri *uri, CK_ATTRIBUTE a[static 3])
{
    union {
        const CK_OBJECT_CLASS *c;
        void *p;
    } c = {class};
    size_t n = 0;

    if (class != NULL)
        a[n++] = (CK_ATTRIBUTE){CKA_CLASS, c.p, sizeof(*class)};
    if (uri != NULL && uri->id.n > 0)
        a[n++] = (CK_ATTRIBUTE){CKA_ID, uri->id.p, uri->id.n};
    if (uri != NULL && uri->object.n > 0)
        a[n++] = (CK_ATTRIBUTE){CKA_LABEL, uri->object.p, uri->object.n};
    return n;
}

/* an empty attribute of the URI: one that tokens keep empty, or not at all */
static bool empty_as_asked(const struct hwk_uri *uri,
                           const struct p11_object *o)
{
    return uri == NULL ||
           ((uri->id.p == NULL || uri->id.n > 0 || o->id_len == 0) &&
            (uri->object.p == NULL || uri->object.n > 0 || o->label_len == 0));
}

static CK_RV more_room(CK_OBJECT_HANDLE **h, size_t n)
{
    CK_OBJECT_HANDLE *more;

    if (n > P11_OBJECTS)
        return CKR_BUFFER_TOO_SMALL;
    more = OPENSSL_realloc(*h, (n + P11_BATCH) * sizeof(**h));
    if (more == NULL)
        return CKR_HOST_MEMORY;
    *h = more;
    return CKR_OK;
}

/* A module may give fewer than it has; those that do give one at a time, or a
 * few dozen. A pair, or a pair and its certificate, is all there is. */
static bool was_last(CK_ULONG batch)
{
    return batch == 0 || batch == 2 || batch == 3;
}

/* *out is for the caller to OPENSSL_free, also on failure */
static CK_RV handles(struct p11_token *t, CK_SESSION_HANDLE s, CK_ATTRIBUTE *a,
                     size_t n_attr, CK_OBJECT_HANDLE **out, size_t *n)
{
    CK_RV rv = P11(t->module, C_FindObjectsInit, s, a, n_attr);
    CK_ULONG batch = 1;

    *n = 0;
    if (rv != CKR_OK)
        return rv;
    while (rv == CKR_OK && !was_last(batch)) {
        rv = more_room(out, *n);
        if (rv == CKR_OK)
            rv = P11(t->module, C_FindObjects, s, *out + *n, P11_BATCH, &batch);
        if (rv == CKR_OK && batch > P11_BATCH)
            rv = CKR_GENERAL_ERROR;
        if (rv == CKR_OK)
            *n += batch;
    }
    P11(t->module, C_FindObjectsFinal, s);
    return rv;
}

static bool is_named(const struct hwk_uri *uri)
{
    return uri != NULL && (uri->id.p != NULL || uri->object.p != NULL);
}

static CK_RV read_all(struct p11_token *t, CK_SESSION_HANDLE s,
                      const struct hwk_uri *uri, const CK_OBJECT_HANDLE *h,
                      size_t got, struct p11_object *out, size_t *n)
{
    CK_RV rv = CKR_OK, bad = CKR_OK;
    size_t i;

    for (i = 0; i < got && rv == CKR_OK; i++) {
        rv = p11_read_object(t, s, h[i], &out[*n]);
        if (rv == CKR_OK && empty_as_asked(uri, &out[*n]))
            ++*n;
        else if (rv == CKR_OBJECT_HANDLE_INVALID)
            rv = CKR_OK; /* gone meanwhile */
        else if (rv != CKR_OK && !p11_lost(rv) && !is_named(uri)) {
            bad = rv; /* hides no other, unless all are like that */
            rv = CKR_OK;
        }
    }
    return rv == CKR_OK && *n == 0 ? bad : rv;
}

CK_RV p11_search(struct p11_token *t, CK_SESSION_HANDLE s,
                 const CK_OBJECT_CLASS *class, const struct hwk_uri *uri,
                 struct p11_object **out, size_t *n)
{
    CK_OBJECT_HANDLE *h = NULL;
    CK_ATTRIBUTE a[3];
    size_t got = 0;
    CK_RV rv = handles(t, s, a, template_of(class, uri, a), &h, &got);

    *out = NULL;
    *n = 0;
    if (rv == CKR_OK && got > 0) {
        *out = OPENSSL_zalloc(got * sizeof(**out));
        rv = *out != NULL ? read_all(t, s, uri, h, got, *out, n)
                          : CKR_HOST_MEMORY;
    }
    OPENSSL_free(h);
    if (rv != CKR_OK) {
        OPENSSL_free(*out);
        *out = NULL;
        *n = 0;
    }
    return rv;
}

int p11_search_once(struct p11_token *t, const CK_OBJECT_CLASS *class,
                    const struct hwk_uri *uri, struct p11_object **out,
                    size_t *n)
{
    struct p11_session s;
    CK_RV rv = CKR_OK;
    int tries;

    for (tries = 0; tries < 2; tries++) {
        if (!p11_session_get(t, false, &s))
            return 0;
        rv = p11_search(t, s.h, class, uri, out, n);
        if (p11_lost(rv))
            p11_token_lost(t, s.epoch, rv);
        p11_session_put(t, &s, false, rv != CKR_OK);
        if (rv == CKR_OK)
            return 1;
        if (!p11_lost(rv))
            break;
    }
    return p11_raise("C_FindObjects", rv);
}

CK_RV p11_refind(struct p11_ref *ref, const struct p11_session *s,
                 CK_OBJECT_HANDLE *out)
{
    struct hwk_uri who = {
        .id = {ref->id_len > 0 ? ref->id : NULL, ref->id_len}};
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    struct p11_object *found;
    size_t i, n;
    CK_RV rv;

    if (ref->id_len == 0)
        who.object = (struct hwk_str){(uint8_t *)ref->label, ref->label_len};
    rv = p11_search(ref->token, s->h, &class, &who, &found, &n);
    for (i = 0; i < n && rv == CKR_OK; i++) {
        rv = p11_complete(ref->token, s->h, &found[i]);
        if (rv == CKR_OK && found[i].has_pub &&
            hwk_pub_eq(&found[i].pub, &ref->pub)) {
            *out = found[i].h;
            OPENSSL_free(found);
            return CKR_OK;
        }
    }
    OPENSSL_free(found);
    if (rv == CKR_OK)
        rv = p11_still_in(ref->token, s);
    return rv != CKR_OK ? rv : CKR_KEY_CHANGED;
}

/* --- names --- */

void p11_token_uri(const struct p11_token *t,
                   char out[static HWK_OBJECT_URI_MAX])
{
    size_t max = HWK_OBJECT_URI_MAX;

    strcpy(out, "pkcs11:");
    (void)!hwk_uri_put(out, max, "token", t->label, strlen(t->label), false);
    if (t->serial[0] != 0)
        (void)!hwk_uri_put(out, max, "serial", t->serial, strlen(t->serial),
                           false);
}

void p11_object_uri(const struct p11_token *t, const struct p11_object *o,
                    char out[static HWK_OBJECT_URI_MAX])
{
    static const char *const types[] = {"data", "cert", "public", "private"};
    size_t max = HWK_OBJECT_URI_MAX;

    p11_token_uri(t, out);
    if (o->id_len > 0 || o->class != CKO_DATA)
        (void)!hwk_uri_put(out, max - 16, "id", o->id, o->id_len, true);
    if (o->label_len > 0 || o->id_len == 0)
        (void)!hwk_uri_put(out, max - 16, "object", o->label, o->label_len,
                           false);
    if (o->class <= CKO_PRIVATE_KEY)
        (void)!hwk_uri_put(out, max, "type", types[o->class],
                           strlen(types[o->class]), false);
}
