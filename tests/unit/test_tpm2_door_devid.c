/* SPDX-License-Identifier: Apache-2.0 */
/* Device identities made in a TPM as its vendor ships it, through device.h's
 * calls, by themselves and behind tpm2-abrmd: what comes of each profile, in
 * how many commands, with a credential made by tpm2-tools. */
#include "config.h"

#include "provider/device/tpm2_nvdata.h"
#include "provider/device/tpm2_nvpublic.h"
#include "tpm_devid.h"

/* --- endorsement keys --- */

static void ek_is_its_certificate(void **state)
{
    (void)state;
    need_tpm();
    uint32_t seen[8];
    size_t n = 8;
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(DEVID.indices(tpm, EK_FIRST, EK_LAST, seen, &n));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        struct hwk_born ek = devid_make(HWK_DEVID_EK, NULL, seen[i]);
        devid_is_cert(&ek, seen[i]);
    }
    hwk_tpm_door.leave(tpm);
    devid_clean();
}

/* --- a device, end to end --- */

static const uint8_t nonce[] = "what the desk asked, 32 bytes ..";
static const struct hwk_view asked = {nonce, 32};
static const uint8_t request[] = "a certificate request";

enum profile { TCG, LEAN, DIRECT };

static void proves_possession(const struct hwk_born *key)
{
    struct hwk_attested out;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n;
    assert_int_equal(
        EVP_Digest(request, sizeof(request), digest, &n, devid_md(key), NULL),
        1);
    assert_true(DEVID.sign(tpm, key, (struct hwk_view){digest, n}, &out));
    devid_signed(key, request, sizeof(request), out.sig, out.sig_n);
}

/* as a verifier reads it */
static void attests(const struct hwk_attested *out, TPM2_ST type,
                    const struct hwk_born *what, const struct hwk_born *by)
{
    TPMS_ATTEST a;
    size_t at = 0;
    memset(&a, 0, sizeof(a));
    assert_int_equal(
        Tss2_MU_TPMS_ATTEST_Unmarshal(out->attest, out->attest_n, &at, &a), 0);
    assert_int_equal(at, out->attest_n);
    assert_int_equal(a.magic, TPM2_GENERATED_VALUE);
    assert_int_equal(a.type, type);
    assert_int_equal(a.extraData.size, asked.n);
    assert_memory_equal(a.extraData.buffer, asked.p, asked.n);
    const TPM2B_NAME *name = type == TPM2_ST_ATTEST_CERTIFY
                                 ? &a.attested.certify.name
                                 : &a.attested.creation.objectName;
    assert_int_equal(name->size, what->name_n);
    assert_memory_equal(name->name, what->name, what->name_n);
    assert_int_equal(out->pub_n, by->pub_n);
    assert_memory_equal(out->pub, by->pub, by->pub_n);
    devid_signed(by, out->attest, out->attest_n, out->sig, out->sig_n);
}

static void is_resident(enum profile profile, const struct hwk_born *what,
                        const struct hwk_born *by)
{
    struct hwk_attested out;
    if (profile == TCG) {
        assert_true(DEVID.certify(tpm, what, by, asked, &out));
        attests(&out, TPM2_ST_ATTEST_CERTIFY, what, by);
    } else {
        assert_true(DEVID.certify_creation(tpm, what, by, asked, &out));
        attests(&out, TPM2_ST_ATTEST_CREATION, what, by);
    }
}

#define IDEVID_AT 0x81020000
#define IAK_AT 0x81020001

/* Commands without reading the EK's certificate and writing others, and those
 * that sessions kept by a resource manager spare. */
static void provision(enum profile profile, const char *type, uint32_t cert,
                      unsigned long long expected)
{
    struct hwk_born ek, iak, idevid;
    struct devid_credential c;
    uint32_t seen[8];
    size_t n = 8;
    devid_clean();
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(DEVID.indices(tpm, EK_FIRST, EK_LAST, seen, &n));
    ek = devid_make(HWK_DEVID_EK, NULL, cert);
    if (profile != DIRECT)
        iak = devid_make(HWK_DEVID_IAK, type, 0);
    idevid = devid_make(HWK_DEVID_IDEVID, type, 0);
    if (profile != DIRECT)
        is_resident(profile, &idevid, &iak);
    proves_possession(&idevid);
    const struct hwk_born *whose = profile == DIRECT ? &idevid : &iak;
    devid_credential(&ek, whose, &c);
    devid_activates(whose, &ek, &c);
    if (profile == TCG) {
        assert_true(DEVID.keep(tpm, &idevid, IDEVID_AT));
        assert_true(DEVID.keep(tpm, &iak, IAK_AT));
    }
    hwk_tpm_door.leave(tpm);
    if (!tpm_managed && expected > 0)
        assert_int_equal(tpm_commands() - before, expected);
    else if (expected > 0)
        assert_in_range(tpm_commands() - before, 1, expected);
    if (profile == TCG) {
        assert_true(DEVID.keep(tpm, NULL, IDEVID_AT));
        assert_true(DEVID.keep(tpm, NULL, IAK_AT));
    }
    devid_clean();
}

/* A TPM tests each algorithm before it is first used, and has that command sent
 * again. */
static void warms_up(void **state)
{
    (void)state;
    need_tpm();
    provision(TCG, "P-256", EK_RSA, 0);
    provision(LEAN, "P-384", EK_P384, 0);
    provision(LEAN, "RSA-2048", EK_RSA, 0);
}

/* the EK is used by its policy, or by its empty value: two commands less. The
 * session of Certify serves for the activation, too. */
static void by_tcg(void **state)
{
    (void)state;
    need_tpm();
    const unsigned long long low = 1 + 3 + 5 + 1 + 6 + 2 + 3;
    provision(TCG, "P-256", EK_RSA, low);
    provision(TCG, "P-256", EK_P384, low - 2);
    provision(TCG, "P-384", EK_RSA, low);
    provision(TCG, "P-384", EK_P384, low - 2);
    provision(TCG, "RSA-2048", EK_RSA, low);
}

static void lean(void **state)
{
    (void)state;
    need_tpm();
    const unsigned long long low = 1 + 3 + 1 + 1 + 7 + 3;
    provision(LEAN, "P-256", EK_RSA, low);
    provision(LEAN, "P-256", EK_P384, low - 2);
    provision(LEAN, "P-384", EK_P384, low - 2);
    provision(LEAN, "RSA-2048", EK_P384, low - 2);
}

static void direct(void **state)
{
    (void)state;
    need_tpm();
    const unsigned long long low = 1 + 2 + 1 + 7 + 2;
    provision(DIRECT, "P-256", EK_RSA, low);
    provision(DIRECT, "P-256", EK_P384, low - 2);
    provision(DIRECT, "P-384", EK_RSA, low);
    provision(DIRECT, "RSA-2048", EK_P384, low - 2);
}

/* --- certificates in NV --- */

#define CERT_AT 0x01c90200

static int writes(struct hwk_tpm *t, const uint8_t *p, size_t n, unsigned flags)
{
    return hwk_tpm_nv_write(t, CERT_AT, p, n, flags);
}

static void holds(const uint8_t *p, size_t n, bool locked)
{
    struct hwk_tpm_nv nv;
    assert_true(hwk_tpm_nv_bytes(tpm, CERT_AT, NULL, &nv));
    assert_int_equal(nv.n, n);
    assert_memory_equal(nv.data, p, n);
    assert_int_equal(!!(nv.pub.attributes & TPMA_NV_WRITELOCKED), locked);
    hwk_tpm_nv_clear(&nv);
}

/* by a program that has not asked this TPM for anything yet: in how many
 * commands? */
static void certificates_cost(void **state)
{
    (void)state;
    static const unsigned at_once = HWK_WRITE_NEW | HWK_WRITE_BLIND;
    uint8_t cert[1500];
    struct hwk_tpm_nv nv;
    unsigned long long before;
    need_tpm();
    memset(cert, 0x30, sizeof(cert));
    struct hwk_tpm *fresh = hwk_tpm_new(&tpm_cfg);
    assert_non_null(hwk_tpm_begin(fresh));
    hwk_tpm_end(fresh);
#define COST(expected, call)                                                   \
    before = tpm_commands();                                                   \
    assert_true(call);                                                         \
    assert_int_equal(tpm_commands() - before, (expected))
    COST(2, hwk_tpm_nv_read(fresh, EK_RSA, NULL, &nv));
    hwk_tpm_nv_clear(&nv);
    COST(2, writes(fresh, cert, 800, at_once));
    holds(cert, 800, false);
    door_refused(writes(fresh, cert, 800, at_once), HWK_R_EXISTS, "in use");
    assert_true(hwk_tpm_erase(fresh, CERT_AT));
    COST(3, writes(fresh, cert, 800, at_once | HWK_WRITE_LOCK));
    holds(cert, 800, true);
    door_refused(writes(fresh, cert, 800, at_once), HWK_R_EXISTS, "protected");
    assert_true(hwk_tpm_erase(fresh, CERT_AT));
    COST(4, writes(fresh, cert, 800, HWK_WRITE_NEW));
    holds(cert, 800, false);
    cert[0]++;
    COST(6, writes(fresh, cert, 800, 0));
    holds(cert, 800, false);
    assert_true(hwk_tpm_erase(fresh, CERT_AT));
    COST(4, writes(fresh, cert, sizeof(cert), at_once)); /* GetCapability */
    holds(cert, sizeof(cert), false);
    assert_true(hwk_tpm_erase(fresh, CERT_AT));
    hwk_tpm_free(fresh);
    devid_clean();
}

/* one that was cut between definition and the last byte is no hindrance */
static void half_written_is_replaced(void **state)
{
    (void)state;
    static const unsigned at_once = HWK_WRITE_NEW | HWK_WRITE_BLIND;
    uint8_t cert[700] = {0x30};
    TPM2B_NV_PUBLIC pub;
    struct hwk_nv nv;
    need_tpm();
    assert_true(
        hwk_tpm_nv_template(CERT_AT, cert, sizeof(cert), false, 1024, &pub));
    assert_true(hwk_tpm_nv_from(&pub.nvPublic, &nv));
    assert_true(hwk_tpm_door.define(tpm, &nv, TPM2_RH_OWNER));
    assert_true(writes(tpm, cert, sizeof(cert), at_once | HWK_WRITE_LOCK));
    holds(cert, sizeof(cert), true);
    assert_true(hwk_tpm_erase(tpm, CERT_AT));
    devid_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ek_is_its_certificate),
        cmocka_unit_test(warms_up),
        cmocka_unit_test(by_tcg),
        cmocka_unit_test(lean),
        cmocka_unit_test(direct),
        cmocka_unit_test(certificates_cost),
        cmocka_unit_test(half_written_is_replaced),
    };
    return cmocka_run_group_tests(tests, devid_setup, tpm_teardown);
}
