/* SPDX-License-Identifier: Apache-2.0 */
/* A token that holds keys of every type and things that nobody knows, and one
 * that holds hundreds: what is ours is listed and opened, the rest passed over.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/x509.h>

#include "provider/uri.h"
#include "tests/unit/raw_use.h"

#define MANY 600

/* --- listing --- */

struct listing {
    unsigned keys, pubs, certs, names, errors;
    char name[32][512];
};

static struct listing list(const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, w.libctx, "provider=hwkey",
                                               NULL, NULL, NULL, NULL, NULL);
    struct listing l = {0};

    assert_non_null(store);
    while (!OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        int type = info != NULL ? OSSL_STORE_INFO_get_type(info) : 0;

        l.keys += type == OSSL_STORE_INFO_PKEY;
        l.pubs += type == OSSL_STORE_INFO_PUBKEY;
        l.certs += type == OSSL_STORE_INFO_CERT;
        l.errors += info == NULL && ERR_peek_error() != 0;
        if (type == OSSL_STORE_INFO_NAME && l.names++ < 32)
            snprintf(l.name[l.names - 1], sizeof(l.name[0]), "%s",
                     OSSL_STORE_INFO_get0_NAME(info));
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return l;
}

/* --- what is in the token --- */

static const char *const types[] = {"RSA", "EC", "ED25519", "X25519"};
#define TYPES (sizeof(types) / sizeof(types[0]))

static void keys_of_every_type(void)
{
    char uri[80];
    size_t i;

    for (i = 0; i < TYPES; i++) {
        EVP_PKEY_CTX *ctx =
            EVP_PKEY_CTX_new_from_name(w.libctx, types[i], "provider=hwkey");
        EVP_PKEY *key = NULL;

        snprintf(uri, sizeof(uri), TOKEN ";object=%s" PIN, types[i]);
        assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
        assert_true(EVP_PKEY_CTX_ctrl_str(ctx, "uri", uri) > 0);
        assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(key);
    }
}

static size_t a_cert(uint8_t out[static 1024])
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    X509 *x = self_cert(&w, key);
    unsigned char *p = out;
    int n = i2d_X509(x, NULL);

    assert_in_range(n, 1, 1024);
    i2d_X509(x, &p);
    X509_free(x);
    EVP_PKEY_free(key);
    return (size_t)n;
}

static void put(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class,
                CK_ATTRIBUTE_TYPE kind, CK_ULONG value, const char *label,
                const void *data, size_t n)
{
    CK_ATTRIBUTE a[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_TOKEN, &raw_yes, 1},
        {CKA_PRIVATE, class == CKO_PRIVATE_KEY ? &raw_yes : &raw_no, 1},
        {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
        {CKA_VALUE, (void *)(uintptr_t)data, n},
        {kind, &value, sizeof(value)},
    };
    CK_OBJECT_HANDLE h;

    assert_int_equal(raw_f->C_CreateObject(s, a, kind != 0 ? 6 : 5, &h),
                     CKR_OK);
}

/* a certificate as good as any, and larger than any that is read */
static uint8_t *a_large_cert(size_t *n)
{
    static const uint8_t bytes[66000];
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *x = self_cert(&w, key);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext;
    unsigned char *der = NULL;
    int len;

    assert_true(ASN1_OCTET_STRING_set(value, bytes, sizeof(bytes)));
    ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    assert_true(X509_add_ext(x, ext, -1) && X509_sign(x, key, EVP_sha256()));
    len = i2d_X509(x, &der);
    assert_true(len > 66000);
    *n = (size_t)len;
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    X509_free(x);
    EVP_PKEY_free(key);
    return der;
}

#define VENDOR CKA_VENDOR_DEFINED

/* objects and key types that are none of our business */
static void strange_things(void)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    static const uint8_t bytes[200] = {0x30, 0x82, 0xff, 0xff, 1, 2, 3};
    size_t large_n;
    uint8_t *large = a_large_cert(&large_n);

    put(s, CKO_DATA, 0, 0, "data", bytes, 32);
    put(s, CKO_SECRET_KEY, CKA_KEY_TYPE, CKK_AES, "aes", bytes, 32);
    put(s, CKO_SECRET_KEY, CKA_KEY_TYPE, VENDOR | 7, "secret", bytes, 32);
    put(s, CKO_PRIVATE_KEY, CKA_KEY_TYPE, CKK_DSA, "dsa", bytes, 20);
    put(s, CKO_PUBLIC_KEY, CKA_KEY_TYPE, CKK_DSA, "dsa", bytes, 128);
    put(s, CKO_PRIVATE_KEY, CKA_KEY_TYPE, VENDOR | 9, "odd", bytes, 20);
    put(s, CKO_PUBLIC_KEY, CKA_KEY_TYPE, VENDOR | 9, "odd", bytes, 128);
    put(s, CKO_PUBLIC_KEY, CKA_KEY_TYPE, CKK_EC, "pointless", bytes, 0);
    put(s, CKO_PUBLIC_KEY, CKA_KEY_TYPE, CKK_RSA, "numberless", bytes, 0);
    put(s, CKO_HW_FEATURE, 0, 0, "clock", bytes, 8);
    put(s, CKO_DOMAIN_PARAMETERS, CKA_KEY_TYPE, CKK_DSA, "p", bytes, 128);
    put(s, VENDOR | 3, 0, 0, "vendor", bytes, 200);
    put(s, CKO_CERTIFICATE, CKA_CERTIFICATE_TYPE, CKC_X_509, "broken", bytes,
        200);
    put(s, CKO_CERTIFICATE, CKA_CERTIFICATE_TYPE, CKC_X_509, "empty", bytes, 0);
    put(s, CKO_CERTIFICATE, CKA_CERTIFICATE_TYPE, CKC_X_509, "large", large,
        large_n);
    OPENSSL_free(large);
    put(s, CKO_CERTIFICATE, CKA_CERTIFICATE_TYPE, CKC_WTLS, "wtls", bytes, 99);
    raw_close(s);
}

/* --- all of it side by side --- */

static void each_opens(void)
{
    char uri[80];
    size_t i;

    for (i = 0; i < TYPES; i++) {
        EVP_PKEY *key;

        snprintf(uri, sizeof(uri), TOKEN ";object=%s" PIN, types[i]);
        key = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
        assert_non_null(key);
        assert_true(EVP_PKEY_is_a(key, types[i]));
        if (strcmp(types[i], "X25519") != 0)
            assert_true(sign_verify(
                &w, key, types[i][1] == 'D' ? NULL : "SHA256", NO_PSS));
        EVP_PKEY_free(key);
    }
}

static void mixed(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    uint8_t der[1024];
    size_t n = a_cert(der);
    struct listing l;
    unsigned i;

    (void)state;
    keys_of_every_type();
    raw_cert(s, "cert", "c", false, der, n);
    raw_close(s);
    strange_things();
    l = list(TOKEN PIN);
    assert_int_equal(l.errors, 0);
    assert_int_equal(l.keys, TYPES);
    assert_int_equal(l.pubs, 0);
    assert_int_equal(l.certs, 1);
    each_opens();
    /* each name that is listed finds what it names, or is nothing we have */
    l = list(TOKEN PIN "&list=names");
    assert_int_equal(l.errors, 0);
    assert_in_range(l.names, TYPES + 1, 32);
    for (i = 0; i < l.names; i++) {
        char uri[600];
        struct listing one;

        snprintf(uri, sizeof(uri), "%s" PIN, l.name[i]);
        one = list(uri);
        assert_int_equal(one.errors, 0);
        assert_in_range(one.keys + one.pubs + one.certs, 0, 1);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* what is not ours is not there, and says so */
static void strange_ones_by_name(void **state)
{
    static const char *const names[] = {"data",   "aes",   "secret", "dsa",
                                        "odd",    "clock", "p",      "vendor",
                                        "broken", "empty", "large",  "wtls"};
    char uri[80];
    size_t i;

    (void)state;
    strange_things();
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(uri, sizeof(uri), TOKEN ";object=%s" PIN, names[i]);
        assert_null(open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL));
        assert_null(open_cert(&w, uri));
        ERR_clear_error();
    }
}

/* an object that the module cannot show hides no other */
static void unreadable_one(void **state)
{
    static const char *const codes[] = {"0x5", "0x6", "0x11", "0x13"};
    char line[80];
    size_t i;
    int nth;

    (void)state;
    keys_of_every_type();
    assert_int_equal(list(TOKEN PIN).keys, TYPES);
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        for (nth = 1; nth <= 8; nth++) {
            struct listing l;

            TELL("forget");
            snprintf(line, sizeof(line), "on C_GetAttributeValue nth=%d rv=%s",
                     nth, codes[i]);
            TELL(line);
            l = list(TOKEN PIN);
            assert_int_equal(l.errors, 0);
            assert_in_range(l.keys, TYPES - 1, TYPES);
            ERR_clear_error();
        }
    TELL("forget");
    TELL("on C_GetAttributeValue times=0 rv=0x6"); /* none at all */
    assert_true(list(TOKEN PIN).errors > 0);
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    TELL("forget");
    TELL("on C_GetAttributeValue times=0 rv=0x6"); /* one that is named */
    assert_null(
        open_key(&w, TOKEN ";object=EC" PIN, OSSL_STORE_INFO_PKEY, NULL));
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
}

/* --- hundreds --- */

static void fill(CK_SLOT_ID slot, int from, int to)
{
    CK_SESSION_HANDLE s = raw_enter(slot, RAW_PIN);
    uint8_t der[1024];
    size_t n = a_cert(der);
    char id[16], label[16];
    int i;

    raw_wipe(s);
    for (i = from; i < to; i++) {
        snprintf(id, sizeof(id), "%d", i);
        snprintf(label, sizeof(label), "key %d", i);
        raw_pair(s, label, id);
        raw_cert(s, label, id, false, der, n);
    }
    raw_close(s);
}

/* calls to open a key, and to sign with it */
static unsigned cost(const char *uri, EVP_PKEY **key)
{
    EVP_PKEY_free(open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL)); /* log in */
    TELL("forget");
    *key = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(*key);
    assert_true(sign_verify(&w, *key, "SHA256", NO_PSS));
    return raw_soft->calls(NULL);
}

static void one_of_hundreds(void **state)
{
    static const int some[] = {0, 1, 63, 64, 65, 299, MANY - 1};
    EVP_PKEY *last = NULL, *key;
    unsigned alone;
    char uri[80];
    size_t i;

    (void)state;
    fill(2, 7, 8);
    alone = cost("pkcs11:token=two;id=7" PIN, &key);
    EVP_PKEY_free(key);
    fill(1, 0, MANY);
    for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        snprintf(uri, sizeof(uri), TOKEN ";id=%d" PIN, some[i]);
        assert_int_equal(cost(uri, &key), alone);
        assert_int_not_equal(EVP_PKEY_eq(last, key), 1);
        EVP_PKEY_free(last);
        last = key;
        snprintf(uri, sizeof(uri), TOKEN ";object=key%%20%d" PIN, some[i]);
        assert_int_equal(cost(uri, &key), alone);
        assert_int_equal(EVP_PKEY_eq(last, key), 1); /* by either name */
        EVP_PKEY_free(key);
    }
    EVP_PKEY_free(last);
    assert_null(open_key(&w, TOKEN ";id=600" PIN, OSSL_STORE_INFO_PKEY, NULL));
}

/* every object is read once, and handles come by the batch */
static void all_of_hundreds(void **state)
{
    unsigned objects = 3 * MANY, calls;
    struct listing l;

    (void)state;
    fill(1, 0, MANY);
    (void)list(TOKEN ";id=none" PIN); /* logs in */
    TELL("forget");
    l = list(TOKEN PIN);
    assert_int_equal(l.errors, 0);
    assert_int_equal(l.keys, MANY);
    assert_int_equal(l.certs, MANY);
    assert_int_equal(l.pubs, 0);
    calls = raw_soft->calls(NULL);
    assert_int_equal(raw_soft->calls("C_FindObjectsInit"), 1);
    assert_in_range(raw_soft->calls("C_FindObjects"), 1, objects / 64 + 2);
    /* a certificate's value is asked for its size, and read */
    assert_int_equal(raw_soft->calls("C_GetAttributeValue"),
                     objects + 2 * MANY);
    assert_in_range(calls, objects + 2 * MANY,
                    objects + 2 * MANY + objects / 64 + 8);
    l = list(TOKEN PIN "&list=names");
    assert_int_equal(l.names, 2 * MANY);
}

#define T(test) cmocka_unit_test_setup(test, each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(mixed),           T(strange_ones_by_name), T(unreadable_one),
        T(one_of_hundreds), T(all_of_hundreds),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
