/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and CMS with the object of a device's own key and with software
 * keys, in every order of loading. */
#include <openssl/cms.h>
#include <openssl/x509.h>

#include "tests/unit/orders.h"

static const struct {
    const char *name; /* a device's, or a type of software key */
    const char *group;
    bool cms; /* libcrypto signs CMS with it */
} keys[] = {
    {"device ec", NULL, true},      {"device ec2", NULL, true},
    {"device rsa", NULL, true},     {"device ed25519", NULL, false},
    {"software ec", "P-256", true}, {"software rsa", NULL, true},
    {"software ed", NULL, false},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

#define DEVICE "device "

static bool of_device(size_t i)
{
    return strncmp(keys[i].name, DEVICE, strlen(DEVICE)) == 0;
}

static const char *uri_of(size_t i)
{
    return device_uri(keys[i].name + strlen(DEVICE));
}

/* a device may have none of that type */
static bool there(size_t i)
{
    return !of_device(i) || uri_of(i) != NULL;
}

static void each_key(void (*test)(size_t i))
{
    size_t i;

    for (i = 0; i < KEYS; i++)
        if (there(i))
            test(i);
}

static EVP_PKEY *key_of(size_t i)
{
    EVP_PKEY *key;

    if (of_device(i))
        key = open_key(&w, uri_of(i), OSSL_STORE_INFO_PKEY, NULL);
    else if (keys[i].group != NULL)
        key = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", keys[i].group);
    else if (strstr(keys[i].name, "rsa") != NULL)
        key = EVP_PKEY_Q_keygen(w.libctx, NULL, "RSA", (size_t)1024);
    else
        key = EVP_PKEY_Q_keygen(w.libctx, NULL, "ED25519");
    assert_non_null(key);
    return key;
}

/* as it came by wire: read anew */
static X509 *reread(X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    const unsigned char *p = der;
    X509 *copy = X509_new_ex(w.libctx, NULL);

    assert_non_null(d2i_X509(&copy, &p, n));
    OPENSSL_free(der);
    return copy;
}

static size_t another(size_t i)
{
    do
        i = (i + 1) % KEYS;
    while (!there(i));
    return i;
}

static void certificate(size_t i)
{
    EVP_PKEY *key = key_of(i), *other = key_of(another(i));
    X509 *x = self_cert(&w, key), *copy = reread(x);
    int calls = device_calls();

    if (X509_verify(copy, key) != 1 ||
        X509_verify(copy, X509_get0_pubkey(copy)) != 1 ||
        X509_self_signed(copy, 1) != 1 ||
        X509_check_private_key(copy, key) != 1)
        fail_msg("%s", keys[i].name);
    assert_int_not_equal(X509_verify(copy, other), 1);
    assert_int_not_equal(X509_check_private_key(copy, other), 1);
    assert_int_equal(device_calls(), calls); /* verifying is software's */
    ERR_clear_error();
    X509_free(x);
    X509_free(copy);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void certificates(void **state)
{
    (void)state;
    each_key(certificate);
}

static int read_back(CMS_ContentInfo *cms, X509_STORE *store, BIO *in)
{
    BIO *out = BIO_new(BIO_s_mem());
    int ok = CMS_verify(cms, NULL, store, in, out, CMS_BINARY);

    BIO_free(out);
    return ok == 1;
}

static void signed_message(size_t i)
{
    static const char text[] = "what a voucher says";
    EVP_PKEY *key = key_of(i);
    X509 *x = self_cert(&w, key);
    X509_STORE *store = X509_STORE_new();
    BIO *in = BIO_new_mem_buf(text, -1), *bad = BIO_new_mem_buf("x", 1);
    int calls = device_calls();
    CMS_ContentInfo *cms = NULL;

    X509_STORE_add_cert(store, x);
    X509_STORE_set_purpose(store, X509_PURPOSE_ANY);
    if (keys[i].cms) {
        cms = CMS_sign_ex(x, key, NULL, in, CMS_BINARY | CMS_DETACHED, w.libctx,
                          NULL);
        if (cms == NULL)
            fail_msg("%s signs nothing", keys[i].name);
        assert_int_equal(device_calls() - calls, of_device(i));
        (void)BIO_reset(in);
        assert_true(read_back(cms, store, in));
        assert_false(read_back(cms, store, bad));
        assert_int_equal(device_calls() - calls, of_device(i));
    }
    ERR_clear_error();
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(bad);
    X509_STORE_free(store);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void signed_data(void **state)
{
    (void)state;
    each_key(signed_message);
}

static const char secret[] = "for your eyes only";

/* enveloped for the certificate, by a sender without a key of its own */
static CMS_ContentInfo *envelope(X509 *to)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *in = BIO_new_mem_buf(secret, -1);
    CMS_ContentInfo *cms;

    sk_X509_push(all, to);
    cms =
        CMS_encrypt_ex(all, in, EVP_aes_128_cbc(), CMS_BINARY, w.libctx, NULL);
    sk_X509_free(all);
    BIO_free(in);
    return cms;
}

static void check_opens(CMS_ContentInfo *cms, EVP_PKEY *key, X509 *x)
{
    BIO *out = BIO_new(BIO_s_mem());
    char back[32] = "";

    assert_int_equal(CMS_decrypt(cms, key, x, NULL, out, CMS_BINARY), 1);
    assert_int_equal(BIO_read(out, back, sizeof(back) - 1), sizeof(secret) - 1);
    assert_string_equal(back, secret);
    BIO_free(out);
}

/* libcrypto 3.0 wants all of a peer's key where it makes the ephemeral one in
 * the default provider; a device's is given there by its public half */
static bool no_peer(size_t i)
{
    return of_device(i) && strstr(keys[i].name, "ec") != NULL &&
           strpbrk(order, "?o") == NULL;
}

static void enveloped_message(size_t i)
{
    EVP_PKEY *key = key_of(i);
    X509 *x = self_cert(&w, key), *copy = reread(x);
    int calls = device_calls();
    CMS_ContentInfo *a = keys[i].cms ? envelope(x) : NULL;
    CMS_ContentInfo *b = keys[i].cms ? envelope(copy) : NULL;

    if ((a != NULL) != (keys[i].cms && !no_peer(i)) ||
        (b != NULL) != keys[i].cms)
        fail_msg("%s: %d %d", keys[i].name, a != NULL, b != NULL);
    assert_int_equal(device_calls(), calls); /* to encrypt is software's */
    if (a != NULL && !of_device(i)) {
        check_opens(a, key, x);
        check_opens(b, key, x);
    }
    ERR_clear_error();
    CMS_ContentInfo_free(a);
    CMS_ContentInfo_free(b);
    X509_free(x);
    X509_free(copy);
    EVP_PKEY_free(key);
}

static void enveloped_data(void **state)
{
    (void)state;
    each_key(enveloped_message);
}

#define ORDER(o) T(o, certificates), T(o, signed_data), T(o, enveloped_data)

int main(void)
{
    const struct CMUnitTest tests[] = {EVERY_ORDER(ORDER)};

    NEED_DEVICE();
    return cmocka_run_group_tests(tests, device_begin, device_end);
}
