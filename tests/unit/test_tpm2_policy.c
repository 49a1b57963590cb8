/* SPDX-License-Identifier: Apache-2.0 */
/* Policies on a software TPM: each kind alone and together, satisfied and
 * broken, what it costs and what is said. */
#include "config.h"

#include "tpm_policy.h"

static void auth(void **arg)
{
    struct hwk_tpm_key *key, *wrong;
    (void)arg;
    need_tpm();
    policy_key_of(0x81020100, "auth", TPM2_ALG_SHA256, "secret");
    key = policy_open(0x81020100, "secret");
    assert_true(policy_signs(tpm, key)); /* its digest says what it is */
    unsigned long long before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, START + 2); /* auth, sign */
    wrong = policy_open(0x81020100, "guess");
    assert_false(policy_signs(tpm, wrong));
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    before = tpm_commands();
    assert_false(policy_signs(tpm, wrong)); /* not tried twice */
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(tpm_commands(), before);
    hwk_tpm_key_free(tpm, wrong);
    hwk_tpm_key_free(tpm, key);
    policy_clean();
}

static void pcrs(void **arg)
{
    struct hwk_tpm_key *key;
    (void)arg;
    need_tpm();
    policy_key_of(0x81020101, "pcr(sha256:0,9)", TPM2_ALG_SHA384, NULL);
    key = policy_open(0x81020101, NULL);
    assert_false(policy_signs(tpm, key));
    policy_said("policy.0x81020101 in the configuration");
    policy_set("policy.0x81020101", "pcr(sha256:0,9)");
    assert_true(policy_signs(tpm, key));
    policy_extend(9, 0x11);
    assert_false(policy_signs(tpm, key));
    policy_said("its PCRs had other values when it was made");
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020101",
               "pcr(sha256:0=000000000000000000000000000000000000000000000000"
               "0000000000000000,9=0000000000000000000000000000000000000000000"
               "000000000000000000000)");
    key = policy_open(0x81020101, NULL);
    assert_false(policy_signs(tpm, key));
    policy_said("pcr(sha256:0,9): the PCRs are not as wanted; PCR 9 is ");
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020101", "pcr(sha256:0,8)");
    key = policy_open(0x81020101, NULL);
    assert_false(policy_signs(tpm, key));
    policy_said("that is not its policy");
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020101", NULL);
    policy_clean();
}

static void nv(void **arg)
{
    static const uint8_t record[] = {0xca, 0xfe, 0x00, 0x01};
    struct hwk_tpm_key *key;
    (void)arg;
    need_tpm();
    policy_define(COUNTER, NULL, 8, TPMA_NV_AUTHREAD);
    policy_define(RECORD, record, 4, TPMA_NV_OWNERREAD);
    policy_key_of(0x81020102,
                  "nv(0x01800a00 == count:1) & nv(0x01800A01 == cafe) & "
                  "nv(0x01800A01 >= 0001,offset=2)",
                  TPM2_ALG_SHA256, NULL);
    policy_set("policy.0x81020102",
               "nv(0x01800a00 == count:1) & nv(0x01800A01 == cafe) & "
               "nv(0x01800A01 >= 0001,offset=2)");
    key = policy_open(0x81020102, NULL);
    assert_true(policy_signs(tpm, key));
    unsigned long long before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, START + 4);
    policy_count(COUNTER);
    assert_false(policy_signs(tpm, key));
    policy_said("nv(0x01800a00 == 0000000000000001): it holds "
                "0000000000000002");
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020102",
               "nv(0x01800a00 == count:2) & nv(0x01800A01 == beef)");
    key = policy_open(0x81020102, NULL);
    assert_false(policy_signs(tpm, key));
    policy_said("nv(0x01800a01 == beef): it holds cafe");
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020102", "nv(0x01800a02 == 00)");
    key = policy_open(0x81020102, NULL);
    assert_false(policy_signs(tpm, key));
    policy_said("there is no such index");
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020102", NULL);
    policy_clean();
}

/* what it costs where sessions may be kept */
static void kept(void **arg)
{
    struct hwk_tpm_key *key, *other;
    (void)arg;
    need_tpm();
    tpm->sharing = HWK_TPM_MANAGED;
    policy_key_of(0x81020103,
                  "nv(0x01800a00 >= count:1) & nv(0x01800a00 < count:99)",
                  TPM2_ALG_SHA256, NULL);
    policy_set("policy.0x81020103",
               "nv(0x01800a00 >= count:1) & nv(0x01800a00 < count:99)");
    key = policy_open(0x81020103, NULL);
    unsigned long long before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, 4);
    for (int i = 0; i < 3; i++) {
        before = tpm_commands();
        assert_true(policy_signs(tpm, key));
        assert_int_equal(tpm_commands() - before, 3);
    }
    if (!tpm_managed) /* a manager puts it away */
        assert_int_equal(tpm_left_behind(), 1);
    other = policy_open(0x81020100, "secret");
    before = tpm_commands();
    assert_true(policy_signs(tpm, other)); /* a salted one instead */
    assert_int_equal(tpm_commands() - before, 4);
    before = tpm_commands();
    assert_true(policy_signs(tpm, other));
    assert_int_equal(tpm_commands() - before, 2);
    before = tpm_commands();
    assert_true(policy_signs(tpm, key)); /* ESYS proves no auth value here */
    assert_int_equal(tpm_commands() - before, 3);
    /* a refusal in the middle leaves nothing of it in the session */
    policy_set("policy.0x81020103", "nv(0x01800a00 >= count:1) & "
                                    "nv(0x01800a00 < count:1)");
    hwk_tpm_key_free(tpm, key);
    key = policy_open(0x81020103, NULL);
    assert_false(policy_signs(tpm, key));
    policy_said("it holds 0000000000000002");
    assert_true(policy_signs(tpm, other));
    hwk_tpm_key_free(tpm, other);
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020103", NULL);
    policy_clean();
}

static void owner_auth(const char *from, const char *to)
{
    TPM2B_AUTH old = {.size = (UINT16)strlen(from)};
    TPM2B_AUTH new = {.size = (UINT16)strlen(to)};
    memcpy(old.buffer, from, old.size);
    memcpy(new.buffer, to, new.size);
    assert_non_null(hwk_tpm_begin(tpm));
    assert_int_equal(Esys_TR_SetAuth(tpm->esys, ESYS_TR_RH_OWNER, &old), 0);
    assert_int_equal(Esys_HierarchyChangeAuth(tpm->esys, ESYS_TR_RH_OWNER,
                                              ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &new),
                     0);
    assert_int_equal(
        Esys_TR_SetAuth(tpm->esys, ESYS_TR_RH_OWNER, &(TPM2B_AUTH){.size = 0}),
        0);
    hwk_tpm_end(tpm);
}

static int types(void *arg, const char *what, char *out, size_t max, size_t *n)
{
    assert_string_equal(what, "TPM hierarchy 'owner'");
    assert_true(max >= 4);
    if (!arg)
        return 0;
    *n = strlen(arg);
    memcpy(out, arg, *n);
    return 1;
}

static void secrets(void **arg)
{
    struct hwk_tpm_key *key;
    char path[160];
    (void)arg;
    need_tpm();
    snprintf(path, sizeof(path), "%s/owner", tpm_process.dir);
    policy_key_of(0x81020104, "secret(owner)", TPM2_ALG_SHA256, NULL);
    key = policy_open(0x81020104, NULL);
    assert_true(policy_signs(tpm, key));
    owner_auth("", "boss");
    assert_false(policy_signs(tpm, key));
    policy_said("secret(owner): its authorization value was refused");
    unsigned long long before = tpm_commands();
    assert_false(policy_signs(tpm, key));
    policy_said("secret(owner): its authorization value was refused before");
    assert_true(tpm_commands() - before <= 2); /* a session, but no try */
    policy_write(path, "boss\n", 5);
    policy_set("pin-source.owner", path);
    assert_true(policy_signs(tpm, key));
    assert_true(policy_signs(tpm, key));
    policy_set("pin-source.owner", NULL);
    hwk_tpm_key_free(tpm, key);
    key = policy_open(0x81020104, NULL); /* typed */
    static const struct hwk_pin_source nobody = {types, NULL};
    static const struct hwk_pin_source somebody = {types,
                                                   (void *)(uintptr_t) "boss"};
    before = tpm_commands();
    hwk_tpm_guard_ask(tpm, key, &nobody);
    assert_int_equal(tpm_commands() - before, 1);
    assert_false(policy_signs(tpm, key));
    policy_said("refused before");
    hwk_tpm_key_free(tpm, key);
    key = policy_open(0x81020104, NULL);
    hwk_tpm_guard_ask(tpm, key, &somebody);
    assert_true(policy_signs(tpm, key));
    owner_auth("boss", "");
    hwk_tpm_key_free(tpm, key);
    policy_clean();
}

/* the auth value of another object: an index, a key */
static void secrets_of_objects(void **arg)
{
    struct hwk_tpm_key *key;
    (void)arg;
    need_tpm();
    policy_key_of(0x81020105, "secret(0x01800A00,ref=0102) & code(sign)",
                  TPM2_ALG_SHA512, NULL);
    policy_set("policy.0x81020105", "secret(0x01800A00,ref=0102) & code(sign)");
    key = policy_open(0x81020105, NULL);
    assert_true(policy_signs(tpm, key));
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020105", "secret(0x01800A00) & code(decrypt)");
    key = policy_open(0x81020105, NULL);
    assert_false(policy_signs(tpm, key));
    policy_said("code(decrypt): not what the key is used for now");
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020105", "secret(0x81020177)");
    key = policy_open(0x81020105, NULL);
    assert_false(policy_signs(tpm, key));
    policy_said("there is no such object");
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020105", NULL);
    policy_clean();
}

/* of three ways the one that can do */
static void either(void **arg)
{
    static const char ways[] =
        "pcr(sha256:10=00000000000000000000000000000000000000000000000000000000"
        "00000000) | nv(0x01800a00 == count:3) & auth | "
        "code(decrypt) & secret(owner)";
    struct hwk_tpm_key *key;
    (void)arg;
    need_tpm();
    policy_key_of(0x81020106, ways, TPM2_ALG_SHA256, "secret");
    policy_set("policy.0x81020106", ways);
    key = policy_open(0x81020106, "secret");
    assert_true(policy_signs(tpm, key)); /* the first */
    unsigned long long before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, START + 3); /* pcr or sign */
    policy_extend(10, 1);
    assert_false(policy_signs(tpm, key));
    policy_said("; or nv(0x01800a00 == 0000000000000003): it holds "
                "0000000000000002; or code(decrypt): not what");
    policy_count(COUNTER);
    assert_true(policy_signs(tpm, key)); /* the second */
    before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, START + 4); /* remembered */
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020106",
               "nv(0x01800a00 == count:3) & auth | code(decrypt)");
    key = policy_open(0x81020106, "secret");
    assert_false(policy_signs(tpm, key));
    assert_int_equal(tpm_reason(), HWK_R_CONFIG); /* another digest */
    hwk_tpm_key_free(tpm, key);
    policy_set("policy.0x81020106", NULL);
    policy_clean();
}

/* a way that fails at its second step leaves nothing of its first */
static void halfway(void **arg)
{
    static const char ways[] =
        "nv(0x01800a00 >= count:1) & "
        "nv(0x01800a00 == count:99) | secret(endorsement)";
    struct hwk_tpm_key *key;
    (void)arg;
    need_tpm();
    policy_key_of(0x81020107, ways, TPM2_ALG_SHA256, NULL);
    policy_set("policy.0x81020107", ways);
    key = policy_open(0x81020107, NULL);
    assert_true(policy_signs(tpm, key));
    unsigned long long before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, START + 3); /* remembered */
    hwk_tpm_key_free(tpm, key);
    policy_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auth),    cmocka_unit_test(pcrs),
        cmocka_unit_test(nv),      cmocka_unit_test(kept),
        cmocka_unit_test(secrets), cmocka_unit_test(secrets_of_objects),
        cmocka_unit_test(either),  cmocka_unit_test(halfway),
    };
    return cmocka_run_group_tests(tests, policy_setup, tpm_teardown);
}
