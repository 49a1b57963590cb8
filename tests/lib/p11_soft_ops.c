/* SPDX-License-Identifier: Apache-2.0 */
/* Signing and decrypting in the test's PKCS#11 module. */
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "tests/lib/p11_soft_int.h"

/* --- mechanisms --- */

static bool fits_key(CK_MECHANISM_TYPE mech, CK_ULONG type)
{
    switch (mech) {
    case CKM_RSA_PKCS:
    case CKM_RSA_X_509:
    case CKM_RSA_PKCS_PSS:
    case CKM_RSA_PKCS_OAEP:
        return type == CKK_RSA;
    case CKM_ECDSA:
        return type == CKK_EC;
    case CKM_EDDSA:
        return type == CKK_EC_EDWARDS;
    case CKM_ECDH1_DERIVE:
        return type == CKK_EC || type == SOFT_CKK_MONTGOMERY;
    default:
        return false;
    }
}

static bool allowed(const struct soft_object *o, CK_MECHANISM_TYPE mech)
{
    const struct soft_attr *a = soft_get(o, CKA_ALLOWED_MECHANISMS);
    CK_MECHANISM_TYPE one;
    size_t i;

    if (a == NULL || a->n == 0)
        return true;
    for (i = 0; i + sizeof(one) <= a->n; i += sizeof(one)) {
        memcpy(&one, a->p + i, sizeof(one));
        if (one == mech)
            return true;
    }
    return false;
}

/* a parameter and what it points to, copied into the session */
static bool take(struct soft_session *s, const CK_MECHANISM *m, size_t size,
                 void **inner, const CK_ULONG *inner_n)
{
    if (m->pParameter == NULL || m->ulParameterLen != size)
        return false;
    memcpy(s->param.bytes, m->pParameter, size);
    if (inner == NULL || *inner_n == 0)
        return true;
    if (*inner == NULL || *inner_n > sizeof(s->extra))
        return false;
    memcpy(s->extra, *inner, *inner_n);
    *inner = s->extra;
    return true;
}

static bool take_param(struct soft_session *s, const CK_MECHANISM *m)
{
    memset(&s->param, 0, sizeof(s->param));
    s->has_param = m->ulParameterLen > 0;
    switch (m->mechanism) {
    case CKM_RSA_PKCS_PSS:
        return take(s, m, sizeof(s->param.pss), NULL, NULL);
    case CKM_RSA_PKCS_OAEP:
        return take(s, m, sizeof(s->param.oaep), &s->param.oaep.pSourceData,
                    &s->param.oaep.ulSourceDataLen);
    case CKM_EDDSA:
        return m->ulParameterLen == 0 ||
               take(s, m, sizeof(s->param.eddsa),
                    (void **)(void *)&s->param.eddsa.context,
                    &s->param.eddsa.context_n);
    default:
        return m->ulParameterLen == 0;
    }
}

CK_RV soft_may_use(const struct soft_session *s, struct soft_object *o,
                   CK_MECHANISM_TYPE mech, CK_FLAGS use,
                   CK_ATTRIBUTE_TYPE permission)
{
    if (!soft_has(s->slot, mech, use))
        return CKR_MECHANISM_INVALID;
    if (o == NULL || soft_ulong(o, CKA_CLASS) != CKO_PRIVATE_KEY)
        return CKR_KEY_HANDLE_INVALID;
    if (!fits_key(mech, soft_ulong(o, CKA_KEY_TYPE)))
        return CKR_KEY_TYPE_INCONSISTENT;
    if (!soft_true(o, permission))
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (!allowed(o, mech))
        return CKR_MECHANISM_INVALID;
    return soft_thaw(o) ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV begin(CK_SESSION_HANDLE sh, const CK_MECHANISM *mech,
                   CK_OBJECT_HANDLE key, enum soft_op op)
{
    struct soft_session *s = soft_session(sh);
    struct soft_object *o;
    CK_RV rv;

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (mech == NULL)
        return CKR_ARGUMENTS_BAD;
    if (s->op != SOFT_IDLE)
        return CKR_OPERATION_ACTIVE;
    o = soft_object(s, key);
    rv = soft_may_use(s, o, mech->mechanism,
                      op == SOFT_SIGN ? CKF_SIGN : CKF_DECRYPT,
                      op == SOFT_SIGN ? CKA_SIGN : CKA_DECRYPT);
    if (rv != CKR_OK)
        return rv;
    if (!take_param(s, mech))
        return CKR_MECHANISM_PARAM_INVALID;
    EVP_PKEY_up_ref(o->key);
    s->key = o->key;
    s->mech = mech->mechanism;
    s->op = op;
    s->wants_auth = soft_true(o, CKA_ALWAYS_AUTHENTICATE);
    return CKR_OK;
}

CK_RV soft_sign_init(CK_SESSION_HANDLE s, const CK_MECHANISM *mech,
                     CK_OBJECT_HANDLE key)
{
    return begin(s, mech, key, SOFT_SIGN);
}

CK_RV soft_decrypt_init(CK_SESSION_HANDLE s, const CK_MECHANISM *mech,
                        CK_OBJECT_HANDLE key)
{
    return begin(s, mech, key, SOFT_DECRYPT);
}

/* --- an operation, taken out of its session --- */

struct job {
    EVP_PKEY *key;
    CK_MECHANISM_TYPE mech;
    struct soft_session at; /* its parameters */
    const uint8_t *in;
    size_t n, out_n;
    uint8_t out[1100];
};

static size_t order_bytes(EVP_PKEY *key)
{
    BIGNUM *order = NULL;
    size_t n = 0;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_ORDER, &order) == 1)
        n = (size_t)BN_num_bytes(order);
    BN_free(order);
    return n;
}

static size_t sig_size(EVP_PKEY *key, CK_MECHANISM_TYPE mech)
{
    return mech == CKM_ECDSA ? 2 * order_bytes(key)
                             : (size_t)EVP_PKEY_get_size(key);
}

/* DER to r || s */
static bool flat(struct job *j)
{
    const unsigned char *p = j->out;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)j->out_n);
    int half = (int)order_bytes(j->key);
    bool ok = sig != NULL &&
              BN_bn2binpad(ECDSA_SIG_get0_r(sig), j->out, half) > 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), j->out + half, half) > 0;

    ECDSA_SIG_free(sig);
    j->out_n = 2 * (size_t)half;
    return ok;
}

static bool sign_eddsa(struct job *j)
{
    struct soft_eddsa_params *p = &j->at.param.eddsa;
    EVP_MD_CTX *ctx;
    bool ok;

    p->context = j->at.extra;
    if (j->at.has_param && !soft.plain_eddsa)
        return soft_eddsa(j->key, p, j->in, j->n, j->out, &j->out_n);
    ctx = EVP_MD_CTX_new();
    ok = EVP_DigestSignInit_ex(ctx, NULL, NULL, soft.libctx, NULL, j->key,
                               NULL) == 1 &&
         EVP_DigestSign(ctx, j->out, &j->out_n, j->in, j->n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* RSA numbers are as long as the modulus, whatever zeros lead them */
static void widen(struct job *j, uint8_t wide[static 1024])
{
    size_t size = (size_t)EVP_PKEY_get_size(j->key);

    if (j->mech != CKM_RSA_X_509 || j->n >= size)
        return;
    memset(wide, 0, size - j->n);
    memcpy(wide + size - j->n, j->in, j->n);
    j->in = wide;
    j->n = size;
}

static bool reckon(struct job *j, enum soft_op op)
{
    EVP_PKEY_CTX *ctx;
    uint8_t wide[1024];
    bool ok;

    j->out_n = sizeof(j->out);
    if (j->mech == CKM_EDDSA)
        return sign_eddsa(j);
    widen(j, wide);
    ctx = EVP_PKEY_CTX_new_from_pkey(soft.libctx, j->key, NULL);
    if (op == SOFT_SIGN)
        ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
             soft_set_padding(ctx, &j->at) &&
             EVP_PKEY_sign(ctx, j->out, &j->out_n, j->in, j->n) == 1;
    else
        ok = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
             soft_set_padding(ctx, &j->at) &&
             EVP_PKEY_decrypt(ctx, j->out, &j->out_n, j->in, j->n) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok && (j->mech != CKM_ECDSA || flat(j));
}

/* the operation that s has begun, or why not */
static CK_RV take_job(struct soft_session *s, enum soft_op op, struct job *j)
{
    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (s->op != op)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (s->wants_auth) {
        soft_end_op(s);
        return CKR_USER_NOT_LOGGED_IN;
    }
    if (j == NULL)
        return CKR_OK;
    j->at = *s;
    j->key = s->key;
    j->mech = s->mech;
    s->key = NULL; /* now the job's */
    soft_end_op(s);
    return CKR_OK;
}

/* what OpenSSL leaves on the queue is not the application's business */
static bool alone(struct job *j, enum soft_op op)
{
    bool ok;

    pthread_mutex_unlock(&soft.lock);
    ERR_set_mark();
    ok = reckon(j, op);
    ERR_pop_to_mark();
    EVP_PKEY_free(j->key);
    pthread_mutex_lock(&soft.lock);
    return ok;
}

CK_RV soft_sign(CK_SESSION_HANDLE sh, const CK_BYTE *in, CK_ULONG n,
                CK_BYTE *out, CK_ULONG *out_n)
{
    struct soft_session *s = soft_session(sh);
    struct job j = {.in = in, .n = n};
    CK_RV rv = take_job(s, SOFT_SIGN, NULL);
    CK_ULONG room;

    if (rv != CKR_OK)
        return rv;
    if (out_n == NULL)
        return CKR_ARGUMENTS_BAD;
    room = *out_n;
    *out_n = sig_size(s->key, s->mech);
    if (out == NULL)
        return CKR_OK;
    if (room < *out_n)
        return CKR_BUFFER_TOO_SMALL;
    (void)take_job(s, SOFT_SIGN, &j);
    if (!alone(&j, SOFT_SIGN))
        return j.mech == CKM_EDDSA ? CKR_MECHANISM_PARAM_INVALID
                                   : CKR_DATA_LEN_RANGE;
    memcpy(out, j.out, j.out_n);
    *out_n = j.out_n;
    return CKR_OK;
}

CK_RV soft_decrypt(CK_SESSION_HANDLE sh, const CK_BYTE *in, CK_ULONG n,
                   CK_BYTE *out, CK_ULONG *out_n)
{
    struct soft_session *s = soft_session(sh);
    struct job j = {.in = in, .n = n};
    CK_RV rv = take_job(s, SOFT_DECRYPT, NULL);
    size_t size;

    if (rv != CKR_OK)
        return rv;
    if (out_n == NULL)
        return CKR_ARGUMENTS_BAD;
    size = (size_t)EVP_PKEY_get_size(s->key);
    if (out == NULL) {
        *out_n = size;
        return CKR_OK;
    }
    (void)take_job(s, SOFT_DECRYPT, &j);
    if (n != size) {
        EVP_PKEY_free(j.key);
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    if (!alone(&j, SOFT_DECRYPT))
        return CKR_ENCRYPTED_DATA_INVALID;
    if (*out_n < j.out_n)
        rv = CKR_BUFFER_TOO_SMALL;
    else
        memcpy(out, j.out, j.out_n);
    *out_n = j.out_n;
    OPENSSL_cleanse(j.out, sizeof(j.out));
    return rv;
}

CK_RV soft_random(CK_BYTE *out, CK_ULONG n)
{
    return RAND_bytes_ex(soft.libctx, out, n, 0) == 1 ? CKR_OK
                                                      : CKR_RANDOM_NO_RNG;
}
