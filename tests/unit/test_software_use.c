/* SPDX-License-Identifier: Apache-2.0 */
/* Software keys of every type in every order of providers: wherever they land,
 * they sign, agree and decrypt as with the default provider alone. */
#define OPENSSL_SUPPRESS_DEPRECATED /* objects of older OpenSSL */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tests/unit/software.h"

/* --- signatures --- */

static const uint8_t message[] = "what is to be signed";

/* in two pieces, and once more from a copy made between them */
static size_t in_pieces(EVP_PKEY *key, const char *md, uint8_t *sig,
                        size_t room)
{
    EVP_MD_CTX *a = EVP_MD_CTX_new(), *b = EVP_MD_CTX_new();
    size_t n = room, m;

    assert_int_equal(
        EVP_DigestSignInit_ex(a, NULL, md, w.libctx, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignUpdate(a, message, 5), 1);
    assert_int_equal(EVP_MD_CTX_copy_ex(b, a), 1);
    assert_int_equal(EVP_DigestSignUpdate(a, "x", 1), 1);
    assert_int_equal(EVP_DigestSignFinal(a, NULL, &m), 1);
    assert_true(m <= room);
    assert_int_equal(EVP_DigestSignFinal(a, sig, &m), 1);
    assert_int_equal(EVP_DigestSignUpdate(b, message + 5, sizeof(message) - 5),
                     1);
    assert_int_equal(EVP_DigestSignFinal(b, sig, &n), 1);
    EVP_MD_CTX_free(a);
    EVP_MD_CTX_free(b);
    return n;
}

static int verify(OSSL_LIB_CTX *libctx, EVP_PKEY *key, const char *md,
                  const uint8_t *sig, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int r;

    assert_int_equal(
        EVP_DigestVerifyInit_ex(ctx, NULL, md, libctx, NULL, key, NULL), 1);
    r = EVP_DigestVerify(ctx, sig, n, message, sizeof(message));
    EVP_MD_CTX_free(ctx);
    return r;
}

static void check_signature(EVP_PKEY *key, size_t i, const char *md,
                            uint8_t *sig, size_t n)
{
    assert_true(n > 0);
    assert_int_equal(verify(plain, model[i], md, sig, n), 1);
    assert_int_equal(verify(w.libctx, key, md, sig, n), 1);
    sig[n / 2] ^= 4;
    assert_int_not_equal(verify(w.libctx, key, md, sig, n), 1);
}

static void algorithm_is_said(EVP_PKEY *key, size_t i, const char *md)
{
    EVP_MD_CTX *a = EVP_MD_CTX_new(), *b = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pa, *pb;
    uint8_t x[256], y[256];
    OSSL_PARAM px[] = {OSSL_PARAM_construct_octet_string(
                           OSSL_SIGNATURE_PARAM_ALGORITHM_ID, x, 256),
                       OSSL_PARAM_construct_end()};
    OSSL_PARAM py[] = {OSSL_PARAM_construct_octet_string(
                           OSSL_SIGNATURE_PARAM_ALGORITHM_ID, y, 256),
                       OSSL_PARAM_construct_end()};

    assert_int_equal(
        EVP_DigestSignInit_ex(a, &pa, md, w.libctx, NULL, key, NULL), 1);
    assert_int_equal(
        EVP_DigestSignInit_ex(b, &pb, md, plain, NULL, model[i], NULL), 1);
    assert_int_equal(EVP_PKEY_CTX_get_params(pa, px),
                     EVP_PKEY_CTX_get_params(pb, py));
    assert_int_equal(px->return_size, py->return_size);
    if (py->return_size <= sizeof(y))
        assert_memory_equal(x, y, py->return_size);
    EVP_MD_CTX_free(a);
    EVP_MD_CTX_free(b);
}

static void signatures(void **state)
{
    uint8_t sig[512];
    size_t i, n;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        const char *md = kinds[i].md;
        EVP_PKEY *key;

        if (md == NULL)
            continue;
        md = *md != 0 ? md : NULL;
        key = here(i);
        n = sign_msg(&w, key, md, NO_PSS, message, sizeof(message), sig,
                     sizeof(sig));
        check_signature(key, i, md, sig, n);
        if (md != NULL)
            check_signature(key, i, md, sig,
                            in_pieces(key, md, sig, sizeof(sig)));
        algorithm_is_said(key, i, md);
        EVP_PKEY_free(key);
    }
    assert_int_equal(device_calls(), 0);
}

/* of what was hashed elsewhere; and what RSA gives back of it */
static void digests(void **state)
{
    uint8_t digest[32] = {7}, sig[512], back[512];
    size_t i, n, m;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *key;
        EVP_PKEY_CTX *ctx;

        if (kinds[i].md == NULL || *kinds[i].md == 0)
            continue;
        key = here(i);
        ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
        n = sizeof(sig);
        assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
        assert_true(set(ctx, "digest", "SHA256"));
        assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, digest, 32), 1);
        assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
        assert_true(set(ctx, "digest", "SHA256"));
        assert_int_equal(EVP_PKEY_verify(ctx, sig, n, digest, 32), 1);
        if (kinds[i].decrypts) {
            m = sizeof(back);
            assert_int_equal(EVP_PKEY_verify_recover_init(ctx), 1);
            assert_true(set(ctx, "digest", "SHA256"));
            assert_int_equal(EVP_PKEY_verify_recover(ctx, back, &m, sig, n), 1);
            assert_int_equal(m, 32);
            assert_memory_equal(back, digest, 32);
        }
        digest[3] ^= 1;
        assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
        assert_true(set(ctx, "digest", "SHA256"));
        assert_int_not_equal(EVP_PKEY_verify(ctx, sig, n, digest, 32), 1);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(key);
    }
}

/* --- agreement and decryption --- */

static size_t agree(OSSL_LIB_CTX *libctx, EVP_PKEY *own, EVP_PKEY *peer,
                    bool kdf, uint8_t *out, size_t room)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, own, NULL), *copy;
    size_t n = room;

    assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
    if (kdf) {
        assert_true(
            EVP_PKEY_CTX_set_ecdh_kdf_type(ctx, EVP_PKEY_ECDH_KDF_X9_63) > 0);
        assert_true(EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) > 0);
        assert_true(EVP_PKEY_CTX_set_ecdh_kdf_outlen(ctx, 40) > 0);
        assert_int_equal(EVP_PKEY_CTX_get_ecdh_kdf_type(ctx),
                         EVP_PKEY_ECDH_KDF_X9_63);
    }
    assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
    copy = EVP_PKEY_CTX_dup(ctx);
    assert_non_null(copy);
    EVP_PKEY_CTX_free(ctx);
    assert_int_equal(EVP_PKEY_derive(copy, out, &n), 1);
    EVP_PKEY_CTX_free(copy);
    return n;
}

static void agree_all_ways(size_t i, EVP_PKEY *own, EVP_PKEY *peer, bool kdf)
{
    EVP_PKEY *other = from(plain, peer, EVP_PKEY_PUBLIC_KEY);
    uint8_t a[80] = {0}, b[80] = {0}, c[80] = {1};
    size_t n = agree(w.libctx, own, peer, kdf, a, sizeof(a));

    assert_int_equal(agree(plain, model[i], other, kdf, b, sizeof(b)), n);
    assert_memory_equal(a, b, n);
    assert_int_equal(agree(w.libctx, peer, own, kdf, c, sizeof(c)), n);
    assert_memory_equal(a, c, n);
    EVP_PKEY_free(other);
}

static void agreement(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *own, *peer;

        if (!kinds[i].agrees)
            continue;
        own = here(i);
        peer = generate(w.libctx, &kinds[i]);
        agree_all_ways(i, own, peer, false);
        if (kinds[i].group != NULL)
            agree_all_ways(i, own, peer, true);
        EVP_PKEY_free(own);
        EVP_PKEY_free(peer);
    }
}

/* A device's key is the peer of a software key: of one of ours even with its
 * private half, which libcrypto 3.0 wants to export to the default provider,
 * too; of any by its public half. */
static void agreement_with_a_device(void **state)
{
    static const struct {
        size_t i;
        const char *name;
    } t[] = {{0, "ec"}, {9, "x25519"}, {10, "x448"}};
    bool ours = strpbrk(order, "?o") != NULL;
    uint8_t a[80], b[80], c[80];
    size_t i, n;

    (void)state;
    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const char *uri = device_uri(t[i].name);
        EVP_PKEY *own, *device, *public, *other;

        if (uri == NULL)
            continue;
        own = here(t[i].i);
        device = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
        public = open_key(&w, uri, OSSL_STORE_INFO_PUBKEY, NULL);
        other = from(plain, public, EVP_PKEY_PUBLIC_KEY);
        n = agree(plain, model[t[i].i], other, false, a, sizeof(a));
        assert_int_equal(agree(w.libctx, own, public, false, b, sizeof(b)), n);
        assert_memory_equal(a, b, n);
        if (ours) {
            assert_int_equal(agree(w.libctx, own, device, false, c, sizeof(c)),
                             n);
            assert_memory_equal(a, c, n);
        }
        EVP_PKEY_free(own);
        EVP_PKEY_free(device);
        EVP_PKEY_free(public);
        EVP_PKEY_free(other);
    }
}

static void decryption(void **state)
{
    EVP_PKEY *key = here(4);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL), *copy;
    uint8_t box[256], out[256];
    size_t n = sizeof(box), m;
    int i;

    (void)state;
    for (i = 0; i < 2; i++) { /* PKCS #1, OAEP */
        n = sizeof(box);
        assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
        assert_true(i == 0 || (set(ctx, "rsa_padding_mode", "oaep") &&
                               set(ctx, "rsa_oaep_md", "SHA256")));
        assert_int_equal(EVP_PKEY_encrypt(ctx, box, &n, message, 9), 1);
        assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
        assert_true(i == 0 || (set(ctx, "rsa_padding_mode", "oaep") &&
                               set(ctx, "rsa_oaep_md", "SHA256")));
        copy = EVP_PKEY_CTX_dup(ctx);
        assert_int_equal(EVP_PKEY_decrypt(copy, NULL, &m, box, n), 1);
        assert_true(m <= sizeof(out));
        assert_int_equal(EVP_PKEY_decrypt(copy, out, &m, box, n), 1);
        assert_int_equal(m, 9);
        assert_memory_equal(out, message, 9);
        box[40] ^= 1;
        m = sizeof(out);
        if (i == 1)
            assert_true(EVP_PKEY_decrypt(copy, out, &m, box, n) <= 0);
        EVP_PKEY_CTX_free(copy);
    }
    assert_int_equal(device_calls(), 0);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
}

/* --- objects of older OpenSSL --- */

static void legacy(void **state)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1), *back;
    RSA *rsa = RSA_new();
    BIGNUM *e = BN_new();
    EVP_PKEY *key = EVP_PKEY_new(), *device;

    (void)state;
    assert_int_equal(EC_KEY_generate_key(ec), 1);
    assert_int_equal(EVP_PKEY_set1_EC_KEY(key, ec), 1);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
    EC_KEY_free(ec);
    key = EVP_PKEY_new();
    BN_set_word(e, RSA_F4);
    assert_int_equal(RSA_generate_key_ex(rsa, 1024, e, NULL), 1);
    assert_int_equal(EVP_PKEY_set1_RSA(key, rsa), 1);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_true(sign_verify(&w, key, "SHA256", RSA_PSS_SALTLEN_DIGEST));
    EVP_PKEY_free(key);
    RSA_free(rsa);
    BN_free(e);
    /* and back: of a software key, never of a device's */
    key = here(0);
    back = EVP_PKEY_get1_EC_KEY(key);
    assert_non_null(back);
    assert_non_null(EC_KEY_get0_private_key(back));
    EC_KEY_free(back);
    EVP_PKEY_free(key);
    assert_int_equal(device_calls(), 0);
    device = open_key(&w, device_uri("ec"), OSSL_STORE_INFO_PKEY, NULL);
    assert_null(EVP_PKEY_get0_EC_KEY(device));
    assert_true(sign_verify(&w, device, "SHA256", NO_PSS));
    EVP_PKEY_free(device);
}

#define ORDER(o)                                                               \
    T(o, signatures), T(o, digests), T(o, agreement),                          \
        T(o, agreement_with_a_device), T(o, decryption), T(o, legacy)

int main(void)
{
    const struct CMUnitTest tests[] = {EVERY_ORDER(ORDER), ORDER(BASE_ONLY)};

    NEED_DEVICE();
    return cmocka_run_group_tests(tests, make_models, drop_models);
}
