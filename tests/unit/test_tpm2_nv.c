/* SPDX-License-Identifier: Apache-2.0 */
/* NV indices of a software TPM: written, locked, read, listed, erased. */
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "provider/device/tpm2_nvdata.h"
#include "tpm.h"

#define INDEX 0x01800A10
#define URI "tpm2:handle=0x01800a10"

static uint8_t data[2048];

static void reads_as(TPM2_HANDLE index, const uint8_t *want, size_t n)
{
    struct hwk_tpm_nv nv;
    assert_true(hwk_tpm_nv_read(tpm, index, NULL, &nv));
    assert_int_equal(nv.n, n);
    assert_memory_equal(nv.data, want, n);
    hwk_tpm_nv_clear(&nv);
}

static void not_there(TPM2_HANDLE index)
{
    struct hwk_tpm_nv nv;
    assert_false(hwk_tpm_nv_read(tpm, index, NULL, &nv));
    assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
}

/* every length around the chunk, small ones and the largest */
static void lengths(void **arg)
{
    static const size_t n[] = {1, 112, 1023, 1024, 1025, 1500, 2047, 2048};
    (void)arg;
    need_tpm();
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    not_there(INDEX);
    for (size_t i = 0; i < sizeof(n) / sizeof(*n); i++) {
        assert_true(hwk_tpm_nv_write(tpm, INDEX, data, n[i], 0));
        reads_as(INDEX, data, n[i]);
    }
    assert_false(hwk_tpm_nv_write(tpm, INDEX, data, 2049, 0));
    assert_int_equal(tpm_reason(), HWK_R_ARGUMENT);
    assert_false(hwk_tpm_nv_write(tpm, INDEX, data, 0, 0));
    assert_int_equal(tpm_reason(), HWK_R_ARGUMENT);
    reads_as(INDEX, data, 2048);
    assert_true(hwk_tpm_erase(tpm, INDEX));
    not_there(INDEX);
    assert_false(hwk_tpm_erase(tpm, INDEX));
    assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
}

static void only_new(void **arg)
{
    (void)arg;
    need_tpm();
    assert_true(hwk_tpm_nv_write(tpm, INDEX, data, 100, HWK_WRITE_NEW));
    assert_false(hwk_tpm_nv_write(tpm, INDEX, data, 200, HWK_WRITE_NEW));
    assert_int_equal(tpm_reason(), HWK_R_EXISTS);
    reads_as(INDEX, data, 100);
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_nv_write(tpm, INDEX, data, 100, 0)); /* the same */
    assert_int_equal(tpm_commands() - before, 2); /* no wear of the NV */
    assert_true(hwk_tpm_erase(tpm, INDEX));
}

static void locked(void **arg)
{
    struct hwk_tpm_nv nv;
    struct hwk_object_info info;
    (void)arg;
    need_tpm();
    assert_true(hwk_tpm_nv_write(tpm, INDEX, data, 1500,
                                 HWK_WRITE_NEW | HWK_WRITE_LOCK));
    assert_true(hwk_tpm_nv_read(tpm, INDEX, NULL, &nv));
    hwk_tpm_describe_nv(&nv, &info);
    assert_true(info.write_locked);
    assert_string_equal(info.uri, URI);
    hwk_tpm_nv_clear(&nv);
    assert_int_equal(tpm_cycle(), 0);
    assert_false(hwk_tpm_nv_write(tpm, INDEX, data + 1, 1500, 0));
    assert_int_equal(tpm_reason(), HWK_R_EXISTS);
    assert_false(hwk_tpm_nv_write(tpm, INDEX, data + 1, 1500, HWK_WRITE_LOCK));
    assert_int_equal(tpm_reason(), HWK_R_EXISTS);
    reads_as(INDEX, data, 1500);
    assert_true(hwk_tpm_erase(tpm, INDEX));
    not_there(INDEX);
}

static void define(TPMA_NV attributes, UINT16 size)
{
    TPM2B_NV_PUBLIC pub = {.nvPublic = {.nvIndex = INDEX,
                                        .nameAlg = TPM2_ALG_SHA256,
                                        .attributes = attributes,
                                        .dataSize = size}};
    const TPM2B_AUTH empty = {.size = 0};
    ESYS_TR tr;
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    assert_int_equal(Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER,
                                         ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                         ESYS_TR_NONE, &empty, &pub, &tr),
                     0);
    if (hwk_tpm_nv_type(attributes) == TPM2_NT_COUNTER)
        assert_int_equal(Esys_NV_Increment(esys, ESYS_TR_RH_OWNER, tr,
                                           ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                           ESYS_TR_NONE),
                         0);
    Esys_TR_Close(esys, &tr);
    hwk_tpm_end(tpm);
}

/* an index that others defined and never wrote is replaced */
static void unwritten(void **arg)
{
    (void)arg;
    need_tpm();
    define(HWK_TPM_NV_ATTRIBUTES, 10);
    not_there(INDEX);
    assert_true(hwk_tpm_nv_write(tpm, INDEX, data, 300, HWK_WRITE_NEW));
    reads_as(INDEX, data, 300);
    assert_true(hwk_tpm_erase(tpm, INDEX));
}

/* counters and what a policy guards are somebody's: never replaced */
static void protected(void **arg)
{
    const TPMA_NV counter = TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT;
    struct hwk_tpm_nv nv;
    (void)arg;
    need_tpm();
    define(HWK_TPM_NV_ATTRIBUTES | counter, 8);
    assert_false(hwk_tpm_nv_write(tpm, INDEX, data, 8, 0));
    assert_int_equal(tpm_reason(), HWK_R_EXISTS);
    assert_true(hwk_tpm_nv_read(tpm, INDEX, NULL, &nv));
    assert_int_equal(nv.type, HWK_OBJ_COUNTER);
    assert_int_equal(nv.n, 8);
    hwk_tpm_nv_clear(&nv);
    assert_true(hwk_tpm_erase(tpm, INDEX));
    define(TPMA_NV_POLICYWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD |
               TPMA_NV_NO_DA,
           112);
    not_there(INDEX);
    assert_false(hwk_tpm_nv_write(tpm, INDEX, data, 8, 0));
    assert_int_equal(tpm_reason(), HWK_R_EXISTS);
    assert_true(hwk_tpm_erase(tpm, INDEX));
}

static size_t certificate(uint8_t *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 60);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    int n = i2d_X509(x, &out);
    X509_free(x);
    EVP_PKEY_free(key);
    return (size_t)n;
}

struct seen {
    uint8_t der[1024];
    size_t n, objects;
    struct hwk_object_info last;
};

static int take(void *arg, struct hwk_found *found)
{
    struct seen *s = arg;
    assert_int_equal(found->type, HWK_OBJ_CERT);
    assert_true(found->der_len <= sizeof(s->der));
    memcpy(s->der, found->der, found->der_len);
    s->n = found->der_len;
    s->objects++;
    return 1;
}

static void certificates(void **arg)
{
    uint8_t der[1024], padded[1200] = {0};
    size_t n = certificate(der);
    struct hwk_uri uri = {.tpm = HWK_TPM_HANDLE, .handle = INDEX};
    struct seen seen = {.n = 0};
    (void)arg;
    need_tpm();
    memcpy(padded, der, n);
    assert_true(hwk_tpm_nv_write(tpm, INDEX, padded, sizeof(padded), 0));
    reads_as(INDEX, der, n);
    assert_true(hwk_tpm_find(tpm, &uri, HWK_WANT_CERT, NULL, take, &seen));
    assert_int_equal(seen.n, n);
    assert_memory_equal(seen.der, der, n);
    assert_true(hwk_tpm_find(tpm, &uri, HWK_WANT_PRIVATE, NULL, take, &seen));
    assert_int_equal(seen.objects, 1);
    uri.tpm = HWK_TPM_IDEVID; /* by purpose: none yet */
    assert_true(hwk_tpm_find(tpm, &uri, HWK_WANT_CERT, NULL, take, &seen));
    assert_int_equal(seen.objects, 1);
    assert_true(hwk_tpm_nv_write(tpm, 0x01C90200, der, n, HWK_WRITE_LOCK));
    assert_true(hwk_tpm_find(tpm, &uri, HWK_WANT_CERT, NULL, take, &seen));
    assert_int_equal(seen.objects, 2);
    assert_true(hwk_tpm_erase(tpm, 0x01C90200));
    assert_true(hwk_tpm_nv_write(tpm, 0x01C90000, der, n, 0));
    assert_true(hwk_tpm_find(tpm, &uri, HWK_WANT_CERT, NULL, take, &seen));
    assert_int_equal(seen.objects, 3);
    assert_true(hwk_tpm_erase(tpm, 0x01C90000));
    assert_true(hwk_tpm_erase(tpm, INDEX));
}

static int listed(void *arg, const struct hwk_object_info *info)
{
    struct seen *s = arg;
    s->objects++;
    s->last = *info;
    return 1;
}

static void list(void **arg)
{
    struct seen seen = {.objects = 0};
    uint8_t der[1024];
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    assert_true(hwk_tpm_list(tpm, listed, &seen));
    size_t before = seen.objects;
    hwk_tpm_key_free(tpm, tpm_make(0x81020050, &spec, NULL));
    assert_true(hwk_tpm_nv_write(tpm, 0x017fffff, der, certificate(der), 0));
    seen.objects = 0;
    assert_true(hwk_tpm_list(tpm, listed, &seen));
    assert_int_equal(seen.objects, before + 2);
    assert_int_equal(seen.last.type, HWK_OBJ_CERT);
    assert_string_equal(seen.last.uri, "tpm2:handle=0x017fffff");
    assert_true(hwk_tpm_erase(tpm, 0x017fffff));
    assert_true(hwk_tpm_list(tpm, listed, &seen));
    assert_true(hwk_tpm_erase(tpm, 0x81020050));
}

static void information(void **arg)
{
    struct hwk_device_info info;
    (void)arg;
    need_tpm();
    assert_true(hwk_tpm_info(tpm, &info));
    assert_int_equal(info.kind, HWK_DEVICE_TPM2);
    assert_string_equal(info.maker, "IBM");
    assert_true(info.firmware[0]);
    assert_int_equal(info.nv_max, 2048);
    assert_false(info.in_lockout);
}

/* the same through the table of the provider */
static void table(void **arg)
{
    struct hwk_config cfg = tpm_cfg;
    struct hwk_uri uri, all;
    struct hwk_object_info info;
    void *state, *dev;
    uint8_t out[32];
    size_t n = 0;
    const struct hwk_backend *b = &hwk_backend_tpm2;
    (void)arg;
    need_tpm();
    assert_true(hwk_uri_parse(URI, &uri));
    assert_true(hwk_uri_parse("tpm2:", &all));
    assert_true(b->open(&cfg, &state));
    assert_true(b->dev_open(state, &all, NULL, &dev));
    assert_true(b->dev_write(state, dev, &uri, data, 20, 0));
    assert_true(b->dev_read(state, dev, &uri, NULL, &n, NULL));
    assert_int_equal(n, 20);
    n = 19;
    assert_false(b->dev_read(state, dev, &uri, out, &n, NULL));
    assert_int_equal(tpm_reason(), HWK_R_ARGUMENT);
    n = sizeof(out);
    assert_true(b->dev_read(state, dev, &uri, out, &n, &info));
    assert_int_equal(n, 20);
    assert_memory_equal(out, data, 20);
    assert_int_equal(info.type, HWK_OBJ_DATA);
    assert_true(b->dev_erase(state, dev, &uri));
    assert_false(b->dev_erase(state, dev, &all));
    assert_int_equal(tpm_reason(), HWK_R_BAD_URI);
    assert_true(b->random(state, NULL, out, sizeof(out)));
    b->dev_close(state, dev);
    b->close(state, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),   cmocka_unit_test(only_new),
        cmocka_unit_test(protected), cmocka_unit_test(locked),
        cmocka_unit_test(unwritten), cmocka_unit_test(certificates),
        cmocka_unit_test(list),      cmocka_unit_test(information),
        cmocka_unit_test(table),
    };
    return cmocka_run_group_tests(tests, tpm_setup, tpm_teardown);
}
