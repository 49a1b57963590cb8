/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and data objects of a token: made, replaced, erased. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/x509.h>

#include "provider/device/p11_dev.h"

/* --- writing --- */

struct names { /* what a certificate object must have besides */
    uint8_t *subject, *issuer, *serial;
    int subject_n, issuer_n, serial_n;
};

static int read_names(const uint8_t *der, size_t n, struct names *out)
{
    const unsigned char *p = der;
    X509 *x = d2i_X509(NULL, &p, (long)n);

    if (x != NULL && p == der + n) {
        out->subject_n = i2d_X509_NAME(X509_get_subject_name(x), &out->subject);
        out->issuer_n = i2d_X509_NAME(X509_get_issuer_name(x), &out->issuer);
        out->serial_n =
            i2d_ASN1_INTEGER(X509_get_serialNumber(x), &out->serial);
    }
    X509_free(x);
    return (out->subject_n > 0 && out->issuer_n > 0 && out->serial_n > 0) ||
           hwk_raise(HWK_R_FORMAT, "not a certificate");
}

static void drop_names(struct names *names)
{
    OPENSSL_free(names->subject);
    OPENSSL_free(names->issuer);
    OPENSSL_free(names->serial);
}

static void *lent(const void *p)
{
    union {
        const void *c;
        void *p;
    } u = {p};

    return u.p;
}

static CK_ULONG object_template(const struct hwk_uri *uri,
                                CK_OBJECT_CLASS *class,
                                const struct names *names, const uint8_t *data,
                                size_t n, unsigned flags,
                                CK_ATTRIBUTE a[static 13])
{
    static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    static CK_CERTIFICATE_TYPE x509 = CKC_X_509;
    CK_ULONG k = 0;

    a[k++] = (CK_ATTRIBUTE){CKA_CLASS, class, sizeof(*class)};
    a[k++] = (CK_ATTRIBUTE){CKA_TOKEN, &yes, sizeof(yes)};
    a[k++] = (CK_ATTRIBUTE){CKA_PRIVATE, &no, sizeof(no)};
    a[k++] = (CK_ATTRIBUTE){
        CKA_MODIFIABLE, (flags & HWK_WRITE_LOCK) != 0 ? &no : &yes, sizeof(no)};
    a[k++] = (CK_ATTRIBUTE){CKA_VALUE, lent(data), n};
    if (uri->object.p != NULL)
        a[k++] = (CK_ATTRIBUTE){CKA_LABEL, uri->object.p, uri->object.n};
    if ((flags & HWK_WRITE_KEEP) != 0)
        a[k++] = (CK_ATTRIBUTE){CKA_DESTROYABLE, &no, sizeof(no)};
    if (*class == CKO_DATA)
        return k;
    a[k++] = (CK_ATTRIBUTE){CKA_CERTIFICATE_TYPE, &x509, sizeof(x509)};
    if (uri->id.p != NULL)
        a[k++] = (CK_ATTRIBUTE){CKA_ID, uri->id.p, uri->id.n};
    a[k++] =
        (CK_ATTRIBUTE){CKA_SUBJECT, names->subject, (CK_ULONG)names->subject_n};
    a[k++] =
        (CK_ATTRIBUTE){CKA_ISSUER, names->issuer, (CK_ULONG)names->issuer_n};
    a[k++] = (CK_ATTRIBUTE){CKA_SERIAL_NUMBER, names->serial,
                            (CK_ULONG)names->serial_n};
    return k;
}

/* what tokens older than 2.40 say of an attribute that they do not know */
static bool unknown(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_TEMPLATE_INCONSISTENT;
}

/* That it is to be kept is left out where the token has no such thing. */
static CK_RV make(struct p11_token *t, CK_SESSION_HANDLE s, CK_ATTRIBUTE *a,
                  CK_ULONG n, CK_OBJECT_HANDLE *h)
{
    CK_RV rv = P11(t->module, C_CreateObject, s, a, n, h);
    CK_ULONG i;

    for (i = 0; i < n && a[i].type != CKA_DESTROYABLE; i++)
        ;
    if (!unknown(rv) || i == n)
        return rv;
    a[i] = a[n - 1];
    return P11(t->module, C_CreateObject, s, a, n - 1, h);
}

/* makes the object and compares; takes it away again when it differs */
static int create(struct p11_dev *d, CK_SESSION_HANDLE s, CK_ATTRIBUTE *a,
                  CK_ULONG n_attr, const uint8_t *data, size_t n,
                  CK_OBJECT_HANDLE *h)
{
    uint8_t *back = NULL;
    size_t back_n = 0;
    bool same;
    CK_RV rv = make(d->t, s, a, n_attr, h);

    if (rv != CKR_OK)
        return p11_raise("C_CreateObject", rv);
    rv = p11_value(d->t, s, *h, &back, &back_n);
    same = rv == CKR_OK && back_n == n && memcmp(back, data, n) == 0;
    OPENSSL_free(back);
    if (same)
        return 1;
    P11(d->t->module, C_DestroyObject, s, *h);
    if (rv != CKR_OK)
        return p11_raise("C_GetAttributeValue", rv);
    return hwk_raise(HWK_R_COMPARE, "token '%s'", d->t->label);
}

/* the old ones go; when one stays, the new one goes instead */
static int replace(struct p11_dev *d, CK_SESSION_HANDLE s,
                   const struct p11_object *old, size_t n, CK_OBJECT_HANDLE new)
{
    CK_RV rv = CKR_OK;
    size_t i;

    for (i = 0; i < n && rv == CKR_OK; i++)
        rv = P11(d->t->module, C_DestroyObject, s, old[i].h);
    if (rv == CKR_OK)
        return 1;
    P11(d->t->module, C_DestroyObject, s, new);
    return p11_raise("C_DestroyObject", rv);
}

static int may_write(const struct hwk_uri *uri, const struct p11_object *old,
                     size_t n, unsigned flags)
{
    size_t i;

    if (n > 0 && (flags & HWK_WRITE_NEW) != 0)
        return hwk_raise(HWK_R_EXISTS, "object '%s'",
                         uri->object.p != NULL ? (char *)uri->object.p : "");
    for (i = 0; i < n; i++)
        if (!old[i].modifiable)
            return hwk_raise(
                HWK_R_EXISTS, "object '%s' is locked until it is erased",
                uri->object.p != NULL ? (char *)uri->object.p : "");
    return 1;
}

static int open_for(struct p11_dev *d, const struct hwk_uri *uri,
                    unsigned flags, struct p11_session *s)
{
    return (flags & HWK_WRITE_SO) != 0 ? p11_so_begin(d, uri, s)
                                       : p11_session_get(d->t, true, s);
}

static void close_for(struct p11_dev *d, unsigned flags, struct p11_session *s)
{
    if ((flags & HWK_WRITE_SO) != 0)
        p11_so_end(d->t, s);
    else
        p11_session_put(d->t, s, true, true);
}

static int write_in(struct p11_dev *d, const struct hwk_uri *uri,
                    CK_OBJECT_CLASS class, const struct p11_object *old,
                    size_t n_old, const uint8_t *data, size_t n, unsigned flags)
{
    struct names names = {0};
    CK_ATTRIBUTE a[13];
    CK_OBJECT_HANDLE h;
    struct p11_session s;
    int ok;

    if (class == CKO_CERTIFICATE && !read_names(data, n, &names)) {
        drop_names(&names);
        return 0;
    }
    ok = open_for(d, uri, flags, &s);
    if (ok) {
        ok = create(d, s.h, a,
                    object_template(uri, &class, &names, data, n, flags, a),
                    data, n, &h) &&
             replace(d, s.h, old, n_old, h);
        close_for(d, flags, &s);
    }
    drop_names(&names);
    return ok;
}

int p11_dev_write(void *state, void *dev, const struct hwk_uri *uri,
                  const uint8_t *data, size_t n, unsigned flags)
{
    struct p11_dev *d = dev;
    struct p11_object *old = NULL;
    CK_OBJECT_CLASS class;
    size_t n_old;
    int ok;

    (void)state;
    if (!p11_class_of(uri, &class) || !p11_named(uri))
        return 0;
    if (class != CKO_CERTIFICATE && class != CKO_DATA)
        return hwk_raise(HWK_R_UNSUPPORTED, "only certificates and data");
    if (n > P11_VALUE_MAX)
        return hwk_raise(HWK_R_ARGUMENT, "more than %d bytes", P11_VALUE_MAX);
    if ((flags & HWK_WRITE_SO) == 0 && !p11_dev_login(d, uri))
        return 0;
    if (!p11_search_once(d->t, &class, uri, &old, &n_old))
        return 0;
    ok = may_write(uri, old, n_old, flags) &&
         write_in(d, uri, class, old, n_old, data, n, flags);
    OPENSSL_free(old);
    return ok;
}

/* --- erasing --- */

static int destroy(struct p11_dev *d, const struct p11_object *o, size_t n)
{
    struct p11_session s;
    CK_RV rv = CKR_OK;
    size_t i;

    if (!p11_session_get(d->t, true, &s))
        return 0;
    for (i = 0; i < n && rv == CKR_OK; i++)
        rv = P11(d->t->module, C_DestroyObject, s.h, o[i].h);
    if (p11_lost(rv))
        p11_token_lost(d->t, s.epoch, rv);
    p11_session_put(d->t, &s, true, rv != CKR_OK);
    return rv == CKR_OK || p11_raise("C_DestroyObject", rv);
}

static int destroy_publics(struct p11_dev *d, const struct hwk_uri *name,
                           size_t *n)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    struct p11_object *o;
    int ok;

    if (!p11_search_once(d->t, &class, name, &o, n))
        return 0;
    ok = *n == 0 || destroy(d, o, *n);
    OPENSSL_free(o);
    return ok;
}

/* the public object that belongs to a private key goes with it */
static int destroy_public(struct p11_dev *d, const struct p11_object *key)
{
    struct hwk_uri by_id = {.id = {NULL, key->id_len}};
    uint8_t id[P11_ID_MAX];
    size_t n;

    memcpy(id, key->id, key->id_len);
    by_id.id.p = id;
    return key->id_len == 0 || destroy_publics(d, &by_id, &n);
}

/* The power may have gone between the two: what is left goes now. */
static int destroy_rest(struct p11_dev *d, const struct hwk_uri *uri)
{
    const struct hwk_uri name = {.id = uri->id, .object = uri->object};
    size_t n;

    return destroy_publics(d, &name, &n) && (n > 0 || p11_missing(uri));
}

int p11_dev_erase(void *state, void *dev, const struct hwk_uri *uri)
{
    struct p11_dev *d = dev;
    struct p11_object *o = NULL;
    CK_OBJECT_CLASS class;
    size_t n;
    int ok;

    (void)state;
    if (!p11_class_of(uri, &class) || !p11_named(uri) ||
        !p11_dev_login(d, uri) || !p11_search_once(d->t, &class, uri, &o, &n))
        return 0;
    if (n == 0)
        ok = class == CKO_PRIVATE_KEY ? destroy_rest(d, uri) : p11_missing(uri);
    else if (n > 1 && class != CKO_DATA)
        ok = hwk_raise(HWK_R_BAD_URI, "%zu objects are named so", n);
    else
        ok = destroy(d, o, n) &&
             (class != CKO_PRIVATE_KEY || destroy_public(d, &o[0]));
    OPENSSL_free(o);
    return ok;
}
