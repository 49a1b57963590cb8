/* SPDX-License-Identifier: Apache-2.0 */
/* ECDH in the test's PKCS#11 module. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "tests/lib/p11_soft_int.h"

#define PEER_MAX 256
#define SECRET_MAX 128

/* the point itself, or (which modules may take too) in an OCTET STRING */
static void unwrap(const CK_ECDH1_DERIVE_PARAMS *p, size_t point,
                   const uint8_t **out, size_t *n)
{
    const uint8_t *b = p->pPublicData;

    *out = b;
    *n = p->ulPublicDataLen;
    if (*n == point || *n < 3 || b[0] != 0x04)
        return;
    if (b[1] < 0x80 && b[1] == *n - 2) {
        *out = b + 2;
        *n -= 2;
    } else if (b[1] == 0x81 && b[2] == *n - 3) {
        *out = b + 3;
        *n -= 3;
    }
}

/* the PIN for each use, where it is wanted for this, too; good for one call */
static CK_RV authenticated(struct soft_session *s, const struct soft_object *o)
{
    bool may = s->may_derive || !s->slot->derive_auth ||
               !soft_true(o, CKA_ALWAYS_AUTHENTICATE);

    s->may_derive = false;
    return may ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

static size_t point_size(EVP_PKEY *key)
{
    size_t n = 0;

    (void)EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, NULL, 0,
                                          &n);
    return n;
}

static bool agree(EVP_PKEY *key, const uint8_t *point, size_t n,
                  uint8_t secret[static SECRET_MAX], size_t *secret_n)
{
    EVP_PKEY *peer = EVP_PKEY_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft.libctx, key, NULL);
    bool ok = peer != NULL && ctx != NULL &&
              EVP_PKEY_copy_parameters(peer, key) == 1 &&
              EVP_PKEY_set1_encoded_public_key(peer, point, n) == 1;

    *secret_n = SECRET_MAX;
    ok = ok && EVP_PKEY_derive_init(ctx) == 1 &&
         EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
         EVP_PKEY_derive(ctx, secret, secret_n) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return ok;
}

/* what the template leaves of it: the trailing bytes */
static bool put(struct soft_object *o, const uint8_t *secret, size_t n)
{
    CK_ULONG want = soft_ulong(o, CKA_VALUE_LEN);

    if (want == CK_UNAVAILABLE_INFORMATION)
        want = n;
    return want > 0 && want <= n &&
           soft_set(o, CKA_VALUE, secret + (n - want), want) &&
           soft_set_ulong(o, CKA_VALUE_LEN, want) &&
           soft_set_ulong(o, CKA_CLASS, CKO_SECRET_KEY) &&
           soft_default_bool(o, CKA_SENSITIVE, false) &&
           soft_default_bool(o, CKA_EXTRACTABLE, true) &&
           soft_set_bool(o, CKA_LOCAL, false);
}

static CK_RV reckon(CK_SESSION_HANDLE sh, EVP_PKEY *key,
                    const CK_ECDH1_DERIVE_PARAMS *p, struct soft_object *o)
{
    uint8_t secret[SECRET_MAX], peer[PEER_MAX];
    const uint8_t *point;
    size_t n, secret_n;
    bool ok;

    unwrap(p, point_size(key), &point, &n);
    memcpy(peer, point, n);
    pthread_mutex_unlock(&soft.lock);
    ERR_set_mark();
    ok = agree(key, peer, n, secret, &secret_n);
    ERR_pop_to_mark();
    pthread_mutex_lock(&soft.lock);
    if (!ok)
        return CKR_MECHANISM_PARAM_INVALID;
    ok = put(o, secret, secret_n);
    OPENSSL_cleanse(secret, sizeof(secret));
    if (soft_session(sh) == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    return ok ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

CK_RV soft_derive(CK_SESSION_HANDLE sh, const CK_MECHANISM *mech,
                  CK_OBJECT_HANDLE key_h, const CK_ATTRIBUTE *a, CK_ULONG n,
                  CK_OBJECT_HANDLE *out)
{
    struct soft_session *s = soft_session(sh);
    struct soft_object *base, *o;
    const CK_ECDH1_DERIVE_PARAMS *p;
    EVP_PKEY *key;
    CK_RV rv;

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (mech == NULL || out == NULL)
        return CKR_ARGUMENTS_BAD;
    base = soft_object(s, key_h);
    rv = soft_may_use(s, base, mech->mechanism, CKF_DERIVE, CKA_DERIVE);
    if (rv == CKR_OK)
        rv = authenticated(s, base);
    if (rv != CKR_OK)
        return rv;
    p = mech->pParameter;
    if (p == NULL || mech->ulParameterLen != sizeof(*p) || p->kdf != CKD_NULL ||
        p->ulSharedDataLen != 0 || p->pPublicData == NULL ||
        p->ulPublicDataLen > PEER_MAX)
        return CKR_MECHANISM_PARAM_INVALID;
    o = soft_object_new(s, a, n);
    if (o == NULL)
        return CKR_HOST_MEMORY;
    key = base->key;
    EVP_PKEY_up_ref(key);
    rv = soft_may_add(s, o);
    if (rv == CKR_OK)
        rv = reckon(sh, key, p, o);
    EVP_PKEY_free(key);
    if (rv == CKR_OK)
        *out = soft_add(soft_session(sh), o);
    else
        soft_object_free(o);
    return rv;
}
