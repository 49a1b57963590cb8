/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys on the curves that devices have, read without a decoder:
 * libcrypto searches for one each time, and computes the curve anew. */
#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "x509/x509.h"

#define UNCOMPRESSED 4

/* as long as the process: the curve alone, from which keys are copied */
static struct curve {
    int nid;
    char name[8];
    int point; /* bytes of one, as it is */
    EVP_PKEY *plain;
} curves[] = {{NID_X9_62_prime256v1, "P-256", 65, NULL},
              {NID_secp384r1, "P-384", 97, NULL},
              {NID_secp521r1, "P-521", 133, NULL}};

#define CURVES (sizeof(curves) / sizeof(curves[0]))

/* beside such a key: its point as it was read, which libcrypto computes anew
 * each time that it is asked */
struct point {
    int nid, n;
    uint8_t bytes[IDVI_POINT_MAX];
};

static int beside = -1; /* index of it */

static void free_point(void *parent, void *point, CRYPTO_EX_DATA *all,
                       int index, long l, void *p)
{
    (void)parent;
    (void)all;
    (void)index;
    (void)l;
    (void)p;
    OPENSSL_free(point);
}

/* a copy may be given another point: it has none of these */
static int dup_point(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from,
                     void **point, int index, long l, void *p)
{
    (void)to;
    (void)from;
    (void)index;
    (void)l;
    (void)p;
    *point = NULL;
    return 1;
}

static EVP_PKEY *plain_curve(char *name)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM p[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, strlen(name)),
        OSSL_PARAM_END,
    };
    IDV_AUTO_PTR(EVP_PKEY_CTX)
    ctx = EVP_PKEY_CTX_new_from_name(idv_lean_context(), "EC", NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEY_PARAMETERS, p) != 1)
        key = NULL;
    ERR_clear_error();
    return key;
}

static void make_curves(void)
{
    beside = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EVP_PKEY, 0, NULL, NULL,
                                     dup_point, free_point);
    for (size_t i = 0; i < CURVES; i++)
        curves[i].plain = plain_curve(curves[i].name);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static int index_beside(void)
{
    pthread_once(&once, make_curves);
    return beside;
}

static const struct curve *curve_of(const X509_ALGOR *algorithm, int n)
{
    const ASN1_OBJECT *what;
    const void *value;
    int type;
    X509_ALGOR_get0(&what, &type, &value, algorithm);
    if (OBJ_obj2nid(what) != NID_X9_62_id_ecPublicKey || type != V_ASN1_OBJECT)
        return NULL;
    pthread_once(&once, make_curves);
    for (size_t i = 0; i < CURVES; i++) {
        if (curves[i].nid == OBJ_obj2nid(value) && curves[i].point == n)
            return &curves[i];
    }
    return NULL;
}

static void keep_point(EVP_PKEY *key, int nid, struct idv_bytes bytes)
{
    struct point *p = OPENSSL_malloc(sizeof(*p));
    if (!p)
        return;
    *p = (struct point){.nid = nid, .n = (int)bytes.n};
    memcpy(p->bytes, bytes.p, bytes.n);
    if (EVP_PKEY_set_ex_data(key, beside, p) != 1)
        OPENSSL_free(p);
}

struct idv_bytes idvi_curve_point(const EVP_PKEY *key, int *nid)
{
    const int index = index_beside();
    const struct point *p = NULL;
    if (index >= 0)
        p = EVP_PKEY_get_ex_data(key, index);
    if (!p)
        return idv_bytes(NULL, 0);
    *nid = p->nid;
    return idv_bytes(p->bytes, (size_t)p->n);
}

EVP_PKEY *idvi_curve_key(const X509_PUBKEY *from)
{
    X509_ALGOR *algorithm;
    const unsigned char *point;
    int n;
    X509_PUBKEY_get0_param(NULL, &point, &n, &algorithm, from);
    const struct curve *c = curve_of(algorithm, n);
    if (!c || !c->plain || point[0] != UNCOMPRESSED)
        return NULL;
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_PKEY_dup(c->plain);
    bool on_it =
        key && EVP_PKEY_set1_encoded_public_key(key, point, (size_t)n) == 1;
    if (on_it)
        keep_point(key, c->nid, idv_bytes(point, (size_t)n));
    ERR_clear_error();
    return on_it ? idv_steal(&key) : NULL;
}
