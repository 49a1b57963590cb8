/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates in files, and device URIs when there is no provider. */
#include "codec.h"

#include <openssl/pem.h>

#include <idevid/env.h>
#include <idevid/key.h>
#include <idevid/x509.h>

static char dir[64], path[128];
static EVP_PKEY *key;

static int setup(void **state)
{
    (void)state;
    test_dir(dir);
    snprintf(path, sizeof(path), "%s/key.pem", dir);
    key = EVP_EC_gen("P-256");
    return key ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    test_dir_drop(dir);
    return 0;
}

static void put(BIO *bio)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    OK(idv_fs_write(path, idv_bytes(p, (size_t)n), 0600));
}

static void put_key(const EVP_CIPHER *cipher, const char *word)
{
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(
                         bio, key, cipher, word, (int)strlen(word), NULL, NULL),
                     1);
    put(bio);
}

static void opens(const char *uri, const struct idv_pin *pin)
{
    IDV_AUTO_PTR(EVP_PKEY) got = NULL;
    OK(idv_key_open(uri, pin, &got));
    assert_int_equal(EVP_PKEY_eq(got, key), 1);
}

static void file_keys(void **state)
{
    char uri[160];
    IDV_AUTO_PTR(BIO) der = BIO_new(BIO_s_mem());
    (void)state;
    put_key(NULL, "");
    opens(path, NULL);
    snprintf(uri, sizeof(uri), "file:%s", path);
    opens(uri, NULL);
    snprintf(uri, sizeof(uri), "FILE://%s", path);
    opens(uri, NULL);
    i2d_PKCS8PrivateKey_bio(der, key, NULL, NULL, 0, NULL, NULL);
    put(der);
    opens(path, NULL);
}

struct asked {
    int times;
    const char *answer;
};

static bool answer(void *arg, const char *what, char *out, size_t max,
                   size_t *n)
{
    struct asked *a = arg;
    assert_non_null(what);
    a->times++;
    *n = strlen(a->answer);
    assert_true(*n <= max);
    memcpy(out, a->answer, *n);
    return true;
}

static void locked_file(void **state)
{
    struct asked a = {0, "word"};
    struct idv_pin pin = {answer, &a};
    EVP_PKEY *got = NULL;
    (void)state;
    put_key(EVP_aes_128_cbc(), "word");
    opens(path, &pin);
    assert_true(a.times >= 1);
    a.answer = "wrong";
    FAILS(IDV_E_FORMAT, "no private key", idv_key_open(path, &pin, &got));
    FAILS(IDV_E_FORMAT, "no private key", idv_key_open(path, NULL, &got));
    assert_null(got);
}

static void file_refusals(void **state)
{
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    EVP_PKEY *got = NULL;
    X509 *cert = NULL;
    (void)state;
    FAILS(IDV_E_IO, "No such file", idv_key_open(path, NULL, &got));
    FAILS(IDV_E_IO, "is a directory", idv_key_open(dir, NULL, &got));
    FAILS(IDV_E_ARG, "neither", idv_key_open("http://x/y", NULL, &got));
    FAILS(IDV_E_ARG, "neither", idv_key_open("file:", NULL, &got));
    FAILS(IDV_E_ARG, "neither", idv_key_open("", NULL, &got));
    FAILS(IDV_E_ARG, "neither", idv_key_open("file://host/x", NULL, &got));
    OK(idv_fs_write(path, idv_str(""), 0600));
    FAILS(IDV_E_FORMAT, "no private key", idv_key_open(path, NULL, &got));
    FAILS(IDV_E_FORMAT, "no certificate", idv_cert_open(path, NULL, &cert));
    OK(idv_fs_write(path, idv_str("hello"), 0600));
    FAILS(IDV_E_FORMAT, "no private key", idv_key_open(path, NULL, &got));
    PEM_write_bio_PUBKEY(bio, key);
    put(bio);
    FAILS(IDV_E_FORMAT, "no private key", idv_key_open(path, NULL, &got));
    assert_null(got);
    assert_null(cert);
}

static void file_certs(void **state)
{
    struct idv_env_system sys;
    struct idv_cert_spec spec = {.kind = IDV_CERT_ROOT, .common_name = "Root"};
    IDV_AUTO_PTR(X509) made = NULL;
    IDV_AUTO_PTR(X509) got = NULL;
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    (void)state;
    idv_env_system_init(&sys, NULL);
    OK(idv_cert_issue(&spec, key, NULL, key, &sys.env, &made));
    /* a key before the certificate is passed over */
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    PEM_write_bio_X509(bio, made);
    put(bio);
    OK(idv_cert_open(path, NULL, &got));
    assert_true(idv_cert_eq(made, got));
    opens(path, NULL);
}

/* a file of the URI's name must never be taken for the device's key */
static void planted_file(void **state)
{
    static const char uri[] = "pkcs11:token=none";
    char here[4096], *was = getcwd(here, sizeof(here));
    EVP_PKEY *got = NULL;
    X509 *cert = NULL;
    (void)state;
    assert_non_null(was);
    snprintf(path, sizeof(path), "%s/%s", dir, uri);
    put_key(NULL, "");
    assert_int_equal(chdir(dir), 0);
    idv_note_clear();
    idv_rc rc = idv_key_open(uri, NULL, &got);
    idv_rc rc2 = idv_cert_open(uri, NULL, &cert);
    assert_int_equal(chdir(was), 0);
    assert_int_equal(rc, IDV_E_DEVICE);
    assert_int_equal(rc2, IDV_E_DEVICE);
    assert_null(got);
    assert_null(cert);
}

/* whatever else is wrong with the URI, no note shows its PIN */
static void pin_stays_hidden(void **state)
{
    IDV_AUTO(buf) uri = {0};
    IDV_AUTO(buf) pem = {0};
    EVP_PKEY *got = NULL;
    (void)state;
    OK(idv_buf_putf(&uri, "pkcs11:?pin-value=1234;object=%01000d", 0));
    assert_int_equal(idv_key_wrap((char *)uri.p, &pem), IDV_E_ARG);
    assert_non_null(strstr(idv_note(), "carries a PIN"));
    assert_null(strstr(idv_note(), "1234"));
    idv_note_clear();
    assert_int_equal(idv_key_open("pkcs11:?pin-value=1234", NULL, &got),
                     IDV_E_DEVICE);
    assert_null(strstr(idv_note(), "1234"));
    idv_note_clear();
    /* misspelt: no URI of a device */
    struct idv_device *dev = NULL;
    static const char wrong[] = "pkcs1:?PIN-value=1234&pin-value=12345";
    assert_int_equal(idv_key_open(wrong, NULL, &got), IDV_E_ARG);
    assert_non_null(strstr(idv_note(), "pin-value=***&pin-value=***'"));
    idv_note_clear();
    assert_int_equal(idv_device_open(wrong, NULL, &dev), IDV_E_ARG);
    assert_null(strstr(idv_note(), "1234"));
    idv_note_clear();
    assert_int_equal(
        idv_key_make(wrong, NULL, IDV_KEY_P256, IDV_KEY_SIGN, &got), IDV_E_ARG);
    assert_null(strstr(idv_note(), "1234"));
    idv_note_clear();
}

static void without_provider(void **state)
{
    struct idv_device_stats stats = {1, 1, 1};
    struct idv_device *dev = NULL;
    EVP_PKEY *got = NULL;
    (void)state;
    FAILS(IDV_E_DEVICE, "hwkey is not loaded",
          idv_key_open("tpm2:handle=0x81000001", NULL, &got));
    FAILS(IDV_E_DEVICE, "pin-value=***: the provider",
          idv_key_open("pkcs11:token=x?pin-value=1234", NULL, &got));
    FAILS(IDV_E_DEVICE, "hwkey is not loaded",
          idv_device_open("pkcs11:token=x", NULL, &dev));
    FAILS(IDV_E_ARG, "not the URI", idv_device_open(path, NULL, &dev));
    FAILS(IDV_E_ARG, "devices only",
          idv_key_make(path, NULL, IDV_KEY_P256, IDV_KEY_SIGN, &got));
    idv_device_stats(&stats);
    assert_int_equal(stats.signatures, 0);
    idv_device_close(NULL);
}

static void names(void **state)
{
    static const char *const good[] = {"P-256", "P-384", "P-521", "RSA-2048",
                                       "RSA-3072"};
    enum idv_key_type type;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        OK(idv_key_type_from_text(good[i], &type));
        assert_string_equal(idv_key_type_to_text(type), good[i]);
    }
    FAILS(IDV_E_ARG, "key type", idv_key_type_from_text("RSA-1024", &type));
    assert_true(idv_uri_is_device("PKCS11:x"));
    assert_true(idv_uri_is_device("tpm2:idevid"));
    assert_true(idv_uri_is_device("handle:0x81000001"));
    assert_true(idv_uri_is_device("object:f"));
    assert_false(idv_uri_is_device("file:x"));
    assert_false(idv_uri_is_device("./pkcs11:x"));
}

static void fingerprint(void **state)
{
    uint8_t a[32], b[32];
    IDV_AUTO_PTR(EVP_PKEY) other = EVP_EC_gen("P-256");
    (void)state;
    OK(idv_key_fingerprint(key, a));
    OK(idv_key_fingerprint(other, b));
    assert_memory_not_equal(a, b, 32);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(file_keys),        T(locked_file),  T(file_refusals),
        T(file_certs),       T(planted_file), T(without_provider),
        T(pin_stays_hidden), T(names),        T(fingerprint),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
