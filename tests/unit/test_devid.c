/* SPDX-License-Identifier: Apache-2.0 */
/* Device identities of a TPM as the library asks for them: what is refused, in
 * which class, and what the note names. */
#include "tests/unit/codec.h"

#include <openssl/err.h>

#include <idevid/key.h>

#include "key/devid.h"
#include "provider/device.h"
#include "tests/lib/pki.h"
#include "tests/lib/swtpm.h"
#include "tpm/credential.h"

#define KEPT 0x81020000u

static struct swtpm tpm;
static bool have_tpm;
static struct pki_env env;
static struct idv_device *device;

static int setup(void **state)
{
    (void)state;
    pki_env_init(&env);
    have_tpm = swtpm_here() && swtpm_start(&tpm) == 0;
    if (!have_tpm)
        return 0;
    setenv("HWKEY_TPM_LOCK", tpm.lock, 1);
    const struct idv_provider_conf conf = {.tpm2_tcti = tpm.tcti};
    if (idv_provider_setup(hwk_provider_init, &conf) != IDV_OK)
        return -1;
    return idv_device_open("tpm2:", NULL, &device) == IDV_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    idv_device_close(device);
    if (have_tpm)
        swtpm_stop(&tpm);
    return 0;
}

#define need_tpm()                                                             \
    do {                                                                       \
        (void)state;                                                           \
        if (!have_tpm)                                                         \
            skip();                                                            \
    } while (0)

static void refused(idv_rc rc, int why, idv_rc want, int reason,
                    const char *part)
{
    if (rc != want || why != reason || !strstr(idv_note(), part))
        print_error("%s, %d: %s\n", idv_rc_name(rc), why, idv_note());
    assert_int_equal(rc, want);
    assert_int_equal(why, reason);
    assert_non_null(strstr(idv_note(), part));
    assert_int_equal(ERR_peek_error(), 0);
    idv_note_clear();
}

static void made(enum hwk_devid what, struct hwk_born *out)
{
    int why = -1;
    OK(idvi_devid_create(device, what, "P-256", 0, 0, out, &why));
    assert_int_equal(why, 0);
}

/* --- who is not in a turn, or asks for what there is not --------------------
 */

static void outside_of_a_turn(void **state)
{
    struct hwk_born key = {0};
    int why = -1;
    need_tpm();
    idv_rc rc =
        idvi_devid_create(device, HWK_DEVID_IDEVID, "P-256", 0, 0, &key, &why);
    refused(rc, why, IDV_E_DEVICE, HWK_R_UNSUPPORTED, "tpm2:");
}

static void other_types(void **state)
{
    struct hwk_born key = {0};
    int why = -1;
    need_tpm();
    OK(idvi_nv_enter(device, NULL));
    idv_rc rc =
        idvi_devid_create(device, HWK_DEVID_IDEVID, "P-999", 0, 0, &key, &why);
    refused(rc, why, IDV_E_DEVICE, HWK_R_UNSUPPORTED, "P-999");
    idvi_nv_leave(device);
}

/* --- places -----------------------------------------------------------------
 */

static void places(void **state)
{
    struct hwk_born key, other;
    int why = -1;
    need_tpm();
    OK(idvi_nv_enter(device, NULL));
    made(HWK_DEVID_IDEVID, &key);
    OK(idvi_devid_keep(device, &key, KEPT, &why));
    assert_int_equal(why, 0);
    made(HWK_DEVID_IAK, &other);
    idv_rc rc = idvi_devid_keep(device, &other, KEPT, &why);
    refused(rc, why, IDV_E_STATE, HWK_R_EXISTS, "tpm2:handle=0x81020000");
    OK(idvi_devid_keep(device, NULL, KEPT, &why));
    rc = idvi_devid_keep(device, NULL, KEPT, &why);
    refused(rc, why, IDV_E_DEVICE, HWK_R_NOT_FOUND, "tpm2:handle=0x81020000");
    idvi_nv_leave(device);
}

/* --- keys that are not for it -----------------------------------------------
 */

static void keys(void **state)
{
    static const uint8_t digest[32] = {1};
    struct hwk_born iak, idevid;
    struct idvi_devid_signature sig;
    int why = -1;
    need_tpm();
    OK(idvi_nv_enter(device, NULL));
    made(HWK_DEVID_IAK, &iak);
    made(HWK_DEVID_IDEVID, &idevid);
    OK(idvi_devid_sign(device, &idevid, idv_bytes(digest, 32), &sig, &why));
    assert_true(why == 0 && sig.n > 60);
    idv_rc rc =
        idvi_devid_sign(device, &iak, idv_bytes(digest, 32), &sig, &why);
    refused(rc, why, IDV_E_DEVICE, HWK_R_KEY, "tpm2:");
    idvi_nv_leave(device);
}

static void credentials(void **state)
{
    struct hwk_born ek, iak, idevid;
    struct idvi_tpm_public pub;
    struct idvi_devid_secret out;
    IDV_AUTO(buf) id = {0};
    IDV_AUTO(buf) seed = {0};
    int why = -1;
    need_tpm();
    OK(idvi_nv_enter(device, NULL));
    made(HWK_DEVID_EK, &ek);
    made(HWK_DEVID_IAK, &iak);
    made(HWK_DEVID_IDEVID, &idevid);
    OK(idvi_tpm_public_from_bytes(idv_bytes(ek.pub, ek.pub_n), &pub));
    OK(idvi_credential_make(&pub, idv_bytes(iak.name, iak.name_n),
                            idv_str("a secret"), &env.env, &id, &seed));
    OK(idvi_devid_activate(device, &iak, &ek, idv_view(&id), idv_view(&seed),
                           &out, &why));
    assert_int_equal(out.n, 8);
    assert_memory_equal(out.p, "a secret", 8);
    idv_rc rc = idvi_devid_activate(device, &idevid, &ek, idv_view(&id),
                                    idv_view(&seed), &out, &why);
    refused(rc, why, IDV_E_DEVICE, HWK_R_KEY, "not for this EK and this key");
    idvi_nv_leave(device);
}

/* --- a TPM that is gone ------------------------------------------------------
 */

static void gone(void **state)
{
    struct hwk_born key = {0};
    int why = -1;
    need_tpm();
    OK(idvi_nv_enter(device, NULL));
    swtpm_stop(&tpm);
    have_tpm = false;
    idv_rc rc =
        idvi_devid_create(device, HWK_DEVID_IDEVID, "P-256", 0, 0, &key, &why);
    refused(rc, why, IDV_E_DEVICE, HWK_R_NO_DEVICE, "tpm2:");
    idvi_nv_leave(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_of_a_turn),
        cmocka_unit_test(other_types),
        cmocka_unit_test(places),
        cmocka_unit_test(keys),
        cmocka_unit_test(credentials),
        cmocka_unit_test(gone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
