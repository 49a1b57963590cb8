/* SPDX-License-Identifier: Apache-2.0 */
/* device.h's NV indices on a software TPM, by itself and behind tpm2-abrmd:
 * every call, what it costs, and what refuses it. */
#include "config.h"

#include "provider/device/tpm2_nvpublic.h"
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

typedef int read_fn(void *state, const struct hwk_nv *nv, uint8_t *out);

static void read_both(read_fn *second, unsigned expected)
{
    uint8_t back[ANCHOR_SIZE];
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_door.enter(tpm));
    struct hwk_nv anchor = door_look(ANCHOR), counter = door_look(COUNTER);
    assert_true(hwk_tpm_door.read(tpm, &anchor, back));
    assert_memory_equal(back, record, 112);
    assert_true(second(tpm, &counter, back));
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
    read_both(hwk_tpm_door.read, 4 + 2 + START);
    read_both(hwk_tpm_door.read, 4 + 2 * START);
    read_both(hwk_tpm_door.read_last, 4 + START); /* ended by the TPM itself */
    assert_int_equal(tpm_left_behind(), 0);
    door_remove(ANCHOR);
    door_remove(COUNTER);
    policy_clean();
}

/* what proves itself takes no session, whatever else the turn has; never where
 * the configuration wants one for all */
static void peeks(void **state)
{
    (void)state;
    uint8_t value[8], back[ANCHOR_SIZE];
    need_tpm();
    const struct hwk_nv counter = door_counter(value);
    struct hwk_nv nv = door_define(
        door_nv(ANCHOR, ANCHOR_IS | IDVI_NV_OWNERWRITE, ANCHOR_SIZE, NULL));
    door_refused(hwk_tpm_door.peek(tpm, &nv, back), HWK_R_NOT_FOUND, "never");
    assert_true(hwk_tpm_door.write(tpm, &nv, &door_owner, record, 112));
    nv = door_look(ANCHOR);
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_door.peek(tpm, &nv, back));
    assert_memory_equal(back, record, ANCHOR_SIZE);
    assert_int_equal(tpm_commands() - before, 1);
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(hwk_tpm_door.read(tpm, &counter, back));
    before = tpm_commands();
    assert_true(hwk_tpm_door.peek(tpm, &counter, back));
    assert_memory_equal(back, value, 8);
    assert_int_equal(tpm_commands() - before, 1);
    assert_true(hwk_tpm_door.read(tpm, &counter, back));
    hwk_tpm_door.leave(tpm);
    tpm_cfg.tpm_sessions = HWK_PROTECT_ALWAYS;
    before = tpm_commands();
    assert_true(hwk_tpm_door.peek(tpm, &nv, back));
    assert_int_equal(tpm_commands() - before, 1 + START);
    tpm_cfg.tpm_sessions = HWK_PROTECT_NEVER;
    assert_true(hwk_tpm_door.peek(tpm, &nv, back));
    tpm_cfg.tpm_sessions = HWK_PROTECT_AUTO;
    assert_int_equal(tpm_left_behind(), 0);
    door_remove(ANCHOR);
    door_remove(COUNTER);
    policy_clean();
}

/* --- values of hierarchies and of indices --- */

static void hierarchy_auth(ESYS_TR hierarchy, const char *from, const char *to)
{
    TPM2B_AUTH old = {.size = (UINT16)strlen(from)};
    TPM2B_AUTH new = {.size = (UINT16)strlen(to)};
    memcpy(old.buffer, from, old.size);
    memcpy(new.buffer, to, new.size);
    assert_non_null(hwk_tpm_begin(tpm));
    assert_int_equal(Esys_TR_SetAuth(tpm->esys, hierarchy, &old), 0);
    assert_int_equal(Esys_HierarchyChangeAuth(tpm->esys, hierarchy,
                                              ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &new),
                     0);
    assert_int_equal(
        Esys_TR_SetAuth(tpm->esys, hierarchy, &(TPM2B_AUTH){.size = 0}), 0);
    hwk_tpm_end(tpm);
}

static int owner_makes(const struct hwk_nv *nv)
{
    return hwk_tpm_door.define(tpm, nv, TPM2_RH_OWNER);
}

/* one that refuses, and no second try */
static void refused_once(const struct hwk_nv *nv)
{
    door_refused(owner_makes(nv), HWK_R_AUTH,
                 "value of the hierarchy owner was refused; pin-source.owner");
    unsigned long long before = tpm_commands();
    door_refused(owner_makes(nv), HWK_R_AUTH, "owner was refused before");
    assert_int_equal(tpm_commands(), before);
}

static void owner_value(void **state)
{
    (void)state;
    struct hwk_tpm_facts facts;
    uint8_t value[8];
    char path[160];
    need_tpm();
    const struct hwk_nv nv = door_nv(
        COUNTER, COUNTER_IS & ~(IDVI_NV_AUTHREAD | IDVI_NV_NO_DA), 8, NULL);
    snprintf(path, sizeof(path), "%s/owner", tpm_process.dir);
    assert_true(
        hwk_tpm_door.facts(tpm, HWK_FACTS_STATE | HWK_FACTS_CLOCK, &facts));
    assert_false(facts.owner_auth_set);
    hierarchy_auth(ESYS_TR_RH_OWNER, "", "boss");
    assert_true(
        hwk_tpm_door.facts(tpm, HWK_FACTS_STATE | HWK_FACTS_CLOCK, &facts));
    assert_true(facts.owner_auth_set);
    refused_once(&nv);
    policy_write(path, "clerk\n", 6);
    policy_set("pin-source.owner", path);
    refused_once(&nv);
    policy_write(path, "boss\n", 5);
    assert_true(owner_makes(&nv));
    struct hwk_nv now = door_look(COUNTER);
    assert_true(hwk_tpm_door.increment(tpm, &now, &door_owner));
    now = door_look(COUNTER);
    assert_true(hwk_tpm_door.read(tpm, &now, value)); /* the owner reads it */
    policy_set("pin-source.owner", NULL);
    door_refused(hwk_tpm_door.read(tpm, &now, value), HWK_R_AUTH, "owner");
    /* who has the value wrong is not told that somebody lies, and the other
     * way round */
    policy_set("pin-source.owner", path);
    now.attributes ^= IDVI_NV_OWNERREAD;
    door_refused(hwk_tpm_door.increment(tpm, &now, &door_owner), HWK_R_BUS,
                 "said to be");
    door_remove(COUNTER);
    /* what write of device.h keeps there is the owner's, too */
    assert_true(hwk_tpm_nv_write(tpm, ANCHOR, record, 8, HWK_WRITE_LOCK));
    assert_true(hwk_tpm_erase(tpm, ANCHOR));
    hierarchy_auth(ESYS_TR_RH_OWNER, "boss", "");
    policy_set("pin-source.owner", NULL);
    /* the empty one was refused before: that is remembered by a process */
    hwk_tpm_free(tpm);
    assert_non_null(tpm = hwk_tpm_new(&tpm_cfg));
    policy_clean();
}

static void index_value(void **state)
{
    (void)state;
    const TPM2B_AUTH auth = {.size = 3, .buffer = "its"};
    TPM2B_NV_PUBLIC pub;
    ESYS_TR tr;
    uint8_t back[8];
    need_tpm();
    const struct hwk_nv nv = door_nv(ANCHOR,
                                     IDVI_NV_AUTHREAD | IDVI_NV_AUTHWRITE |
                                         IDVI_NV_OWNERWRITE | IDVI_NV_NO_DA,
                                     8, NULL);
    assert_true(hwk_tpm_nv_to(&nv, &pub));
    assert_non_null(hwk_tpm_begin(tpm));
    TSS2_RC rc =
        Esys_NV_DefineSpace(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                            ESYS_TR_NONE, ESYS_TR_NONE, &auth, &pub, &tr);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_Close(tpm->esys, &tr);
    hwk_tpm_end(
        tpm); /* a test that fails here must not keep the next waiting */
    assert_int_equal(rc, TSS2_RC_SUCCESS);
    struct hwk_nv now = door_look(ANCHOR);
    door_refused(hwk_tpm_door.write(tpm, &now, &door_itself, record, 8),
                 HWK_R_AUTH, "has an authorization value");
    assert_true(hwk_tpm_door.write(tpm, &now, &door_owner, record, 8));
    now = door_look(ANCHOR);
    door_refused(hwk_tpm_door.read(tpm, &now, back), HWK_R_AUTH,
                 "has an authorization value");
    unsigned long long before = tpm_commands();
    door_refused(hwk_tpm_door.read(tpm, &now, back), HWK_R_AUTH, "has an");
    door_refused(hwk_tpm_door.peek(tpm, &now, back), HWK_R_AUTH, "has an");
    assert_int_equal(tpm_commands(), before);
    door_remove(ANCHOR);
    policy_clean();
}

/* whoever goes on after a last read, or was refused it, leaves nothing behind
 */
static void last_and_yet_not(void **state)
{
    (void)state;
    uint8_t value[8];
    need_tpm();
    struct hwk_nv nv = door_counter(value), old = nv;
    old.attributes ^= IDVI_NV_OWNERWRITE;
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(hwk_tpm_door.read_last(tpm, &nv, value));
    assert_true(hwk_tpm_door.read(tpm, &nv, value));
    assert_true(hwk_tpm_door.read(tpm, &nv, value));
    hwk_tpm_door.leave(tpm);
    assert_int_equal(tpm_commands() - before, 3 + 3 * START);
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(hwk_tpm_door.read(tpm, &nv, value));
    door_refused(hwk_tpm_door.read_last(tpm, &old, value), HWK_R_BUS,
                 "said to be");
    assert_true(hwk_tpm_door.increment(tpm, &nv, &door_owner));
    assert_true(hwk_tpm_door.read_last(tpm, &nv, value));
    hwk_tpm_door.leave(tpm);
    assert_int_equal(tpm_left_behind(), 0);
    /* by itself it is as any other */
    before = tpm_commands();
    assert_true(hwk_tpm_door.read_last(tpm, &nv, value));
    assert_int_equal(tpm_commands() - before, 1 + START);
    door_remove(COUNTER);
    policy_clean();
}

/* --- what is not as it was --- */

static void stale(void **state)
{
    (void)state;
    uint8_t value[8];
    need_tpm();
    struct hwk_nv nv = door_counter(value), old = nv;
    old.attributes ^= IDVI_NV_OWNERWRITE;
    door_refused(hwk_tpm_door.read(tpm, &old, value), HWK_R_BUS, "said to be");
    old = nv;
    old.policy_n = 32;
    door_refused(hwk_tpm_door.read(tpm, &old, value), HWK_R_BUS, "said to be");
    old.name_alg = TPM2_ALG_SM3_256;
    door_refused(hwk_tpm_door.read(tpm, &old, value), HWK_R_UNSUPPORTED,
                 "no Name");
    /* within a turn there is a session: also what it authorises is about nv */
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(hwk_tpm_door.read(tpm, &nv, value));
    old = nv;
    old.attributes ^= IDVI_NV_OWNERREAD;
    door_refused(hwk_tpm_door.increment(tpm, &old, &door_owner), HWK_R_BUS,
                 "said to be");
    assert_true(hwk_tpm_door.increment(tpm, &nv, &door_owner));
    hwk_tpm_door.leave(tpm);
    /* the index of yesterday, made anew by somebody else */
    door_remove(COUNTER);
    door_define(door_nv(COUNTER, COUNTER_IS | IDVI_NV_AUTHWRITE, 8, NULL));
    door_refused(hwk_tpm_door.read(tpm, &nv, value), HWK_R_BUS, "said to be");
    door_remove(COUNTER);
    policy_clean();
}

static void without_sessions(void **state)
{
    (void)state;
    uint8_t value[8];
    need_tpm();
    struct hwk_nv nv = door_counter(value);
    tpm_cfg.tpm_sessions = HWK_PROTECT_NEVER;
    unsigned long long before = tpm_commands();
    door_refused(hwk_tpm_door.read(tpm, &nv, value), HWK_R_UNSUPPORTED,
                 "tpm-sessions = never");
    assert_int_equal(tpm_commands(), before);
    assert_true(hwk_tpm_door.increment(tpm, &nv, &door_owner));
    tpm_cfg.tpm_sessions = HWK_PROTECT_AUTO;
    door_remove(COUNTER);
    policy_clean();
}

static void full(void **state)
{
    (void)state;
    uint32_t n = 0;
    int ok;
    need_tpm();
    do {
        const struct hwk_nv nv =
            door_nv(0x01800B00 + n, ANCHOR_IS | IDVI_NV_OWNERWRITE, 1000, NULL);
        ok = hwk_tpm_door.define(tpm, &nv, TPM2_RH_OWNER);
        n += ok != 0;
    } while (ok && n < 200);
    door_refused(ok, HWK_R_NV_FULL, "no room left");
    assert_true(n > 0);
    while (n > 0)
        door_remove(0x01800B00 + --n);
    policy_clean();
}

/* more than fits into one command or answer, in pieces */
static void large(void **state)
{
    (void)state;
    static uint8_t data[1500], back[1500];
    need_tpm();
    struct hwk_nv nv = door_define(
        door_nv(ANCHOR, IDVI_NV_OWNERWRITE | IDVI_NV_AUTHREAD | IDVI_NV_NO_DA,
                sizeof(data), NULL));
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    assert_true(hwk_tpm_door.write(tpm, &nv, &door_owner, data, 1500));
    nv = door_look(ANCHOR);
    assert_true(hwk_tpm_door.read(tpm, &nv, back));
    assert_memory_equal(back, data, sizeof(data));
    door_remove(ANCHOR);
    nv.attributes &= ~IDVI_NV_WRITTEN;
    nv = door_define(nv);
    assert_true(hwk_tpm_door.write(tpm, &nv, &door_owner, data, 600));
    memset(data + 600, 0xff, sizeof(data) - 600);
    nv = door_look(ANCHOR);
    assert_true(hwk_tpm_door.read(tpm, &nv, back));
    assert_memory_equal(back, data, sizeof(data));
    door_remove(ANCHOR);
    policy_clean();
}

/* --- within a turn --- */

static TSS2_RC cut(void *arg, bool sent, TPM2_CC command)
{
    unsigned *left = arg;
    if (sent || command != TPM2_CC_NV_Read || *left == 0)
        return 0;
    --*left;
    return TSS2_TCTI_RC_IO_ERROR;
}

static void turns(void **state)
{
    (void)state;
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    uint8_t value[8], sig[64];
    unsigned once = 1;
    need_tpm();
    struct hwk_nv nv = door_counter(value);
    struct hwk_tpm_key *key = tpm_make(0x81020410, &spec, "1234");
    assert_non_null(key);
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(hwk_tpm_door.read(tpm, &nv, value));
    size_t n = sizeof(sig);
    assert_true(hwk_tpm_sign(tpm, key, &mech, record, 32, sig, &n));
    hwk_tpm_door.leave(tpm);
    assert_true(hwk_tpm_door.read(tpm, &nv, value));
    /* the line breaks: the next call has another one */
    hwk_tpm_set_fault(cut, &once);
    door_refused(hwk_tpm_door.read(tpm, &nv, value), HWK_R_NO_DEVICE, "");
    assert_int_equal(once, 0);
    hwk_tpm_set_fault(NULL, NULL);
    assert_true(hwk_tpm_door.read(tpm, &nv, value));
    n = sizeof(sig);
    assert_true(hwk_tpm_sign(tpm, key, &mech, record, 32, sig, &n));
    hwk_tpm_door.leave(tpm);
    hwk_tpm_door.leave(tpm); /* nothing to leave */
    hwk_tpm_key_free(tpm, key);
    assert_true(hwk_tpm_erase(tpm, 0x81020410));
    door_remove(COUNTER);
    policy_clean();
}

static void facts_and_pcrs(void **state)
{
    (void)state;
    static const uint8_t event[32] = {3};
    struct hwk_tpm_facts f;
    uint8_t before[32], after[32];
    need_tpm();
    assert_true(hwk_tpm_door.facts(tpm, HWK_FACTS_STATE | HWK_FACTS_CLOCK, &f));
    assert_true(f.platform_enabled);
    assert_false(f.in_lockout);
    assert_int_equal(f.lockout_counter, 0);
    assert_true(f.max_tries > 0 && f.recovery_s > 0);
    /* each is a command, and sets nothing else */
    const struct hwk_tpm_facts all = f;
    unsigned long long before_it = tpm_commands();
    assert_true(hwk_tpm_door.facts(tpm, HWK_FACTS_STATE, &f));
    assert_int_equal(tpm_commands() - before_it, 1);
    assert_int_equal(f.max_tries, all.max_tries);
    assert_true(f.platform_enabled && f.reset_count == 0);
    before_it = tpm_commands();
    assert_true(hwk_tpm_door.facts(tpm, HWK_FACTS_CLOCK, &f));
    assert_int_equal(tpm_commands() - before_it, 1);
    assert_int_equal(f.reset_count, all.reset_count);
    assert_false(f.platform_enabled || f.max_tries != 0);
    assert_true(hwk_tpm_door.pcr_read(tpm, 1u << 23 | 1u, before));
    assert_true(hwk_tpm_door.pcr_extend(tpm, 23, event));
    assert_true(hwk_tpm_door.pcr_read(tpm, 1u << 23 | 1u, after));
    assert_memory_not_equal(before, after, 32);
    policy_clean();
}

/* --- through the table, as another library calls it --- */

static const enum hwk_scheme tokens[] = {HWK_SCHEME_SOFT, 0};

static int token_open(const struct hwk_config *cfg, void **state)
{
    (void)cfg;
    *state = NULL;
    return 1;
}

static void token_close(void *state, bool exiting)
{
    (void)state;
    (void)exiting;
}

static int token_dev(void *state, const struct hwk_uri *uri,
                     const struct hwk_pin_ask *pin, void **dev)
{
    (void)state;
    (void)uri;
    (void)pin;
    *dev = NULL;
    return 1;
}

static void token_left(void *state, void *dev)
{
    (void)state;
    (void)dev;
}

static const struct hwk_backend token = {.name = "token",
                                         .schemes = tokens,
                                         .open = token_open,
                                         .close = token_close,
                                         .dev_open = token_dev,
                                         .dev_close = token_left};

static void no_token(void **state)
{
    (void)state;
    const struct hwk_device_ops *ops = &hwk_device_ops_table;
    const struct hwk_config cfg = {.tcti = NULL};
    struct hwk_device *dev;
    struct hwk_nv nv = door_nv(COUNTER, COUNTER_IS, 8, NULL);
    struct hwk_tpm_facts facts;
    uint8_t out[32];
    hwk_backend_for_tests = &token;
    struct hwk_registry *reg = hwk_registry_new(&cfg);
    assert_non_null(reg);
    assert_true(ops->open(reg, "hwksoft:x", NULL, &dev));
    const char *says = "NV indices are a TPM's";
    door_refused(ops->nv->enter(dev), HWK_R_UNSUPPORTED, says);
    ops->nv->leave(dev);
    door_refused(ops->nv->look(dev, COUNTER, &nv), HWK_R_UNSUPPORTED, says);
    door_refused(ops->nv->read(dev, &nv, out), HWK_R_UNSUPPORTED, says);
    door_refused(ops->nv->facts(dev, HWK_FACTS_STATE | HWK_FACTS_CLOCK, &facts),
                 HWK_R_UNSUPPORTED, says);
    door_refused(ops->nv->pcr_read(dev, 1, out), HWK_R_UNSUPPORTED, says);
    ops->close(dev);
    hwk_registry_free(reg, false);
    hwk_backend_for_tests = NULL;
}

static void arguments(void **state)
{
    (void)state;
    const struct hwk_nv_ops *nv = hwk_device_ops_table.nv;
    struct hwk_device *dev;
    struct hwk_nv good =
                      door_nv(ANCHOR, ANCHOR_IS | IDVI_NV_OWNERWRITE, 8, NULL),
                  bad = good, seen;
    const struct hwk_policy_step step = {.code = TPM2_CC_PolicyCommandCode,
                                         .operand = {NULL, 1}};
    const struct hwk_nv_by steps = {.steps = &step, .n = 1},
                           many = {.steps = &step, .n = 17};
    uint8_t out[HWK_ATTEST_MAX];
    size_t a = 1, b = 1, c = 1;
    need_tpm();
    struct hwk_registry *reg = hwk_registry_new(&tpm_cfg);
    assert_non_null(reg);
    assert_true(hwk_device_ops_table.open(reg, "tpm2:", NULL, &dev));
    unsigned long long before = tpm_commands();
    bad.policy_n = 65;
    door_refused(nv->define(dev, &bad, TPM2_RH_OWNER), HWK_R_ARGUMENT, "");
    bad = good;
    bad.size = 0;
    door_refused(nv->read(dev, &bad, out), HWK_R_ARGUMENT, "");
    bad = good;
    bad.index = 0x81000001;
    door_refused(nv->lock(dev, &bad, &door_owner), HWK_R_ARGUMENT, "");
    door_refused(nv->look(dev, 0x81000001, &seen), HWK_R_ARGUMENT, "");
    door_refused(nv->write(dev, &good, &door_owner, out, 9), HWK_R_ARGUMENT,
                 "");
    door_refused(nv->write(dev, &good, &door_owner, out, 0), HWK_R_ARGUMENT,
                 "");
    door_refused(nv->write(dev, &good, &steps, out, 8), HWK_R_ARGUMENT,
                 "step 1");
    door_refused(nv->increment(dev, &good, &many), HWK_R_ARGUMENT, "16");
    door_refused(nv->undefine(dev, &good, &door_itself), HWK_R_ARGUMENT,
                 "hierarchy");
    door_refused(nv->define(dev, &good, TPM2_RH_ENDORSEMENT), HWK_R_ARGUMENT,
                 "not 0x4000000b");
    door_refused(nv->pcr_read(dev, 0, out), HWK_R_ARGUMENT, "");
    door_refused(nv->pcr_read(dev, 1u << 24, out), HWK_R_ARGUMENT, "");
    door_refused(nv->pcr_extend(dev, 24, out), HWK_R_ARGUMENT, "");
    door_refused(
        nv->certify(dev, "tpm2:iak", &good, out, 65, out, &a, out, &b, out, &c),
        HWK_R_ARGUMENT, "nonce");
    door_refused(
        nv->certify(dev, "pkcs11:x", &good, out, 8, out, &a, out, &b, out, &c),
        HWK_R_BAD_URI, "");
    assert_int_equal(tpm_commands(), before);
    assert_true(nv->define(dev, &good, TPM2_RH_OWNER));
    assert_true(nv->look(dev, ANCHOR, &seen));
    assert_true(nv->undefine(dev, &seen, &door_owner));
    hwk_device_ops_table.close(dev);
    hwk_registry_free(reg, false);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters),    cmocka_unit_test(names),
        cmocka_unit_test(life),        cmocka_unit_test(costs),
        cmocka_unit_test(peeks),       cmocka_unit_test(last_and_yet_not),
        cmocka_unit_test(owner_value), cmocka_unit_test(index_value),
        cmocka_unit_test(stale),       cmocka_unit_test(without_sessions),
        cmocka_unit_test(full),        cmocka_unit_test(large),
        cmocka_unit_test(turns),       cmocka_unit_test(facts_and_pcrs),
        cmocka_unit_test(no_token),    cmocka_unit_test(arguments),
    };
    for (size_t i = 0; i < sizeof(record); i++)
        record[i] = (uint8_t)(i ^ 0xa5);
    return cmocka_run_group_tests(tests, policy_setup, tpm_teardown);
}
