/* SPDX-License-Identifier: Apache-2.0 */
/* Files that stand for a key: every form of text, both kinds, and what is
 * wrong with others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "tests/lib/rawtoken.h"

#define AT "pkcs11:token=one"
#define PIN "?pin-value=" RAW_PIN
#define OURS "HWKEY URI"
#define THEIRS "PKCS#11 PROVIDER URI"

static struct world w;
static char path[] = "wrapper.XXXXXX";
static char cert[2048];

static const char *const slots[] = {"slot 1 label=one serial=0001 pin=" RAW_PIN,
                                    NULL};

static void make_cert(void)
{
    EVP_PKEY *key =
        EVP_PKEY_Q_keygen(w.libctx, "provider=default", "EC", "P-256");
    X509 *x = self_cert(&w, key);
    BIO *mem = BIO_new(BIO_s_mem());
    int n;

    PEM_write_bio_X509(mem, x);
    n = BIO_read(mem, cert, sizeof(cert) - 1);
    assert_true(n > 0);
    BIO_free(mem);
    X509_free(x);
    EVP_PKEY_free(key);
}

static int begin(void **state)
{
    CK_SESSION_HANDLE s;

    (void)state;
    close(mkstemp(path));
    if (!raw_begin(slots) || !world_open(&w, "dh"))
        return -1;
    s = raw_enter(1, RAW_PIN);
    raw_pair(s, "a", "1");
    raw_pair(s, "b", "2");
    raw_close(s);
    make_cert();
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close(&w);
    return unlink(path);
}

static int each(void **state)
{
    (void)state;
    ERR_clear_error();
    return 0;
}

/* --- making files --- */

static size_t tlv(uint8_t *out, uint8_t tag, const void *p, size_t n, bool wide)
{
    size_t at = 0;

    out[at++] = tag;
    if (wide || n > 255) {
        out[at++] = 0x82;
        out[at++] = (uint8_t)(n >> 8);
    } else if (n > 127) {
        out[at++] = 0x81;
    }
    out[at++] = (uint8_t)n;
    memcpy(out + at, p, n);
    return at + n;
}

/* kind 'o' ours, 't' theirs, 'w' theirs with lengths wider than DER has */
static size_t der_of(char kind, const char *uri, uint8_t *out)
{
    const char *version = kind == 'o' ? "1.0" : "PKCS#11 Provider URI v1.0";
    uint8_t body[1024];
    size_t n = tlv(body, kind == 'o' ? 0x0c : 0x1a, version, strlen(version),
                   kind == 'w');

    n += tlv(body + n, 0x0c, uri, strlen(uri), kind == 'w');
    return tlv(out, 0x30, body, n, kind == 'w');
}

static char *pem_of(char kind, const char *uri)
{
    static char text[4096];
    BIO *mem = BIO_new(BIO_s_mem());
    uint8_t der[1100];
    size_t n = der_of(kind, uri, der);
    int len;

    PEM_write_bio(mem, kind == 'o' ? OURS : THEIRS, "", der, (long)n);
    len = BIO_read(mem, text, sizeof(text) - 1);
    text[len > 0 ? len : 0] = 0;
    BIO_free(mem);
    return text;
}

/* --- reading them --- */

static EVP_PKEY *from_bio(BIO *bio)
{
    return PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, w.libctx, NULL);
}

static EVP_PKEY *from_text(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = from_bio(bio);

    BIO_free(bio);
    return key;
}

static void is_key(EVP_PKEY *key, const char *label)
{
    char uri[80];
    EVP_PKEY *want;

    snprintf(uri, sizeof(uri), AT ";object=%s" PIN, label);
    want = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    assert_non_null(want);
    assert_int_equal(EVP_PKEY_eq(key, want), 1);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(want);
    EVP_PKEY_free(key);
}

static void save(const char *a, const char *b, const char *c)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fprintf(f, "%s%s%s", a, b, c);
    fclose(f);
}

/* what the loader of files gives: 'k' key, 'c' certificate, in order */
static void stored(char out[static 8])
{
    OSSL_STORE_CTX *store =
        OSSL_STORE_open_ex(path, w.libctx, NULL, NULL, NULL, NULL, NULL, NULL);
    size_t n = 0;

    assert_non_null(store);
    while (!OSSL_STORE_eof(store) && n < 7) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        int type = info != NULL ? OSSL_STORE_INFO_get_type(info) : 0;

        if (type != 0)
            out[n++] = type == OSSL_STORE_INFO_PKEY   ? 'k'
                       : type == OSSL_STORE_INFO_CERT ? 'c'
                                                      : '?';
        OSSL_STORE_INFO_free(info);
    }
    out[n] = 0;
    OSSL_STORE_close(store);
}

/* --- the tests --- */

static void both_kinds(void **state)
{
    static const char kinds[] = "otw";
    const char *k;

    (void)state;
    for (k = kinds; *k != 0; k++) {
        char *text = pem_of(*k, AT ";object=a;type=private" PIN);
        char got[8];

        is_key(from_text(text), "a");
        save(text, "", "");
        stored(got);
        assert_string_equal(got, "k");
    }
}

/* text with each '\n' as end, and what else editors do */
static void forms_of_text(void **state)
{
    char *pem = pem_of('o', AT ";object=a" PIN), text[8192], *out = text, *p;

    (void)state;
    for (p = pem; *p != 0; p++) {
        if (*p == '\n')
            *out++ = '\r';
        *out++ = *p;
    }
    *out = 0;
    is_key(from_text(text), "a");
    snprintf(text, sizeof(text),
             "Bag Attributes\n    friendlyName: a\n\n%s\n\nand more\n", pem);
    is_key(from_text(text), "a");
    for (p = pem, out = text; *p != 0; p++) { /* blanks and empty lines */
        if (*p == '\n')
            out += sprintf(out, " \t\n\n");
        else
            *out++ = *p;
    }
    *out = 0;
    is_key(from_text(text), "a");
    p = strchr(pem, '\n'); /* all in one line */
    out = text + sprintf(text, "%.*s\n", (int)(p - pem), pem);
    for (; *p != 0 && strncmp(p, "\n-----END", 9) != 0; p++)
        if (*p != '\n')
            *out++ = *p;
    strcpy(out, p);
    is_key(from_text(text), "a");
}

static void with_certificates(void **state)
{
    char *a = pem_of('o', AT ";object=a" PIN), copy[2048], got[8];
    BIO *bio;

    (void)state;
    snprintf(copy, sizeof(copy), "%s", a);
    save(cert, copy, cert);
    stored(got);
    assert_string_equal(got, "ckc");
    bio = BIO_new_file(path, "r");
    is_key(from_bio(bio), "a"); /* as SSL_CTX_use_PrivateKey_file does */
    BIO_free(bio);
    save(copy, cert, "");
    stored(got);
    assert_string_equal(got, "kc");
    save(cert, copy, pem_of('t', AT ";object=b" PIN));
    stored(got);
    assert_string_equal(got, "ckk");
    bio = BIO_new_file(path, "r");
    is_key(from_bio(bio), "a");
    is_key(from_bio(bio), "b");
    BIO_free(bio);
}

static void refuse(const char *text, int reason, const char *says)
{
    const char *data = "";
    unsigned long e;
    int flags;
    bool said = false;

    assert_null(from_text(text));
    while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0)
        said =
            said || (ERR_GET_LIB(e) == hwk_err_lib() &&
                     ERR_GET_REASON(e) == reason && strstr(data, says) != NULL);
    if (!said)
        fail_msg("nothing says '%s' of %s", says, text);
}

static void bad_text(void **state)
{
    static char large[100000];
    char *p = large;

    (void)state;
    refuse("-----BEGIN HWKEY URI-----\nMHo*\n-----END HWKEY URI-----\n",
           HWK_R_FORMAT, "not base64");
    refuse("-----BEGIN HWKEY URI-----\nMHoM\n", HWK_R_FORMAT, "no END");
    refuse("-----BEGIN HWKEY URI-----\nMHoM\n-----END X-----\n", HWK_R_FORMAT,
           "no END");
    refuse("-----BEGIN HWKEY URI-----\n-----END HWKEY URI-----\n", HWK_R_FORMAT,
           "empty");
    refuse("-----BEGIN HWKEY URI-----\nProc-Type: 4,ENCRYPTED\n\nMHoM\n"
           "-----END HWKEY URI-----\n",
           HWK_R_FORMAT, "headers");
    refuse("-----BEGIN HWKEY URI-----\nMHoM\n-----END HWKEY URI-----\n",
           HWK_R_FORMAT, "not a SEQUENCE");
    p += sprintf(p, "-----BEGIN HWKEY URI-----\n");
    while (p < large + sizeof(large) - 200)
        p += sprintf(p, "%s",
                     "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
                     "QUFBQUFB\n");
    strcpy(p, "-----END HWKEY URI-----\n");
    refuse(large, HWK_R_FORMAT, "too long");
}

static void bad_uris(void **state)
{
    (void)state;
    refuse(pem_of('o', AT ";object=a;type=public"), HWK_R_KEY, "type=");
    refuse(pem_of('t', AT ";object=a;type=cert"), HWK_R_KEY, "type=");
    refuse(pem_of('o', "file:/etc/ssl/private/key.pem"), HWK_R_BAD_URI,
           "not of a device");
    refuse(pem_of('o', "/etc/ssl/private/key.pem"), HWK_R_BAD_URI,
           "not of a device");
    refuse(pem_of('t', "pkcs11:colour=blue"), HWK_R_BAD_URI, "colour");
    refuse(pem_of('o', AT ";object=none" PIN), HWK_R_NOT_FOUND, "no such");
    refuse(pem_of('o', AT PIN), HWK_R_BAD_URI, "several");
    refuse(pem_of('t', AT ";type=private" PIN), HWK_R_BAD_URI, "several");
}

static void in_der(void **state)
{
    static const char kinds[] = "otw";
    uint8_t der[1100];
    const char *k;

    (void)state;
    world_close(&w);
    setenv("HWKEY_DER_FILES", "yes", 1);
    assert_true(world_open(&w, "dh"));
    for (k = kinds; *k != 0; k++) {
        size_t n = der_of(*k, AT ";object=b" PIN, der);
        const unsigned char *p = der;
        FILE *f = fopen(path, "w");
        char got[8];

        is_key(d2i_AutoPrivateKey_ex(NULL, &p, (long)n, w.libctx, NULL), "b");
        assert_int_equal(fwrite(der, 1, n, f), n);
        fclose(f);
        stored(got);
        assert_string_equal(got, "k");
        p = der;
        assert_null(
            d2i_AutoPrivateKey_ex(NULL, &p, (long)n - 1, w.libctx, NULL));
        ERR_clear_error();
    }
    world_close(&w);
    unsetenv("HWKEY_DER_FILES");
    assert_true(world_open(&w, "dh"));
}

/* keys and certificates of others are none of our business */
static void others(void **state)
{
    char got[8];

    (void)state;
    save(cert, "", cert);
    stored(got);
    assert_string_equal(got, "cc");
    assert_null(from_text(cert));
    assert_int_equal(hwk_reason(), 0);
    assert_null(from_text("-----BEGIN HWKEY URI-X-----\nMHoM\n"));
    assert_int_equal(hwk_reason(), 0);
}

#define T(test) cmocka_unit_test_setup(test, each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(both_kinds), T(forms_of_text), T(with_certificates),
        T(bad_text),   T(bad_uris),      T(others),
        T(in_der),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
