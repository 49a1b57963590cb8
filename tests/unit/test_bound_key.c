/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that die with the anchor: used while the record is sealed, and never
 * again. Behind tpm2-abrmd when the program's name says so.
 */
#define _GNU_SOURCE 1
#include "tests/unit/codec.h"

#include <errno.h>

#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/key.h>
#include <idevid/trust.h>

#include "key/nv.h"
#include "provider/device.h"
#include "tests/lib/abrmd.h"
#include "tests/lib/swtpm.h"

#define OWNER 0x40000001
#define COUNTER 0x01800A00
#define RECORD 0x01800A01
#define ATTR_COUNTER 0x02060012
#define ATTR_RECORD 0x02060002 /* written by the owner */

static struct swtpm tpm;
static struct abrmd manager;
static char dir[64], path[80];
static bool have_tpm, managed;
static struct idv_device *dev;

static int setup(void **state)
{
    (void)state;
    managed = strstr(program_invocation_short_name, "_abrmd");
    test_dir(dir);
    snprintf(path, sizeof(path), "%s/key one.pem", dir);
    have_tpm = managed ? abrmd_here() && abrmd_start(&manager) == 0
                       : swtpm_here() && swtpm_start(&tpm) == 0;
    if (!have_tpm)
        return 0;
    if (managed)
        tpm = manager.tpm;
    setenv("HWKEY_TPM_LOCK", tpm.lock, 1);
    const struct idv_provider_conf conf = {
        .tpm2_tcti = managed ? manager.tcti : tpm.tcti,
    };
    if (idv_provider_setup(hwk_provider_init, &conf) != IDV_OK ||
        idv_device_open("tpm2:", NULL, &dev) != IDV_OK)
        return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    idv_device_close(dev);
    if (have_tpm && managed)
        abrmd_stop(&manager);
    else if (have_tpm)
        swtpm_stop(&tpm);
    test_dir_drop(dir);
    return 0;
}

#define NEED_TPM()                                                             \
    do {                                                                       \
        if (!have_tpm)                                                         \
            skip();                                                            \
    } while (0)

/* --- what keys are bound to ----------------------------------------------- */

static const struct hwk_nv_by owner = {.handle = OWNER};

static struct hwk_nv make(uint32_t index, uint32_t attributes, uint16_t size)
{
    struct hwk_nv nv = {.index = index,
                        .attributes = attributes,
                        .name_alg = 0x000b,
                        .size = size};
    bool found = false;
    OK(idvi_nv_look(dev, index, &found, &nv, NULL));
    if (!found)
        OK(idvi_nv_define(dev, &nv, OWNER, NULL));
    return nv;
}

static uint64_t count(void)
{
    struct hwk_nv nv = make(COUNTER, ATTR_COUNTER, 8);
    uint8_t raw[8];
    uint64_t n = 0;
    bool found = false;
    OK(idvi_nv_increment(dev, &nv, &owner, NULL));
    OK(idvi_nv_look(dev, COUNTER, &found, &nv, NULL));
    OK(idvi_nv_read(dev, &nv, &found, raw, NULL));
    assert_true(found);
    for (size_t i = 0; i < 8; i++)
        n = n << 8 | raw[i];
    return n;
}

static void put_record(const struct idv_record *r)
{
    struct hwk_nv nv = make(RECORD, ATTR_RECORD, IDV_RECORD_SIZE);
    uint8_t raw[IDV_RECORD_SIZE];
    idv_record_to_bytes(r, raw);
    OK(idvi_nv_write(dev, &nv, &owner, idv_bytes(raw, sizeof(raw)), NULL));
}

static void drop_record(void)
{
    struct hwk_nv nv = make(RECORD, ATTR_RECORD, IDV_RECORD_SIZE);
    OK(idvi_nv_undefine(dev, &nv, &owner, NULL));
}

/* a record of the generation that is now, and the fuse */
static struct idv_record imprint(uint16_t flags, uint8_t pin)
{
    struct idv_record r = {.version = 1, .flags = flags, .pin_length = 500};
    memset(r.pin_sha256, pin, 32);
    memset(r.voucher_sha256, 0xb2, 32);
    r.generation = count();
    put_record(&r);
    assert_int_equal(count(), r.generation + 1);
    return r;
}

/* --- keys ----------------------------------------------------------------- */

static EVP_PKEY *bound_key(const struct idv_record *r)
{
    IDV_AUTO(buf) policy = {0};
    EVP_PKEY *key = NULL;
    OK(idv_record_key_policy(r, RECORD, COUNTER, &policy));
    OK(idv_key_make_file(path, IDV_KEY_P256, (const char *)policy.p, &key));
    return key;
}

static bool signs(EVP_PKEY *key)
{
    IDV_AUTO_PTR(EVP_MD_CTX) c = EVP_MD_CTX_new();
    IDV_AUTO_PTR(EVP_MD_CTX) v = EVP_MD_CTX_new();
    IDV_AUTO_PTR(EVP_PKEY) pub = NULL;
    uint8_t sig[128], *der = NULL;
    size_t n = sizeof(sig);
    int der_n = i2d_PUBKEY(key, &der);
    const uint8_t *p = der;
    pub = d2i_PUBKEY(NULL, &p, der_n);
    OPENSSL_free(der);
    bool ok =
        EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
        EVP_DigestSign(c, sig, &n, (const uint8_t *)"what", 4) == 1;
    ERR_clear_error();
    return ok &&
           EVP_DigestVerifyInit_ex(v, NULL, "SHA256", NULL, NULL, pub, NULL) ==
               1 &&
           EVP_DigestVerify(v, sig, n, (const uint8_t *)"what", 4) == 1;
}

/* an application knows nothing but the name */
static bool file_signs(const char *name)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    OK(idv_key_open(name, NULL, &key));
    return signs(key);
}

static uint64_t commands(void)
{
    struct idv_device_stats s;
    idv_device_stats(&s);
    return s.tpm_commands;
}

/* --- the life of one ------------------------------------------------------ */

static void a_policy_in_words(void **state)
{
    (void)state;
    IDV_AUTO(buf) text = {0};
    struct idv_record r = {.version = 1, .generation = 7, .time = 1};
    memset(r.pin_sha256, 0xa1, 32);
    OK(idv_record_key_policy(&r, RECORD, COUNTER, &text));
    assert_string_equal(
        (char *)text.p,
        "nv(0x01800a01 == 49445441000100000000000000000007"
        "0000000000000001"
        "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
        ") & nv(0x01800a00 == count:8)");
    r.generation = 0;
    FAILS(IDV_E_ARG, "generation",
          idv_record_key_policy(&r, RECORD, COUNTER, &text));
}

static void names_of_files(void **state)
{
    (void)state;
    char uri[IDV_KEY_URI_SIZE], much[IDV_KEY_URI_SIZE];
    OK(idv_key_file_uri("/var/lib/a-b_c.pem", uri));
    assert_string_equal(uri, "tpm2:object=/var/lib/a-b_c.pem");
    OK(idv_key_file_uri("a;b?c%d e", uri));
    assert_string_equal(uri, "tpm2:object=a%3bb%3fc%25d%20e");
    memset(much, 'a', sizeof(much));
    much[sizeof(much) - 1] = 0;
    FAILS(IDV_E_LIMIT, "more than", idv_key_file_uri(much, uri));
}

/* what is pinned: a certificate, a key */
static void used_by_who_knows_nothing_of_it(void **state)
{
    (void)state;
    NEED_TPM();
    char uri[IDV_KEY_URI_SIZE];
    struct stat st;
    for (uint16_t flags = 0; flags < 2; flags++) {
        struct idv_record r = imprint(flags, 0xa1);
        IDV_AUTO_PTR(EVP_PKEY) key = bound_key(&r);
        assert_true(signs(key));
        OK(idv_key_file_uri(path, uri));
        assert_true(file_signs(uri));
        assert_true(file_signs(path));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        count();
        assert_false(signs(key) || file_signs(uri) || file_signs(path));
    }
}

static void it_costs_two_commands_more(void **state)
{
    (void)state;
    NEED_TPM();
    struct idv_record r = imprint(0, 0xa1);
    IDV_AUTO_PTR(EVP_PKEY) made = bound_key(&r);
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    OK(idv_key_open(path, NULL, &key));
    for (int i = 0; i < 4; i++) {
        uint64_t before = commands();
        assert_true(signs(key));
        /* what was started stays behind a manager only */
        assert_int_equal(commands() - before, managed && i > 0 ? 3 : 4);
    }
}

/* fixedTPM, fixedParent, sensitiveDataOrigin, noDA, sign; not userWithAuth */
static void only_the_policy_opens_it(void **state)
{
    (void)state;
    NEED_TPM();
    static const uint8_t head[] = {0x00, 0x23, 0x00, 0x0b,
                                   0x00, 0x04, 0x04, 0x32};
    struct idv_record r = imprint(0, 0xa1);
    IDV_AUTO_PTR(EVP_PKEY) key = bound_key(&r);
    IDV_AUTO_PTR(BIO) in = BIO_new_file(path, "r");
    char *name = NULL, *header = NULL;
    uint8_t *der = NULL;
    long n = 0;
    assert_int_equal(PEM_read_bio(in, &name, &header, &der, &n), 1);
    assert_string_equal(name, "TSS2 PRIVATE KEY");
    assert_non_null(memmem(der, (size_t)n, head, sizeof(head)));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
}

/* --- its death ------------------------------------------------------------ */

static void dead_for_ever_after_one_command(void **state)
{
    (void)state;
    NEED_TPM();
    IDV_AUTO(buf) saved = {.max = IDV_MAX_FILE};
    struct idv_record r = imprint(0, 0xa1);
    IDV_AUTO_PTR(EVP_PKEY) key = bound_key(&r);
    assert_true(signs(key));
    OK(idv_fs_read(path, 0, &saved));
    count(); /* the reset */
    assert_false(signs(key));
    assert_false(file_signs(path));
    OK(idv_fs_remove(path));
    OK(idv_fs_write(path, idv_view(&saved),
                    0600)); /* restored from somewhere */
    assert_false(file_signs(path));
    drop_record();
    assert_false(file_signs(path));
    put_record(&r); /* the very same record, defined anew */
    assert_false(file_signs(path));
    drop_record();
    imprint(0, 0xa1); /* the same domain once more */
    assert_false(signs(key));
    assert_false(file_signs(path));
}

static void dead_while_another_record_is_there(void **state)
{
    (void)state;
    NEED_TPM();
    struct idv_record r = imprint(0, 0xa1), other = r;
    IDV_AUTO_PTR(EVP_PKEY) key = bound_key(&r);
    assert_true(signs(key));
    other.pin_sha256[31] ^= 1;
    put_record(&other);
    assert_false(signs(key) || file_signs(path));
    drop_record();
    assert_false(signs(key) || file_signs(path));
    put_record(&r);
    assert_true(file_signs(path));
}

static void made_before_the_fuse_it_signs_after_it(void **state)
{
    (void)state;
    NEED_TPM();
    struct idv_record r = imprint(0, 0xa1);
    r.generation++; /* not yet */
    put_record(&r);
    IDV_AUTO_PTR(EVP_PKEY) key = bound_key(&r);
    assert_false(signs(key));
    count();
    assert_true(signs(key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_in_words),
        cmocka_unit_test(names_of_files),
        cmocka_unit_test(used_by_who_knows_nothing_of_it),
        cmocka_unit_test(it_costs_two_commands_more),
        cmocka_unit_test(only_the_policy_opens_it),
        cmocka_unit_test(dead_for_ever_after_one_command),
        cmocka_unit_test(dead_while_another_record_is_there),
        cmocka_unit_test(made_before_the_fuse_it_signs_after_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
