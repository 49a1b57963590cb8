/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody between device.h's calls for device identities and the TPM: what he
 * hears, and what becomes of answers that he alters. */
#include "config.h"

#include "tests/lib/bus.h"
#include "tpm_devid.h"

static const uint8_t nonce[] = "what the desk asked, 32 bytes ..";
static const struct hwk_view asked = {nonce, 32};
static struct hwk_attested out;

/* --- a program that works through the bus --- */

static struct bus bus;
static struct hwk_config through;
static struct hwk_tpm *direct;

static void end(void)
{
    hwk_tpm_free(tpm);
    tpm = direct;
    direct = NULL;
    bus_stop(&bus);
    ERR_clear_error();
}

static void begin(bus_fn *fn)
{
    char path[128];
    if (direct) /* a case before failed: its turn would last */
        end();
    snprintf(path, sizeof(path), "%s/sock", tpm_process.dir);
    assert_int_equal(bus_start(&bus, path, fn), 0);
    through =
        (struct hwk_config){.tcti = bus.tcti, .tpm_lock = tpm_process.lock};
    direct = tpm;
    assert_non_null(tpm = hwk_tpm_new(&through));
}

static struct hwk_born ek, iak, idevid;

static void make_all(uint32_t cert)
{
    assert_true(hwk_tpm_door.enter(tpm));
    ek = devid_make(HWK_DEVID_EK, NULL, cert);
    iak = devid_make(HWK_DEVID_IAK, "P-256", 0);
    idevid = devid_make(HWK_DEVID_IDEVID, "P-256", 0);
}

/* --- what he hears --- */

static void hears_no_secret(uint32_t cert)
{
    static const uint8_t value[] = "the lockout administrator's";
    struct devid_credential c;
    begin(NULL);
    make_all(cert);
    assert_true(DEVID.certify(tpm, &idevid, &iak, asked, &out));
    devid_credential(&ek, &iak, &c);
    devid_activates(&iak, &ek, &c);
    assert_true(DEVID.set_auth(tpm, TPM2_RH_LOCKOUT,
                               (struct hwk_view){value, sizeof(value)}));
    hwk_tpm_door.leave(tpm);
    assert_true(bus_heard(&bus, asked.p, asked.n)); /* he does listen */
    assert_false(bus_heard(&bus, c.secret, DEVID_SECRET));
    assert_false(bus_heard(&bus, value, sizeof(value)));
    end();
    const struct hwk_view given = {value, sizeof(value)};
    const struct hwk_lockout usual = {3, 1000, 1000};
    assert_true(DEVID.set_lockout(tpm, &usual, &given)); /* it is set */
}

static void secrets_are_not_heard(void **state)
{
    (void)state;
    need_tpm();
    hears_no_secret(EK_RSA);
    devid_clean();
}

/* --- what he alters --- */

/* of the answer to code, from byte first on: every one must be noticed */
static void altered(uint32_t code, size_t first, int (*call)(void))
{
    bus.talk->code = code;
    bus.talk->answer = true;
    bus.talk->flip = 0x01;
    bus.talk->at = BUS_MESSAGE_MAX;
    assert_true(call());
    size_t n = bus.talk->last;
    assert_true(n > first);
    for (size_t at = first; at<n; at += n> 400 ? 7 : 3) {
        bus.talk->at = at;
        bus.talk->struck = 0;
        int ok = call();
        assert_true(bus.talk->struck > 0);
        if (ok)
            print_error("byte %zu of %zu in the answer to 0x%x\n", at, n, code);
        assert_false(ok);
        ERR_clear_error();
        bus.talk->at = BUS_MESSAGE_MAX;
        hwk_tpm_door.leave(tpm);
        make_all(EK_RSA);
    }
}

static int certifies(void)
{
    return DEVID.certify(tpm, &idevid, &iak, asked, &out);
}

static int certifies_creation(void)
{
    return DEVID.certify_creation(tpm, &idevid, &iak, asked, &out);
}

static struct devid_credential credential;

static int activates(void)
{
    uint8_t got[64];
    size_t n = sizeof(got);
    return DEVID.activate(tpm, &iak, &ek, credential.id, credential.seed, got,
                          &n);
}

#define HEADER 10

/* an answer in a salted session is the TPM's to the last byte */
static void altered_activation(void **state)
{
    (void)state;
    need_tpm();
    begin(bus_alter_byte);
    make_all(EK_RSA);
    devid_credential(&ek, &iak, &credential);
    altered(TPM2_CC_ActivateCredential, HEADER, activates);
    hwk_tpm_door.leave(tpm);
    end();
    devid_clean();
}

/* magic, type, signer, nonce and names of what is attested are looked at here;
 * the clock and the signature's value are for who verifies it */
static void another_attestation(void **state)
{
    (void)state;
    need_tpm();
    begin(bus_alter_byte);
    make_all(EK_RSA);
    const size_t start = HEADER + 4 + 2;         /* parameterSize, its size */
    const size_t signer = start + 4 + 2;         /* magic, type */
    const size_t extra = signer + 2 + 34 + 2;    /* a Name by SHA-256 */
    const size_t name = extra + 32 + 17 + 8 + 2; /* clock, firmware */
    const size_t each[] = {start, start + 5, signer + 3, extra, name + 5};
    for (int i = 0; i < 2; i++) {
        bus.talk->code = i ? TPM2_CC_CertifyCreation : TPM2_CC_Certify;
        bus.talk->answer = true;
        bus.talk->flip = 0x01;
        for (size_t j = 0; j < sizeof(each) / sizeof(*each); j++) {
            bus.talk->at = each[j];
            bus.talk->struck = 0;
            int ok = i ? certifies_creation() : certifies();
            assert_int_equal(bus.talk->struck, 1);
            /* Certify's session notices before */
            door_refused(ok, HWK_R_BUS, i ? "attestation" : "Certify");
            bus.talk->at = BUS_MESSAGE_MAX;
            hwk_tpm_door.leave(tpm);
            make_all(EK_RSA);
        }
    }
    hwk_tpm_door.leave(tpm);
    end();
    devid_clean();
}

#define SESSION 5 /* of a password */
#define NAME (2 + 2 + 32)

/* a key that is not what the template says, or whose Name is another's */
static void another_key(void **state)
{
    (void)state;
    struct hwk_born b;
    need_tpm();
    begin(bus_alter_byte);
    assert_true(hwk_tpm_door.enter(tpm));
    bus.talk->code = TPM2_CC_CreatePrimary;
    bus.talk->answer = true;
    bus.talk->flip = 0x02;
    bus.talk->at = BUS_MESSAGE_MAX;
    b = devid_make(HWK_DEVID_IAK, "P-256", 0);
    size_t n = bus.talk->last;
    /* of the handle its kind; not how long the parameters are */
    for (size_t at = HEADER; at < n; at += at == HEADER ? 4 + 4 : 5) {
        bus.talk->at = at;
        bus.talk->struck = 0;
        int ok = DEVID.create(tpm, HWK_DEVID_IAK, "P-256", 0, 0, &b);
        assert_true(bus.talk->struck > 0);
        if (ok) { /* the ticket's HMAC, and the session part: not the Name */
            assert_true(at >= n - SESSION - NAME
                            ? at >= n - SESSION
                            : at >= n - SESSION - NAME - 64);
            assert_true(DEVID.drop(tpm, &b));
        } else {
            assert_int_equal(tpm_reason(), HWK_R_BUS);
        }
        ERR_clear_error();
        bus.talk->at = BUS_MESSAGE_MAX;
        hwk_tpm_door.leave(tpm);
        assert_true(hwk_tpm_door.enter(tpm));
    }
    hwk_tpm_door.leave(tpm);
    end();
    devid_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_not_heard),
        cmocka_unit_test(altered_activation),
        cmocka_unit_test(another_attestation),
        cmocka_unit_test(another_key),
    };
    return cmocka_run_group_tests(tests, devid_setup, tpm_teardown);
}
