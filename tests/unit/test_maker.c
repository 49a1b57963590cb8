/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's trust anchors: what stands for them, in a TPM and in a token. */
#include "tests/unit/codec.h"

#include <openssl/sha.h>

#include <idevid/codec.h>
#include <idevid/key.h>
#include <idevid/maker.h>
#include <idevid/x509.h>

#include "key/nv.h"
#include "provider/device.h"
#include "tests/lib/pki.h"
#include "tests/lib/softhsm.h"
#include "tests/lib/swtpm.h"
#include "tpm/nvpolicy.h"

static struct pki pki;
static struct swtpm tpm;
static char dir[64];
static bool have_tpm, have_token;
static struct idv_device *device;
static STACK_OF(X509) * one, *two, *turned, *other;

static bool answer(void *arg, const char *what, char *out, size_t max,
                   size_t *n)
{
    (void)arg;
    assert_true(max >= 4);
    memcpy(out, strstr(what, "security officer") ? "5678" : "1234", *n = 4);
    return true;
}
static const struct idv_pin pin = {answer, NULL};

/* --- parts ---------------------------------------------------------------- */

static bool make_tokens(void)
{
    return softhsm_use(dir, dir) && softhsm_token("unit") &&
           softhsm_token("officer") && softhsm_token("odd");
}

static STACK_OF(X509) * stack(X509 *a, X509 *b, X509 *c)
{
    STACK_OF(X509) *s = sk_X509_new_null();
    X509 *const all[] = {a, b, c};
    for (size_t i = 0; i < 3 && all[i]; i++) {
        X509_up_ref(all[i]);
        sk_X509_push(s, all[i]);
    }
    return s;
}

static int setup(void **state)
{
    (void)state;
    test_dir(dir);
    unsetenv("HWKEY_PIN");
    unsetenv("HWKEY_PIN_FILE");
    have_token = softhsm_module() && make_tokens();
    have_tpm = swtpm_here() && swtpm_start(&tpm) == 0;
    if (have_tpm)
        setenv("HWKEY_TPM_LOCK", tpm.lock, 1);
    const struct idv_provider_conf conf = {
        .pkcs11_module = have_token ? softhsm_module() : NULL,
        .tpm2_tcti = have_tpm ? tpm.tcti : NULL,
    };
    if (idv_provider_setup(hwk_provider_init, &conf) != IDV_OK)
        return -1;
    pki_make(&pki);
    X509 *a = pki.maker_ca.cert, *b = pki.domain_ca.cert;
    one = stack(a, NULL, NULL);
    two = stack(a, b, NULL);
    turned = stack(b, a, b);
    other = stack(b, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    idv_certs_free(one);
    idv_certs_free(two);
    idv_certs_free(turned);
    idv_certs_free(other);
    pki_free(&pki);
    if (have_tpm)
        swtpm_stop(&tpm);
    test_dir_drop(dir);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    idv_device_close(device);
    device = NULL;
    return 0;
}

#define NEED(what, uri)                                                        \
    do {                                                                       \
        (void)state;                                                           \
        if (!(what))                                                           \
            skip();                                                            \
        OK(idv_device_open(uri, &pin, &device));                               \
    } while (0)

static void is(STACK_OF(X509) * certs, bool sealed, const char *at)
{
    char where[96] = "";
    bool found = !sealed;
    OK(idv_maker_check(device, 0, certs, &found, where));
    assert_int_equal(found, sealed);
    if (sealed)
        assert_string_equal(where, at);
}

static void refused(STACK_OF(X509) * certs, const char *why)
{
    char where[96];
    bool found;
    assert_int_equal(idv_maker_check(device, 0, certs, &found, where),
                     IDV_E_REJECT);
    if (!strstr(idv_note(), why))
        fail_msg("'%s' does not say '%s'", idv_note(), why);
    idv_note_clear();
}

/* both hashes, so that a person sees which file it was */
static void refused_with_both(STACK_OF(X509) * file, STACK_OF(X509) * sealed)
{
    struct idv_maker f, s;
    IDV_AUTO(buf) hex_f = {0};
    IDV_AUTO(buf) hex_s = {0};
    OK(idv_maker_from_certs(file, &f));
    OK(idv_maker_from_certs(sealed, &s));
    OK(idv_hex_from_bytes(idv_bytes(f.sha256, 32), &hex_f));
    OK(idv_hex_from_bytes(idv_bytes(s.sha256, 32), &hex_s));
    refused(file, (const char *)hex_f.p);
    refused(file, (const char *)hex_s.p);
}

static void seal_fails(STACK_OF(X509) * certs, unsigned flags, idv_rc rc)
{
    assert_int_equal(idv_maker_seal(device, 0, certs, flags), rc);
    idv_note_clear();
}

/* --- what stands for them ------------------------------------------------- */

static void order_does_not_matter(void **state)
{
    struct idv_maker a, b, c;
    IDV_AUTO(buf) der = {0};
    uint8_t d[32];
    (void)state;
    OK(idv_maker_from_certs(two, &a));
    OK(idv_maker_from_certs(turned, &b)); /* and one of them twice */
    assert_int_equal(a.count, 2);
    assert_int_equal(b.count, 2);
    assert_memory_equal(a.sha256, b.sha256, 32);
    OK(idv_maker_from_certs(one, &c));
    assert_memory_not_equal(a.sha256, c.sha256, 32);
    OK(idv_cert_to_der(pki.maker_ca.cert, &der));
    SHA256(der.p, der.n, d);
    assert_memory_equal(c.sha256, d, 32); /* the fingerprint */
    STACK_OF(X509) *none = sk_X509_new_null();
    assert_int_equal(idv_maker_from_certs(none, &c), IDV_E_ARG);
    idv_note_clear();
    sk_X509_free(none);
}

static void bytes(void **state)
{
    static const uint8_t head[] = {'I', 'D', 'M', 'A', 0, 1, 0, 1};
    struct idv_maker m = {.count = 1}, back;
    uint8_t raw[IDV_MAKER_SIZE + 1] = {0};
    (void)state;
    memset(m.sha256, 0xc3, 32);
    idv_maker_to_bytes(&m, raw);
    assert_memory_equal(raw, head, 8);
    assert_memory_equal(raw + 8, m.sha256, 32);
    OK(idv_maker_from_bytes(idv_bytes(raw, IDV_MAKER_SIZE), &back));
    assert_memory_equal(&m, &back, sizeof(m));
    for (size_t n = 0; n <= IDV_MAKER_SIZE + 1; n++) {
        if (n == IDV_MAKER_SIZE)
            continue;
        assert_int_equal(idv_maker_from_bytes(idv_bytes(raw, n), &back),
                         IDV_E_FORMAT);
    }
    for (size_t i = 0; i < 8; i++) { /* each byte before the hash matters */
        raw[i] ^= 0x01;
        const bool count = i == 7 || i == 6;
        const idv_rc rc =
            idv_maker_from_bytes(idv_bytes(raw, IDV_MAKER_SIZE), &back);
        assert_int_equal(rc, count && raw[6] + raw[7] ? IDV_OK : IDV_E_FORMAT);
        raw[i] ^= 0x01;
    }
    idv_note_clear();
}

/* --- a token -------------------------------------------------------------- */

static void token(void **state)
{
    NEED(have_token, "pkcs11:token=unit");
    is(two, false, "");
    seal_fails(two, IDV_MAKER_BY_PLATFORM, IDV_E_ARG);
    OK(idv_maker_seal(device, 0, two, 0));
    is(two, true, IDV_MAKER_P11_URI);
    is(turned, true, IDV_MAKER_P11_URI);
    refused_with_both(one, two);
    OK(idv_maker_seal(device, 0, turned, 0)); /* the same again */
    seal_fails(one, 0, IDV_E_STATE);
    is(two, true, IDV_MAKER_P11_URI);
    /* SoftHSM2 honours CKA_DESTROYABLE */
    assert_int_equal(idv_device_erase(device, IDV_MAKER_P11_URI), IDV_E_DEVICE);
    idv_note_clear();
    is(two, true, IDV_MAKER_P11_URI);
}

static void token_by_its_officer(void **state)
{
    NEED(have_token, "pkcs11:token=officer");
    OK(idv_maker_seal(device, 0, two, IDV_MAKER_BY_SO));
    is(two, true, IDV_MAKER_P11_URI);
    refused_with_both(other, two);
}

static void put(unsigned flags, struct idv_bytes data)
{
    OK(idv_device_write(device, IDV_MAKER_P11_URI, data, flags));
}

static void token_with_something_else(void **state)
{
    struct idv_maker m;
    uint8_t raw[IDV_MAKER_SIZE];
    NEED(have_token, "pkcs11:token=odd");
    OK(idv_maker_from_certs(two, &m));
    idv_maker_to_bytes(&m, raw);
    put(0, idv_bytes(raw, sizeof(raw)));
    refused(two, "can be modified");
    seal_fails(two, 0, IDV_E_STATE);
    OK(idv_device_erase(device, IDV_MAKER_P11_URI));
    put(IDV_WRITE_LOCK, idv_bytes(raw, sizeof(raw) - 1));
    refused(two, "40 bytes");
    OK(idv_device_erase(device, IDV_MAKER_P11_URI));
    raw[0] = 'X';
    put(IDV_WRITE_LOCK, idv_bytes(raw, sizeof(raw)));
    refused(two, "IDMA");
    OK(idv_device_erase(device, IDV_MAKER_P11_URI));
    OK(idv_maker_seal(device, 0, two, 0));
    is(two, true, IDV_MAKER_P11_URI);
}

/* --- a TPM ---------------------------------------------------------------- */

static void tpm_of_the_owner(void **state)
{
    NEED(have_tpm, "tpm2:");
    is(two, false, "");
    seal_fails(two, IDV_MAKER_BY_SO, IDV_E_ARG);
    OK(idv_maker_seal(device, 0, two, 0));
    is(turned, true, "tpm2:handle=0x01800A02");
    refused_with_both(other, two);
    OK(idv_maker_seal(device, 0, two, 0));
    seal_fails(other, 0, IDV_E_STATE);
    /* the limit of this place: who has the owner's authorization */
    OK(idv_device_erase(device, "tpm2:handle=0x01800A02"));
    OK(idv_maker_seal(device, 0, other, 0));
    is(other, true, "tpm2:handle=0x01800A02");
    OK(idv_device_erase(device, "tpm2:handle=0x01800A02"));
}

/* the owner's index as made by others: without a lock, without commitment */
static void tpm_of_somebody_else(void **state)
{
    static const struct hwk_nv_by owner = {.handle = IDVI_RH_OWNER};
    struct idv_maker m;
    uint8_t raw[IDV_MAKER_SIZE];
    bool found;
    NEED(have_tpm, "tpm2:");
    OK(idv_maker_from_certs(two, &m));
    idv_maker_to_bytes(&m, raw);
    struct hwk_nv nv = {.index = IDV_MAKER_OWNER_INDEX,
                        .attributes = IDVI_NV_OWNERWRITE | IDVI_NV_OWNERREAD |
                                      IDVI_NV_AUTHREAD | IDVI_NV_NO_DA |
                                      IDVI_NV_WRITEALL | IDVI_NV_WRITEDEFINE,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = IDV_MAKER_SIZE};
    OK(idvi_nv_define(device, &nv, IDVI_RH_OWNER, NULL));
    refused(two, "not written and locked");
    OK(idvi_nv_look(device, nv.index, &found, &nv, NULL));
    OK(idvi_nv_write(device, &nv, &owner, idv_bytes(raw, sizeof(raw)), NULL));
    refused(two, "not written and locked");
    OK(idvi_nv_look(device, nv.index, &found, &nv, NULL));
    OK(idvi_nv_lock(device, &nv, &owner, NULL));
    refused(two, "does not commit");
    OK(idv_device_erase(device, "tpm2:handle=0x01800A02"));
    /* and at the platform's place */
    nv.index = IDV_MAKER_PLATFORM_INDEX;
    nv.attributes &= ~(IDVI_NV_WRITTEN | IDVI_NV_WRITELOCKED);
    OK(idvi_nv_define(device, &nv, IDVI_RH_OWNER, NULL));
    refused(two, "not made by the platform");
    OK(idv_device_erase(device, "tpm2:handle=0x01400A02"));
}

static void tpm_of_the_platform(void **state)
{
    NEED(have_tpm, "tpm2:");
    OK(idv_maker_seal(device, 0, other, 0)); /* of the owner: does not count */
    is(other, true, "tpm2:handle=0x01800A02");
    OK(idv_maker_seal(device, 0, two, IDV_MAKER_BY_PLATFORM));
    OK(idv_device_erase(device, "tpm2:handle=0x01800A02"));
    is(two, true, "tpm2:handle=0x01400A02");
    OK(idv_maker_seal(device, 0, two, IDV_MAKER_BY_PLATFORM));
    /* what the owner adds changes nothing */
    OK(idv_maker_seal(device, IDV_MAKER_OWNER_INDEX, other, 0));
    is(two, true, "tpm2:handle=0x01400A02");
    refused_with_both(other, two);
    OK(idv_device_erase(device, "tpm2:handle=0x01800A02"));
}

/* every step of it cut: the next run completes it */
static void tpm_of_the_platform_resumed(void **state)
{
    static const struct hwk_nv_by platform = {.handle = IDVI_RH_PLATFORM};
    struct hwk_nv nv;
    uint8_t raw[IDV_MAKER_SIZE];
    struct idv_maker m;
    bool found;
    NEED(have_tpm, "tpm2:");
    OK(idv_maker_from_certs(two, &m));
    idv_maker_to_bytes(&m, raw);
    for (int step = 0; step < 2; step++) {
        OK(idvi_nv_look(device, IDV_MAKER_PLATFORM_INDEX, &found, &nv, NULL));
        assert_true(found); /* by the test before */
        OK(idvi_nv_undefine(device, &nv, &platform, NULL));
        nv.attributes &= ~(IDVI_NV_WRITTEN | IDVI_NV_WRITELOCKED);
        OK(idvi_nv_define(device, &nv, IDVI_RH_PLATFORM, NULL));
        if (step == 1) {
            OK(idvi_nv_look(device, nv.index, &found, &nv, NULL));
            OK(idvi_nv_write(device, &nv, &platform,
                             idv_bytes(raw, sizeof(raw)), NULL));
        }
        refused(two, "not written and locked");
        seal_fails(other, IDV_MAKER_BY_PLATFORM, IDV_E_STATE);
        OK(idv_maker_seal(device, 0, two, IDV_MAKER_BY_PLATFORM));
        is(two, true, "tpm2:handle=0x01400A02");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(bytes),
        cmocka_unit_test_teardown(token, leave),
        cmocka_unit_test_teardown(token_by_its_officer, leave),
        cmocka_unit_test_teardown(token_with_something_else, leave),
        cmocka_unit_test_teardown(tpm_of_the_owner, leave),
        cmocka_unit_test_teardown(tpm_of_somebody_else, leave),
        cmocka_unit_test_teardown(tpm_of_the_platform, leave),
        cmocka_unit_test_teardown(tpm_of_the_platform_resumed, leave),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
