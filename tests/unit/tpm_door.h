/* SPDX-License-Identifier: Apache-2.0 */
/* NV indices of a software TPM through device.h's calls, and the policies they
 * have, computed without a TPM. */
#ifndef TESTS_UNIT_TPM_DOOR_H
#define TESTS_UNIT_TPM_DOOR_H

#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_door.h"
#include "tpm_policy.h"
#include "tpm/nvpolicy.h"

#define ANCHOR RECORD
#define COUNTER_IS                                                             \
    (IDVI_NV_COUNTER | IDVI_NV_OWNERWRITE | IDVI_NV_OWNERREAD |                \
     IDVI_NV_AUTHREAD | IDVI_NV_NO_DA)
#define ANCHOR_IS                                                              \
    (IDVI_NV_POLICYWRITE | IDVI_NV_AUTHREAD | IDVI_NV_OWNERREAD |              \
     IDVI_NV_WRITEDEFINE | IDVI_NV_WRITEALL | IDVI_NV_NO_DA)
#define ANCHOR_SIZE 112

static const struct hwk_nv_by door_owner = {.handle = TPM2_RH_OWNER};
static const struct hwk_nv_by door_platform = {.handle = TPM2_RH_PLATFORM};
static const struct hwk_nv_by door_itself = {.handle = 0};

#define door_by(list)                                                          \
    ((struct hwk_nv_by){.steps = (list), .n = sizeof(list) / sizeof(*(list))})
#define door_view(array) ((struct hwk_view){(array), sizeof(array)})

static inline struct hwk_nv door_nv(uint32_t index, uint32_t attributes,
                                    uint16_t size, const uint8_t *policy)
{
    struct hwk_nv nv = {.index = index,
                        .attributes = attributes,
                        .name_alg = TPM2_ALG_SHA256,
                        .size = size,
                        .policy_n = policy ? 32 : 0};
    if (policy)
        memcpy(nv.policy, policy, 32);
    return nv;
}

static inline struct hwk_nv door_look(uint32_t index)
{
    struct hwk_nv nv;
    assert_true(hwk_tpm_door.look(tpm, index, &nv));
    return nv;
}

/* defined by the owner or, where its attributes say so, the platform */
static inline struct hwk_nv door_define(struct hwk_nv nv)
{
    assert_true(hwk_tpm_door.define(tpm, &nv,
                                    nv.attributes & IDVI_NV_PLATFORMCREATE
                                        ? TPM2_RH_PLATFORM
                                        : TPM2_RH_OWNER));
    return door_look(nv.index);
}

static inline void door_remove(uint32_t index)
{
    struct hwk_nv nv = door_look(index);
    assert_true(hwk_tpm_door.undefine(
        tpm, &nv,
        nv.attributes & IDVI_NV_PLATFORMCREATE ? &door_platform : &door_owner));
}

/* refused, with that reason and that in the text */
static inline void door_refused_(int ok, int reason, const char *says,
                                 const char *file, int line)
{
    const char *data = "";
    int flags;
    ERR_peek_last_error_data(&data, &flags);
    if (ok || ERR_GET_REASON(ERR_peek_last_error()) != reason ||
        !strstr(data, says)) {
        print_error("%s:%d: %d, reason %d not %d, '%s' not '%s'\n", file, line,
                    ok, ERR_GET_REASON(ERR_peek_last_error()), reason, data,
                    says);
        fail();
    }
    ERR_clear_error();
}
#define door_refused(call, reason, says)                                       \
    door_refused_((call), (reason), (says), __FILE__, __LINE__)

/* a counter with its first value; *value is that */
static inline struct hwk_nv door_counter(uint8_t value[static 8])
{
    struct hwk_nv nv = door_define(door_nv(COUNTER, COUNTER_IS, 8, NULL));
    assert_true(hwk_tpm_door.increment(tpm, &nv, &door_owner));
    nv = door_look(COUNTER);
    assert_true(nv.attributes & IDVI_NV_WRITTEN);
    assert_true(hwk_tpm_door.read(tpm, &nv, value));
    return nv;
}

#endif
