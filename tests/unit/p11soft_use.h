/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the tests' own PKCS#11 module share. */
#ifndef P11SOFT_USE_H
#define P11SOFT_USE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <p11-kit/pkcs11.h>

#include "tests/lib/p11_soft.h"

#define MAY_STAY __attribute__((unused))

#define CKK_MONTGOMERY 0x41UL
#define CKM_MONTGOMERY_GEN 0x1056UL
#define SOFT_AT "%s/.libs/p11soft.so"

static const struct p11soft *soft;
static CK_FUNCTION_LIST *f;
static CK_SESSION_HANDLE s; /* read/write, logged in */
MAY_STAY static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_UTF8CHAR pin[] = "1234";

#define OK(call) assert_int_equal(call, CKR_OK)
#define TELL(line) assert_true(soft->tell(line))

/* registered before the module's destructor is: comes after it */
static bool touch_at_exit;

static void at_exit(void)
{
    CK_SLOT_INFO info;

    if (touch_at_exit)
        f->C_GetSlotInfo(1, &info);
}

MAY_STAY static int begin(void **state)
{
    p11soft_control_fn *control;
    CK_C_GetFunctionList get;
    char path[512];
    void *dl;

    (void)state;
    atexit(at_exit);
    snprintf(path, sizeof(path), SOFT_AT,
             getenv("top_builddir") != NULL ? getenv("top_builddir") : ".");
    dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (dl == NULL)
        return -1;
    *(void **)(void *)&control = dlsym(dl, "p11soft_control");
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    soft = control();
    return get(&f) == CKR_OK ? 0 : -1;
}

MAY_STAY static void log_in(void)
{
    OK(f->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                        &s));
    OK(f->C_Login(s, CKU_USER, pin, 4));
}

MAY_STAY static int each(void **state)
{
    (void)state;
    TELL("forget");
    OK(f->C_Initialize(NULL));
    log_in();
    return 0;
}

MAY_STAY static int after(void **state)
{
    (void)state;
    TELL("forget");
    return f->C_Finalize(NULL) == CKR_OK ? 0 : -1;
}

/* --- keys and what OpenSSL thinks of them --- */

struct pair {
    CK_OBJECT_HANDLE pub, priv;
    EVP_PKEY *key; /* the public half, by its attributes */
};

MAY_STAY static size_t value_of(CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type,
                                void *out, size_t max)
{
    CK_ATTRIBUTE a = {type, out, max};

    OK(f->C_GetAttributeValue(s, h, &a, 1));
    return a.ulValueLen;
}

MAY_STAY static EVP_PKEY *rsa_of(CK_OBJECT_HANDLE pub)
{
    uint8_t n[512], e[8];
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *bn, *be;
    OSSL_PARAM *params;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    bn = BN_bin2bn(n, (int)value_of(pub, CKA_MODULUS, n, sizeof(n)), NULL);
    be = BN_bin2bn(e, (int)value_of(pub, CKA_PUBLIC_EXPONENT, e, 8), NULL);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be);
    params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_fromdata_init(ctx);
    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_free(bn);
    BN_free(be);
    return key;
}

MAY_STAY static EVP_PKEY *point_key(CK_OBJECT_HANDLE pub, const char *type,
                                    int nid)
{
    uint8_t point[256], *p = point;
    size_t n = value_of(pub, CKA_EC_POINT, point, sizeof(point));
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[3];
    char group[32];

    assert_int_equal(p[0], 0x04);
    p += p[1] == 0x81 ? 3 : 2;
    n -= (size_t)(p - point);
    if (strcmp(type, "EC") != 0)
        return EVP_PKEY_new_raw_public_key_ex(NULL, type, NULL, p, n);
    snprintf(group, sizeof(group), "%s", OBJ_nid2sn(nid));
    params[0] =
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    params[1] =
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, p, n);
    params[2] = OSSL_PARAM_construct_end();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY_fromdata_init(ctx);
    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

MAY_STAY static struct pair make_rsa(CK_ULONG bits)
{
    CK_MECHANISM mech = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE pub[] = {{CKA_MODULUS_BITS, &bits, sizeof(bits)}};
    CK_ATTRIBUTE priv[] = {{CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1}};
    struct pair p;

    OK(f->C_GenerateKeyPair(s, &mech, pub, 1, priv, 2, &p.pub, &p.priv));
    p.key = rsa_of(p.pub);
    assert_int_equal(EVP_PKEY_get_bits(p.key), bits);
    return p;
}

MAY_STAY static struct pair make_ec(const char *type, int nid)
{
    CK_MECHANISM mech = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    unsigned char *oid = NULL;
    int n = i2d_ASN1_OBJECT(OBJ_nid2obj(nid), &oid);
    CK_ATTRIBUTE pub[] = {{CKA_EC_PARAMS, oid, (CK_ULONG)n}};
    CK_ATTRIBUTE priv[] = {{CKA_TOKEN, &yes, 1}, {CKA_DERIVE, &yes, 1}};
    struct pair p;

    if (type[0] == 'X')
        mech.mechanism = CKM_MONTGOMERY_GEN;
    else if (strncmp(type, "ED", 2) == 0)
        mech.mechanism = CKM_EC_EDWARDS_KEY_PAIR_GEN;
    OK(f->C_GenerateKeyPair(s, &mech, pub, 1, priv, 2, &p.pub, &p.priv));
    OPENSSL_free(oid);
    p.key = point_key(p.pub, type, nid);
    assert_non_null(p.key);
    return p;
}

MAY_STAY static void drop(struct pair *p)
{
    OK(f->C_DestroyObject(s, p->priv));
    OK(f->C_DestroyObject(s, p->pub));
    EVP_PKEY_free(p->key);
}

MAY_STAY static size_t sign(CK_MECHANISM *mech, CK_OBJECT_HANDLE key,
                            const void *in, size_t n, uint8_t *sig, size_t max)
{
    CK_ULONG len = 0;

    OK(f->C_SignInit(s, mech, key));
    OK(f->C_Sign(s, (CK_BYTE *)(uintptr_t)in, n, NULL, &len));
    assert_true(len > 0 && len <= max);
    assert_int_equal(f->C_SignInit(s, mech, key), CKR_OPERATION_ACTIVE);
    OK(f->C_Sign(s, (CK_BYTE *)(uintptr_t)in, n, sig, &len));
    return len;
}

MAY_STAY static int verifies(EVP_PKEY *key, int pad, const char *md,
                             const char *mgf, int salt, const uint8_t *sig,
                             size_t n, const uint8_t *in, size_t in_n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    int ok = EVP_PKEY_verify_init(ctx) == 1;

    if (pad != 0)
        ok = ok && EVP_PKEY_CTX_set_rsa_padding(ctx, pad) == 1;
    if (md != NULL)
        ok = ok &&
             EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(md)) == 1;
    if (mgf != NULL)
        ok = ok && EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, mgf, NULL) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt) == 1;
    ok = ok && EVP_PKEY_verify(ctx, sig, n, in, in_n) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

MAY_STAY static const uint8_t digest[64] = {1, 2, 3, 4, 5};

MAY_STAY static int ecdsa_verifies(EVP_PKEY *key, const uint8_t *sig, size_t n)
{
    ECDSA_SIG *e = ECDSA_SIG_new();
    unsigned char *der = NULL;
    int len, ok;

    ECDSA_SIG_set0(e, BN_bin2bn(sig, (int)n / 2, NULL),
                   BN_bin2bn(sig + n / 2, (int)n / 2, NULL));
    len = i2d_ECDSA_SIG(e, &der);
    ok = verifies(key, 0, NULL, NULL, 0, der, (size_t)len, digest, 32);
    OPENSSL_free(der);
    ECDSA_SIG_free(e);
    return ok;
}

#endif
