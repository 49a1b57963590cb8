/* SPDX-License-Identifier: Apache-2.0 */
/* Signing with TPM keys of every type: tied to a scheme, restricted; their
 * parameters, and what certificates, requests, CMS and TLS do with them. */
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tests/unit/tpm_types.h"

#define NO TPM2_ALG_NULL

static const struct made_key keys[] = {
    {0x81020100, TPM2_ALG_ECC, TPM2_ECC_NIST_P256, SIGN, NO, NO},
    {0x81020101, TPM2_ALG_ECC, TPM2_ECC_NIST_P384, SIGN, NO, NO},
    {0x81020102, TPM2_ALG_ECC, TPM2_ECC_NIST_P521, SIGN, NO, NO},
    {0x81020103, TPM2_ALG_ECC, TPM2_ECC_NIST_P384, SIGN, TPM2_ALG_ECDSA,
     TPM2_ALG_SHA256},
    {0x81020104, TPM2_ALG_ECC, TPM2_ECC_NIST_P256, SIGN | RESTRICTED,
     TPM2_ALG_ECDSA, TPM2_ALG_SHA256},
    {0x81020105, TPM2_ALG_RSA, 2048, SIGN, NO, NO},
    {0x81020106, TPM2_ALG_RSA, 3072, SIGN | DECRYPT, NO, NO},
    {0x81020107, TPM2_ALG_RSA, 2048, SIGN, TPM2_ALG_RSASSA, TPM2_ALG_SHA256},
    {0x81020108, TPM2_ALG_RSA, 2048, SIGN, TPM2_ALG_RSAPSS, TPM2_ALG_SHA256},
    {0x81020109, TPM2_ALG_RSA, 2048, SIGN | RESTRICTED, TPM2_ALG_RSASSA,
     TPM2_ALG_SHA256},
    {0x81020110, TPM2_ALG_RSA, 2048, SIGN | RESTRICTED, TPM2_ALG_RSAPSS,
     TPM2_ALG_SHA384},
};

#define EC256 KEY_URI(00)
#define EC384 KEY_URI(01)
#define EC521 KEY_URI(02)
#define EC_TIED KEY_URI(03)
#define EC_RESTRICTED KEY_URI(04)
#define RSA2048 KEY_URI(05)
#define RSA3072 KEY_URI(06)
#define RSA_PKCS1 KEY_URI(07)
#define RSA_PSS KEY_URI(08)
#define RESTRICTED_PKCS1 KEY_URI(09)
#define RESTRICTED_PSS KEY_URI(10)

static int begin(void **state)
{
    (void)state;
    return begin_with(keys, sizeof(keys) / sizeof(keys[0]));
}

static void like_the_default(void **state)
{
    static const char *const uris[] = {EC256,   EC384,   EC521,
                                       RSA2048, RSA3072, RSA_PSS};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        EVP_PKEY *key;

        commands();
        key = open_at(uris[i]);
        assert_int_equal(commands(), 1);
        check_like_default(&w, key);
        EVP_PKEY_free(key);
    }
}

/* how many objects are listed; -1 when one is not of the type */
static int listed(int expect, int type)
{
    OSSL_STORE_CTX *ctx = OSSL_STORE_open_ex("tpm2:", w.libctx, NULL, NULL,
                                             NULL, NULL, NULL, NULL);
    int n = 0;

    assert_non_null(ctx);
    assert_int_equal(OSSL_STORE_expect(ctx, expect), 1);
    while (!OSSL_STORE_eof(ctx)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(ctx);

        if (info == NULL)
            break;
        n = OSSL_STORE_INFO_get_type(info) != type || n < 0 ? -1 : n + 1;
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(ctx);
    return n;
}

/* all keys, or their public halves, or certificates, of which there is none */
static void list(void **state)
{
    const int all = (int)(sizeof(keys) / sizeof(keys[0]));
    EVP_PKEY *pub = open_key(&w, EC384, OSSL_STORE_INFO_PUBKEY, NULL);
    EVP_PKEY *key = open_at(EC384);

    (void)state;
    assert_int_equal(EVP_PKEY_eq(pub, key), 1);
    assert_false(sign_verify(&w, pub, "SHA256", NO_PSS));
    ERR_clear_error();
    EVP_PKEY_free(pub);
    EVP_PKEY_free(key);
    commands();
    assert_int_equal(listed(OSSL_STORE_INFO_PKEY, OSSL_STORE_INFO_PKEY), all);
    assert_true(commands() <= (unsigned)all + 2); /* and two lists of handles */
    assert_int_equal(listed(OSSL_STORE_INFO_PUBKEY, OSSL_STORE_INFO_PUBKEY),
                     all);
    assert_int_equal(listed(OSSL_STORE_INFO_CERT, OSSL_STORE_INFO_CERT), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

/* every digest and padding that these keys have, one command each */
static void free_keys(void **state)
{
    static const char *const mds[] = {"SHA256", "SHA384", "SHA512", "SHA1"};
    static const char *const ec[] = {EC256, EC384, EC521};
    static const char *const rsa[] = {RSA2048, RSA3072};
    size_t i, j;

    (void)state;
    for (j = 0; j < 4; j++) {
        for (i = 0; i < 3; i++) {
            EVP_PKEY *key = open_at(ec[i]);

            commands();
            assert_true(sign_verify(&w, key, mds[j], NO_PSS));
            assert_int_equal(commands(), 1);
            EVP_PKEY_free(key);
        }
        for (i = 0; i < 2; i++) {
            EVP_PKEY *key = open_at(rsa[i]);

            commands();
            assert_true(sign_verify(&w, key, mds[j], NO_PSS));
            assert_true(sign_verify(&w, key, mds[j], RSA_PSS_SALTLEN_DIGEST));
            assert_int_equal(commands(), 2);
            EVP_PKEY_free(key);
        }
    }
}

static void refused(EVP_PKEY *key, const char *md, int pss, int reason)
{
    uint8_t sig[512];

    commands();
    assert_int_equal(sign_msg(&w, key, md, pss, "x", 1, sig, sizeof(sig)), 0);
    assert_int_equal(commands(), 0);
    said(reason, NULL);
}

/* a key tied to a padding or digest does no other, and the TPM is not asked */
static void tied(void **state)
{
    EVP_PKEY *key = open_at(RSA_PKCS1);

    (void)state;
    assert_true(EVP_PKEY_is_a(key, "RSA"));
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_true(sign_verify(&w, key, NULL, NO_PSS));
    refused(key, "SHA384", NO_PSS, HWK_R_DIGEST);
    refused(key, "SHA256", 32, HWK_R_UNSUPPORTED);
    EVP_PKEY_free(key);
    key = open_at(EC_TIED);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_true(sign_verify(&w, key, NULL, NO_PSS));
    refused(key, "SHA384", NO_PSS, HWK_R_DIGEST);
    EVP_PKEY_free(key);
}

static void for_pss_only(void **state)
{
    EVP_PKEY *key = open_at(RSA_PSS);
    X509 *x = self_cert(&w, key);
    const X509_ALGOR *alg;

    (void)state;
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    assert_non_null(x);
    X509_get0_signature(NULL, &alg, x);
    assert_int_equal(OBJ_obj2nid(alg->algorithm), NID_rsassaPss);
    assert_int_equal(X509_verify(x, key), 1);
    X509_free(x);
    commands();
    assert_true(sign_verify(&w, key, "SHA256", 32));
    assert_true(sign_verify(&w, key, NULL, RSA_PSS_SALTLEN_DIGEST));
    assert_int_equal(commands(), 2);
    refused(key, "SHA384", 48, HWK_R_DIGEST);
    refused(key, "SHA256", 40, HWK_R_UNSUPPORTED);
    EVP_PKEY_free(key);
}

/* --- restricted keys --- */

static const char *const restricted[] = {EC_RESTRICTED, RESTRICTED_PKCS1,
                                         RESTRICTED_PSS};
#define RESTRICTED_KEYS (sizeof(restricted) / sizeof(restricted[0]))

/* the message in pieces, and nothing known before its end */
static size_t sign_in_pieces(EVP_PKEY *key, const uint8_t *p, size_t n,
                             uint8_t *sig, size_t room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t at, step, len = room;

    assert_int_equal(
        EVP_DigestSignInit_ex(ctx, NULL, NULL, w.libctx, NULL, key, NULL), 1);
    for (at = 0; at < n; at += step) {
        step = n - at < 97 ? n - at : 97;
        assert_int_equal(EVP_DigestSignUpdate(ctx, p + at, step), 1);
    }
    assert_int_equal(EVP_DigestSignFinal(ctx, sig, &len), 1);
    EVP_MD_CTX_free(ctx);
    return len;
}

static void messages(void **state)
{
    static const struct {
        size_t n;
        unsigned commands;
    } cases[] = {{0, 2}, {1, 2}, {1024, 2}, {1025, 4}, {2048, 4}, {5000, 7}};
    uint8_t message[5000], sig[512];
    size_t i, k, n;

    (void)state;
    for (i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(i * 5);
    for (k = 0; k < RESTRICTED_KEYS; k++) {
        EVP_PKEY *key = open_at(restricted[k]);
        const char *md = k == 2 ? "SHA384" : "SHA256";
        int pss = k == 2 ? 48 : NO_PSS;

        for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            commands();
            n = sign_msg(&w, key, md, pss, message, cases[i].n, sig,
                         sizeof(sig));
            assert_int_equal(commands(), cases[i].commands);
            assert_int_equal(
                verify_msg(key, md, pss, message, cases[i].n, sig, n), 1);
            n = sign_in_pieces(key, message, cases[i].n, sig, sizeof(sig));
            assert_int_equal(commands(), cases[i].commands);
            assert_int_equal(
                verify_msg(key, md, pss, message, cases[i].n, sig, n), 1);
        }
        EVP_PKEY_free(key);
    }
}

static int sign_digest(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    uint8_t digest[32] = {1}, sig[512];
    size_t n = sizeof(sig);
    int ok = EVP_PKEY_sign_init(ctx) > 0 &&
             EVP_PKEY_sign(ctx, sig, &n, digest, sizeof(digest)) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* what a restricted key is for: it signs nothing that the TPM has not hashed,
 * and nothing that looks like the TPM's own word */
static void not_with_these(void **state)
{
    static const uint8_t forged[] = "\xffTCG and so on";
    uint8_t sig[512];
    size_t k;

    (void)state;
    for (k = 0; k < RESTRICTED_KEYS; k++) {
        EVP_PKEY *key = open_at(restricted[k]);

        commands();
        assert_int_equal(
            sign_msg(&w, key, NULL, NO_PSS, forged, 12, sig, sizeof(sig)), 0);
        said(HWK_R_KEY, "TPM_GENERATED_VALUE");
        assert_false(sign_digest(key));
        said(HWK_R_KEY, "signs messages only");
        refused(key, "SHA512", NO_PSS, HWK_R_DIGEST);
        assert_int_equal(commands(), 0);
        assert_int_not_equal(
            sign_msg(&w, key, NULL, NO_PSS, forged + 1, 11, sig, sizeof(sig)),
            0);
        EVP_PKEY_free(key);
    }
}

/* --- what programs do with it --- */

static int mandatory(EVP_PKEY *key)
{
    int nid = NID_undef;

    assert_int_equal(EVP_PKEY_get_default_digest_nid(key, &nid), 2);
    return nid;
}

static X509 *certificate(EVP_PKEY *key)
{
    X509 *x = X509_new_ex(w.libctx, NULL);
    X509_NAME *name = X509_get_subject_name(x);

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"iak", -1, -1, 0);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    commands();
    assert_true(X509_sign(x, key, NULL) > 0);
    assert_int_equal(commands(), 2);
    assert_int_equal(X509_verify(x, key), 1);
    return x;
}

static void request(EVP_PKEY *key)
{
    X509_REQ *req = X509_REQ_new_ex(w.libctx, NULL);

    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
    commands();
    assert_true(X509_REQ_sign(req, key, NULL) > 0);
    assert_int_equal(commands(), 2);
    assert_int_equal(X509_REQ_verify_ex(req, key, w.libctx, NULL), 1);
    X509_REQ_free(req);
}

/* with signed attributes, which CMS hashes as any message */
static void message(EVP_PKEY *key, X509 *x)
{
    const EVP_MD *md = EVP_get_digestbynid(mandatory(key));
    BIO *in = BIO_new_mem_buf("content", 7), *out;
    CMS_SignerInfo *si;
    CMS_ContentInfo *cms = CMS_sign_ex(
        NULL, NULL, NULL, in, CMS_PARTIAL | CMS_BINARY, w.libctx, NULL);

    commands();
    si = CMS_add1_signer(cms, x, key, md, CMS_BINARY | CMS_KEY_PARAM);
    assert_non_null(si);
    if (EVP_PKEY_is_a(key, "RSA-PSS")) /* as with a key in software */
        assert_true(
            EVP_PKEY_CTX_set_rsa_padding(CMS_SignerInfo_get0_pkey_ctx(si),
                                         RSA_PKCS1_PSS_PADDING) > 0);
    assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
    assert_int_equal(commands(), 2);
    BIO_free(in);
    out = BIO_new(BIO_s_mem());
    assert_int_equal(CMS_verify(cms, NULL, NULL, NULL, out,
                                CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY),
                     1);
    BIO_free(out);
    CMS_ContentInfo_free(cms);
}

static void programs(void **state)
{
    size_t k;

    (void)state;
    for (k = 0; k < RESTRICTED_KEYS; k++) {
        EVP_PKEY *key = open_at(restricted[k]);
        X509 *x;

        assert_int_equal(mandatory(key), k == 2 ? NID_sha384 : NID_sha256);
        x = certificate(key);
        request(key);
        message(key, x);
        X509_free(x);
        EVP_PKEY_free(key);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

/* 1 when a server with this key and a client agree in that version; what the
 * server then said is the signature algorithm, *sigalg */
static int handshake(EVP_PKEY *key, X509 *x, int version, const char *sigalgs)
{
    SSL_CTX *sc = SSL_CTX_new_ex(w.libctx, NULL, TLS_server_method());
    SSL_CTX *cc = SSL_CTX_new_ex(w.libctx, NULL, TLS_client_method());
    SSL *server, *client;
    BIO *a, *b;
    int i, ok = 0;

    SSL_CTX_set_min_proto_version(cc, version);
    SSL_CTX_set_max_proto_version(cc, version);
    if (sigalgs != NULL)
        assert_int_equal(SSL_CTX_set1_sigalgs_list(cc, sigalgs), 1);
    assert_int_equal(SSL_CTX_use_certificate(sc, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(sc, key), 1);
    server = SSL_new(sc);
    client = SSL_new(cc);
    assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(server, a, a);
    SSL_set_bio(client, b, b);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (i = 0; i < 10 && ok != 3; i++)
        ok = (SSL_do_handshake(client) == 1) | (SSL_do_handshake(server) == 1)
                                                   << 1;
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(sc);
    SSL_CTX_free(cc);
    return ok == 3;
}

/* A handshake is one signature with the key's own digest; a peer that does not
 * take that one is refused before the TPM is asked for anything. */
static void tls(void **state)
{
    EVP_PKEY *key = open_at(EC_RESTRICTED);
    X509 *x = certificate(key);

    (void)state;
    commands();
    assert_true(handshake(key, x, TLS1_3_VERSION, NULL));
    assert_int_equal(commands(), 2);
    assert_true(handshake(key, x, TLS1_2_VERSION, NULL));
    assert_int_equal(commands(), 2);
    assert_false(
        handshake(key, x, TLS1_2_VERSION, "ECDSA+SHA384:ECDSA+SHA512"));
    assert_int_equal(commands(), 0);
    ERR_clear_error();
    X509_free(x);
    EVP_PKEY_free(key);
    key = open_at(RESTRICTED_PSS);
    x = certificate(key);
    commands();
    assert_true(handshake(key, x, TLS1_3_VERSION, NULL));
    assert_int_equal(commands(), 2);
    X509_free(x);
    EVP_PKEY_free(key);
    key = open_at(RESTRICTED_PKCS1); /* TLS 1.3 has no PKCS#1 */
    x = certificate(key);
    commands();
    assert_true(handshake(key, x, TLS1_2_VERSION, "RSA+SHA256"));
    assert_int_equal(commands(), 2);
    assert_false(handshake(key, x, TLS1_3_VERSION, NULL));
    assert_int_equal(commands(), 0);
    ERR_clear_error();
    X509_free(x);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_the_default),
        cmocka_unit_test(list),
        cmocka_unit_test(free_keys),
        cmocka_unit_test(tied),
        cmocka_unit_test(for_pss_only),
        cmocka_unit_test(messages),
        cmocka_unit_test(not_with_these),
        cmocka_unit_test(programs),
        cmocka_unit_test(tls),
    };

    if (!tpm_device_here()) {
        puts("1..0 # SKIP no TPM in software");
        return 0;
    }
    return cmocka_run_group_tests(tests, begin, end_all);
}
