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

static bool is_named(const struct hwk_uri *uri)
{
    return uri != NULL && (uri->id.p != NULL || uri->object.p != NULL);
}

/* one search: what it is for, and what it has come to */
struct search {
    struct p11_token *t;
    CK_SESSION_HANDLE s;
    const struct hwk_uri *uri;
    unsigned want; /* HWK_WANT_*, 0: all there is */
    struct p11_object *o;
    size_t n, room;
    size_t seen; /* handles */
    CK_RV bad;   /* what an object that cannot be read said */
};

static CK_RV more_room(struct search *q, size_t n)
{
    size_t room = q->room + (n > q->room ? n : q->room);
    struct p11_object *more;

    if ((q->seen += n) > P11_OBJECTS)
        return CKR_BUFFER_TOO_SMALL;
    if (q->n + n <= q->room)
        return CKR_OK;
    more = OPENSSL_realloc(q->o, room * sizeof(*more));
    if (more == NULL)
        return CKR_HOST_MEMORY;
    q->o = more;
    q->room = room;
    return CKR_OK;
}

static CK_RV read_batch(struct search *q, const CK_OBJECT_HANDLE *h, size_t n)
{
    CK_RV rv = more_room(q, n);
    size_t i;

    for (i = 0; i < n && rv == CKR_OK; i++) {
        struct p11_object *o = &q->o[q->n];

        rv = p11_read_object(q->t, q->s, h[i], o);
        if (rv == CKR_OK && empty_as_asked(q->uri, o))
            q->n++;
        else if (rv == CKR_OBJECT_HANDLE_INVALID)
            rv = CKR_OK; /* gone meanwhile */
        else if (rv != CKR_OK && !p11_lost(rv) && !is_named(q->uri)) {
            q->bad = rv; /* hides no other, unless all are like that */
            rv = CKR_OK;
        }
    }
    return rv;
}

static unsigned kind_of(const struct p11_object *o)
{
    switch (o->class) {
    case CKO_PRIVATE_KEY:
        return HWK_WANT_PRIVATE;
    case CKO_PUBLIC_KEY:
        return HWK_WANT_PUBLIC;
    case CKO_CERTIFICATE:
        return HWK_WANT_CERT;
    default:
        return 0;
    }
}

/* A module may give fewer handles than it has: only none at all is the end. One
 * call less does for what a name mostly names, a pair, or a pair and its
 * certificate, when nothing that is wanted is missing, and the module is not
 * known to give out so few at a time. */
static bool whole(const struct search *q)
{
    unsigned kinds = 0;
    size_t i;

    if (q->want == 0 || (q->want & ~HWK_WANT_ANY) != 0 || q->n < 2 ||
        !is_named(q->uri) || atomic_load(&q->t->module->gives_few))
        return false;
    for (i = 0; i < q->n; i++) {
        unsigned kind = kind_of(&q->o[i]);

        if (kind == 0 || (kinds & kind) != 0)
            return false;
        kinds |= kind;
    }
    if ((kinds & HWK_WANT_PRIVATE) != 0)
        kinds |= HWK_WANT_PUBLIC; /* it can be had of it */
    return (q->want & ~kinds) == 0;
}

static CK_RV read_all(struct search *q)
{
    CK_OBJECT_HANDLE h[P11_BATCH];
    CK_ULONG batch = 0, before;
    bool first = true, end = false;
    CK_RV rv = CKR_OK;

    while (rv == CKR_OK && !end) {
        before = batch;
        rv = P11(q->t->module, C_FindObjects, q->s, h, P11_BATCH, &batch);
        if (rv == CKR_OK && batch > P11_BATCH)
            rv = CKR_GENERAL_ERROR;
        if (rv != CKR_OK)
            break;
        if (batch > 0 && before > 0 && before < P11_BATCH)
            atomic_store(&q->t->module->gives_few, true);
        rv = read_batch(q, h, batch);
        end = batch == 0 || (first && whole(q));
        first = false;
    }
    return rv == CKR_OK && q->n == 0 ? q->bad : rv;
}

CK_RV p11_search_for(struct p11_token *t, CK_SESSION_HANDLE s,
                     const CK_OBJECT_CLASS *class, const struct hwk_uri *uri,
                     unsigned want, struct p11_object **out, size_t *n)
{
    struct search q = {.t = t, .s = s, .uri = uri, .want = want};
    CK_ATTRIBUTE a[3];
    CK_ULONG n_attr = template_of(class, uri, a);
    CK_RV rv = P11(t->module, C_FindObjectsInit, s, a, n_attr);

    if (rv == CKR_OK) {
        rv = read_all(&q);
        P11(t->module, C_FindObjectsFinal, s);
    }
    if (rv != CKR_OK || q.n == 0) {
        OPENSSL_free(q.o);
        q.o = NULL;
        q.n = 0;
    }
    *out = q.o;
    *n = q.n;
    return rv;
}

CK_RV p11_search(struct p11_token *t, CK_SESSION_HANDLE s,
                 const CK_OBJECT_CLASS *class, const struct hwk_uri *uri,
                 struct p11_object **out, size_t *n)
{
    return p11_search_for(t, s, class, uri, 0, out, n);
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
