/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, certificates and data in a token, through the built-in provider. */
#include "codec.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>

#include <idevid/env.h>
#include <idevid/key.h>
#include <idevid/x509.h>

#include <p11-kit/pkcs11.h>

#include "provider/device.h"
#include "tests/lib/softhsm.h"

#define TOKEN "pkcs11:token=unit"
#define KEY TOKEN ";object=k;id=%01"

static char dir[64];
static bool usable;
static struct idv_env_system sys;

static int setup(void **state)
{
    (void)state;
    const char *module = softhsm_module();
    idv_env_system_init(&sys, NULL);
    test_dir(dir);
    unsetenv("HWKEY_PIN");
    unsetenv("HWKEY_PIN_FILE");
    unsetenv("HWKEY_PKCS11_MODULE");
    usable = module && softhsm_use(dir, dir) && softhsm_token("unit");
    if (!usable)
        return 0;
    const struct idv_provider_conf conf = {.pkcs11_module = module};
    OK(idv_provider_setup(hwk_provider_init, &conf));
    FAILS(IDV_E_STATE, "loaded before",
          idv_provider_setup(hwk_provider_init, NULL));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_dir_drop(dir);
    return 0;
}

struct asked {
    int times;
    const char *pin;
};

static bool answer(void *arg, const char *what, char *out, size_t max,
                   size_t *n)
{
    struct asked *a = arg;
    a->times++;
    if (!a->pin)
        return false;
    assert_non_null(what);
    *n = strlen(a->pin);
    assert_true(*n <= max);
    memcpy(out, a->pin, *n);
    return true;
}

static struct asked right = {0, "1234"};
static const struct idv_pin pin = {answer, &right};

#define NEEDS_TOKEN                                                            \
    if (!usable)                                                               \
    skip()

static void wrong_pins(void **state)
{
    struct asked wrong = {0, "4321"}, nobody = {0, NULL};
    const struct idv_pin wrong_pin = {answer, &wrong};
    const struct idv_pin no_pin = {answer, &nobody};
    EVP_PKEY *key = NULL;
    (void)state;
    NEEDS_TOKEN;
    FAILS(IDV_E_DEVICE, "PIN",
          idv_key_make(KEY, &wrong_pin, IDV_KEY_P256, IDV_KEY_SIGN, &key));
    assert_int_equal(wrong.times, 1);
    FAILS(IDV_E_DEVICE, "PIN",
          idv_key_make(KEY, &no_pin, IDV_KEY_P256, IDV_KEY_SIGN, &key));
    FAILS(IDV_E_DEVICE, "PIN",
          idv_key_make(KEY, NULL, IDV_KEY_P256, IDV_KEY_SIGN, &key));
    assert_null(key);
}

static void make_and_open(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) made = NULL;
    IDV_AUTO_PTR(EVP_PKEY) got = NULL;
    EVP_PKEY *again = NULL;
    uint8_t a[32], b[32];
    (void)state;
    NEEDS_TOKEN;
    OK(idv_key_make(KEY, &pin, IDV_KEY_P256, IDV_KEY_SIGN, &made));
    OK(idv_key_open(KEY, &pin, &got));
    OK(idv_key_fingerprint(made, a));
    OK(idv_key_fingerprint(got, b));
    assert_memory_equal(a, b, 32);
    const OSSL_PROVIDER *by = EVP_PKEY_get0_provider(got);
    assert_string_equal(OSSL_PROVIDER_get0_name(by), "hwkey");
    FAILS(IDV_E_STATE, "exists",
          idv_key_make(KEY, &pin, IDV_KEY_P256, IDV_KEY_SIGN, &again));
    FAILS(IDV_E_DEVICE, "", idv_key_open(TOKEN ";object=none", &pin, &again));
    FAILS(IDV_E_ARG, "bad URI", idv_key_open("pkcs11:token=%zz", &pin, &again));
    FAILS(IDV_E_ARG, "bad URI", idv_key_open("tpm2:nonsense", &pin, &again));
    assert_null(again);
}

static void signs(void **state)
{
    struct idv_cert_spec spec = {.kind = IDV_CERT_ROOT, .common_name = "Root"};
    struct idv_device_stats before, after;
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO_PTR(X509) root = NULL;
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    IDV_AUTO(buf) der = {0};
    (void)state;
    NEEDS_TOKEN;
    OK(idv_key_open(KEY, &pin, &key));
    idv_device_stats(&before);
    OK(idv_cert_issue(&spec, key, NULL, key, &sys.env, &root));
    OK(idv_csr_make(key, NULL, NULL, "x", &der));
    idv_device_stats(&after);
    assert_int_equal(after.signatures - before.signatures, 2);
    OK(idv_csr_from_der(idv_view(&der), &req, &its));
    STACK_OF(X509) *anchors = sk_X509_new_null();
    sk_X509_push(anchors, root);
    const struct idv_chain_policy policy = {.anchors = anchors};
    OK(idv_chain_verify(root, &policy));
    sk_X509_free(anchors);
    /* what stands in them is a key of OpenSSL's own */
    const OSSL_PROVIDER *by = EVP_PKEY_get0_provider(X509_get0_pubkey(root));
    assert_string_equal(OSSL_PROVIDER_get0_name(by), "default");
}

static bool count(void *arg, const struct idv_object *o)
{
    int *n = arg;
    assert_null(strstr(o->uri, "1234"));
    ++*n;
    return true;
}

static void objects(void **state)
{
    struct idv_cert_spec spec = {.kind = IDV_CERT_ROOT, .common_name = "Root"};
    static const char cert_uri[] = TOKEN ";object=c;type=cert";
    static const char data_uri[] = TOKEN ";object=d;type=data";
    struct idv_device *dev = NULL;
    struct idv_device_info info;
    IDV_AUTO_PTR(EVP_PKEY) soft = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO_PTR(X509) got = NULL;
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) back = {0};
    bool found = true;
    int n = 0;
    (void)state;
    NEEDS_TOKEN;
    OK(idv_cert_issue(&spec, soft, NULL, soft, &sys.env, &cert));
    OK(idv_cert_to_der(cert, &der));
    OK(idv_device_open(TOKEN, &pin, &dev));
    OK(idv_device_info(dev, &info));
    assert_false(info.tpm);
    assert_string_equal(info.label, "unit");
    OK(idv_device_read(dev, data_uri, &found, &back));
    assert_false(found);
    OK(idv_device_write(dev, data_uri, idv_str("record"), IDV_WRITE_NEW));
    FAILS(IDV_E_STATE, "exists",
          idv_device_write(dev, data_uri, idv_str("other"), IDV_WRITE_NEW));
    OK(idv_device_read(dev, data_uri, &found, &back));
    assert_true(found);
    assert_string_equal((char *)back.p, "record");
    static const char with_pin[] = TOKEN ";object=d;type=data?pin-value=1234";
    IDV_AUTO(buf) small = {.max = 3};
    idv_note_clear();
    assert_int_equal(idv_device_read(dev, with_pin, &found, &small),
                     IDV_E_LIMIT);
    assert_non_null(strstr(idv_note(), "pin-value=***: buffer: more than 3"));
    idv_note_clear();
    OK(idv_device_write(dev, cert_uri, idv_view(&der), 0));
    OK(idv_cert_open(cert_uri, &pin, &got));
    assert_true(idv_cert_eq(cert, got));
    OK(idv_device_list(dev, count, &n));
    assert_true(n >= 3);
    OK(idv_device_erase(dev, data_uri));
    OK(idv_device_erase(dev, data_uri));
    OK(idv_device_erase(dev, cert_uri));
    idv_device_close(dev);
    X509 *none = NULL;
    FAILS(IDV_E_DEVICE, "", idv_cert_open(cert_uri, &pin, &none));
}

/* --- erased, but for its public half ---------------------------------------
 */

/* behind the provider's back, in the session of its login */
static void destroy_private(const char *label)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE by[] = {{CKA_CLASS, &class, sizeof(class)},
                         {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
    CK_FUNCTION_LIST *f = NULL;
    CK_SLOT_ID slots[8];
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE o;
    CK_ULONG n = 8;
    void *module = dlopen(softhsm_module(), RTLD_NOW);
    CK_C_GetFunctionList list =
        (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
    assert_int_equal(list(&f), CKR_OK);
    assert_int_equal(f->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    assert_int_equal(f->C_OpenSession(slots[0],
                                      CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                      NULL, &s),
                     CKR_OK);
    (void)f->C_Login(s, CKU_USER, (CK_UTF8CHAR *)(uintptr_t) "1234", 4);
    assert_int_equal(f->C_FindObjectsInit(s, by, 2), CKR_OK);
    assert_int_equal(f->C_FindObjects(s, &o, 1, &n), CKR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(f->C_FindObjectsFinal(s), CKR_OK);
    assert_int_equal(f->C_DestroyObject(s, o), CKR_OK);
    assert_int_equal(f->C_CloseSession(s), CKR_OK);
    dlclose(module);
}

static void half_erased(void **state)
{
    static const char uri[] = TOKEN ";object=half;type=private";
    struct idv_device *dev;
    EVP_PKEY *key = NULL;
    (void)state;
    NEEDS_TOKEN;
    OK(idv_key_make(uri, &pin, IDV_KEY_P256, IDV_KEY_SIGN, &key));
    EVP_PKEY_free(idv_steal(&key));
    destroy_private("half");
    FAILS(IDV_E_STATE, "without the private half",
          idv_key_make(uri, &pin, IDV_KEY_P256, IDV_KEY_SIGN, &key));
    OK(idv_device_open(TOKEN, &pin, &dev));
    OK(idv_device_erase(dev, uri));
    OK(idv_key_make(uri, &pin, IDV_KEY_P256, IDV_KEY_SIGN, &key));
    EVP_PKEY_free(key);
    OK(idv_device_erase(dev, uri));
    idv_device_close(dev);
}

/* a file that names the key is opened like any other key file */
static void wrapper(void **state)
{
    static const char uri[] = KEY "?pin-value=1234";
    char path[128];
    uint8_t der[64] = {0x30, 0, 0x0c, 3, '1', '.', '0', 0x0c};
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    char *p;
    (void)state;
    NEEDS_TOKEN;
    der[8] = sizeof(uri) - 1;
    memcpy(der + 9, uri, sizeof(uri) - 1);
    der[1] = (uint8_t)(7 + sizeof(uri) - 1);
    PEM_write_bio(bio, "HWKEY URI", "", der, 9 + (long)sizeof(uri) - 1);
    long n = BIO_get_mem_data(bio, &p);
    snprintf(path, sizeof(path), "%s/wrapper.pem", dir);
    OK(idv_fs_write(path, idv_bytes(p, (size_t)n), 0600));
    OK(idv_key_open(path, &pin, &key));
    const OSSL_PROVIDER *by = EVP_PKEY_get0_provider(key);
    assert_string_equal(OSSL_PROVIDER_get0_name(by), "hwkey");
}

/* with the provider at work too, a file of the URI's name is not looked at */
static void planted_file(void **state)
{
    static const char uri[] = "pkcs11:token=unit;object=planted";
    char here[4096], path[128], *was = getcwd(here, sizeof(here));
    IDV_AUTO_PTR(EVP_PKEY) soft = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    EVP_PKEY *got = NULL;
    char *p;
    (void)state;
    NEEDS_TOKEN;
    PEM_write_bio_PrivateKey(bio, soft, NULL, NULL, 0, NULL, NULL);
    long n = BIO_get_mem_data(bio, &p);
    snprintf(path, sizeof(path), "%s/%s", dir, uri);
    OK(idv_fs_write(path, idv_bytes(p, (size_t)n), 0600));
    assert_non_null(was);
    assert_int_equal(chdir(dir), 0);
    idv_note_clear();
    idv_rc rc = idv_key_open(uri, &pin, &got);
    assert_int_equal(chdir(was), 0);
    assert_int_equal(rc, IDV_E_DEVICE);
    assert_null(got);
}

/* --- a token that is away: its directory, which SoftHSM looks for when it
 * begins only */

static bool can_sign(EVP_PKEY *key)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    uint8_t sig[256];
    size_t n = sizeof(sig);
    bool ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"x", 1) == 1;
    ERR_clear_error();
    return ok;
}

static void only_directory(char *out, size_t n)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_type == DT_DIR && e->d_name[0] != '.')
            snprintf(out, n, "%s/%s", dir, e->d_name);
    }
    closedir(d);
}

static void token_away(void **state)
{
    char there[512] = "", gone[128];
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    EVP_PKEY *none = NULL;
    (void)state;
    NEEDS_TOKEN;
    OK(idv_key_open(KEY, &pin, &key));
    assert_true(can_sign(key));
    only_directory(there, sizeof(there));
    snprintf(gone, sizeof(gone), "%s.gone", dir);
    assert_int_equal(rename(there, gone), 0);
    OK(idv_tokens_again());
    assert_false(can_sign(key));
    FAILS(IDV_E_DEVICE, "token 'unit' is not there",
          idv_key_open(KEY, &pin, &none));
    assert_int_equal(rename(gone, there), 0);
    FAILS(IDV_E_DEVICE, "token 'unit' is not there",
          idv_key_open(KEY, &pin, &none));
    OK(idv_tokens_again());
    assert_true(can_sign(key));
    OK(idv_key_open(KEY, &pin, &none));
    assert_true(can_sign(none));
    EVP_PKEY_free(none);
}

static void software_keys(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) soft = EVP_EC_gen("P-256");
    (void)state;
    NEEDS_TOKEN;
    const OSSL_PROVIDER *by = EVP_PKEY_get0_provider(soft);
    assert_string_equal(OSSL_PROVIDER_get0_name(by), "default");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_pins),   cmocka_unit_test(make_and_open),
        cmocka_unit_test(signs),        cmocka_unit_test(objects),
        cmocka_unit_test(half_erased),  cmocka_unit_test(wrapper),
        cmocka_unit_test(planted_file), cmocka_unit_test(software_keys),
        cmocka_unit_test(token_away),
    };
    return cmocka_run_group_tests_name("key_token", tests, setup, teardown);
}
