/* SPDX-License-Identifier: Apache-2.0 */
/* Stores: what is listed, under which names, and without asking for what. */
#include <stdio.h>
#include <string.h>

#include <openssl/x509.h>

#include "provider/uri.h"
#include "tests/unit/raw_use.h"

#define MANY 1100

/* --- listing --- */

struct listing {
    unsigned names, keys, pubs, certs, errors;
    char name[8][512], about[8][64];
};

static void note(struct listing *l, OSSL_STORE_INFO *info)
{
    const char *about;

    switch (OSSL_STORE_INFO_get_type(info)) {
    case OSSL_STORE_INFO_NAME:
        if (l->names < 8) {
            about = OSSL_STORE_INFO_get0_NAME_description(info);
            snprintf(l->name[l->names], sizeof(l->name[0]), "%s",
                     OSSL_STORE_INFO_get0_NAME(info));
            snprintf(l->about[l->names], sizeof(l->about[0]), "%s", about);
        }
        l->names++;
        break;
    case OSSL_STORE_INFO_PKEY:
        l->keys++;
        break;
    case OSSL_STORE_INFO_PUBKEY:
        l->pubs++;
        break;
    case OSSL_STORE_INFO_CERT:
        l->certs++;
        break;
    }
}

static struct listing list(const char *uri, int expect,
                           OSSL_STORE_SEARCH *search)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, w.libctx, "provider=hwkey",
                                               NULL, NULL, NULL, NULL, NULL);
    struct listing l = {0};
    OSSL_STORE_INFO *info;

    assert_non_null(store);
    if (expect != 0)
        assert_true(OSSL_STORE_expect(store, expect));
    if (search != NULL && !OSSL_STORE_find(store, search)) {
        OSSL_STORE_close(store);
        l.errors++;
        return l;
    }
    while (!OSSL_STORE_eof(store)) {
        info = OSSL_STORE_load(store);
        if (info != NULL)
            note(&l, info);
        else if (ERR_peek_error() != 0) /* not just the end */
            l.errors++;
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return l;
}

/* every name opens what it names and nothing else */
static void find_themselves(const struct listing *l)
{
    char uri[600];
    unsigned i;

    for (i = 0; i < l->names; i++) {
        struct listing one;

        snprintf(uri, sizeof(uri), "%s" PIN, l->name[i]);
        one = list(uri, 0, NULL);
        if (one.keys + one.certs + one.pubs != 1)
            fail_msg("%s: %u keys, %u public, %u certificates", uri, one.keys,
                     one.pubs, one.certs);
    }
}

static size_t a_cert(uint8_t *out, size_t max)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    X509 *x = self_cert(&w, key);
    unsigned char *p = out;
    int n = i2d_X509(x, NULL);

    assert_true(n > 0 && (size_t)n <= max);
    i2d_X509(x, &p);
    X509_free(x);
    EVP_PKEY_free(key);
    return (size_t)n;
}

/* --- the tests --- */

static void tokens(void **state)
{
    struct listing l = list("pkcs11:", 0, NULL);
    struct hwk_uri u;

    (void)state;
    assert_int_equal(l.names, 2);
    assert_int_equal(l.errors + l.keys + l.pubs + l.certs, 0);
    assert_int_equal(hwk_uri_parse(l.name[0], &u), 1);
    assert_non_null(u.token.p);
    assert_non_null(u.serial.p);
    hwk_uri_clear(&u);
    assert_non_null(strstr(l.about[0], "token, "));
    assert_string_not_equal(l.name[0], l.name[1]);
    l = list("PKCS11:", OSSL_STORE_INFO_NAME, NULL);
    assert_int_equal(l.names, 2);
    l = list("pkcs11:library-version=77", 0, NULL);
    assert_int_equal(l.names, 0);
    assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
}

static void names(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    uint8_t der[1024];
    size_t n = a_cert(der, sizeof(der));
    struct listing l;

    (void)state;
    raw_pair(s, "ec", "1");
    raw_cert(s, "c", "1", false, der, n);
    raw_leave(s);
    l = list(TOKEN "?list=names", 0, NULL);
    assert_int_equal(l.errors, 0);
    assert_int_equal(l.names, 2); /* without a login: the public half */
    assert_non_null(strstr(l.name[0], "type=public"));
    assert_string_equal(l.about[0], "public key, EC P-256");
    assert_non_null(strstr(l.name[1], "type=cert"));
    assert_string_equal(l.about[1], "certificate");
    l = list(TOKEN PIN "&list=names", 0, NULL);
    assert_int_equal(l.names, 2);
    assert_non_null(strstr(l.name[0], "type=private"));
    assert_null(strstr(l.name[0], "pin"));
    l = list(TOKEN, OSSL_STORE_INFO_NAME, NULL);
    assert_int_equal(l.names, 2);
    find_themselves(&l);
    l = list("pkcs11:?list=names", 0, NULL);
    assert_int_equal(l.names, 2); /* token two is empty */
}

static void unusual_objects(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    struct listing l;

    (void)state;
    raw_pair(s, NULL, NULL);
    raw_pair(s, "label", NULL);
    raw_pair(s, "label", "1");
    raw_pair(s, NULL, "2");
    raw_pair(s, "M\xc3\xbcller;?/%#& 1", "3");
    raw_leave(s);
    l = list(TOKEN PIN "&list=names", 0, NULL);
    assert_int_equal(l.errors, 0);
    /* without an id the label says which the public half is; without either
     * nothing does: EC private keys of a token do not have it themselves */
    assert_int_equal(l.names, 6);
    assert_int_equal(list(TOKEN PIN, OSSL_STORE_INFO_PKEY, NULL).keys, 4);
    assert_int_equal(list(TOKEN ";id=;object=;type=public" PIN, 0, NULL).pubs,
                     1);
    assert_int_equal(
        list(TOKEN ";id=;object=label;type=public" PIN, 0, NULL).pubs, 1);
    assert_int_equal(
        list(TOKEN ";object=M%C3%BCller%3B%3F%2F%25%23%26%201" PIN, 0, NULL)
            .keys,
        1);
}

static void no_guess_between_two(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    EVP_PKEY *key;

    (void)state;
    raw_pair(s, "k", "1");
    raw_pair(s, "k", "2");
    raw_leave(s);
    assert_null(
        open_key(&w, TOKEN ";object=k" PIN, OSSL_STORE_INFO_PKEY, NULL));
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI);
    key = open_key(&w, TOKEN ";object=k;id=2" PIN, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    EVP_PKEY_free(key);
    assert_int_equal(list(TOKEN PIN, OSSL_STORE_INFO_PKEY, NULL).keys, 2);
    assert_int_equal(list(TOKEN ";object=k" PIN, 0, NULL).keys, 2);
}

static unsigned find_calls(const char *uri, int expect, struct listing *l)
{
    TELL("forget");
    *l = list(uri, expect, NULL);
    return raw_soft->calls("C_FindObjects");
}

/* fewer handles than asked for are no end, however many these are */
static void few_at_a_time(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    uint8_t der[1024];
    size_t n = a_cert(der, sizeof(der));
    char line[40];
    int few, i;

    (void)state;
    for (i = 1; i <= 3; i++) { /* "k" is ambiguous, "i" and "j" are not */
        const char *id = (const char *[]){"1", "2", "3"}[i - 1];

        raw_cert(s, "k", id, false, der, n);
        raw_pair(s, i < 3 ? "k" : "j", id);
    }
    raw_cert(s, "last", "3", false, der, n);
    raw_leave(s);
    for (few = 1; few <= 5; few++) {
        struct listing l;
        EVP_PKEY *key;

        world_close(&w);
        assert_true(world_open(&w, "dh"));
        snprintf(line, sizeof(line), "slot 1 at-a-time=%d", few);
        TELL(line);
        key = open_key(&w, TOKEN ";object=j" PIN, OSSL_STORE_INFO_PKEY, NULL);
        assert_non_null(key);
        assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
        EVP_PKEY_free(key);
        l = list(TOKEN PIN, 0, NULL);
        assert_int_equal(l.keys, 3);
        assert_int_equal(l.certs, 4);
        l = list(TOKEN ";id=3" PIN, 0, NULL); /* a pair, and two certificates */
        assert_int_equal(l.keys, 1);
        assert_int_equal(l.certs, 2);
        assert_int_equal(list(TOKEN ";id=3;type=cert", 0, NULL).certs, 2);
        assert_null(
            open_key(&w, TOKEN ";object=k" PIN, OSSL_STORE_INFO_PKEY, NULL));
        assert_int_equal(hwk_reason(), HWK_R_BAD_URI);
    }
    TELL("slot 1 at-a-time=0");
}

/* what is all there is of a name is not asked on for, unless something is
 * missing of it, or the module has given less than it had before */
static void asked_once(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    uint8_t der[1024];
    size_t n = a_cert(der, sizeof(der));
    struct listing l;

    (void)state;
    raw_pair(s, "pair", "1");
    raw_pair(s, "all", "2");
    raw_cert(s, "all", "2", false, der, n);
    raw_leave(s);
    (void)list(TOKEN ";id=none" PIN, 0, NULL); /* log in */
    assert_int_equal(find_calls(TOKEN ";id=1" PIN, OSSL_STORE_INFO_PKEY, &l),
                     1);
    assert_int_equal(find_calls(TOKEN ";id=2" PIN, OSSL_STORE_INFO_PKEY, &l),
                     1);
    assert_int_equal(find_calls(TOKEN ";id=2" PIN, 0, &l), 1);
    assert_int_equal(l.keys + l.certs, 2);
    assert_int_equal(find_calls(TOKEN ";id=1" PIN, 0, &l), 2);
    TELL("slot 1 at-a-time=2");
    assert_int_equal(find_calls(TOKEN ";id=1" PIN, OSSL_STORE_INFO_PKEY, &l),
                     1);
    (void)list(TOKEN PIN, 0, NULL); /* here it shows */
    assert_int_equal(find_calls(TOKEN ";id=1" PIN, OSSL_STORE_INFO_PKEY, &l),
                     2);
    TELL("slot 1 at-a-time=0");
}

static void no_limit(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    uint8_t der[1024];
    size_t n = a_cert(der, sizeof(der));
    char id[16];
    int i;

    (void)state;
    for (i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "%d", i);
        raw_cert(s, "many", id, false, der, n);
    }
    raw_leave(s);
    assert_int_equal(list(TOKEN, OSSL_STORE_INFO_CERT, NULL).certs, MANY);
    assert_int_equal(list(TOKEN "?list=names", 0, NULL).names, MANY);
    assert_int_equal(list(TOKEN ";id=1099", 0, NULL).certs, 1);
}

static void expectations(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    uint8_t der[1024];
    size_t n = a_cert(der, sizeof(der));
    EVP_PKEY *key;
    X509 *x;

    (void)state;
    raw_pair(s, "k", "1");
    raw_cert(s, "k", "1", false, der, n);
    raw_leave(s);
    TELL("forget");
    assert_null(open_key(&w, TOKEN ";object=k;type=cert", OSSL_STORE_INFO_PKEY,
                         "never"));
    x = open_cert(&w, TOKEN ";object=k");
    assert_non_null(x);
    X509_free(x);
    key = open_key(&w, TOKEN ";object=k;type=private", OSSL_STORE_INFO_PUBKEY,
                   "never");
    assert_non_null(key);
    EVP_PKEY_free(key);
    assert_null(open_cert(&w, TOKEN ";object=k;type=private"));
    assert_null(open_cert(&w, TOKEN ";object=other"));
    assert_int_equal(list(TOKEN, OSSL_STORE_INFO_CRL, NULL).errors, 0);
    assert_int_equal(prompts, 0);
    assert_int_equal(raw_soft->calls("C_Login"), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

/* shown after a login only, by a PIN that is at hand, never by asking */
static void hidden_cert(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    uint8_t der[1024];
    size_t n = a_cert(der, sizeof(der));
    X509 *x;

    (void)state;
    raw_cert(s, "secret", "1", true, der, n);
    raw_leave(s);
    assert_null(open_cert(&w, TOKEN ";object=secret"));
    assert_int_equal(prompts, 0);
    x = open_cert(&w, TOKEN ";object=secret" PIN);
    assert_non_null(x);
    X509_free(x);
}

static void searches(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    X509_NAME *name = X509_NAME_new(), *other = X509_NAME_new();
    ASN1_INTEGER *seven = ASN1_INTEGER_new(), *eight = ASN1_INTEGER_new();
    OSSL_STORE_SEARCH *by[6];
    uint8_t der[1024];
    size_t i, n = a_cert(der, sizeof(der));
    static const unsigned certs[] = {1, 0, 1, 0, 0}, keys[] = {0, 0, 0, 0, 1};

    (void)state;
    raw_pair(s, "k", "1");
    raw_cert(s, "c", "1", false, der, n);
    raw_leave(s);
    /* in other letters and another string type: names are compared as such */
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"TEST", -1, -1, 0);
    X509_NAME_add_entry_by_txt(other, "CN", MBSTRING_ASC,
                               (const unsigned char *)"other", -1, -1, 0);
    ASN1_INTEGER_set(seven, 7);
    ASN1_INTEGER_set(eight, 8);
    by[0] = OSSL_STORE_SEARCH_by_name(name);
    by[1] = OSSL_STORE_SEARCH_by_name(other);
    by[2] = OSSL_STORE_SEARCH_by_issuer_serial(name, seven);
    by[3] = OSSL_STORE_SEARCH_by_issuer_serial(name, eight);
    by[4] = OSSL_STORE_SEARCH_by_alias("k");
    by[5] = OSSL_STORE_SEARCH_by_key_fingerprint(EVP_sha256(), der, 32);
    for (i = 0; i < 5; i++) {
        struct listing l = list(i < 4 ? TOKEN : TOKEN PIN, 0, by[i]);

        assert_int_equal(l.certs, certs[i]);
        assert_int_equal(l.keys, keys[i]);
        assert_int_equal(l.errors, 0);
    }
    assert_int_equal(list(TOKEN, 0, by[5]).errors, 1);
    assert_int_equal(hwk_reason(), HWK_R_UNSUPPORTED);
    assert_int_equal(list("pkcs11:", 0, by[0]).certs, 1); /* no directory */
    for (i = 0; i < 6; i++)
        OSSL_STORE_SEARCH_free(by[i]);
    X509_NAME_free(name);
    X509_NAME_free(other);
    ASN1_INTEGER_free(seven);
    ASN1_INTEGER_free(eight);
}

#define T(test) cmocka_unit_test_setup(test, each_anew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(tokens),       T(names),       T(unusual_objects),
        T(no_limit),     T(searches),    T(no_guess_between_two),
        T(expectations), T(hidden_cert), T(few_at_a_time),
        T(asked_once),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
