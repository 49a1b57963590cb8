/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are loaded: what they cost, how long they stay in the TPM. */
#include <stdlib.h>

#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_public.h"
#include "tpm_blob.h"

static const struct hwk_tpm_parent owner = {.handle = TPM2_RH_OWNER};
static const struct hwk_tpm_parent owner_rsa = {.handle = TPM2_RH_OWNER,
                                                .rsa = true};
static const struct hwk_tpm_parent srk = {.handle = TPM_SRK_AT};
static struct tpm_blob under_owner, under_rsa, under_srk;

static int setup(void **arg)
{
    if (tpm_setup(arg) != 0)
        return -1;
    if (!tpm)
        return 0;
    tpm_srk();
    tpm_blob_make(&owner, &under_owner);
    tpm_blob_make(&owner_rsa, &under_rsa);
    tpm_blob_make(&srk, &under_srk);
    return 0;
}

/* opened and closed; the commands that took, and one signature between */
static void costs(const struct tpm_blob *b, unsigned long long commands)
{
    unsigned long long before = tpm_commands();
    struct hwk_tpm_key *key = tpm_blob_open(tpm, b);
    assert_non_null(key);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_commands() - before, commands);
    assert_int_equal(tpm_left_behind(), 0);
    key = tpm_blob_open(tpm, b);
    assert_true(tpm_signs(tpm, key)); /* the TPM may test itself here */
    before = tpm_commands();
    assert_true(tpm_signs(tpm, key));
    assert_true(tpm_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, 2);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
}

static void blobs(void **arg)
{
    (void)arg;
    need_tpm();
    costs(&under_srk, 3);
    costs(&under_owner, 4);
    costs(&under_rsa, 4);
}

/* two opens of one blob share it; the first one's end does not hurt */
static void shared(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *a = tpm_blob_open(tpm, &under_srk);
    unsigned long long before = tpm_commands();
    struct hwk_tpm_key *b = tpm_blob_open(tpm, &under_srk);
    assert_int_equal(tpm_commands(), before);
    assert_ptr_equal(a->object, b->object);
    hwk_tpm_key_free(tpm, a);
    assert_true(tpm_signs(tpm, b));
    hwk_tpm_key_free(tpm, b);
    assert_int_equal(tpm_left_behind(), 0);
    assert_null(tpm->objects);
}

/* the same public key with another private part is not the same blob */
static void spoilt(void **arg)
{
    struct tpm_blob bad = under_srk;
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *a = tpm_blob_open(tpm, &under_srk);
    bad.priv.buffer[bad.priv.size - 1] ^= 1;
    assert_null(tpm_blob_open(tpm, &bad));
    assert_int_equal(tpm_reason(), HWK_R_TPM);
    bad = under_srk;
    bad.priv.size = 0;
    assert_null(tpm_blob_open(tpm, &bad));
    assert_int_equal(tpm_reason(), HWK_R_FORMAT);
    bad = under_srk;
    bad.parent.handle = 0x81000002;
    assert_null(tpm_blob_open(tpm, &bad));
    assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
    bad.parent.handle = TPM2_RH_LOCKOUT;
    assert_null(tpm_blob_open(tpm, &bad));
    assert_int_equal(tpm_reason(), HWK_R_KEY);
    assert_true(tpm_signs(tpm, a));
    hwk_tpm_key_free(tpm, a);
    assert_int_equal(tpm_left_behind(), 0);
}

static struct hwk_tpm_key *primary(void)
{
    const struct hwk_tpm_kind p256 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    TPM2B_PUBLIC t;
    struct hwk_tpm_key *key = NULL;
    assert_true(hwk_tpm_devid_own(HWK_TPM_IDEVID, &p256, &t));
    assert_non_null(hwk_tpm_begin(tpm));
    struct hwk_tpm_object *o =
        hwk_tpm_object_primary(tpm, TPM2_RH_ENDORSEMENT, NULL, &t);
    if (o)
        key = hwk_tpm_key_new(tpm, o, NULL);
    hwk_tpm_end(tpm);
    return key;
}

static void primaries(void **arg)
{
    (void)arg;
    need_tpm();
    unsigned long long before = tpm_commands();
    struct hwk_tpm_key *a = primary();
    assert_non_null(a);
    assert_int_equal(tpm_commands() - before, 1);
    struct hwk_tpm_key *b = primary();
    assert_int_equal(tpm_commands() - before, 1);
    assert_true(tpm_signs(tpm, a));
    hwk_tpm_key_free(tpm, a);
    assert_true(tpm_signs(tpm, b));
    hwk_tpm_key_free(tpm, b);
    assert_int_equal(tpm_left_behind(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blobs),
        cmocka_unit_test(shared),
        cmocka_unit_test(spoilt),
        cmocka_unit_test(primaries),
    };
    return cmocka_run_group_tests(tests, setup, tpm_teardown);
}
