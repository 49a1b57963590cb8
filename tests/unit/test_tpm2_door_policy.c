/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of NV indices given in steps: each command that there is, executed
 * by a software TPM, by itself and behind tpm2-abrmd. */
#include "config.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "provider/device/tpm2_rule_file.h"
#include "provider/spki.h"
#include "tpm_door.h"

#define PLATFORM_IS                                                            \
    (IDVI_NV_PLATFORMCREATE | IDVI_NV_POLICY_DELETE | IDVI_NV_POLICYWRITE |    \
     IDVI_NV_WRITEALL | IDVI_NV_PPREAD | IDVI_NV_OWNERREAD |                   \
     IDVI_NV_AUTHREAD | IDVI_NV_NO_DA)
#define FACTORY 0x01400A01

static uint8_t record[ANCHOR_SIZE], other_record[ANCHOR_SIZE];

static struct hwk_nv anchor(const uint8_t policy[static 32])
{
    return door_define(door_nv(ANCHOR, ANCHOR_IS, ANCHOR_SIZE, policy));
}

static int write_anchor(const struct hwk_nv *nv, const struct hwk_nv_by *by,
                        const uint8_t *data)
{
    return hwk_tpm_door.write(tpm, nv, by, data, ANCHOR_SIZE);
}

/* --- approvals --- */

struct approver {
    EVP_PKEY *key;
    uint8_t spki[600], name[34], signature[512];
    size_t spki_n, signature_n;
};

static void approver(struct approver *a, EVP_PKEY *key)
{
    uint8_t *p = a->spki;
    struct hwk_pub pub;
    TPM2B_PUBLIC area;
    TPM2B_NAME name;
    assert_non_null(key);
    a->key = key;
    a->spki_n = (size_t)i2d_PUBKEY(key, &p);
    assert_true(hwk_spki_to_pub(a->spki, a->spki_n, &pub));
    assert_true(hwk_tpm_signer_public(&pub, &area));
    assert_true(hwk_tpm_public_name(&area, &name));
    assert_int_equal(name.size, sizeof(a->name));
    memcpy(a->name, name.name, name.size);
}

static const uint8_t serial[] = "the device's serial number";

static void approve(struct approver *a, const uint8_t policy[static 32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    a->signature_n = sizeof(a->signature);
    assert_true(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, a->key) > 0);
    assert_true(EVP_DigestSignUpdate(ctx, policy, 32) > 0);
    assert_true(EVP_DigestSignUpdate(ctx, serial, sizeof(serial)) > 0);
    assert_true(EVP_DigestSignFinal(ctx, a->signature, &a->signature_n) > 0);
    EVP_MD_CTX_free(ctx);
}

static struct hwk_policy_step approval(const struct approver *a,
                                       const uint8_t policy[static 32])
{
    return (struct hwk_policy_step){
        .code = TPM2_CC_PolicyAuthorize,
        .operand = {policy, 32},
        .key = {a->spki, a->spki_n},
        .ref = door_view(serial),
        .signature = {a->signature, a->signature_n}};
}

/* of this record, into this index, while the counter has this value */
static void approved_write(EVP_PKEY *key, EVP_PKEY *stranger)
{
    struct approver a, s;
    uint8_t value[8], policy[32] = {0}, leg[32] = {0}, cphash[32], other[32];
    approver(&a, key);
    approver(&s, stranger);
    struct hwk_nv counter = door_counter(value);
    idvi_policy_authorize(policy, idv_bytes(a.name, sizeof(a.name)),
                          idv_bytes(serial, sizeof(serial)));
    struct hwk_nv nv = anchor(policy);
    idvi_policy_nv(leg, counter.name, idv_bytes(value, 8), 0, IDVI_EO_EQ);
    assert_int_equal(
        idvi_nv_write_cphash(nv.name, idv_bytes(record, 112), 0, cphash),
        IDV_OK);
    assert_int_equal(
        idvi_nv_write_cphash(nv.name, idv_bytes(other_record, 112), 0, other),
        IDV_OK);
    idvi_policy_cphash(leg, cphash);
    approve(&a, leg);
    approve(&s, leg);
    struct hwk_policy_step steps[] = {
        {.code = TPM2_CC_PolicyNV,
         .handle = COUNTER,
         .operand = door_view(value)},
        {.code = TPM2_CC_PolicyCpHash, .operand = door_view(cphash)},
        approval(&a, leg)};
    const struct hwk_nv_by by = door_by(steps);
    /* another record: it is not what cpHash is of; with its own, not what was
     * approved; signed by somebody else */
    door_refused(write_anchor(&nv, &by, other_record), HWK_R_POLICY,
                 "what was satisfied is not its policy");
    steps[1].operand = door_view(other);
    door_refused(write_anchor(&nv, &by, other_record), HWK_R_POLICY,
                 "authorize(key");
    steps[1].operand = door_view(cphash);
    steps[2].signature = (struct hwk_view){s.signature, s.signature_n};
    door_refused(write_anchor(&nv, &by, record), HWK_R_POLICY,
                 "the signature is not one of this policy");
    steps[2] = approval(&a, leg);
    unsigned long long before = tpm_commands();
    assert_true(write_anchor(&nv, &by, record));
    /* counter, cpHash, key loaded and flushed, signature, approval, write */
    assert_int_equal(tpm_commands() - before, 7 + 1);
    nv = door_look(ANCHOR);
    assert_true(hwk_tpm_door.read(tpm, &nv, other_record));
    assert_memory_equal(other_record, record, ANCHOR_SIZE);
    memset(other_record, 'o', sizeof(other_record));
    assert_true(hwk_tpm_door.increment(tpm, &counter, &door_owner));
    door_refused(write_anchor(&nv, &by, record), HWK_R_POLICY, "nv(0x01800a00");
    door_remove(ANCHOR);
    door_remove(COUNTER);
    EVP_PKEY_free(key);
    EVP_PKEY_free(stranger);
    policy_clean();
}

static void approved_by_ec(void **state)
{
    (void)state;
    need_tpm();
    approved_write(EVP_EC_gen("P-256"), EVP_EC_gen("P-256"));
    approved_write(EVP_EC_gen("P-384"), EVP_EC_gen("P-384"));
}

static void approved_by_rsa(void **state)
{
    (void)state;
    need_tpm();
    approved_write(EVP_RSA_gen(2048), EVP_RSA_gen(2048));
}

/* what can be told without the TPM is */
static void approvals(void **state)
{
    (void)state;
    struct approver a;
    uint8_t policy[32] = {0}, leg[32] = {0}, cphash[32] = {1};
    need_tpm();
    approver(&a, EVP_EC_gen("P-256"));
    idvi_policy_authorize(policy, idv_bytes(a.name, sizeof(a.name)),
                          idv_bytes(serial, sizeof(serial)));
    struct hwk_nv nv = anchor(policy);
    idvi_policy_cphash(leg, cphash);
    approve(&a, leg);
    cphash[0]++;
    struct hwk_policy_step steps[] = {
        {.code = TPM2_CC_PolicyCpHash, .operand = door_view(cphash)},
        approval(&a, leg)};
    const struct hwk_nv_by by = door_by(steps);
    unsigned long long before = tpm_commands();
    door_refused(write_anchor(&nv, &by, record), HWK_R_POLICY,
                 "not the one that the steps before it make");
    cphash[0]--;
    a.spki_n--;
    steps[1] = approval(&a, leg);
    assert_false(write_anchor(&nv, &by, record));
    ERR_clear_error();
    a.spki_n++;
    steps[1] = approval(&a, leg);
    steps[1].signature.n--;
    door_refused(write_anchor(&nv, &by, record), HWK_R_FORMAT, "no signature");
    steps[1].signature.n++;
    steps[1].operand.n = 31;
    door_refused(write_anchor(&nv, &by, record), HWK_R_ARGUMENT, "digest");
    steps[0].code = TPM2_CC_PolicyLocality;
    door_refused(write_anchor(&nv, &by, record), HWK_R_UNSUPPORTED,
                 "not known here");
    assert_int_equal(tpm_commands(), before);
    EVP_PKEY_free(a.key);
    door_remove(ANCHOR);
    policy_clean();
}

/* --- one step each --- */

static void command_codes(void **state)
{
    (void)state;
    uint8_t policy[32] = {0};
    need_tpm();
    idvi_policy_command(policy, IDVI_CC_NV_WRITE);
    struct hwk_nv nv = anchor(policy);
    struct hwk_policy_step step = {.code = TPM2_CC_PolicyCommandCode,
                                   .command = TPM2_CC_NV_WriteLock};
    const struct hwk_nv_by by = {.steps = &step, .n = 1};
    door_refused(write_anchor(&nv, &by, record), HWK_R_POLICY, "code(0x138)");
    step.command = TPM2_CC_NV_Write;
    assert_true(write_anchor(&nv, &by, record));
    nv = door_look(ANCHOR);
    door_refused(hwk_tpm_door.lock(tpm, &nv, &by), HWK_R_POLICY, "code(0x137)");
    step.command = TPM2_CC_NV_WriteLock; /* not the policy it has */
    door_refused(hwk_tpm_door.lock(tpm, &nv, &by), HWK_R_POLICY,
                 "NV_WriteLock of NV index 0x01800a01: what was satisfied");
    door_remove(ANCHOR);
    policy_clean();
}

static void pcrs(void **state)
{
    (void)state;
    static const uint8_t event[32] = {1};
    uint8_t policy[32] = {0}, digest[32], later[32];
    need_tpm();
    assert_true(hwk_tpm_door.pcr_read(tpm, 1u << 16 | 1u << 3, digest));
    idvi_policy_pcr(policy, 1u << 16 | 1u << 3, digest);
    struct hwk_nv nv = anchor(policy);
    const struct hwk_policy_step step = {.code = TPM2_CC_PolicyPCR,
                                         .pcrs = 1u << 16 | 1u << 3};
    const struct hwk_nv_by by = {.steps = &step, .n = 1};
    assert_true(write_anchor(&nv, &by, record));
    nv = door_look(ANCHOR);
    assert_true(write_anchor(&nv, &by, record));
    assert_true(hwk_tpm_door.pcr_extend(tpm, 16, event));
    assert_true(hwk_tpm_door.pcr_read(tpm, 1u << 16 | 1u << 3, later));
    assert_memory_not_equal(digest, later, 32);
    door_refused(write_anchor(&nv, &by, record), HWK_R_POLICY,
                 "what was satisfied is not its policy");
    door_remove(ANCHOR);
    policy_clean();
}

static void branches(void **state)
{
    (void)state;
    uint8_t policy[32] = {0}, legs[3][32] = {{0}};
    need_tpm();
    idvi_policy_command(legs[0], IDVI_CC_NV_WRITE);
    idvi_policy_command(legs[1], IDVI_CC_NV_WRITELOCK);
    memset(legs[2], 7, 32);
    idvi_policy_or(policy, (const uint8_t(*)[32])legs, 3);
    struct hwk_nv nv = anchor(policy);
    struct hwk_policy_step steps[] = {
        {.code = TPM2_CC_PolicyCommandCode, .command = TPM2_CC_NV_Write},
        {.code = TPM2_CC_PolicyOR,
         .branches = {door_view(legs[0]), door_view(legs[1]),
                      door_view(legs[2])},
         .branches_n = 3}};
    const struct hwk_nv_by by = door_by(steps),
                           none = {.steps = steps + 1, .n = 1};
    door_refused(write_anchor(&nv, &none, record), HWK_R_POLICY,
                 "none of its branches");
    steps[1].branches_n = 1;
    assert_false(write_anchor(&nv, &by, record));
    ERR_clear_error();
    steps[1].branches_n = 3;
    assert_true(write_anchor(&nv, &by, record));
    nv = door_look(ANCHOR);
    steps[0].command = TPM2_CC_NV_WriteLock;
    assert_true(hwk_tpm_door.lock(tpm, &nv, &by));
    assert_true(door_look(ANCHOR).attributes & IDVI_NV_WRITELOCKED);
    door_remove(ANCHOR);
    policy_clean();
}

/* --- an index that the platform alone removes, by its policy --- */

static void platform_auth(const char *from, const char *to)
{
    TPM2B_AUTH old = {.size = (UINT16)strlen(from)};
    TPM2B_AUTH new = {.size = (UINT16)strlen(to)};
    memcpy(old.buffer, from, old.size);
    memcpy(new.buffer, to, new.size);
    assert_non_null(hwk_tpm_begin(tpm));
    assert_int_equal(Esys_TR_SetAuth(tpm->esys, ESYS_TR_RH_PLATFORM, &old), 0);
    assert_int_equal(Esys_HierarchyChangeAuth(tpm->esys, ESYS_TR_RH_PLATFORM,
                                              ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &new),
                     0);
    assert_int_equal(Esys_TR_SetAuth(tpm->esys, ESYS_TR_RH_PLATFORM,
                                     &(TPM2B_AUTH){.size = 0}),
                     0);
    hwk_tpm_end(tpm);
}

static struct hwk_nv factory(void)
{
    uint8_t policy[32] = {0};
    idvi_policy_secret(policy, IDVI_RH_PLATFORM);
    idvi_policy_command(policy, IDVI_CC_NV_UNDEFINE_SPECIAL);
    return door_define(door_nv(FACTORY, PLATFORM_IS, ANCHOR_SIZE, policy));
}

static const struct hwk_policy_step removal[] = {
    {.code = TPM2_CC_PolicySecret, .handle = TPM2_RH_PLATFORM},
    {.code = TPM2_CC_PolicyCommandCode,
     .command = TPM2_CC_NV_UndefineSpaceSpecial}};
static const struct hwk_nv_by remover = {
    .handle = TPM2_RH_PLATFORM, .steps = removal, .n = 2};

static void gone(const struct hwk_nv *nv)
{
    struct hwk_nv now;
    assert_true(hwk_tpm_door.undefine(tpm, nv, &remover));
    door_refused(hwk_tpm_door.look(tpm, FACTORY, &now), HWK_R_NOT_FOUND,
                 "does not exist");
}

static void special(void **state)
{
    (void)state;
    need_tpm();
    struct hwk_nv nv = factory();
    struct hwk_nv_by half = remover;
    door_refused(hwk_tpm_door.undefine(tpm, &nv, &door_owner),
                 HWK_R_UNSUPPORTED, "by its policy only");
    door_refused(hwk_tpm_door.undefine(tpm, &nv, &door_platform),
                 HWK_R_UNSUPPORTED, "by its policy only");
    half.n = 1;
    door_refused(hwk_tpm_door.undefine(tpm, &nv, &half), HWK_R_POLICY,
                 "NV_UndefineSpaceSpecial");
    gone(&nv);
    nv = factory();
    assert_true(hwk_tpm_door.enter(tpm)); /* in the session that is there */
    uint8_t none[ANCHOR_SIZE];
    door_refused(hwk_tpm_door.read(tpm, &nv, none), HWK_R_NOT_FOUND, "never");
    gone(&nv);
    hwk_tpm_door.leave(tpm);
    policy_clean();
}

static void special_with_value(void **state)
{
    (void)state;
    char path[160];
    need_tpm();
    snprintf(path, sizeof(path), "%s/platform", tpm_process.dir);
    struct hwk_nv nv = factory();
    platform_auth("", "firmware");
    door_refused(hwk_tpm_door.undefine(tpm, &nv, &remover), HWK_R_AUTH,
                 "platform");
    policy_write(path, "wrong\n", 6);
    policy_set("pin-source.platform", path);
    door_refused(hwk_tpm_door.undefine(tpm, &nv, &remover), HWK_R_AUTH,
                 "secret(platform): its authorization value was refused");
    unsigned long long before = tpm_commands();
    door_refused(hwk_tpm_door.undefine(tpm, &nv, &remover), HWK_R_AUTH,
                 "platform was refused before");
    assert_int_equal(tpm_commands(), before);
    policy_write(path, "firmware\n", 9);
    gone(&nv);
    nv = factory();
    assert_true(hwk_tpm_door.enter(tpm));
    gone(&nv);
    hwk_tpm_door.leave(tpm);
    platform_auth("firmware", "");
    policy_set("pin-source.platform", NULL);
    policy_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approved_by_ec), cmocka_unit_test(approved_by_rsa),
        cmocka_unit_test(approvals),      cmocka_unit_test(command_codes),
        cmocka_unit_test(pcrs),           cmocka_unit_test(branches),
        cmocka_unit_test(special),        cmocka_unit_test(special_with_value),
    };
    memset(record, 'r', sizeof(record));
    memset(other_record, 'o', sizeof(other_record));
    return cmocka_run_group_tests(tests, policy_setup, tpm_teardown);
}
