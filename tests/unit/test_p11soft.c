/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' own PKCS#11 module: what it makes holds under OpenSSL, and it
 * fails as it is told. */
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

#define CKK_MONTGOMERY 0x41UL
#define CKM_MONTGOMERY_GEN 0x1056UL
#define SOFT_AT "%s/.libs/p11soft.so"

static const struct p11soft *soft;
static CK_FUNCTION_LIST *f;
static CK_SESSION_HANDLE s; /* read/write, logged in */
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
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

static int begin(void **state)
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

static void log_in(void)
{
    OK(f->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                        &s));
    OK(f->C_Login(s, CKU_USER, pin, 4));
}

static int each(void **state)
{
    (void)state;
    TELL("forget");
    OK(f->C_Initialize(NULL));
    log_in();
    return 0;
}

static int after(void **state)
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

static size_t value_of(CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type, void *out,
                       size_t max)
{
    CK_ATTRIBUTE a = {type, out, max};

    OK(f->C_GetAttributeValue(s, h, &a, 1));
    return a.ulValueLen;
}

static EVP_PKEY *rsa_of(CK_OBJECT_HANDLE pub)
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

static EVP_PKEY *point_key(CK_OBJECT_HANDLE pub, const char *type, int nid)
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

static struct pair make_rsa(CK_ULONG bits)
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

static struct pair make_ec(const char *type, int nid)
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

static void drop(struct pair *p)
{
    OK(f->C_DestroyObject(s, p->priv));
    OK(f->C_DestroyObject(s, p->pub));
    EVP_PKEY_free(p->key);
}

static size_t sign(CK_MECHANISM *mech, CK_OBJECT_HANDLE key, const void *in,
                   size_t n, uint8_t *sig, size_t max)
{
    CK_ULONG len = 0;

    OK(f->C_SignInit(s, mech, key));
    OK(f->C_Sign(s, (CK_BYTE *)(uintptr_t)in, n, NULL, &len));
    assert_true(len > 0 && len <= max);
    assert_int_equal(f->C_SignInit(s, mech, key), CKR_OPERATION_ACTIVE);
    OK(f->C_Sign(s, (CK_BYTE *)(uintptr_t)in, n, sig, &len));
    return len;
}

static int verifies(EVP_PKEY *key, int pad, const char *md, const char *mgf,
                    int salt, const uint8_t *sig, size_t n, const uint8_t *in,
                    size_t in_n)
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

static const struct {
    CK_MECHANISM_TYPE hash;
    CK_ULONG mgf;
    const char *name;
    size_t size;
} hashes[] = {{CKM_SHA_1, CKG_MGF1_SHA1, "SHA1", 20},
              {CKM_SHA224, CKG_MGF1_SHA224, "SHA224", 28},
              {CKM_SHA256, CKG_MGF1_SHA256, "SHA256", 32},
              {CKM_SHA384, CKG_MGF1_SHA384, "SHA384", 48},
              {CKM_SHA512, CKG_MGF1_SHA512, "SHA512", 64}};
static const uint8_t digest[64] = {1, 2, 3, 4, 5};

/* --- RSA --- */

static void rsa_signs(void **state)
{
    CK_MECHANISM mech = {CKM_RSA_PKCS, NULL, 0};
    CK_RSA_PKCS_PSS_PARAMS pss;
    struct pair p = make_rsa(2048);
    uint8_t sig[256], raw[256] = {0};
    size_t i, n;

    (void)state;
    n = sign(&mech, p.priv, digest, 19, sig, sizeof(sig));
    assert_true(
        verifies(p.key, RSA_PKCS1_PADDING, NULL, NULL, 0, sig, n, digest, 19));
    mech.mechanism = CKM_RSA_X_509;
    raw[255] = 77;
    n = sign(&mech, p.priv, raw + 200, 56, sig, sizeof(sig));
    assert_true(
        verifies(p.key, RSA_NO_PADDING, NULL, NULL, 0, sig, n, raw, 256));
    mech = (CK_MECHANISM){CKM_RSA_PKCS_PSS, &pss, sizeof(pss)};
    for (i = 0; i < 25; i++) {
        pss = (CK_RSA_PKCS_PSS_PARAMS){hashes[i / 5].hash, hashes[i % 5].mgf,
                                       3 * i};
        n = sign(&mech, p.priv, digest, hashes[i / 5].size, sig, sizeof(sig));
        assert_true(verifies(p.key, RSA_PKCS1_PSS_PADDING, hashes[i / 5].name,
                             hashes[i % 5].name, (int)(3 * i), sig, n, digest,
                             hashes[i / 5].size));
    }
    drop(&p);
}

static size_t encrypt(EVP_PKEY *key, int pad, const char *md, const char *mgf,
                      const char *label, uint8_t *out, size_t max)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    size_t n = max;

    assert_true(EVP_PKEY_encrypt_init(ctx) == 1);
    EVP_PKEY_CTX_set_rsa_padding(ctx, pad);
    if (md != NULL) {
        EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, md, NULL);
        EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, mgf, NULL);
        EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_strdup(label),
                                         (int)strlen(label));
    }
    assert_int_equal(EVP_PKEY_encrypt(ctx, out, &n, digest, 20), 1);
    EVP_PKEY_CTX_free(ctx);
    return n;
}

static CK_RV decrypt(CK_MECHANISM *mech, CK_OBJECT_HANDLE key, uint8_t *in,
                     size_t n, uint8_t *out, CK_ULONG *out_n)
{
    OK(f->C_DecryptInit(s, mech, key));
    return f->C_Decrypt(s, in, n, out, out_n);
}

static void rsa_decrypts(void **state)
{
    CK_MECHANISM mech = {CKM_RSA_PKCS, NULL, 0};
    CK_RSA_PKCS_OAEP_PARAMS oaep;
    struct pair p = make_rsa(2048);
    uint8_t box[256], out[256];
    CK_ULONG m = sizeof(out);
    size_t i, n;

    (void)state;
    n = encrypt(p.key, RSA_PKCS1_PADDING, NULL, NULL, NULL, box, sizeof(box));
    OK(decrypt(&mech, p.priv, box, n, out, &m));
    assert_int_equal(m, 20);
    assert_memory_equal(out, digest, 20);
    mech = (CK_MECHANISM){CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
    for (i = 0; i < 25; i++) {
        oaep = (CK_RSA_PKCS_OAEP_PARAMS){hashes[i / 5].hash, hashes[i % 5].mgf,
                                         CKZ_DATA_SPECIFIED,
                                         (void *)(uintptr_t) "label", 5};
        n = encrypt(p.key, RSA_PKCS1_OAEP_PADDING, hashes[i / 5].name,
                    hashes[i % 5].name, "label", box, sizeof(box));
        m = sizeof(out);
        OK(decrypt(&mech, p.priv, box, n, out, &m));
        assert_int_equal(m, 20);
        assert_memory_equal(out, digest, 20);
        oaep.ulSourceDataLen = 4;
        assert_int_equal(decrypt(&mech, p.priv, box, n, out, &m),
                         CKR_ENCRYPTED_DATA_INVALID);
    }
    drop(&p);
}

/* --- curves --- */

static int ecdsa_verifies(EVP_PKEY *key, const uint8_t *sig, size_t n)
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

static void derives(struct pair *p, const char *type)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE kind = CKK_GENERIC_SECRET;
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &kind, sizeof(kind)},
                        {CKA_SENSITIVE, &no, 1},
                        {CKA_EXTRACTABLE, &yes, 1}};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, p->key, NULL);
    uint8_t point[256], mine[128], theirs[128];
    size_t n, mine_n = sizeof(mine);
    CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, 0, point};
    CK_MECHANISM mech = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
    CK_OBJECT_HANDLE secret;
    EVP_PKEY *peer = NULL;

    EVP_PKEY_keygen_init(ctx);
    assert_int_equal(EVP_PKEY_generate(ctx, &peer), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_get_octet_string_param(peer, OSSL_PKEY_PARAM_PUB_KEY, point,
                                    sizeof(point), &n);
    params.ulPublicDataLen = n;
    OK(f->C_DeriveKey(s, &mech, p->priv, a, 4, &secret));
    n = value_of(secret, CKA_VALUE, theirs, sizeof(theirs));
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL);
    EVP_PKEY_derive_init(ctx);
    EVP_PKEY_derive_set_peer(ctx, p->key);
    assert_int_equal(EVP_PKEY_derive(ctx, mine, &mine_n), 1);
    assert_int_equal(n, mine_n);
    assert_memory_equal(mine, theirs, n);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    (void)type;
}

static void curves(void **state)
{
    static const int nids[] = {NID_secp224r1,       NID_X9_62_prime256v1,
                               NID_secp384r1,       NID_secp521r1,
                               NID_secp256k1,       NID_brainpoolP256r1,
                               NID_brainpoolP384r1, NID_brainpoolP512r1};
    CK_MECHANISM mech = {CKM_ECDSA, NULL, 0};
    uint8_t sig[256];
    size_t i, n;

    (void)state;
    for (i = 0; i < sizeof(nids) / sizeof(nids[0]); i++) {
        struct pair p = make_ec("EC", nids[i]);

        n = sign(&mech, p.priv, digest, 32, sig, sizeof(sig));
        assert_true(ecdsa_verifies(p.key, sig, n));
        derives(&p, "EC");
        drop(&p);
    }
}

static void edwards(void **state)
{
    static const struct {
        const char *type;
        int nid;
        size_t n;
    } kinds[] = {{"ED25519", NID_ED25519, 64}, {"ED448", NID_ED448, 114}};
    CK_MECHANISM mech = {CKM_EDDSA, NULL, 0};
    uint8_t sig[256];
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        struct pair p = make_ec(kinds[i].type, kinds[i].nid);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        size_t n = sign(&mech, p.priv, "message", 7, sig, sizeof(sig));

        assert_int_equal(n, kinds[i].n);
        EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, p.key);
        assert_int_equal(
            EVP_DigestVerify(ctx, sig, n, (const uint8_t *)"message", 7), 1);
        EVP_MD_CTX_free(ctx);
        drop(&p);
    }
}

/* RFC 8032, 7.2 to 7.5 */
struct eddsa_vector {
    bool ed448;
    CK_BBOOL prehash;
    const char *seed, *context, *msg, *sig;
};
static const struct eddsa_vector eddsa_vectors[] = {
    {false, CK_FALSE,
     "0305334e381af78f141cb666f6199f57bc3495335a256a95bd2a55bf546663f6",
     "666f6f", "f726936d19c800494e3fdaff20b276a8",
     "55a4cc2f70a54e04288c5f4cd1e45a7bb520b36292911876cada7323198dd87a"
     "8b36950b95130022907a7fb7c4e9b2d5f6cca685a587b4b21f4b888e4e7edb0d"},
    {false, CK_TRUE,
     "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", "",
     "616263",
     "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
     "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"},
    {true, CK_FALSE,
     "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463a"
     "fbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
     "666f6f", "03",
     "d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2"
     "151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea000c85741de5c8da"
     "1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d"
     "5428407e85dcbc98a49155c13764e66c3c00"},
    {true, CK_TRUE,
     "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"
     "ef7822e0d5104127dc05d6dbefde69e3ab2cec7c867c6e2c49",
     "", "616263",
     "822f6901f7480f3d5f562c592994d9693602875614483256505600bbc281ae38"
     "1f54d6bce2ea911574932f52a4e6cadd78769375ec3ffd1b801a0d9b3f4030cd"
     "433964b6457ea39476511214f97469b57dd32dbc560a9a94d00bff07620464a3"
     "ad203df7dc7ce360c3cd3696d9d9fab90f00"},
};

static void eddsa_variants(void **state)
{
    static uint8_t oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_EC_EDWARDS;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(eddsa_vectors) / sizeof(eddsa_vectors[0]); i++) {
        const struct eddsa_vector *v = &eddsa_vectors[i];
        uint8_t sig[114];
        long seed_n, context_n = 0, msg_n, want_n;
        unsigned char *seed = OPENSSL_hexstr2buf(v->seed, &seed_n);
        unsigned char *context = OPENSSL_hexstr2buf(v->context, &context_n);
        unsigned char *msg = OPENSSL_hexstr2buf(v->msg, &msg_n);
        unsigned char *want = OPENSSL_hexstr2buf(v->sig, &want_n);
        CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof(class)},
                            {CKA_KEY_TYPE, &type, sizeof(type)},
                            {CKA_EC_PARAMS, oid, sizeof(oid)},
                            {CKA_VALUE, seed, (CK_ULONG)seed_n}};
        struct {
            CK_BBOOL prehash;
            CK_ULONG context_n;
            CK_BYTE *context;
        } params = {v->prehash, (CK_ULONG)context_n, context};
        CK_MECHANISM mech = {CKM_EDDSA, &params, sizeof(params)};
        CK_OBJECT_HANDLE h;

        oid[4] = v->ed448 ? 0x71 : 0x70;
        OK(f->C_CreateObject(s, a, 4, &h));
        assert_int_equal(sign(&mech, h, msg, (size_t)msg_n, sig, sizeof(sig)),
                         want_n);
        assert_memory_equal(sig, want, want_n);
        OPENSSL_free(seed);
        OPENSSL_free(context);
        OPENSSL_free(msg);
        OPENSSL_free(want);
    }
}

static void montgomery(void **state)
{
    struct pair a = make_ec("X25519", NID_X25519);
    struct pair b = make_ec("X448", NID_X448);

    (void)state;
    derives(&a, "X25519");
    derives(&b, "X448");
    drop(&a);
    drop(&b);
}

/* --- objects --- */

static void imports(void **state)
{
    static uint8_t seed[32] = {1, 2, 3};
    static uint8_t oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_EC_EDWARDS;
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_TOKEN, &yes, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_EC_PARAMS, oid, sizeof(oid)},
                        {CKA_VALUE, seed, sizeof(seed)}};
    CK_MECHANISM mech = {CKM_EDDSA, NULL, 0};
    CK_ATTRIBUTE value = {CKA_VALUE, NULL, 0};
    EVP_PKEY *same = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL,
                                                     seed, sizeof(seed));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t sig[64], want[64];
    size_t n = sizeof(want);
    CK_OBJECT_HANDLE h;
    CK_BBOOL local;

    (void)state;
    OK(f->C_CreateObject(s, a, 6, &h));
    assert_int_equal(sign(&mech, h, "m", 1, sig, sizeof(sig)), 64);
    EVP_DigestSignInit(ctx, NULL, NULL, NULL, same);
    EVP_DigestSign(ctx, want, &n, (const uint8_t *)"m", 1);
    assert_memory_equal(sig, want, 64);
    assert_int_equal(value_of(h, CKA_LOCAL, &local, 1), 1);
    assert_false(local);
    assert_int_equal(f->C_GetAttributeValue(s, h, &value, 1),
                     CKR_ATTRIBUTE_SENSITIVE);
    OK(f->C_DestroyObject(s, h));
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(same);
}

static void permissions(void **state)
{
    CK_MECHANISM_TYPE only = CKM_RSA_PKCS_PSS;
    CK_ATTRIBUTE pss[] = {{CKA_ALLOWED_MECHANISMS, &only, sizeof(only)}};
    CK_ATTRIBUTE mute[] = {{CKA_SIGN, &no, 1}};
    CK_MECHANISM mech = {CKM_RSA_PKCS, NULL, 0};
    struct pair p = make_rsa(1024);

    (void)state;
    OK(f->C_SetAttributeValue(s, p.priv, pss, 1));
    assert_int_equal(f->C_SignInit(s, &mech, p.priv), CKR_MECHANISM_INVALID);
    OK(f->C_SetAttributeValue(s, p.priv, mute, 1));
    assert_int_equal(f->C_SignInit(s, &mech, p.priv),
                     CKR_KEY_FUNCTION_NOT_PERMITTED);
    drop(&p);
}

static size_t find_private(CK_OBJECT_HANDLE *out, size_t max)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof(class)};
    CK_ULONG n = 0;

    OK(f->C_FindObjectsInit(s, &a, 1));
    OK(f->C_FindObjects(s, out, max, &n));
    OK(f->C_FindObjectsFinal(s));
    return n;
}

static void handles_are_dealt_anew(void **state)
{
    CK_MECHANISM mech = {CKM_ECDSA, NULL, 0};
    struct pair a = make_ec("EC", NID_X9_62_prime256v1);
    struct pair b = make_ec("EC", NID_X9_62_prime256v1);
    CK_OBJECT_HANDLE h[4];
    uint8_t sig[64];

    (void)state;
    assert_int_equal(find_private(h, 4), 2);
    assert_int_equal(h[0], a.priv);
    TELL("do restart");
    assert_int_equal(f->C_SignInit(s, &mech, a.priv),
                     CKR_SESSION_HANDLE_INVALID);
    log_in();
    sign(&mech, a.priv, digest, 32, sig, sizeof(sig)); /* that is b's now */
    assert_false(ecdsa_verifies(a.key, sig, 64));
    assert_true(ecdsa_verifies(b.key, sig, 64));
    assert_int_equal(find_private(h, 4), 2);
    OK(f->C_DestroyObject(s, h[0]));
    OK(f->C_DestroyObject(s, h[1]));
    EVP_PKEY_free(a.key);
    EVP_PKEY_free(b.key);
}

static void kept_in_a_file(void **state)
{
    CK_MECHANISM mech = {CKM_ECDSA, NULL, 0};
    char dir[256], line[400], path[300];
    CK_OBJECT_HANDLE h[4];
    uint8_t sig[64];
    struct pair p;

    (void)state;
    snprintf(dir, sizeof(dir), "%s/p11soft.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/token", dir);
    snprintf(line, sizeof(line), "slot 1 file=%s", path);
    TELL(line);
    p = make_ec("EC", NID_X9_62_prime256v1);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(line, sizeof(line), "slot 7 serial=0007 file=%s", path);
    TELL(line); /* the same objects, as another process would have them */
    OK(f->C_OpenSession(7, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                        &s));
    OK(f->C_Login(s, CKU_USER, pin, 4));
    assert_int_equal(find_private(h, 4), 1);
    sign(&mech, h[0], digest, 32, sig, sizeof(sig));
    assert_true(ecdsa_verifies(p.key, sig, 64));
    OK(f->C_DestroyObject(s, h[0])); /* seen at once by the first */
    OK(f->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
    assert_int_equal(find_private(h, 4), 0);
    TELL("slot 1 file=");
    TELL("slot 7 file= empty");
    EVP_PKEY_free(p.key);
    unlink(path);
    rmdir(dir);
}

/* --- logins --- */

static CK_FLAGS flags(void)
{
    CK_TOKEN_INFO info;

    OK(f->C_GetTokenInfo(1, &info));
    return info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY |
                         CKF_USER_PIN_LOCKED);
}

static void pins_are_counted(void **state)
{
    CK_UTF8CHAR bad[] = "nope";

    (void)state;
    assert_int_equal(f->C_Login(s, CKU_USER, pin, 4),
                     CKR_USER_ALREADY_LOGGED_IN);
    OK(f->C_Logout(s));
    assert_int_equal(flags(), 0);
    assert_int_equal(f->C_Login(s, CKU_USER, bad, 4), CKR_PIN_INCORRECT);
    assert_int_equal(flags(), CKF_USER_PIN_COUNT_LOW);
    assert_int_equal(f->C_Login(s, CKU_USER, bad, 4), CKR_PIN_INCORRECT);
    assert_int_equal(flags(), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
    assert_int_equal(f->C_Login(s, CKU_USER, bad, 4), CKR_PIN_INCORRECT);
    assert_int_equal(flags(), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
    assert_int_equal(f->C_Login(s, CKU_USER, pin, 4), CKR_PIN_LOCKED);
    TELL("slot 1 pin=4321");
    assert_int_equal(f->C_Login(s, CKU_USER, pin, 4), CKR_PIN_INCORRECT);
    TELL("slot 1 pin=1234");
    OK(f->C_Login(s, CKU_USER, pin, 4));
}

static void for_each_use(void **state)
{
    CK_MECHANISM mech = {CKM_ECDSA, NULL, 0};
    struct pair p;
    uint8_t sig[64];
    CK_ULONG n = sizeof(sig);
    CK_BYTE in[32] = {1};

    (void)state;
    TELL("slot 1 always-auth");
    p = make_ec("EC", NID_X9_62_prime256v1);
    TELL("slot 1 not-always-auth");
    assert_int_equal(f->C_Login(s, CKU_CONTEXT_SPECIFIC, pin, 4),
                     CKR_OPERATION_NOT_INITIALIZED);
    OK(f->C_SignInit(s, &mech, p.priv));
    assert_int_equal(f->C_Sign(s, in, 32, sig, &n), CKR_USER_NOT_LOGGED_IN);
    OK(f->C_SignInit(s, &mech, p.priv));
    OK(f->C_Login(s, CKU_CONTEXT_SPECIFIC, pin, 4));
    n = sizeof(sig);
    OK(f->C_Sign(s, in, 32, sig, &n));
    drop(&p);
}

/* --- what goes wrong --- */

static void fails_when_told(void **state)
{
    CK_SLOT_ID ids[4];
    CK_ULONG n = 4;

    (void)state;
    assert_int_equal(soft->calls("C_GetSlotList"), 0);
    TELL("on C_GetSlotList nth=2 times=2 rv=0x30");
    TELL("on C_CloseSession slot=9 times=0 rv=0x30");
    OK(f->C_GetSlotList(CK_TRUE, ids, &n));
    assert_int_equal(f->C_GetSlotList(CK_TRUE, ids, &n), CKR_DEVICE_ERROR);
    assert_int_equal(f->C_GetSlotList(CK_TRUE, ids, &n), CKR_DEVICE_ERROR);
    OK(f->C_GetSlotList(CK_TRUE, ids, &n));
    assert_int_equal(soft->calls("C_GetSlotList"), 4);
    assert_int_equal(n, 1);
    TELL("on C_Verify rv=0x6"); /* also what it has not */
    assert_int_equal(f->C_Verify(s, NULL, 0, NULL, 0), CKR_FUNCTION_FAILED);
    TELL("on C_CloseSession late=0x30");
    assert_int_equal(f->C_CloseSession(s), CKR_DEVICE_ERROR);
    assert_int_equal(f->C_CloseSession(s), CKR_SESSION_HANDLE_INVALID);
    assert_false(soft->tell("on C_Nothing rv=1"));
    assert_false(soft->tell("on C_Sign"));
    assert_false(soft->tell("do rv=1"));
    assert_false(soft->tell("slot one"));
    assert_false(soft->tell("what"));
}

static void tokens_come_and_go(void **state)
{
    CK_SLOT_ID ids[4];
    CK_SESSION_INFO info;
    CK_TOKEN_INFO token;
    CK_ULONG n = 4;

    (void)state;
    TELL("slot 2 label=two");
    OK(f->C_GetSlotList(CK_TRUE, ids, &n));
    assert_int_equal(n, 2);
    TELL("do remove=1");
    assert_int_equal(f->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
    assert_int_equal(f->C_GetTokenInfo(1, &token), CKR_TOKEN_NOT_PRESENT);
    OK(f->C_GetSlotList(CK_TRUE, ids, &n));
    assert_int_equal(n, 1);
    TELL("do insert=1");
    TELL("do move");
    OK(f->C_GetTokenInfo(1, &token));
    assert_memory_equal(token.label, "two ", 4);
    TELL("do move");
    TELL("slot 2 empty");
    TELL("do finalize");
    assert_int_equal(f->C_GetTokenInfo(1, &token),
                     CKR_CRYPTOKI_NOT_INITIALIZED);
    OK(f->C_Initialize(NULL));
}

static void *waits(void *arg)
{
    CK_SESSION_INFO info;

    *(CK_RV *)arg = f->C_GetSessionInfo(s, &info);
    return NULL;
}

static void holds(void **state)
{
    CK_RV rv = CKR_GENERAL_ERROR;
    CK_SLOT_INFO info;
    pthread_t id;

    (void)state;
    TELL("on C_GetSessionInfo hold");
    pthread_create(&id, NULL, waits, &rv);
    soft->await_held(1);
    OK(f->C_GetSlotInfo(1, &info)); /* others go on */
    assert_int_equal(rv, CKR_GENERAL_ERROR);
    TELL("release");
    pthread_join(id, NULL);
    OK(rv);
}

static int child(void)
{
    CK_SESSION_INFO info;

    if (f->C_GetSessionInfo(s, &info) != CKR_CRYPTOKI_NOT_INITIALIZED ||
        f->C_Initialize(NULL) != CKR_OK ||
        f->C_GetSessionInfo(s, &info) != CKR_SESSION_HANDLE_INVALID)
        return 1;
    return 0;
}

static int used_after_its_end(void)
{
    touch_at_exit = true;
    exit(0);
}

static int killed_within(void)
{
    CK_SESSION_INFO info;

    soft->tell("on C_GetSessionInfo kill");
    return (int)f->C_GetSessionInfo(s, &info);
}

static int end_of(int (*in_child)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(in_child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void processes(void **state)
{
    CK_SESSION_INFO info;
    int status = end_of(child);

    (void)state;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(f->C_GetSessionInfo(s, &info));
    status = end_of(used_after_its_end);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = end_of(killed_within);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, each, after)
    const struct CMUnitTest tests[] = {
        T(rsa_signs),       T(rsa_decrypts),       T(curves),
        T(edwards),         T(eddsa_variants),     T(montgomery),
        T(imports),         T(permissions),        T(handles_are_dealt_anew),
        T(kept_in_a_file),  T(pins_are_counted),   T(for_each_use),
        T(fails_when_told), T(tokens_come_and_go), T(holds),
        T(processes),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
