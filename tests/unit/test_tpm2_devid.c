/* SPDX-License-Identifier: Apache-2.0 */
/* Device identity keys made again from their templates: the one that a
 * certificate is for is found, in whatever dialect it was made. */
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"
#include "tpm.h"

#define IDEVID_CERT 0x01C90200
#define OLD_CERT 0x01C90000
#define IAK_CERT 0x01C90100

/* --- what the maker of a device did --- */

/* a certificate of somebody's for key, in NV */
static void certify(EVP_PKEY *key, TPM2_HANDLE index)
{
    EVP_PKEY *ca = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    unsigned char *der = NULL;
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 60);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, ca, EVP_sha256()) > 0);
    int n = i2d_X509(x, &der);
    assert_true(hwk_tpm_nv_write(tpm, index, der, (size_t)n, 0));
    OPENSSL_free(der);
    X509_free(x);
    EVP_PKEY_free(ca);
}

static struct hwk_pub made_of(const struct hwk_tpm_devid *d)
{
    TPM2B_PUBLIC template;
    struct hwk_pub pub;
    assert_true(hwk_tpm_devid_template(d, &template));
    assert_non_null(hwk_tpm_begin(tpm));
    struct hwk_tpm_object *o =
        hwk_tpm_object_primary(tpm, TPM2_RH_ENDORSEMENT, NULL, &template);
    assert_non_null(o);
    assert_true(hwk_tpm_public(&o->pub, &pub));
    hwk_tpm_object_close(tpm, o);
    hwk_tpm_end(tpm);
    return pub;
}

static void certify_pub(const struct hwk_pub *pub, TPM2_HANDLE index)
{
    EVP_PKEY *key = tpm_evp(pub);
    certify(key, index);
    EVP_PKEY_free(key);
}

/* --- using it --- */

static void signs(struct hwk_found *f)
{
    static const uint8_t message[] = "an identity";
    struct hwk_mech mech = {.type = f->pub.type,
                            .pad = f->pub.type == HWK_KEY_RSA ? HWK_PAD_PKCS1
                                                              : HWK_PAD_NONE,
                            .md = f->md ? f->md : HWK_MD_SHA256,
                            .message = f->flags & HWK_FOUND_MESSAGE};
    TPM2B_DIGEST d;
    uint8_t sig[HWK_SIG_MAX];
    size_t n = sizeof(sig);
    assert_true(hwk_tpm_hash(hwk_tpm_alg(mech.md), message, 11, &d));
    assert_true(
        mech.message
            ? hwk_tpm_sign(tpm, f->ref, &mech, message, 11, sig, &n)
            : hwk_tpm_sign(tpm, f->ref, &mech, d.buffer, d.size, sig, &n));
    mech.message = false;
    assert_true(tpm_verify(&f->pub, &mech, d.buffer, d.size, sig, n));
}

static void found_as(const char *uri, const char *again,
                     const struct hwk_pub *pub)
{
    struct hwk_found f;
    assert_true(tpm_find_in(tpm, uri, HWK_WANT_PRIVATE, &f));
    assert_int_equal(f.type, HWK_OBJ_PRIVATE);
    assert_string_equal(f.uri, again);
    assert_true(hwk_pub_eq(&f.pub, pub));
    signs(&f);
    hwk_tpm_key_free(tpm, f.ref);
    assert_int_equal(tpm_left_behind(), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

/* a process that knows nothing yet */
static void begin_anew(void)
{
    hwk_tpm_free(tpm);
    tpm = hwk_tpm_new(&tpm_cfg);
    assert_non_null(tpm);
}

/* the certificate of d's key is enough; the second time costs one command */
static void recovered(const struct hwk_tpm_devid *d, TPM2_HANDLE index)
{
    const char *word = d->purpose == HWK_TPM_IDEVID ? "idevid" : "iak";
    char uri[32], again[64], name[HWK_TPM_DEVID_NAME_MAX];
    struct hwk_pub pub = made_of(d);
    struct hwk_found f;
    hwk_tpm_devid_name(d, name);
    snprintf(uri, sizeof(uri), "tpm2:%s", word);
    snprintf(again, sizeof(again), "tpm2:%s;template=%s", word, name);
    certify_pub(&pub, index);
    begin_anew();
    found_as(uri, again, &pub);
    unsigned long long before = tpm_commands();
    assert_true(tpm_find_in(tpm, uri, HWK_WANT_PRIVATE, &f));
    assert_int_equal(tpm_commands() - before, 1);
    hwk_tpm_key_free(tpm, f.ref);
    assert_int_equal(tpm_commands() - before, 2); /* flushed */
    assert_true(hwk_tpm_erase(tpm, index));
    begin_anew();
    found_as(again, again, &pub); /* also where nobody knows of it */
}

static void nth(enum hwk_tpm_name purpose, const char *name, TPM2_HANDLE index)
{
    struct hwk_tpm_devid d;
    size_t n = 0;
    for (size_t i = 0; hwk_tpm_devid_nth(purpose, i, &d); i++)
        if (hwk_tpm_devid_is(&d, name)) {
            recovered(&d, index);
            n++;
        }
    assert_true(n > 0);
}

static void every_dialect(void **arg)
{
    (void)arg;
    need_tpm();
    nth(HWK_TPM_IDEVID, "H-2", IDEVID_CERT); /* all six */
    nth(HWK_TPM_IDEVID, "H-3/wolftpm", IDEVID_CERT);
    nth(HWK_TPM_IDEVID, "H-4/keylime-null", OLD_CERT);
    nth(HWK_TPM_IDEVID, "H-1", IDEVID_CERT);
    nth(HWK_TPM_IAK, "H-2", IAK_CERT); /* all three */
    nth(HWK_TPM_IAK, "H-3/keylime", IAK_CERT);
    nth(HWK_TPM_IAK, "H-1", IAK_CERT);
}

/* without a certificate: P-256 in our own dialect, or what the URI says */
static void by_choice(void **arg)
{
    const char *ours = "tpm2:idevid;template=H-2/swtpm";
    struct hwk_tpm_devid d;
    struct hwk_found f;
    (void)arg;
    need_tpm();
    assert_true(hwk_tpm_devid_nth(HWK_TPM_IDEVID, 0, &d));
    struct hwk_pub pub = made_of(&d);
    found_as("tpm2:idevid", ours, &pub);
    found_as("tpm2:idevid;template=H-2", ours, &pub);
    assert_true(hwk_tpm_devid_nth(HWK_TPM_IDEVID, 6, &d));
    pub = made_of(&d);
    found_as("tpm2:idevid;template=H-3", "tpm2:idevid;template=H-3/swtpm",
             &pub);
    assert_false(
        tpm_find_in(tpm, "tpm2:idevid;template=H-5", HWK_WANT_PRIVATE, &f));
    assert_int_equal(tpm_reason(), HWK_R_BAD_URI);
    /* a public key, for which nobody is asked */
    assert_true(tpm_find_in(tpm, "tpm2:idevid?pass", HWK_WANT_PUBLIC, &f));
    assert_int_equal(f.type, HWK_OBJ_PUBLIC);
    assert_null(f.ref);
    assert_int_equal(tpm_left_behind(), 0);
}

static void said(const char *uri, const char *words[])
{
    struct hwk_found f;
    const char *data = "";
    assert_false(tpm_find_in(tpm, uri, HWK_WANT_PRIVATE, &f));
    ERR_peek_last_error_data(&data, NULL);
    for (; *words; words++)
        assert_non_null(strstr(data, *words));
    assert_int_equal(tpm_reason(), HWK_R_KEY);
    assert_int_equal(tpm_left_behind(), 0);
}

/* a certificate of another device's key */
static void none_fits(void **arg)
{
    const char *all[] = {
        "0x01c90200",       "EC P-256",         "H-2/swtpm,",
        "H-2/keylime,",     "H-2/wolftpm,",     "H-2/swtpm-null",
        "H-2/keylime-null", "H-2/wolftpm-null", NULL};
    const char *one[] = {"H-2/keylime gives", "tried: H-2/keylime", NULL};
    const char *no[] = {"RSA 3072", "tried: none", NULL};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    (void)arg;
    need_tpm();
    certify(key, IDEVID_CERT);
    said("tpm2:idevid", all);
    said("tpm2:idevid;template=H-2/keylime", one);
    EVP_PKEY_free(key);
    key = EVP_RSA_gen(3072);
    certify(key, IDEVID_CERT);
    said("tpm2:idevid", no);
    EVP_PKEY_free(key);
    assert_true(hwk_tpm_erase(tpm, IDEVID_CERT));
}

/* --- the TPM is cleared --- */

static void clear_tpm(void)
{
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    assert_int_equal(Esys_Clear(esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD,
                                ESYS_TR_NONE, ESYS_TR_NONE),
                     0);
    hwk_tpm_end(tpm);
}

static void cleared(void **arg)
{
    const struct hwk_uri uri = {.tpm = HWK_TPM_IDEVID};
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_IDEVID);
    struct hwk_found f;
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = hwk_tpm_make(tpm, &uri, &spec, NULL);
    assert_non_null(key);
    hwk_tpm_key_free(tpm, key);
    unsigned long long before = tpm_commands();
    assert_true(tpm_find_in(tpm, "tpm2:idevid", HWK_WANT_PRIVATE, &f));
    assert_int_equal(tpm_commands() - before, 1); /* at its handle */
    assert_string_equal(f.uri, "tpm2:handle=0x81020000");
    struct hwk_pub pub = f.pub;
    hwk_tpm_key_free(tpm, f.ref);
    clear_tpm();
    found_as("tpm2:idevid", "tpm2:idevid;template=H-2/swtpm", &pub);
}

/* --- the endorsement hierarchy has an authorization value --- */

static void set_endorsement(const char *from, const char *to)
{
    TPM2B_AUTH was = {.size = (UINT16)strlen(from)};
    TPM2B_AUTH is = {.size = (UINT16)strlen(to)};
    memcpy(was.buffer, from, was.size);
    memcpy(is.buffer, to, is.size);
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    Esys_TR_SetAuth(esys, ESYS_TR_RH_ENDORSEMENT, &was);
    assert_int_equal(Esys_HierarchyChangeAuth(esys, ESYS_TR_RH_ENDORSEMENT,
                                              ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &is),
                     0);
    hwk_tpm_end(tpm);
}

static unsigned long long refused(const char *uri, int reason)
{
    struct hwk_found f;
    unsigned long long before = tpm_commands();
    assert_false(tpm_find_in(tpm, uri, HWK_WANT_PRIVATE, &f));
    assert_int_equal(tpm_reason(), reason);
    return tpm_commands() - before;
}

static void with_a_value(void **arg)
{
    struct hwk_tpm_devid d;
    (void)arg;
    need_tpm();
    assert_true(hwk_tpm_devid_nth(HWK_TPM_IDEVID, 0, &d));
    struct hwk_pub pub = made_of(&d);
    certify_pub(&pub, IDEVID_CERT);
    set_endorsement("", "endorse");
    /* what it costs to look for the key and the certificate, and the try */
    unsigned long long n = refused("tpm2:idevid", HWK_R_PIN_MISSING) - 1;
    assert_int_equal(refused("tpm2:idevid", HWK_R_PIN_MISSING), n);
    assert_true(refused("tpm2:idevid?pin-value=wrong", HWK_R_PIN_INCORRECT) >
                n);
    assert_int_equal(
        refused("tpm2:idevid?pin-value=wrong", HWK_R_PIN_INCORRECT), n);
    found_as("tpm2:idevid?pin-value=endorse", "tpm2:idevid;template=H-2/swtpm",
             &pub);
    set_endorsement("endorse", "");
    begin_anew();
    found_as("tpm2:idevid", "tpm2:idevid;template=H-2/swtpm", &pub);
    assert_true(hwk_tpm_erase(tpm, IDEVID_CERT));
}

/* what is remembered is not believed: another TPM may be there */
static void not_believed(void **arg)
{
    struct hwk_tpm_devid d;
    (void)arg;
    need_tpm();
    assert_true(hwk_tpm_devid_nth(HWK_TPM_IDEVID, 1, &d));
    struct hwk_pub pub = made_of(&d);
    certify_pub(&pub, IDEVID_CERT);
    found_as("tpm2:idevid", "tpm2:idevid;template=H-2/keylime", &pub);
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    assert_int_equal(Esys_ChangeEPS(esys, ESYS_TR_RH_PLATFORM, ESYS_TR_PASSWORD,
                                    ESYS_TR_NONE, ESYS_TR_NONE),
                     0);
    hwk_tpm_end(tpm);
    said("tpm2:idevid", (const char *[]){"0x01c90200", NULL});
    struct hwk_pub other = made_of(&d);
    assert_false(hwk_pub_eq(&pub, &other));
    certify_pub(&other, IDEVID_CERT);
    found_as("tpm2:idevid", "tpm2:idevid;template=H-2/keylime", &other);
    assert_true(hwk_tpm_erase(tpm, IDEVID_CERT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dialect), cmocka_unit_test(by_choice),
        cmocka_unit_test(none_fits),     cmocka_unit_test(cleared),
        cmocka_unit_test(with_a_value),  cmocka_unit_test(not_believed),
    };
    return cmocka_run_group_tests(tests, tpm_setup, tpm_teardown);
}
