/* SPDX-License-Identifier: Apache-2.0 */
/* What others put into NV indices, and how it is read: certificates and keys in
 * every form, and what is in the way. */
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "provider/device/tpm2_keyfile.h"
#include "provider/device/tpm2_nvitem.h"
#include "provider/device/tpm2_public.h"
#include "tpm_blob.h"

#define INDEX 0x01800A20
#define URI "handle:0x01800a20"
#define AT_MOST 2000

/* --- things to put there --- */

struct bytes {
    uint8_t p[AT_MOST];
    size_t n;
};

static void add(struct bytes *to, const void *p, size_t n)
{
    assert_true(n <= sizeof(to->p) - to->n);
    memcpy(to->p + to->n, p, n);
    to->n += n;
}

static X509 *certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 60);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    return x;
}

static void add_cert(struct bytes *to, const X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    assert_true(n > 0);
    add(to, der, (size_t)n);
    OPENSSL_free(der);
}

static void add_public(struct bytes *to)
{
    EVP_PKEY *key = EVP_EC_gen("P-384");
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    assert_true(n > 0);
    add(to, der, (size_t)n);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

/* as much of a key file as its outline needs */
static void add_keyfile(struct bytes *to)
{
    static const uint8_t der[] = {0x30, 0x0b, 0x06, 0x06, 0x67, 0x81, 0x05,
                                  0x0a, 0x01, 0x03, 0x02, 0x01, 0x00};
    add(to, der, sizeof(der));
}

static void add_pem(struct bytes *to, const char *label,
                    const struct bytes *der)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    PEM_write_bio(bio, label, "", der->p, (long)der->n);
    long n = BIO_get_mem_data(bio, &text);
    add(to, text, (size_t)n);
    BIO_free(bio);
}

/* --- pure --- */

struct items {
    enum hwk_object_type type[8];
    size_t size[8], n, enough;
};

static int note(void *arg, enum hwk_object_type type, const uint8_t *der,
                size_t n)
{
    struct items *s = arg;
    assert_non_null(der);
    assert_true(s->n < 8);
    s->type[s->n] = type;
    s->size[s->n++] = n;
    return s->n == s->enough ? 0 : 1;
}

static void are(const struct bytes *b, size_t n,
                const enum hwk_object_type want[])
{
    struct items s = {.n = 0};
    assert_int_equal(hwk_tpm_nv_items(b->p, b->n, note, &s), 1);
    assert_int_equal(s.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(s.type[i], want[i]);
    assert_int_equal(ERR_peek_error(), 0);
}

static const enum hwk_object_type three[] = {HWK_OBJ_CERT, HWK_OBJ_PUBLIC,
                                             HWK_OBJ_PRIVATE};

static void one_after_another(void **arg)
{
    struct bytes b = {.n = 0};
    X509 *x = certificate();
    struct items s = {.enough = 2};
    (void)arg;
    add_cert(&b, x);
    add_public(&b);
    add_keyfile(&b);
    size_t whole = b.n;
    are(&b, 3, three);
    add(&b, "\0\0\0\0", 4);
    are(&b, 3, three);
    b.n = whole;
    add(&b, "\xff\xff\xff", 3);
    are(&b, 3, three);
    assert_int_equal(hwk_tpm_nv_items(b.p, b.n, note, &s), 0);
    assert_int_equal(s.n, 2);
    X509_free(x);
}

static void in_pem(void **arg)
{
    struct bytes der[4] = {{.n = 0}}, b = {.n = 0};
    X509 *x = certificate();
    (void)arg;
    add_cert(&der[0], x);
    add_public(&der[1]);
    add_keyfile(&der[2]);
    add(&der[3], "\x04\x01\x00", 3);
    add(&b, "subject=device\n", 15);
    add_pem(&b, "CERTIFICATE", &der[0]);
    add_pem(&b, "SOMETHING ELSE", &der[3]);
    add_pem(&b, "PUBLIC KEY", &der[1]);
    add(&b, "\nand now the key\n", 17);
    add_pem(&b, "TSS2 PRIVATE KEY", &der[2]);
    add(&b, "\0\0\0", 3);
    are(&b, 3, three);
    b.n = 0; /* a label that is not what is in it */
    add_pem(&b, "CERTIFICATE", &der[1]);
    are(&b, 0, NULL);
    X509_free(x);
}

/* cut anywhere, turned anywhere: never beyond the end, and no error left */
static void spoilt(void **arg)
{
    struct bytes der = {.n = 0}, pem = {.n = 0};
    struct items s;
    X509 *x = certificate();
    size_t size;
    (void)arg;
    add_cert(&der, x);
    add_pem(&pem, "CERTIFICATE", &der);
    for (size_t i = 0; i < der.n; i++) {
        uint8_t *cut = OPENSSL_memdup(der.p, i + 1); /* with its own end */
        assert_int_equal(hwk_tpm_nv_item(cut, i, &size), 0);
        OPENSSL_free(cut);
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            der.p[i] ^= (uint8_t)bit;
            s.n = s.enough = 0;
            hwk_tpm_nv_items(der.p, der.n, note, &s);
            assert_true(s.n <= 1 && (s.n == 0 || s.size[0] <= der.n));
            der.p[i] ^= (uint8_t)bit;
        }
    }
    for (size_t i = 0; i + 30 < pem.n; i++) {
        s.n = s.enough = 0;
        hwk_tpm_nv_items(pem.p, i, note, &s);
        assert_int_equal(s.n, 0);
    }
    assert_int_equal(hwk_tpm_nv_items(der.p, 0, note, &s), 1);
    assert_int_equal(ERR_peek_error(), 0);
    X509_free(x);
}

/* --- in a TPM --- */

static TPM2B_AUTH auth_of(const char *text)
{
    TPM2B_AUTH a = {.size = (UINT16)(text ? strlen(text) : 0)};
    if (text)
        memcpy(a.buffer, text, a.size);
    return a;
}

/* an index of others, written (unless there is nothing) by its owner */
static void put(TPMA_NV attributes, const char *auth, const struct bytes *b)
{
    TPM2B_NV_PUBLIC pub = {
        .nvPublic = {.nvIndex = INDEX,
                     .nameAlg = TPM2_ALG_SHA256,
                     .attributes = attributes | TPMA_NV_OWNERWRITE,
                     .dataSize = (UINT16)(b ? b->n : 10)}};
    const TPM2B_AUTH value = auth_of(auth);
    TPM2B_MAX_NV_BUFFER piece;
    ESYS_TR tr;
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    assert_int_equal(Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER,
                                         ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                         ESYS_TR_NONE, &value, &pub, &tr),
                     0);
    for (size_t at = 0; b && at < b->n; at += piece.size) {
        piece.size = (UINT16)(b->n - at < 512 ? b->n - at : 512);
        memcpy(piece.buffer, b->p + at, piece.size);
        assert_int_equal(Esys_NV_Write(esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, &piece, (UINT16)at),
                         0);
    }
    if (attributes & TPMA_NV_READ_STCLEAR)
        assert_int_equal(Esys_NV_ReadLock(esys, ESYS_TR_RH_OWNER, tr,
                                          ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                          ESYS_TR_NONE),
                         0);
    Esys_TR_Close(esys, &tr);
    hwk_tpm_end(tpm);
}

struct seen {
    enum hwk_object_type type[8];
    struct bytes der[8];
    struct hwk_pub pub;
    size_t n;
};

static int see(void *arg, struct hwk_found *found)
{
    struct seen *s = arg;
    assert_true(s->n < 8);
    s->type[s->n] = found->type;
    if (found->type == HWK_OBJ_CERT)
        add(&s->der[s->n], found->der, found->der_len);
    else
        s->pub = found->pub;
    assert_string_equal(found->uri, "tpm2:handle=0x01800a20");
    s->n++;
    return 1;
}

static int find(const char *text, unsigned want, struct seen *s)
{
    struct hwk_uri uri;
    memset(s, 0, sizeof(*s));
    assert_true(hwk_uri_parse(text, &uri));
    struct hwk_pin_ask ask = {.cfg = &tpm_cfg, .uri = &uri};
    int ok = hwk_tpm_find(tpm, &uri, want, &ask, see, s);
    hwk_uri_clear(&uri);
    return ok;
}

#define PLAIN (TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

/* several certificates and a key, longer than one command's buffer */
static void chain(void **arg)
{
    struct bytes der[3] = {{.n = 0}}, spki = {.n = 0}, b = {.n = 0};
    struct seen s;
    X509 *x[3] = {certificate(), certificate(), certificate()};
    (void)arg;
    need_tpm();
    add_public(&spki);
    for (size_t i = 0; i < 3; i++) {
        add_cert(&der[i], x[i]);
        add_pem(&b, "CERTIFICATE", &der[i]);
        X509_free(x[i]);
    }
    add_pem(&b, "PUBLIC KEY", &spki);
    add(&b, "\0\0\0\0\0", 5);
    assert_true(b.n > 1024); /* what one command of this TPM reads */
    put(PLAIN, NULL, &b);
    assert_true(find(URI, HWK_WANT_ANY, &s)); /* the sizes asked, once */
    unsigned long long before = tpm_commands();
    assert_true(find(URI, HWK_WANT_ANY, &s));
    assert_int_equal(tpm_commands() - before, 3);
    assert_int_equal(s.n, 4);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s.type[i], HWK_OBJ_CERT);
        assert_int_equal(s.der[i].n, der[i].n);
        assert_memory_equal(s.der[i].p, der[i].p, der[i].n);
    }
    assert_int_equal(s.type[3], HWK_OBJ_PUBLIC);
    assert_ptr_equal(s.pub.curve, hwk_curve_by_bits(384));
    assert_true(find(URI, HWK_WANT_PUBLIC, &s));
    assert_int_equal(s.n, 1);
    assert_true(find(URI, HWK_WANT_PRIVATE, &s));
    assert_int_equal(s.n, 0);
    assert_true(hwk_tpm_erase(tpm, INDEX));
}

/* the file of a key under the owner's default primary key, with the PIN "key"
 */
static void add_real_keyfile(struct bytes *to)
{
    const struct hwk_tpm_parent owner = {.handle = TPM2_RH_OWNER};
    const TPM2B_SENSITIVE_CREATE sensitive = {
        .size = 0, .sensitive.userAuth = auth_of("key")};
    struct hwk_tpm_keyfile file = {.type = HWK_TPM_FILE_LOADABLE,
                                   .parent = TPM2_RH_OWNER};
    struct tpm_blob blob;
    uint8_t *der = NULL;
    size_t n;
    tpm_blob_make_with(&owner, &sensitive, &blob);
    file.pub = blob.pub;
    file.priv = blob.priv;
    assert_true(hwk_tpm_keyfile_encode(&file, &der, &n));
    add(to, der, n);
    OPENSSL_free(der);
}

static void signs(const char *uri, const char *again)
{
    static const uint8_t digest[32] = {5};
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    uint8_t sig[200];
    size_t n = sizeof(sig);
    struct hwk_found f;
    assert_true(tpm_find_in(tpm, uri, HWK_WANT_PRIVATE, &f));
    assert_int_equal(f.type, HWK_OBJ_PRIVATE);
    assert_string_equal(f.uri, again);
    assert_true(hwk_tpm_sign(tpm, f.ref, &mech, digest, 32, sig, &n));
    assert_true(tpm_verify(&f.pub, &mech, digest, 32, sig, n));
    hwk_tpm_key_free(tpm, f.ref);
    assert_int_equal(tpm_left_behind(), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

/* the PIN in the URI is the key's, where the index has none, and is that of
 * both where it has */
static void keyfiles(void **arg)
{
    const char *uri = "tpm2:handle=0x01800a20";
    struct bytes der = {.n = 0}, b = {.n = 0};
    struct seen s;
    (void)arg;
    need_tpm();
    add_real_keyfile(&der);
    add_pem(&b, "TSS2 PRIVATE KEY", &der);
    put(PLAIN, NULL, &b);
    signs(URI "?pin-value=key", uri);
    assert_true(find(URI, HWK_WANT_PUBLIC, &s)); /* without the key's PIN */
    assert_int_equal(s.n, 1);
    assert_int_equal(s.type[0], HWK_OBJ_PUBLIC);
    assert_true(find(URI, HWK_WANT_CERT, &s));
    assert_int_equal(s.n, 0);
    assert_true(hwk_tpm_erase(tpm, INDEX));
    put(TPMA_NV_AUTHREAD, "key", &der);
    signs(URI "?pin-value=key", uri);
    assert_true(hwk_tpm_erase(tpm, INDEX));
}

static void refused(const char *text, int reason, const char *word)
{
    struct seen s;
    const char *data = "";
    assert_false(find(text, HWK_WANT_ANY, &s));
    assert_int_equal(s.n, 0);
    ERR_peek_last_error_data(&data, NULL);
    assert_non_null(strstr(data, word));
    assert_non_null(strstr(data, "0x01800a20"));
    assert_int_equal(tpm_reason(), reason);
}

/* what is in the way is said, before the TPM has to refuse anything */
static void in_the_way(void **arg)
{
    struct bytes b = {.n = 0};
    struct seen s;
    X509 *x = certificate();
    (void)arg;
    need_tpm();
    add_cert(&b, x);
    assert_true(find(URI, HWK_WANT_ANY, &s)); /* not there: nothing found */
    assert_int_equal(s.n, 0);
    put(PLAIN, NULL, NULL);
    refused(URI, HWK_R_FORMAT, "nothing was written");
    assert_true(hwk_tpm_erase(tpm, INDEX));
    put(PLAIN | TPMA_NV_READ_STCLEAR, NULL, &b);
    refused(URI, HWK_R_UNSUPPORTED, "locked against reading");
    assert_int_equal(tpm_cycle(), 0);
    assert_true(find(URI, HWK_WANT_CERT, &s)); /* until it is started again */
    assert_int_equal(s.n, 1);
    assert_true(hwk_tpm_erase(tpm, INDEX));
    put(TPMA_NV_POLICYREAD | TPMA_NV_NO_DA, NULL, &b);
    refused(URI, HWK_R_UNSUPPORTED, "by its policy only");
    assert_true(find("tpm2:", HWK_WANT_ANY, &s)); /* hides nothing else */
    assert_true(hwk_tpm_erase(tpm, INDEX));
    X509_free(x);
}

/* failed tries that the TPM has counted */
static unsigned tries(void)
{
    struct hwk_tpm_properties var;
    assert_non_null(hwk_tpm_begin(tpm));
    assert_true(hwk_tpm_properties(tpm, TPM2_PT_VAR, &var));
    hwk_tpm_end(tpm);
    return hwk_tpm_property(&var, TPM2_PT_LOCKOUT_COUNTER);
}

/* an authorization value comes from the URI; a wrong one is tried once */
static void values(void **arg)
{
    struct bytes b = {.n = 0};
    struct seen s;
    X509 *x = certificate();
    (void)arg;
    need_tpm();
    add_cert(&b, x);
    put(TPMA_NV_AUTHREAD, "secret", &b);
    assert_true(find(URI "?pin-value=secret", HWK_WANT_CERT, &s));
    assert_int_equal(s.n, 1);
    assert_int_equal(tries(), 0);
    refused(URI, HWK_R_PIN_MISSING, "authorization value");
    refused(URI, HWK_R_PIN_MISSING, "authorization value");
    assert_int_equal(tries(), 1);
    refused(URI "?pin-value=wrong", HWK_R_PIN_INCORRECT, "refused");
    refused(URI "?pin-value=wrong", HWK_R_PIN_INCORRECT, "refused");
    assert_int_equal(tries(), 2);
    assert_true(find("tpm2:", HWK_WANT_ANY, &s)); /* a list tries nothing */
    assert_int_equal(s.n, 0);
    assert_int_equal(tries(), 2);
    assert_true(hwk_tpm_erase(tpm, INDEX));
    X509_free(x);
}

static void set_owner(const char *from, const char *to)
{
    const TPM2B_AUTH was = auth_of(from), is = auth_of(to);
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, &was);
    assert_int_equal(Esys_HierarchyChangeAuth(esys, ESYS_TR_RH_OWNER,
                                              ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &is),
                     0);
    Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, &is);
    hwk_tpm_end(tpm);
}

/* readable by its owner or with its own value, and a wrong try would count:
 * by the owner while that one has no value, else with the index's */
static void by_whom(void **arg)
{
    struct bytes b = {.n = 0};
    struct seen s;
    X509 *x = certificate();
    (void)arg;
    need_tpm();
    add_cert(&b, x);
    unsigned before = tries();
    put(TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD, "secret", &b);
    assert_true(find(URI, HWK_WANT_CERT, &s));
    assert_int_equal(s.n, 1);
    assert_int_equal(tries(), before);
    assert_true(hwk_tpm_erase(tpm, INDEX));
    put(TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD, NULL, &b);
    set_owner(NULL, "owner");
    assert_true(find(URI, HWK_WANT_CERT, &s));
    assert_int_equal(s.n, 1);
    set_owner("owner", NULL);
    assert_true(hwk_tpm_erase(tpm, INDEX));
    X509_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_another),
        cmocka_unit_test(in_pem),
        cmocka_unit_test(spoilt),
        cmocka_unit_test(chain),
        cmocka_unit_test(in_the_way),
        cmocka_unit_test(values),
        cmocka_unit_test(by_whom),
        cmocka_unit_test(keyfiles),
    };
    return cmocka_run_group_tests(tests, tpm_setup, tpm_teardown);
}
