/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody between device.h's NV calls and the TPM, who alters what is asked,
 * written and answered, or puts something of his own there. */
#include "config.h"

#include <tss2/tss2_mu.h>

#include "bus_use.h"
#include "provider/device/tpm2_nvpublic.h"
#include "tpm_door.h"

static uint8_t record[ANCHOR_SIZE];
static struct hwk_nv anchor, counter, policied;
static uint8_t value[8];
#define POLICIED 0x01800A05

/* anchor: written by the owner; policied: by its policy, while counter is value
 */
static int setup(void **arg)
{
    uint8_t policy[32] = {0};
    if (policy_setup(arg))
        return -1;
    if (!tpm)
        return 0;
    counter = door_counter(value);
    anchor = door_define(
        door_nv(ANCHOR, ANCHOR_IS | IDVI_NV_OWNERWRITE, ANCHOR_SIZE, NULL));
    assert_true(
        hwk_tpm_door.write(tpm, &anchor, &door_owner, record, ANCHOR_SIZE));
    anchor = door_look(ANCHOR);
    idvi_policy_nv(policy, counter.name, idv_bytes(value, 8), 0, IDVI_EO_EQ);
    policied = door_define(door_nv(POLICIED, ANCHOR_IS, ANCHOR_SIZE, policy));
    return 0;
}

/* --- a program that works through the bus --- */

static void end(struct program *p)
{
    stop(p);
    policy_clean();
}

/* what a program does at its start; seen is what it takes for the truth */
static int look_and(struct program *p,
                    int (*read)(void *state, const struct hwk_nv *nv,
                                uint8_t *out),
                    uint8_t seen[static ANCHOR_SIZE])
{
    struct hwk_nv nv;
    int ok = hwk_tpm_door.enter(p->tpm);
    ok = ok && hwk_tpm_door.look(p->tpm, ANCHOR, &nv) &&
         nv.size == ANCHOR_SIZE && read(p->tpm, &nv, seen);
    hwk_tpm_door.leave(p->tpm);
    return ok;
}

static int look_and_read(struct program *p, uint8_t seen[static ANCHOR_SIZE])
{
    return look_and(p, hwk_tpm_door.read, seen);
}

static int look_and_read_last(struct program *p,
                              uint8_t seen[static ANCHOR_SIZE])
{
    return look_and(p, hwk_tpm_door.read_last, seen);
}

static const struct hwk_policy_step steps[] = {
    {.code = TPM2_CC_PolicyNV, .handle = COUNTER, .operand = {value, 8}}};

static int write_policied(struct program *p, uint8_t data[static ANCHOR_SIZE])
{
    const struct hwk_nv_by by = door_by(steps);
    return hwk_tpm_door.write(p->tpm, &policied, &by, data, ANCHOR_SIZE);
}

typedef int use_fn(struct program *p, uint8_t data[static ANCHOR_SIZE]);

/* each byte of a message: what comes of it is the truth, or a failure. Those of
 * an answer that are none of the TPM's are named so. */
static void alter_each(struct program *p, use_fn *use, TPM2_CC code,
                       bool answer, size_t from)
{
    struct bus_talk *talk = p->bus.talk;
    uint8_t data[ANCHOR_SIZE];
    talk->code = code;
    talk->answer = answer;
    talk->flip = 0;
    anew(p);
    memcpy(data, record, sizeof(data));
    assert_true(use(p, data));
    size_t n = talk->last;
    assert_true(n > from);
    for (size_t at = from; at < n; at += at < 40 ? 1 : 5) {
        talk->at = at;
        talk->flip = (uint8_t)(1u << at % 8);
        talk->struck = 0;
        anew(p);
        memcpy(data, record, sizeof(data));
        int ok = use(p, data);
        assert_true(talk->struck > 0);
        if (ok ||
            (answer && ERR_GET_REASON(ERR_peek_last_error()) != HWK_R_BUS))
            fail_msg("%x, byte %zu of %zu by 0x%02x: %s (%s)", code, at, n,
                     talk->flip, ok ? "accepted" : "not named",
                     ERR_reason_error_string(ERR_peek_last_error()));
    }
    talk->flip = 0;
    anew(p);
    memset(data, 0, sizeof(data));
    assert_true(look_and_read(p, data));
    assert_memory_equal(data, record, ANCHOR_SIZE);
}

#define HEADER 10

static void altering_reads(void **state)
{
    struct program p;
    (void)state;
    need_tpm();
    begin(&p, bus_alter_byte);
    alter_each(&p, look_and_read, TPM2_CC_NV_Read, true, HEADER);
    alter_each(&p, look_and_read, TPM2_CC_NV_Read, false, HEADER);
    alter_each(&p, look_and_read_last, TPM2_CC_NV_Read, true, HEADER);
    alter_each(&p, look_and_read_last, TPM2_CC_NV_Read, false, HEADER);
    end(&p);
}

/* --- a public area of his own, with the Name that belongs to it --- */

static void forge_public(struct bus_talk *talk, const struct hwk_nv *nv)
{
    uint8_t *p = talk->instead;
    TPM2B_NV_PUBLIC pub;
    TPM2B_NAME name;
    size_t n = HEADER, size = 2;
    assert_true(hwk_tpm_nv_to(nv, &pub));
    assert_true(hwk_tpm_nv_name(&pub.nvPublic, &name));
    memcpy(p, (uint8_t[HEADER]){0x80, 0x01}, HEADER);
    assert_int_equal(
        Tss2_MU_TPM2B_NV_PUBLIC_Marshal(&pub, p, BUS_MESSAGE_MAX, &n), 0);
    assert_int_equal(Tss2_MU_TPM2B_NAME_Marshal(&name, p, BUS_MESSAGE_MAX, &n),
                     0);
    assert_int_equal(
        Tss2_MU_UINT32_Marshal((UINT32)n, p, BUS_MESSAGE_MAX, &size), 0);
    talk->instead_n = n;
    talk->code = TPM2_CC_NV_ReadPublic;
    talk->handle = ANCHOR;
}

static void forging_public_areas(void **state)
{
    struct program p;
    uint8_t seen[ANCHOR_SIZE];
    (void)state;
    need_tpm();
    begin(&p, bus_replace);
    struct hwk_nv forged = anchor;
    forged.attributes |= IDVI_NV_WRITELOCKED; /* as if it were sealed */
    forge_public(p.bus.talk, &forged);
    door_refused(look_and_read(&p, seen), HWK_R_BUS, "altered on its way");
    assert_true(p.bus.talk->struck > 0);
    forged = anchor;
    forged.policy_n = 32; /* as if a policy guarded it */
    forge_public(p.bus.talk, &forged);
    door_refused(look_and_read(&p, seen), HWK_R_BUS, "altered on its way");
    forged.index = COUNTER; /* another one, and its own Name */
    forge_public(p.bus.talk, &forged);
    door_refused(look_and_read(&p, seen), HWK_R_BUS, "altered on its way");
    /* one whose Name is not its own */
    forged = anchor;
    forge_public(p.bus.talk, &forged);
    p.bus.talk->instead[p.bus.talk->instead_n - 1] ^= 1;
    door_refused(look_and_read(&p, seen), HWK_R_BUS, "altered on its way");
    p.bus.talk->code = 0;
    assert_true(look_and_read(&p, seen));
    assert_memory_equal(seen, record, ANCHOR_SIZE);
    end(&p);
}

/* --- "it is done", says he, and has kept it to himself --- */

static void pretending(void **state)
{
    struct program p;
    uint8_t data[ANCHOR_SIZE], out[ANCHOR_SIZE];
    (void)state;
    need_tpm();
    begin(&p, bus_pretend);
    p.bus.talk->code = TPM2_CC_NV_Write;
    p.bus.talk->handle = POLICIED; /* who authorises comes first */
    memcpy(data, record, sizeof(data));
    assert_false(write_policied(&p, data));
    assert_true(p.bus.talk->struck > 0);
    assert_int_equal(tpm_reason(), HWK_R_BUS);
    const struct hwk_nv_by by = door_by(steps);
    p.bus.talk->code = TPM2_CC_NV_WriteLock;
    p.bus.talk->struck = 0;
    assert_false(hwk_tpm_door.lock(p.tpm, &policied, &by));
    assert_true(p.bus.talk->struck > 0);
    assert_int_equal(tpm_reason(), HWK_R_BUS);
    p.bus.talk->code = TPM2_CC_NV_Increment;
    p.bus.talk->handle = TPM2_RH_OWNER;
    p.bus.talk->struck = 0;
    assert_true(hwk_tpm_door.enter(p.tpm));
    assert_true(hwk_tpm_door.read(p.tpm, &anchor, out));
    /* in the session that is there he cannot */
    int ok = hwk_tpm_door.increment(p.tpm, &counter, &door_owner);
    hwk_tpm_door.leave(p.tpm);
    assert_false(ok);
    assert_true(p.bus.talk->struck > 0);
    assert_int_equal(tpm_reason(), HWK_R_BUS);
    end(&p);
}

/* what a policy lets be written is not altered, and nobody reads it */
static void altering_writes(void **state)
{
    struct program p;
    (void)state;
    need_tpm();
    counter = door_look(COUNTER);
    assert_true(hwk_tpm_door.read(tpm, &counter, value));
    door_remove(POLICIED);
    uint8_t policy[32] = {0};
    idvi_policy_nv(policy, counter.name, idv_bytes(value, 8), 0, IDVI_EO_EQ);
    struct hwk_nv nv = door_nv(POLICIED, ANCHOR_IS, ANCHOR_SIZE, policy);
    policied = door_define(nv);
    begin(&p, bus_alter_byte);
    uint8_t data[ANCHOR_SIZE];
    memcpy(data, record, sizeof(data));
    assert_true(write_policied(&p, data));
    assert_false(bus_heard(&p.bus, record, ANCHOR_SIZE));
    policied = door_look(POLICIED); /* its Name has changed */
    alter_each(&p, write_policied, TPM2_CC_NV_Write, false, HEADER);
    alter_each(&p, write_policied, TPM2_CC_NV_Write, true, HEADER);
    end(&p);
}

/* --- an attestation of yesterday --- */

#define SIGNER 0x81020420

/* the first answer is given again and again */
static void replay(struct bus_talk *talk, bool answer, uint32_t code,
                   uint8_t *p, size_t *n)
{
    if (!answer || code != TPM2_CC_NV_Certify)
        return;
    if (talk->instead_n > 0) {
        memcpy(p, talk->instead, *n = talk->instead_n);
        talk->struck++;
        return;
    }
    memcpy(talk->instead, p, *n);
    talk->instead_n = *n;
}

static int certify(struct program *p, const struct hwk_nv *nv, uint8_t nonce)
{
    struct hwk_attested out;
    struct hwk_uri uri;
    const uint8_t fresh[32] = {nonce};
    assert_true(hwk_uri_parse("tpm2:handle=0x81020420", &uri));
    const struct hwk_pin_ask ask = {.cfg = &p->cfg, .uri = &uri};
    int ok = hwk_tpm_door.certify(p->tpm, &uri, &ask, nv,
                                  (struct hwk_view){fresh, 32}, &out);
    hwk_uri_clear(&uri);
    return ok;
}

static void replaying_attestations(void **state)
{
    struct program p;
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    (void)state;
    need_tpm();
    spec.tpm.restricted = true;
    struct hwk_tpm_key *key = tpm_make(SIGNER, &spec, NULL);
    assert_non_null(key);
    hwk_tpm_key_free(tpm, key);
    begin(&p, replay);
    policied = door_look(POLICIED); /* as long as the anchor */
    assert_true(certify(&p, &anchor, 1));
    assert_true(certify(&p, &anchor, 1));
    assert_int_equal(p.bus.talk->struck, 1);
    door_refused(certify(&p, &anchor, 2), HWK_R_BUS, "another nonce");
    door_refused(certify(&p, &policied, 1), HWK_R_BUS, "another index");
    assert_int_equal(p.bus.talk->struck, 3);
    p.bus.talk->instead[20] ^= 1; /* the magic number */
    assert_false(certify(&p, &anchor, 1));
    assert_int_equal(tpm_reason(), HWK_R_BUS);
    assert_true(hwk_tpm_erase(tpm, SIGNER));
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(altering_reads),
        cmocka_unit_test(forging_public_areas),
        cmocka_unit_test(pretending),
        cmocka_unit_test(altering_writes),
        cmocka_unit_test(replaying_attestations),
    };
    for (size_t i = 0; i < sizeof(record); i++)
        record[i] = (uint8_t)(i ^ 0x3c);
    return cmocka_run_group_tests(tests, setup, tpm_teardown);
}
