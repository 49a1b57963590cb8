/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' own PKCS#11 module: what its keys make holds under OpenSSL. */
#include "tests/unit/p11soft_use.h"

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

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, each, after)
    const struct CMUnitTest tests[] = {
        T(rsa_signs), T(rsa_decrypts),   T(curves),
        T(edwards),   T(eddsa_variants), T(montgomery),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
