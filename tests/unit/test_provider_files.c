/* SPDX-License-Identifier: Apache-2.0 */
/* The provider on a device made of memory: files that stand for keys, beside
 * those of others. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "provider/op.h"
#include "tests/unit/provider_use.h"

/* --- the wrapper --- */

static size_t wrapper(const char *version, const char *uri, uint8_t *out)
{
    size_t v = strlen(version), u = strlen(uri), n = 2 + v + 2 + u;

    out[0] = 0x30;
    out[1] = (uint8_t)n;
    out[2] = 0x0c;
    out[3] = (uint8_t)v;
    memcpy(out + 4, version, v);
    out[4 + v] = 0x0c;
    out[5 + v] = (uint8_t)u;
    memcpy(out + 6 + v, uri, u);
    return n + 2;
}

static EVP_PKEY *read_pem(const uint8_t *der, size_t n, const char *label)
{
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *key;

    BIO_puts(bio, "# a comment before\n");
    PEM_write_bio(bio, label, "", der, (long)n);
    key = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, w.libctx, NULL);
    BIO_free(bio);
    return key;
}

static void wrapper_files(void **state)
{
    uint8_t der[128];
    size_t i;

    (void)state;
    for (i = 0; i < KEYS; i++) {
        size_t n = wrapper("1.0", keys[i].uri, der);
        EVP_PKEY *key = read_pem(der, n, "HWKEY URI");

        assert_non_null(key);
        assert_true(EVP_PKEY_is_a(key, keys[i].type));
        assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
        EVP_PKEY_free(key);
    }
    assert_int_equal(hwk_reason(), 0);
    assert_null(read_pem(der, wrapper("2.0", "hwksoft:ec", der), "HWKEY URI"));
    assert_null(read_pem(der, wrapper("1.0", "hwksoft:no", der), "HWKEY URI"));
    assert_null(read_pem(der, wrapper("1.0", "hwksoft:ec", der), "OTHER URI"));
}

static int decoders_of(OSSL_LIB_CTX *libctx, const char *type)
{
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *ctx =
        OSSL_DECODER_CTX_new_for_pkey(&key, "DER", "SubjectPublicKeyInfo", type,
                                      EVP_PKEY_PUBLIC_KEY, libctx, NULL);
    int n;

    assert_non_null(ctx);
    n = OSSL_DECODER_CTX_get_num_decoders(ctx);
    OSSL_DECODER_CTX_free(ctx);
    return n;
}

/* each one more would make every certificate dearer to parse */
static void certificates_untouched(void **state)
{
    OSSL_LIB_CTX *alone = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *def = OSSL_PROVIDER_load(alone, "default");

    (void)state;
    assert_int_equal(decoders_of(w.libctx, "id-ecPublicKey"),
                     decoders_of(alone, "id-ecPublicKey"));
    assert_int_equal(decoders_of(w.libctx, "rsaEncryption"),
                     decoders_of(alone, "rsaEncryption"));
    OSSL_PROVIDER_unload(def);
    OSSL_LIB_CTX_free(alone);
}

/* --- decoders that are for one type of key --- */

static EVP_PKEY *typed(const char *type, const char *uri)
{
    uint8_t der[128];
    size_t n = wrapper("1.0", uri, der);
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(
        &key, "PEM", NULL, type, EVP_PKEY_KEYPAIR, w.libctx, NULL);

    PEM_write_bio(bio, "HWKEY URI", "", der, (long)n);
    if (OSSL_DECODER_from_bio(ctx, bio) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    OSSL_DECODER_CTX_free(ctx);
    BIO_free(bio);
    return key;
}

static void typed_files(void **state)
{
    static const char *const types[] = {"EC",    "RSA-PSS", "ED25519",
                                        "ED448", "X25519",  "X448"};
    EVP_PKEY *key;
    size_t i;

    (void)state;
    key = typed("RSA", "hwksoft:rsa"); /* which PVK is for as well */
    assert_non_null(key);
    EVP_PKEY_free(key);
    assert_null(typed("EC", "hwksoft:ec"));
    world_close(&w);
    setenv("HWKEY_TYPED_FILES", "yes", 1);
    assert_true(world_open(&w, "dh"));
    unsetenv("HWKEY_TYPED_FILES");
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        OSSL_DECODER *d =
            OSSL_DECODER_fetch(w.libctx, types[i], "provider=hwkey,input=pem");

        assert_non_null(d);
        OSSL_DECODER_free(d);
    }
    for (i = 0; i < KEYS; i++) {
        key = typed(keys[i].type, keys[i].uri);
        assert_non_null(key);
        assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
        EVP_PKEY_free(key);
    }
    key = typed("EC", "hwksoft:rsa"); /* it is what the file stands for */
    assert_true(EVP_PKEY_is_a(key, "RSA"));
    EVP_PKEY_free(key);
    assert_int_equal(hwk_reason(), 0);
    wrapper_files(state);
}

/* --- the loader of files --- */

/* the file of that URI by the loader of files, of somebody else's provider */
static EVP_PKEY *from_file(const char *uri, int expect)
{
    uint8_t der[128];
    size_t n = wrapper("1.0", uri, der);
    FILE *f = fopen("wrapper.pem", "w");
    OSSL_STORE_CTX *store;
    OSSL_STORE_INFO *info;
    EVP_PKEY *key;

    PEM_write(f, "HWKEY URI", "", der, (long)n);
    fclose(f);
    store = OSSL_STORE_open_ex("wrapper.pem", w.libctx, NULL, NULL, NULL, NULL,
                               NULL, NULL);
    assert_non_null(store);
    assert_true(OSSL_STORE_expect(store, expect));
    info = OSSL_STORE_load(store);
    key = info != NULL ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
    OSSL_STORE_INFO_free(info);
    OSSL_STORE_close(store);
    unlink("wrapper.pem");
    return key;
}

static void file_store(void **state)
{
    static const int private[] = {0, OSSL_STORE_INFO_PKEY};
    static const int other[] = {OSSL_STORE_INFO_PUBKEY, OSSL_STORE_INFO_CERT};
    size_t i, k;

    (void)state;
    for (i = 0; i < KEYS; i++)
        for (k = 0; k < 2; k++) {
            EVP_PKEY *key = from_file(keys[i].uri, private[k]);

            assert_non_null(key);
            assert_true(EVP_PKEY_is_a(key, keys[i].type));
            assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
            EVP_PKEY_free(key);
            assert_int_equal(ERR_peek_error(), 0);
            assert_null(from_file(keys[i].uri, other[k]));
            ERR_clear_error();
        }
    assert_null(from_file("hwksoft:no", OSSL_STORE_INFO_PKEY));
}

static void truncated_wrappers(void **state)
{
    char uri[HWK_URI_MAX + 1];
    uint8_t der[128];
    size_t i, n = wrapper("1.0", "hwksoft:ec", der);

    (void)state;
    assert_int_equal(hwk_wrapper_parse(der, n, uri), 1);
    assert_string_equal(uri, "hwksoft:ec");
    for (i = 0; i < n; i++) {
        assert_int_equal(hwk_wrapper_parse(der, i, uri), 0);
        assert_null(read_pem(der, i, "HWKEY URI"));
    }
    der[n] = 0;
    assert_int_equal(hwk_wrapper_parse(der, n + 1, uri), 0);
    for (i = 0; i < 9; i++) {
        if (i >= 4 && i < 7)
            continue; /* the version's text */
        der[i] ^= 0x40;
        assert_int_equal(hwk_wrapper_parse(der, n, uri), 0);
        der[i] ^= 0x40;
    }
}

static void software_files(void **state)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256"), *back;
    BIO *bio = BIO_new(BIO_s_mem());

    (void)state;
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    back = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, w.libctx, NULL);
    assert_non_null(back);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(back)),
                        "default");
    assert_int_equal(soft.opened, 0);
    EVP_PKEY_free(back);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, open_world, close_world)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(wrapper_files), T(typed_files),        T(certificates_untouched),
        T(file_store),    T(truncated_wrappers), T(software_files),
    };

    hwk_backend_for_tests = &hwk_backend_soft;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
