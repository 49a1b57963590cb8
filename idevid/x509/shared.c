/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that were there before, by all of their bytes. */
#include <pthread.h>
#include <string.h>

#include "x509/x509.h"

#define KEPT 64
#define SEEN_ONCE 16       /* of these; the others were asked for again */
#define DER_MAX (4 * 1024) /* larger ones are not kept */

struct kept {
    X509 *cert;
    uint8_t *der;
    size_t n;
    uint64_t used; /* 0: free */
};

static struct {
    pthread_mutex_t lock;
    struct kept at[KEPT];
    uint64_t clock;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct kept *find(struct idv_bytes der)
{
    for (size_t i = 0; i < KEPT; i++) {
        struct kept *k = &all.at[i];
        if (k->used && k->n == der.n && memcmp(k->der, der.p, der.n) == 0)
            return k;
    }
    return NULL;
}

static struct kept *oldest(size_t from, size_t to)
{
    struct kept *k = &all.at[from];
    for (size_t i = from + 1; i < to; i++) {
        if (all.at[i].used < k->used)
            k = &all.at[i];
    }
    return k;
}

/* What is asked for a second time moves among those that are worth keeping, in
 * exchange for the one there that was not used for longest. */
static struct kept *promote(struct kept *k)
{
    if (k >= &all.at[SEEN_ONCE])
        return k;
    struct kept *to = oldest(SEEN_ONCE, KEPT), was = *to;
    *to = *k;
    *k = was;
    return to;
}

static X509 *look_up(struct idv_bytes der)
{
    struct kept *k = find(der);
    if (!k || X509_up_ref(k->cert) != 1)
        return NULL;
    X509 *cert = k->cert;
    promote(k)->used = ++all.clock;
    return cert;
}

static void keep(X509 *cert, struct idv_bytes der)
{
    struct kept *k = oldest(0, SEEN_ONCE);
    uint8_t *copy = OPENSSL_memdup(der.p, der.n);
    if (!copy || X509_up_ref(cert) != 1) {
        OPENSSL_free(copy);
        return;
    }
    X509_free(k->cert);
    OPENSSL_free(k->der);
    *k = (struct kept){cert, copy, der.n, ++all.clock};
}

/* The one of these bytes, a reference for the caller; cert (NULL ok) becomes it
 * where there is none. */
static X509 *shared(X509 *cert, struct idv_bytes der)
{
    pthread_mutex_lock(&all.lock);
    X509 *known = look_up(der);
    if (!known && cert && der.n <= DER_MAX)
        keep(cert, der);
    pthread_mutex_unlock(&all.lock);
    return known;
}

idv_rc idv_cert_shared(struct idv_bytes der, X509 **out)
{
    IDV_AUTO_PTR(X509) cert = shared(NULL, der);
    if (!cert) {
        IDV_TRY(
            idvi_cert_into(X509_new_ex(idv_lean_context(), NULL), der, &cert));
        idvi_keep_sha256(cert, der);
        X509_free(shared(cert, der));
    }
    *out = idv_steal(&cert);
    return IDV_OK;
}

void idv_certs_share(STACK_OF(X509) * certs)
{
    for (int i = 0; i < sk_X509_num(certs); i++) {
        IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
        X509 *mine = sk_X509_value(certs, i);
        if (idv_cert_to_der(mine, &der) != IDV_OK) {
            idv_note_clear();
            continue;
        }
        X509 *known = shared(NULL, idv_view(&der));
        if (!known) { /* nobody else has it yet */
            idvi_keep_sha256(mine, idv_view(&der));
            known = shared(mine, idv_view(&der));
        }
        if (!known)
            continue;
        sk_X509_set(certs, i, known);
        X509_free(mine);
    }
}
