/* SPDX-License-Identifier: Apache-2.0 */
/* device.h's NV indices on a software TPM, by itself and behind tpm2-abrmd:
 * every call, what it costs, and what refuses it. */
#include "config.h"

#include "tpm_door.h"

static uint8_t record[ANCHOR_SIZE];

/* --- counters --- */

static void counters(void **state)
{
    (void)state;
    uint8_t one[8], two[8];
    need_tpm();
    struct hwk_nv nv;
    door_refused(hwk_tpm_door.look(tpm, COUNTER, &nv), HWK_R_NOT_FOUND,
                 "does not exist");
    nv = door_counter(one);
    assert_int_equal(nv.index, COUNTER);
    assert_int_equal(nv.attributes, COUNTER_IS | IDVI_NV_WRITTEN);
    assert_int_equal(nv.size, 8);
    assert_int_equal(nv.policy_n, 0);
    assert_true(hwk_tpm_door.increment(tpm, &nv, &door_owner));
    assert_true(hwk_tpm_door.read(tpm, &nv, two));
    one[7]++;
    assert_memory_equal(one, two, 8);
    const struct hwk_nv again = door_nv(COUNTER, COUNTER_IS, 8, NULL);
    door_refused(hwk_tpm_door.define(tpm, &again, TPM2_RH_OWNER), HWK_R_EXISTS,
                 "NV_DefineSpace");
    door_refused(hwk_tpm_door.write(tpm, &nv, &door_owner, two, 8), HWK_R_TPM,
                 "NV_Write");
    door_remove(COUNTER);
    door_refused(hwk_tpm_door.read(tpm, &nv, two), HWK_R_NOT_FOUND, "NV_Read");
    door_refused(hwk_tpm_door.increment(tpm, &nv, &door_owner), HWK_R_NOT_FOUND,
                 "NV_Increment");
    policy_clean();
}

/* the Name is what the other side of the house computes */
static void names(void **state)
{
    (void)state;
    uint8_t value[8];
    need_tpm();
    struct hwk_nv nv = door_counter(value), other = nv;
    memset(other.name, 0, sizeof(other.name));
    idvi_nv_name(&other);
    assert_int_equal(nv.name_n, other.name_n);
    assert_memory_equal(nv.name, other.name, nv.name_n);
    door_remove(COUNTER);
    policy_clean();
}

/* --- a life: defined, written by its policy, locked, fused --- */

static struct hwk_nv life_define(const struct hwk_nv *counter,
                                 const uint8_t value[static 8],
                                 uint8_t legs[2][32])
{
    uint8_t policy[32] = {0};
    memset(legs, 0, 64);
    idvi_policy_nv(legs[0], counter->name, idv_bytes(value, 8), 0, IDVI_EO_EQ);
    memset(legs[1], 0x5a, 32);
    idvi_policy_or(policy, (const uint8_t(*)[32])legs, 2);
    return door_define(door_nv(ANCHOR, ANCHOR_IS, ANCHOR_SIZE, policy));
}

static void life(void **state)
{
    (void)state;
    uint8_t value[8], legs[2][32], back[ANCHOR_SIZE];
    need_tpm();
    struct hwk_nv counter = door_counter(value);
    struct hwk_nv nv = life_define(&counter, value, legs);
    const struct hwk_policy_step steps[] = {
        {.code = TPM2_CC_PolicyNV,
         .handle = COUNTER,
         .operand = door_view(value)},
        {.code = TPM2_CC_PolicyOR,
         .branches = {door_view(legs[0]), door_view(legs[1])},
         .branches_n = 2}};
    const struct hwk_nv_by by = door_by(steps);
    door_refused(hwk_tpm_door.read(tpm, &nv, back), HWK_R_NOT_FOUND,
                 "never written");
    door_refused(hwk_tpm_door.write(tpm, &nv, &door_owner, record, 112),
                 HWK_R_TPM, "NV_Write");
    door_refused(hwk_tpm_door.write(tpm, &nv, &door_itself, record, 112),
                 HWK_R_TPM, "NV_Write");
    door_refused(hwk_tpm_door.write(tpm, &nv, &by, record, 111), HWK_R_TPM,
                 "NV_Write");
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_door.write(tpm, &nv, &by, record, 112));
    /* two steps and the write; the session, started or started over */
    assert_int_equal(tpm_commands() - before, 3 + 1);
    nv = door_look(ANCHOR);
    assert_true(hwk_tpm_door.read(tpm, &nv, back));
    assert_memory_equal(back, record, 112);
    assert_true(hwk_tpm_door.lock(tpm, &nv, &by));
    nv = door_look(ANCHOR);
    assert_int_equal(nv.attributes,
                     ANCHOR_IS | IDVI_NV_WRITTEN | IDVI_NV_WRITELOCKED);
    door_refused(hwk_tpm_door.write(tpm, &nv, &by, record, 112), HWK_R_TPM,
                 "NV_Write");
    assert_true(hwk_tpm_door.increment(tpm, &counter, &door_owner));
    door_refused(hwk_tpm_door.write(tpm, &nv, &by, record, 112), HWK_R_POLICY,
                 "it holds");
    assert_true(hwk_tpm_door.read(tpm, &nv, back));
    assert_memory_equal(back, record, 112);
    door_remove(ANCHOR);
    door_remove(COUNTER);
    policy_clean();
}

/* --- what it costs to look at both --- */

static void read_both(unsigned expected)
{
    uint8_t back[ANCHOR_SIZE];
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_door.enter(tpm));
    struct hwk_nv anchor = door_look(ANCHOR), counter = door_look(COUNTER);
    assert_true(hwk_tpm_door.read(tpm, &anchor, back));
    assert_memory_equal(back, record, 112);
    assert_true(hwk_tpm_door.read(tpm, &counter, back));
    hwk_tpm_door.leave(tpm);
    assert_int_equal(tpm_commands() - before, expected);
}

static void costs(void **state)
{
    (void)state;
    uint8_t value[8];
    need_tpm();
    door_counter(value);
    struct hwk_nv nv = door_define(
        door_nv(ANCHOR, ANCHOR_IS | IDVI_NV_OWNERWRITE, ANCHOR_SIZE, NULL));
    assert_true(hwk_tpm_door.write(tpm, &nv, &door_owner, record, 112));
    /* a program that has just begun: the salt key, the session, and its end */
    hwk_tpm_free(tpm);
    assert_non_null(tpm = hwk_tpm_new(&tpm_cfg));
    read_both(4 + 2 + START);
    read_both(4 + 2 * START);
    door_remove(ANCHOR);
    door_remove(COUNTER);
    policy_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters),
        cmocka_unit_test(names),
        cmocka_unit_test(life),
        cmocka_unit_test(costs),
    };
    for (size_t i = 0; i < sizeof(record); i++)
        record[i] = (uint8_t)(i ^ 0xa5);
    return cmocka_run_group_tests(tests, policy_setup, tpm_teardown);
}
