/* SPDX-License-Identifier: Apache-2.0 */
/* Key agreement with a token's key: every curve, KDF, peers, CMS, losses. With
 * the tests' own module, or with SoftHSM2 when the program's name says so. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/kdf.h>

#include "tests/unit/token_use.h"

static struct made made;

static EVP_PKEY *on_curve(const struct hwk_curve *c)
{
    EVP_PKEY *key;

    assert_int_equal(maker_pair(&m, c, "k", "key", NULL, 0, &made), CKR_OK);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    return key;
}

static EVP_PKEY *software(const struct hwk_curve *c)
{
    return c->type == HWK_KEY_EC
               ? EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", c->name)
               : EVP_PKEY_Q_keygen(w.libctx, NULL, c->name);
}

/* as it comes over a wire */
static EVP_PKEY *public_of(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    const unsigned char *p;
    EVP_PKEY *out;
    int n = i2d_PUBKEY(key, &der);

    p = der;
    out = d2i_PUBKEY_ex(NULL, &p, n, w.libctx, "provider=default");
    OPENSSL_free(der);
    return out;
}

static EVP_PKEY_CTX *meet(EVP_PKEY *mine, EVP_PKEY *theirs)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, mine, NULL);
    EVP_PKEY *pub = public_of(theirs);
    int ok =
        EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, pub) > 0;

    EVP_PKEY_free(pub);
    if (ok)
        return ctx;
    EVP_PKEY_CTX_free(ctx);
    return NULL;
}

static int derive(EVP_PKEY *mine, EVP_PKEY *theirs, const char *md,
                  uint8_t *out, size_t *n)
{
    EVP_PKEY_CTX *ctx = meet(mine, theirs);
    int ok = ctx != NULL;

    if (ok && md != NULL)
        ok = EVP_PKEY_CTX_set_ecdh_kdf_type(ctx, EVP_PKEY_ECDH_KDF_X9_63) > 0 &&
             EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_get_digestbyname(md)) > 0 &&
             EVP_PKEY_CTX_set_ecdh_kdf_outlen(ctx, 40) > 0 &&
             EVP_PKEY_CTX_set0_ecdh_kdf_ukm(ctx, OPENSSL_memdup("ukm", 3), 3) >
                 0;
    ok = ok && EVP_PKEY_derive(ctx, out, n) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int agree(EVP_PKEY *key, EVP_PKEY *peer, const char *md)
{
    uint8_t a[128], b[128];
    size_t n = sizeof(a), k = sizeof(b);

    return derive(key, peer, md, a, &n) && derive(peer, key, md, b, &k) &&
           n == k && n > 0 && memcmp(a, b, n) == 0;
}

/* SoftHSM2 2.6.1 has no X25519, and fails on curves over binary fields */
static bool not_there(const struct hwk_curve *c)
{
    return softhsm &&
           (c->type == HWK_KEY_X || strncmp(c->name, "sect", 4) == 0);
}

static void every_curve(void **state)
{
    const struct hwk_curve *c;
    size_t i;

    NEED();
    for (i = 0; (c = hwk_curve_at(i)) != NULL; i++) {
        EVP_PKEY *key, *peer;

        if (c->type == HWK_KEY_ED || not_there(c))
            continue;
        key = on_curve(c);
        peer = software(c);
        if (!agree(key, peer, NULL)) {
            ERR_print_errors_fp(stderr);
            fail_msg("%s", c->name);
        }
        if (c->type == HWK_KEY_EC)
            assert_true(agree(key, peer, "SHA256"));
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(peer);
        EVP_PKEY_free(key);
        maker_wipe(&m);
    }
}

/* a point that looks like one in an OCTET STRING, and a secret that begins with
 * a zero: either comes once in 256 times */
static void rare_ones(void **state)
{
    const struct hwk_curve *c = hwk_curve_by_bits(192);
    bool looks_wrapped = false, zero = false;
    uint8_t z[HWK_FIELD_MAX], *point = NULL;
    EVP_PKEY *key;

    NEED();
    key = on_curve(c);
    while (!looks_wrapped || !zero) {
        EVP_PKEY *peer = software(c);
        size_t k = sizeof(z),
               n = EVP_PKEY_get1_encoded_public_key(peer, &point);

        assert_true(derive(peer, key, NULL, z, &k));
        if (point[1] == n - 2 || z[0] == 0)
            assert_true(agree(key, peer, NULL));
        looks_wrapped = looks_wrapped || point[1] == n - 2;
        zero = zero || z[0] == 0;
        OPENSSL_free(point);
        EVP_PKEY_free(peer);
    }
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(key);
}

/* nothing of the secret stays in the token */
static void no_trace(void **state)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof(class)};
    CK_OBJECT_HANDLE h;
    CK_ULONG n = 0;
    EVP_PKEY *key, *peer;

    NEED();
    key = on_curve(hwk_curve_by_bits(256));
    peer = software(hwk_curve_by_bits(256));
    assert_true(agree(key, peer, NULL));
    assert_int_equal(m.f->C_FindObjectsInit(m.s, &a, 1), CKR_OK);
    assert_int_equal(m.f->C_FindObjects(m.s, &h, 1, &n), CKR_OK);
    m.f->C_FindObjectsFinal(m.s);
    assert_int_equal(n, 0);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
}

static void sizes(void **state)
{
    EVP_PKEY *key, *peer;
    EVP_PKEY_CTX *ctx;
    uint8_t out[48];
    size_t n = 0;

    NEED();
    key = on_curve(hwk_curve_by_bits(384));
    peer = software(hwk_curve_by_bits(384));
    ctx = meet(key, peer);
    assert_int_equal(EVP_PKEY_derive(ctx, NULL, &n), 1);
    assert_int_equal(n, 48);
    n = 47;
    assert_true(EVP_PKEY_derive(ctx, out, &n) <= 0);
    n = 48;
    assert_int_equal(EVP_PKEY_derive(ctx, out, &n), 1);
    assert_int_equal(EVP_PKEY_CTX_set_ecdh_cofactor_mode(ctx, 1), 1);
    assert_int_equal(EVP_PKEY_derive(ctx, out, &n), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
}

static void wrong_peers(void **state)
{
    EVP_PKEY *key, *peer;
    CK_BBOOL no = CK_FALSE;
    uint8_t out[66];
    size_t n = sizeof(out);

    NEED();
    key = on_curve(hwk_curve_by_bits(256));
    peer = software(hwk_curve_by_bits(384));
    assert_false(derive(key, peer, NULL, out, &n));
    EVP_PKEY_free(peer);
    ERR_clear_error();
    peer = software(hwk_curve_by_bits(256));
    assert_int_equal(maker_set(&m, made.priv, CKA_DERIVE, &no, 1), CKR_OK);
    EVP_PKEY_free(key);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_false(derive(key, peer, NULL, out, &n));
    assert_int_equal(hwk_reason(), HWK_R_KEY);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
}

static void cms(void **state)
{
    EVP_PKEY *key;
    BIO *in, *out;
    EVP_CIPHER *aes;
    CMS_ContentInfo *box;
    char text[16];
    unsigned char *der = NULL;
    const unsigned char *p;
    X509 *own, *x;
    int n;

    NEED();
    key = on_curve(hwk_curve_by_bits(256));
    own = self_cert(&w, key);
    n = i2d_X509(own, &der);
    X509_free(own);
    p = der; /* the sender's: its key is no device's */
    x = X509_new_ex(w.libctx, NULL);
    assert_non_null(d2i_X509(&x, &p, n));
    OPENSSL_free(der);
    in = BIO_new_mem_buf("secret", 6);
    out = BIO_new(BIO_s_mem());
    aes = EVP_CIPHER_fetch(w.libctx, "AES-128-CBC", NULL);
    box = CMS_encrypt_ex(NULL, in, aes, CMS_PARTIAL, w.libctx, NULL);
    assert_non_null(CMS_add1_recipient_cert(box, x, 0));
    assert_int_equal(CMS_final(box, in, NULL, 0), 1);
    if (CMS_decrypt(box, key, x, NULL, out, 0) != 1) {
        ERR_print_errors_fp(stderr);
        fail();
    }
    assert_int_equal(BIO_read(out, text, sizeof(text)), 6);
    assert_memory_equal(text, "secret", 6);
    CMS_ContentInfo_free(box);
    EVP_CIPHER_free(aes);
    X509_free(x);
    BIO_free(in);
    BIO_free(out);
    EVP_PKEY_free(key);
}

static void lost_sessions(void **state)
{
    EVP_PKEY *key, *peer;
    CK_SLOT_ID slots[8];
    CK_ULONG i, n = 8;

    NEED();
    key = on_curve(hwk_curve_by_bits(256));
    peer = software(hwk_curve_by_bits(256));
    assert_true(agree(key, peer, NULL));
    assert_int_equal(m.f->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    for (i = 0; i < n; i++)
        m.f->C_CloseAllSessions(slots[i]);
    assert_true(agree(key, peer, NULL));
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(m.f->C_OpenSession(slots[0],
                                        CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                        NULL, NULL, &m.s),
                     CKR_OK);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_curve, each),
        cmocka_unit_test_setup(rare_ones, each),
        cmocka_unit_test_setup(no_trace, each),
        cmocka_unit_test_setup(sizes, each),
        cmocka_unit_test_setup(wrong_peers, each),
        cmocka_unit_test_setup(cms, each),
        cmocka_unit_test_setup(lost_sessions, each),
    };

    (void)argc;
    return RUN(argv, tests, 0);
}
