/* SPDX-License-Identifier: Apache-2.0 */
/* What a software TPM signs of its NV indices, by itself and behind tpm2-abrmd,
 * checked by OpenSSL; and keys whose word proves nothing. */
#include "config.h"

#include <openssl/rsa.h>
#include <tss2/tss2_mu.h>

#include "tpm_door.h"

static const uint8_t nonce[] = "the verifier's nonce, 32 bytes .";
static const struct hwk_view asked = {nonce, 32};
static uint8_t record[ANCHOR_SIZE];

static struct hwk_nv anchor(void)
{
    struct hwk_nv nv = door_define(
        door_nv(ANCHOR, ANCHOR_IS | IDVI_NV_OWNERWRITE, ANCHOR_SIZE, NULL));
    assert_true(hwk_tpm_door.write(tpm, &nv, &door_owner, record, ANCHOR_SIZE));
    return door_look(ANCHOR);
}

static int certify(const char *text, const struct hwk_nv *nv, struct hwk_view n,
                   struct hwk_attested *out)
{
    struct hwk_uri uri;
    assert_true(hwk_uri_parse(text, &uri));
    const struct hwk_pin_ask ask = {.cfg = &tpm_cfg, .uri = &uri};
    int ok = hwk_tpm_door.certify(tpm, &uri, &ask, nv, n, out);
    hwk_uri_clear(&uri);
    return ok;
}

/* what a verifier reads in it */
static void good_attest(const struct hwk_attested *a, const struct hwk_nv *nv)
{
    TPMS_ATTEST t;
    size_t at = 0;
    memset(&t, 0, sizeof(t));
    assert_int_equal(
        Tss2_MU_TPMS_ATTEST_Unmarshal(a->attest, a->attest_n, &at, &t), 0);
    assert_int_equal(at, a->attest_n);
    assert_int_equal(t.magic, TPM2_GENERATED_VALUE);
    assert_int_equal(t.type, TPM2_ST_ATTEST_NV);
    assert_int_equal(t.extraData.size, asked.n);
    assert_memory_equal(t.extraData.buffer, asked.p, asked.n);
    assert_int_equal(t.attested.nv.indexName.size, nv->name_n);
    assert_memory_equal(t.attested.nv.indexName.name, nv->name, nv->name_n);
    assert_int_equal(t.attested.nv.offset, 0);
    assert_int_equal(t.attested.nv.nvContents.size, ANCHOR_SIZE);
    assert_memory_equal(t.attested.nv.nvContents.buffer, record, ANCHOR_SIZE);
}

static EVP_PKEY *signer(const struct hwk_attested *a)
{
    TPM2B_PUBLIC pub;
    struct hwk_pub key;
    size_t at = 0;
    memset(&pub, 0, sizeof(pub));
    assert_int_equal(
        Tss2_MU_TPMT_PUBLIC_Unmarshal(a->pub, a->pub_n, &at, &pub.publicArea),
        0);
    assert_int_equal(at, a->pub_n);
    assert_true(pub.publicArea.objectAttributes & TPMA_OBJECT_RESTRICTED);
    assert_true(hwk_tpm_public(&pub, &key));
    return tpm_evp(&key);
}

static void good_signature(const struct hwk_attested *a, const EVP_MD *md,
                           int padding)
{
    EVP_PKEY *key = signer(a);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p;
    assert_true(EVP_DigestVerifyInit(ctx, &p, md, NULL, key) > 0);
    if (padding)
        assert_true(EVP_PKEY_CTX_set_rsa_padding(p, padding) > 0);
    assert_int_equal(
        EVP_DigestVerify(ctx, a->sig, a->sig_n, a->attest, a->attest_n), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

#define AT 0x81020401
#define URI "tpm2:handle=0x81020401"

static void with_key(const struct hwk_spec *spec, const char *pin,
                     const char *uri, const EVP_MD *md, int padding)
{
    struct hwk_attested out;
    struct hwk_tpm_key *key = tpm_make(AT, spec, pin);
    assert_non_null(key);
    hwk_tpm_key_free(tpm, key);
    struct hwk_nv nv = anchor();
    assert_true(certify(uri, &nv, asked, &out));
    good_attest(&out, &nv);
    good_signature(&out, md, padding);
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(certify(uri, &nv, asked, &out));
    hwk_tpm_door.leave(tpm);
    good_attest(&out, &nv);
    good_signature(&out, md, padding);
    door_remove(ANCHOR);
    assert_true(hwk_tpm_erase(tpm, AT));
    policy_clean();
}

static struct hwk_spec restricted(struct hwk_spec spec)
{
    spec.tpm.restricted = true;
    return spec;
}

static void by_ec(void **state)
{
    (void)state;
    need_tpm();
    struct hwk_spec spec = restricted(tpm_ec(256, HWK_USAGE_SIGN));
    with_key(&spec, NULL, URI, EVP_sha256(), 0);
    with_key(&spec, "1234", URI "?pin-value=1234", EVP_sha256(), 0);
    spec = restricted(tpm_ec(384, HWK_USAGE_SIGN));
    spec.tpm.digest = HWK_MD_SHA384;
    with_key(&spec, NULL, URI, EVP_sha384(), 0);
}

static void by_rsa(void **state)
{
    (void)state;
    need_tpm();
    struct hwk_spec spec = restricted(tpm_rsa(2048, HWK_USAGE_SIGN));
    spec.tpm.tied = HWK_TIED_RSASSA;
    with_key(&spec, NULL, URI, EVP_sha256(), RSA_PKCS1_PADDING);
    spec.tpm.tied = HWK_TIED_RSAPSS;
    spec.pss.only = true;
    with_key(&spec, NULL, URI, EVP_sha256(), RSA_PKCS1_PSS_PADDING);
}

/* one that is not persistent, from its file */
static void by_file(void **state)
{
    (void)state;
    struct hwk_attested out;
    struct hwk_spec spec = restricted(tpm_ec(256, HWK_USAGE_SIGN));
    struct hwk_uri uri = {.scheme = HWK_SCHEME_TPM2};
    uint8_t *der;
    size_t n;
    char path[160], text[200];
    need_tpm();
    struct hwk_tpm_key *key = hwk_tpm_make(tpm, &uri, &spec, NULL);
    assert_non_null(key);
    assert_true(hwk_tpm_keyfile_encode(key->file, &der, &n));
    hwk_tpm_key_free(tpm, key);
    snprintf(path, sizeof(path), "%s/key", tpm_process.dir);
    policy_write(path, der, n);
    OPENSSL_free(der);
    struct hwk_nv nv = anchor();
    snprintf(text, sizeof(text), "tpm2:object=%s", path);
    assert_true(certify(text, &nv, asked, &out));
    good_attest(&out, &nv);
    good_signature(&out, EVP_sha256(), 0);
    door_remove(ANCHOR);
    policy_clean();
}

/* the initial attestation key, made again from its template: it has a policy
 * besides, which is not asked for.
 */
static void by_iak(void **state)
{
    (void)state;
    struct hwk_attested out;
    need_tpm();
    struct hwk_nv nv = anchor();
    assert_true(certify("tpm2:iak;template=H-2", &nv, asked, &out));
    good_attest(&out, &nv);
    good_signature(&out, EVP_sha256(), 0);
    door_remove(ANCHOR);
    policy_clean();
}

static void refusals(void **state)
{
    (void)state;
    struct hwk_attested out;
    need_tpm();
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_nv nv = anchor();
    struct hwk_tpm_key *key = tpm_make(AT, &spec, NULL);
    assert_non_null(key);
    hwk_tpm_key_free(tpm, key);
    door_refused(certify(URI, &nv, asked, &out), HWK_R_KEY, "not a restricted");
    assert_true(hwk_tpm_erase(tpm, AT));
    door_refused(certify("tpm2:handle=0x81000001", &nv, asked, &out), HWK_R_KEY,
                 "not a restricted"); /* it decrypts */
    door_refused(certify(URI, &nv, asked, &out), HWK_R_NOT_FOUND, "");
    spec.tpm.restricted = true;
    key = tpm_make(AT, &spec, "1234");
    assert_non_null(key);
    hwk_tpm_key_free(tpm, key);
    door_refused(certify(URI "?pin-value=4321", &nv, asked, &out),
                 HWK_R_PIN_INCORRECT, "");
    const char *uri = URI "?pin-value=1234";
    struct hwk_nv old = nv; /* as it was before it was written */
    old.attributes &= ~IDVI_NV_WRITTEN;
    door_refused(certify(uri, &old, asked, &out), HWK_R_NOT_FOUND, "written");
    old = nv;
    old.attributes ^= IDVI_NV_OWNERREAD;
    door_refused(certify(uri, &old, asked, &out), HWK_R_BUS, "said to be");
    old = nv;
    old.size--;
    door_refused(certify(uri, &old, asked, &out), HWK_R_BUS, "said to be");
    assert_true(certify(uri, &nv, asked, &out));
    door_remove(ANCHOR);
    door_refused(certify(uri, &nv, asked, &out), HWK_R_NOT_FOUND, "NV_Certify");
    assert_true(hwk_tpm_erase(tpm, AT));
    policy_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_ec),    cmocka_unit_test(by_rsa),
        cmocka_unit_test(by_file),  cmocka_unit_test(by_iak),
        cmocka_unit_test(refusals),
    };
    for (size_t i = 0; i < sizeof(record); i++)
        record[i] = (uint8_t)i;
    return cmocka_run_group_tests(tests, policy_setup, tpm_teardown);
}
