/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of every type of key, in every form that applications ask for:
 * certificates, requests, CMS, TLS, raw; and what is refused. */
#include <string.h>

#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tests/lib/keycheck.h"
#include "tests/lib/keymaker.h"

#define URI "pkcs11:id=k;type=private?pin-value=1234"

static struct maker m;
static struct world w;

static int begin(void **state)
{
    (void)state;
    return maker_soft(&m) && world_open(&w, "dh") ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    world_close(&w);
    maker_end(&m);
    return 0;
}

static int each(void **state)
{
    (void)state;
    maker_wipe(&m);
    ERR_clear_error();
    return 0;
}

/* a key of that name: a curve, "RSA" or "RSA-PSS" */
static EVP_PKEY *make(const char *name)
{
    static const CK_MECHANISM_TYPE pss[] = {CKM_RSA_PKCS_PSS};
    struct made k;
    EVP_PKEY *key;

    maker_wipe(&m);
    assert_int_equal(maker_pair(&m, hwk_curve_by_name(name), "k", "key", pss,
                                strcmp(name, "RSA-PSS") == 0 ? 1 : 0, &k),
                     CKR_OK);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    return key;
}

static bool hashes_itself(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
}

/* --- EdDSA with contexts, RFC 8032 section 7 --- */

static const struct vector {
    const char *instance, *type, *seed, *context, *msg, *sig;
} vectors[] = {
    {"Ed25519ctx", "ED25519",
     "0305334e381af78f141cb666f6199f57bc3495335a256a95bd2a55bf546663f6",
     "666f6f", "f726936d19c800494e3fdaff20b276a8",
     "55a4cc2f70a54e04288c5f4cd1e45a7bb520b36292911876cada7323198dd87a"
     "8b36950b95130022907a7fb7c4e9b2d5f6cca685a587b4b21f4b888e4e7edb0d"},
    {"Ed25519ph", "ED25519",
     "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", "",
     "616263",
     "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
     "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"},
    {"Ed448", "ED448",
     "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463a"
     "fbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
     "666f6f", "03",
     "d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2"
     "151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea000c85741de5c8da"
     "1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d"
     "5428407e85dcbc98a49155c13764e66c3c00"},
    {"Ed448ph", "ED448",
     "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"
     "ef7822e0d5104127dc05d6dbefde69e3ab2cec7c867c6e2c49",
     "", "616263",
     "822f6901f7480f3d5f562c592994d9693602875614483256505600bbc281ae38"
     "1f54d6bce2ea911574932f52a4e6cadd78769375ec3ffd1b801a0d9b3f4030cd"
     "433964b6457ea39476511214f97469b57dd32dbc560a9a94d00bff07620464a3"
     "ad203df7dc7ce360c3cd3696d9d9fab90f00"},
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

struct bytes {
    uint8_t p[256];
    size_t n;
};

static struct bytes hex(const char *text)
{
    struct bytes b = {{0}, 0};

    for (; *text != 0; text += 2) {
        unsigned v;

        assert_int_equal(sscanf(text, "%2x", &v), 1);
        b.p[b.n++] = (uint8_t)v;
    }
    return b;
}

static EVP_PKEY *import_seed(const char *type, const struct bytes *seed)
{
    const struct hwk_curve *curve = hwk_curve_by_name(type);
    EVP_PKEY *twin = EVP_PKEY_new_raw_private_key_ex(
        w.libctx, type, "provider=default", seed->p, seed->n);
    static CK_BBOOL yes = CK_TRUE;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE key_type = CKK_EC_EDWARDS;
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(twin, &der);
    CK_ATTRIBUTE a[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_KEY_TYPE, &key_type, sizeof(key_type)},
        {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &yes, 1},
        {CKA_SIGN, &yes, 1},
        {CKA_ID, (void *)(uintptr_t) "k", 1},
        {CKA_EC_PARAMS, (void *)(uintptr_t)curve->oid, curve->oid_len},
        {CKA_VALUE, (void *)(uintptr_t)seed->p, seed->n},
        {CKA_PUBLIC_KEY_INFO, der, (CK_ULONG)n},
    };
    CK_OBJECT_HANDLE h;
    EVP_PKEY *key;

    maker_wipe(&m);
    assert_int_equal(m.f->C_CreateObject(m.s, a, 9, &h), CKR_OK);
    OPENSSL_free(der);
    EVP_PKEY_free(twin);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    return key;
}

static int with_params(EVP_PKEY_CTX *ctx, const char *instance,
                       const struct bytes *context)
{
    OSSL_PARAM params[3], *p = params;

    if (instance != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string("instance",
                                                (char *)(uintptr_t)instance, 0);
    if (context != NULL)
        *p++ = OSSL_PARAM_construct_octet_string(
            "context-string", (void *)(uintptr_t)context->p, context->n);
    *p = OSSL_PARAM_construct_end();
    return EVP_PKEY_CTX_set_params(ctx, params);
}

static void eddsa_vectors(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        struct bytes seed = hex(v->seed), context = hex(v->context);
        struct bytes msg = hex(v->msg), want = hex(v->sig);
        EVP_PKEY *key = import_seed(v->type, &seed);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pctx;
        uint8_t sig[128];
        size_t n = sizeof(sig);

        assert_int_equal(
            EVP_DigestSignInit_ex(ctx, &pctx, NULL, w.libctx, NULL, key, NULL),
            1);
        assert_int_equal(with_params(pctx, v->instance, &context), 1);
        assert_int_equal(EVP_DigestSign(ctx, sig, &n, msg.p, msg.n), 1);
        assert_int_equal(n, want.n);
        assert_memory_equal(sig, want.p, n);
        /* libcrypto 3.0 has these not at all, 3.2 verifies them */
        EVP_MD_CTX_reset(ctx);
        assert_int_equal(EVP_DigestVerifyInit_ex(ctx, &pctx, NULL, w.libctx,
                                                 NULL, key, NULL),
                         1);
        assert_int_equal(with_params(pctx, v->instance, &context), 1);
        ERR_clear_error();
        if (EVP_DigestVerify(ctx, sig, n, msg.p, msg.n) != 1)
            assert_int_equal(hwk_reason(), HWK_R_UNSUPPORTED);
        EVP_MD_CTX_free(ctx);
        EVP_PKEY_free(key);
    }
}

/* 0 or the reason of a signature that is asked for so */
static int eddsa_refusal(EVP_PKEY *key, const char *md, const char *instance,
                         const struct bytes *context, size_t room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    uint8_t sig[128];
    int ok;

    ERR_clear_error();
    ok =
        EVP_DigestSignInit_ex(ctx, &pctx, md, w.libctx, NULL, key, NULL) == 1 &&
        ((instance == NULL && context == NULL) ||
         with_params(pctx, instance, context) > 0) &&
        EVP_DigestSign(ctx, sig, &room, (const uint8_t *)"x", 1) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? 0 : hwk_reason();
}

static void eddsa_refusals(void **state)
{
    struct bytes some = {"ctx", 3}, none = {"", 0}, most = {{1}, 255};
    EVP_PKEY *key = make("ED25519");

    (void)state;
    assert_int_equal(eddsa_refusal(key, NULL, NULL, NULL, 64), 0);
    assert_int_equal(eddsa_refusal(key, "SHA512", NULL, NULL, 64),
                     HWK_R_DIGEST);
    assert_int_equal(eddsa_refusal(key, NULL, NULL, NULL, 63), HWK_R_ARGUMENT);
    assert_int_equal(eddsa_refusal(key, NULL, "Ed448", NULL, 64), HWK_R_PARAM);
    assert_int_equal(eddsa_refusal(key, NULL, "Ed25519", &some, 64),
                     HWK_R_PARAM);
    assert_int_equal(eddsa_refusal(key, NULL, NULL, &some, 64), HWK_R_PARAM);
    assert_int_equal(eddsa_refusal(key, NULL, "Ed25519ctx", &none, 64),
                     HWK_R_PARAM);
    assert_int_equal(eddsa_refusal(key, NULL, "Ed25519ctx", &most, 64), 0);
    most.n = 256;
    assert_int_equal(eddsa_refusal(key, NULL, "Ed25519ctx", &most, 64),
                     HWK_R_PARAM);
    assert_int_equal(eddsa_refusal(key, NULL, "ed25519PH", NULL, 64), 0);
    EVP_PKEY_free(key);
    key = make("ED448");
    assert_int_equal(eddsa_refusal(key, NULL, "Ed448", &some, 114), 0);
    assert_int_equal(eddsa_refusal(key, NULL, NULL, NULL, 113), HWK_R_ARGUMENT);
    EVP_PKEY_free(key);
}

/* a verification that goes through us: the key has a private half */
static void eddsa_verifies(void **state)
{
    EVP_PKEY *key = make("ED448");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t sig[114], msg[] = "what is to be signed";
    size_t n = 0;

    (void)state;
    assert_int_equal(
        EVP_DigestSignInit_ex(ctx, NULL, NULL, w.libctx, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSign(ctx, NULL, &n, msg, sizeof(msg)), 1);
    assert_int_equal(n, sizeof(sig));
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, msg, sizeof(msg)), 1);
    EVP_MD_CTX_reset(ctx);
    assert_int_equal(
        EVP_DigestVerifyInit_ex(ctx, NULL, NULL, w.libctx, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestVerify(ctx, sig, n, msg, sizeof(msg)), 1);
    msg[0] ^= 1;
    assert_int_not_equal(EVP_DigestVerify(ctx, sig, n, msg, sizeof(msg)), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

/* --- what is signed with them --- */

static const struct {
    const char *name;
    int nid;
    bool cms; /* OpenSSL 3.0's CMS can */
} kinds[] = {
    {"P-256", NID_ecdsa_with_SHA256, true},
    {"brainpoolP384r1", NID_ecdsa_with_SHA256, true},
    {"RSA", NID_sha256WithRSAEncryption, true},
    {"RSA-PSS", NID_rsassaPss, true},
    {"ED25519", NID_ED25519, false},
    {"ED448", NID_ED448, false},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* the public half as a file of the certificate has it, by the default one */
static EVP_PKEY *public_of(X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    const unsigned char *p = der;
    EVP_PKEY *pub = d2i_PUBKEY_ex(NULL, &p, n, w.libctx, "provider=default");

    assert_non_null(pub);
    OPENSSL_free(der);
    return pub;
}

static void certificates(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *key = make(kinds[i].name), *pub;
        X509 *x = self_cert(&w, key);

        assert_non_null(x);
        pub = public_of(x);
        assert_int_equal(X509_get_signature_nid(x), kinds[i].nid);
        assert_int_equal(X509_verify(x, pub), 1);
        assert_int_equal(X509_verify(x, key), 1);
        assert_int_equal(X509_check_private_key(x, key), 1);
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(pub);
        X509_free(x);
        EVP_PKEY_free(key);
    }
}

static void requests(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *key = make(kinds[i].name);
        X509_REQ *req = X509_REQ_new_ex(w.libctx, NULL);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
        assert_int_equal(EVP_DigestSignInit_ex(
                             ctx, NULL, hashes_itself(key) ? NULL : "SHA256",
                             w.libctx, NULL, key, NULL),
                         1);
        assert_true(X509_REQ_sign_ctx(req, ctx) > 0);
        assert_int_equal(X509_REQ_get_signature_nid(req), kinds[i].nid);
        assert_int_equal(X509_REQ_verify(req, key), 1);
        EVP_MD_CTX_free(ctx);
        X509_REQ_free(req);
        EVP_PKEY_free(key);
    }
}

/* libcrypto writes the padding of RSA-PSS only when it is told */
static CMS_ContentInfo *signed_by(EVP_PKEY *key, X509 *x, BIO *in)
{
    CMS_ContentInfo *c = CMS_sign_ex(NULL, NULL, NULL, in,
                                     CMS_BINARY | CMS_PARTIAL, w.libctx, NULL);
    bool pss = EVP_PKEY_is_a(key, "RSA-PSS");
    CMS_SignerInfo *si =
        CMS_add1_signer(c, x, key, NULL, pss ? CMS_KEY_PARAM : 0);

    if (si != NULL &&
        (!pss || EVP_PKEY_CTX_set_rsa_padding(CMS_SignerInfo_get0_pkey_ctx(si),
                                              RSA_PKCS1_PSS_PADDING) > 0) &&
        CMS_final(c, in, NULL, CMS_BINARY))
        return c;
    CMS_ContentInfo_free(c);
    return NULL;
}

static void cms(void **state)
{
    static const char text[] = "content";
    size_t i;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *key = make(kinds[i].name);
        X509 *x = self_cert(&w, key);
        BIO *in = BIO_new_mem_buf(text, sizeof(text));
        X509_STORE *store = X509_STORE_new();
        CMS_ContentInfo *c = signed_by(key, x, in);

        assert_int_equal(c != NULL, kinds[i].cms);
        X509_STORE_add_cert(store, x);
        if (c != NULL)
            assert_int_equal(CMS_verify(c, NULL, store, NULL, NULL,
                                        CMS_NO_SIGNER_CERT_VERIFY),
                             1);
        ERR_clear_error();
        CMS_ContentInfo_free(c);
        X509_STORE_free(store);
        BIO_free(in);
        X509_free(x);
        EVP_PKEY_free(key);
    }
}

/* --- forms of the calls --- */

static void sizes_and_copies(void **state)
{
    static const char *const names[] = {"P-521", "RSA", "RSA-PSS", "sect283k1"};
    uint8_t sig[512], msg[] = "first and second";
    size_t i, n;

    (void)state;
    for (i = 0; i < 4; i++) {
        EVP_PKEY *key = make(names[i]);
        EVP_MD_CTX *a = EVP_MD_CTX_new(), *b = EVP_MD_CTX_new();
        size_t size = (size_t)EVP_PKEY_get_size(key);

        EVP_DigestSignInit_ex(a, NULL, "SHA384", w.libctx, NULL, key, NULL);
        assert_int_equal(EVP_DigestSignUpdate(a, msg, 5), 1);
        assert_int_equal(EVP_MD_CTX_copy_ex(b, a), 1);
        assert_int_equal(EVP_DigestSignUpdate(a, msg + 5, sizeof(msg) - 5), 1);
        assert_int_equal(EVP_DigestSignUpdate(b, msg + 5, 3), 1);
        n = 0;
        assert_int_equal(EVP_DigestSignFinal(a, NULL, &n), 1);
        assert_int_equal(n, size);
        n = size;
        assert_int_equal(EVP_DigestSignFinal(a, sig, &n), 1);
        assert_true(
            verify_msg(key, "SHA384", NO_PSS, msg, sizeof(msg), sig, n));
        n = size - 1;
        ERR_clear_error();
        assert_int_not_equal(EVP_DigestSignFinal(b, sig, &n), 1);
        assert_int_equal(hwk_reason(), HWK_R_ARGUMENT);
        EVP_MD_CTX_free(a);
        EVP_MD_CTX_free(b);
        EVP_PKEY_free(key);
    }
}

/* 0, or the reason of a raw signature over n bytes */
static int raw(EVP_PKEY *key, const EVP_MD *md, int pad, size_t n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    uint8_t tbs[512] = {0}, sig[512];
    size_t size = sizeof(sig);
    int ok;

    tbs[511] = 1;
    ERR_clear_error();
    ok = EVP_PKEY_sign_init(ctx) == 1 &&
         (pad == 0 || EVP_PKEY_CTX_set_rsa_padding(ctx, pad) > 0) &&
         (md == NULL || EVP_PKEY_CTX_set_signature_md(ctx, md) > 0) &&
         EVP_PKEY_sign(ctx, sig, &size, tbs, n) == 1 &&
         EVP_PKEY_verify_init(ctx) == 1 &&
         (pad == 0 || EVP_PKEY_CTX_set_rsa_padding(ctx, pad) > 0) &&
         (md == NULL || EVP_PKEY_CTX_set_signature_md(ctx, md) > 0) &&
         EVP_PKEY_verify(ctx, sig, size, tbs, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? 0 : hwk_reason();
}

static void raw_signatures(void **state)
{
    EVP_PKEY *rsa = make("RSA"), *key;

    (void)state;
    assert_int_equal(raw(rsa, NULL, 0, 32), 0); /* no DigestInfo */
    assert_int_equal(raw(rsa, NULL, 0, 245), 0);
    assert_int_equal(raw(rsa, NULL, 0, 246), HWK_R_PADDING);
    assert_int_equal(raw(rsa, EVP_sha256(), 0, 32), 0);
    assert_int_equal(raw(rsa, EVP_sha256(), 0, 31), HWK_R_DIGEST);
    assert_int_equal(raw(rsa, EVP_md5_sha1(), 0, 36), 0);
    assert_int_equal(raw(rsa, EVP_md5_sha1(), 0, 35), HWK_R_DIGEST);
    assert_int_equal(raw(rsa, NULL, RSA_NO_PADDING, 255), HWK_R_PADDING);
    assert_int_equal(raw(rsa, NULL, RSA_X931_PADDING, 32), HWK_R_PADDING);
    assert_int_equal(raw(rsa, NULL, RSA_PKCS1_PSS_PADDING, 32), HWK_R_DIGEST);
    assert_int_equal(raw(rsa, EVP_sha384(), RSA_PKCS1_PSS_PADDING, 48), 0);
    EVP_PKEY_free(rsa);
    key = make("RSA-PSS");
    assert_int_equal(raw(key, EVP_sha256(), 0, 32), 0);
    assert_int_equal(raw(key, EVP_sha256(), RSA_PKCS1_PADDING, 32),
                     HWK_R_PADDING);
    EVP_PKEY_free(key);
    key = make("P-256");
    assert_int_equal(raw(key, NULL, 0, 32), 0);
    assert_int_equal(raw(key, NULL, 0, 20), 0);
    assert_int_equal(raw(key, NULL, 0, 64), 0);
    assert_int_equal(raw(key, NULL, 0, 0), HWK_R_DIGEST);
    assert_int_equal(raw(key, EVP_sha256(), 0, 48), HWK_R_DIGEST);
    EVP_PKEY_free(key);
}

/* --- TLS --- */

static SSL_CTX *endpoint(const SSL_METHOD *method, int version, EVP_PKEY *key,
                         X509 *x)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(w.libctx, NULL, method);

    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    assert_int_equal(SSL_CTX_check_private_key(ctx), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
    return ctx;
}

static bool step(SSL *ssl)
{
    int r = SSL_do_handshake(ssl), e = SSL_get_error(ssl, r);

    return r == 1 || e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static bool handshake(SSL_CTX *server, SSL_CTX *client)
{
    SSL *s = SSL_new(server), *c = SSL_new(client);
    BIO *a, *b;
    bool ok = true;
    int i;

    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(s, a, a);
    SSL_set_bio(c, b, b);
    SSL_set_accept_state(s);
    SSL_set_connect_state(c);
    for (i = 0; i < 20 && ok; i++)
        ok = step(c) && step(s);
    ok = ok && SSL_is_init_finished(s) && SSL_is_init_finished(c);
    SSL_free(s);
    SSL_free(c);
    return ok;
}

static void tls(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    size_t i, v;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *key = make(kinds[i].name);
        X509 *x = self_cert(&w, key);

        for (v = 0; v < 2; v++) {
            SSL_CTX *s = endpoint(TLS_server_method(), versions[v], key, x);
            SSL_CTX *c = endpoint(TLS_client_method(), versions[v], key, x);

            /* TLS 1.3 has no brainpool of old, RFC 8446 section 4.2.3 */
            if (strstr(kinds[i].name, "brainpool") == NULL)
                assert_true(handshake(s, c));
            SSL_CTX_free(s);
            SSL_CTX_free(c);
        }
        X509_free(x);
        EVP_PKEY_free(key);
    }
}

#define T(name) cmocka_unit_test_setup(name, each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(eddsa_vectors),    T(eddsa_refusals), T(eddsa_verifies),
        T(certificates),     T(requests),       T(cms),
        T(sizes_and_copies), T(raw_signatures), T(tls),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
