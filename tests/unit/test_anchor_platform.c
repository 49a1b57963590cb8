/* SPDX-License-Identifier: Apache-2.0 */
/* Profile platform on a software TPM: made as a factory does, imprinted, reset
 * and sold, each imprint and reset cut at every command. */
#include "tests/unit/platform_acts.h"

/* --- what the factory makes ----------------------------------------------- */

static void factory_makes_both(void **state)
{
    struct idv_anchor_conf odd;
    need_tpm();
    made(maker_key);
    assert_int_equal(look(ANCHOR).attributes, IDV_PLATFORM_ANCHOR_ATTRIBUTES);
    assert_int_equal(look(COUNTER).attributes, IDV_PLATFORM_COUNTER_ATTRIBUTES);
    const struct hwk_nv before = look(COUNTER);
    OK(idv_platform_create(device, &conf)); /* again: nothing to do */
    assert_memory_equal(look(COUNTER).name, before.name, 34);
    odd = conf;
    odd.serial = "another";
    FAILS(IDV_E_REJECT, "another approval key or another serial",
          idv_platform_create(device, &odd));
    FAILS(IDV_E_REJECT, "another approval key or another serial",
          idv_platform_delete(device, &odd));
    odd = conf;
    odd.serial = NULL;
    FAILS(IDV_E_ARG, "serial number", idv_platform_create(device, &odd));
    odd = conf;
    odd.approval_key = NULL;
    FAILS(IDV_E_ARG, "approval key", idv_platform_create(device, &odd));
}

static void strength_is_told(void **state)
{
    struct idv_anchor a;
    need_tpm();
    made(maker_key);
    OK(idv_anchor_open(device, &conf, &a));
    assert_string_equal(a.ops->profile, "platform");
    assert_string_equal(a.ops->assurance, "detect"); /* not yet handed over */
    idv_anchor_close(&a);
    disable_platform();
    OK(idv_anchor_open(device, &conf, &a));
    assert_string_equal(a.ops->assurance, "enforce");
    idv_anchor_close(&a);
    conf.profile = IDV_ANCHOR_AUTO; /* found by what the factory made */
    OK(idv_anchor_open(device, &conf, &a));
    assert_string_equal(a.ops->profile, "platform");
    idv_anchor_close(&a);
}

/* fails the nth command, before or after the TPM has done it */
struct cut {
    int at, n;
    bool after, happened;
};
static TSS2_RC cut(void *arg, bool sent, TPM2_CC command)
{
    struct cut *c = arg;
    (void)command;
    if (c->happened || (!sent && c->after) || (sent && !c->after))
        return c->happened ? TSS2_TCTI_RC_IO_ERROR : 0;
    if (++c->n != c->at)
        return 0;
    c->happened = true;
    return TSS2_TCTI_RC_IO_ERROR;
}

static void cut_factory_goes_on(void **state)
{
    need_tpm();
    made(maker_key);
    for (int after = 0; after < 2; after++) {
        bool whole = false;
        for (int at = 1; !whole; at++) {
            struct cut c = {.at = at, .after = after};
            OK(idv_platform_delete(device, &conf));
            hwk_tpm_set_fault(cut, &c);
            (void)!idv_platform_create(device, &conf);
            hwk_tpm_set_fault(NULL, NULL);
            idv_note_clear();
            OK(idv_platform_create(device, &conf));
            whole = !c.happened;
            assert_true(at < 100);
        }
    }
    is_state(IDV_TRUST_NONE);
}

static void without_a_factory(void **state)
{
    need_tpm();
    made(maker_key);
    OK(idv_platform_delete(device, &conf));
    OK(idv_platform_delete(device, &conf)); /* absence is not a failure */
    FAILS(IDV_E_REJECT, "the factory made none", start());
    /* one by the owner at that place is none either */
    struct hwk_nv nv = {.index = COUNTER,
                        .attributes = 0x02060012,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = 8};
    OK(idvi_nv_define(device, &nv, IDVI_RH_OWNER, NULL));
    FAILS(IDV_E_REJECT, "not at the factory", start());
    const struct hwk_nv_by owner = {.handle = IDVI_RH_OWNER};
    nv = look(COUNTER);
    OK(idvi_nv_undefine(device, &nv, &owner, NULL));
}

/* --- life ----------------------------------------------------------------- */

static void life(void **state)
{
    ANSWER(a);
    ANSWER(b);
    need_tpm();
    delivered(maker_key);
    is_state(IDV_TRUST_NONE);
    const uint64_t g = statement().generation;
    imprinted(&a, pki.domain_ca.cert);
    is_state(IDV_TRUST_IMPRINTED);
    assert_true(idv_trust_record(trust)->generation == g);
    assert_int_equal(idv_trust_record(trust)->flags, IDV_RECORD_CONTENT);
    assert_true(idv_trust_record(trust)->time == PKI_NOW);
    assert_int_equal(look(ANCHOR).attributes,
                     IDV_PLATFORM_ANCHOR_ATTRIBUTES | IDV_NV_WRITTEN);
    assert_true(idv_cert_eq(idv_trust_pin(trust), pki.domain_ca.cert));
    cycle();
    disable_platform();
    is_state(IDV_TRUST_IMPRINTED);
    OK(idv_trust_reset(trust)); /* by the approval that came with the voucher */
    is_state(IDV_TRUST_NONE);
    assert_true(statement().generation == g + 2);
    imprinted(&b, pki.rogue_ca.cert); /* sold: another domain, the same maker */
    is_state(IDV_TRUST_IMPRINTED);
    assert_true(idv_trust_record(trust)->generation == g + 2);
    assert_true(idv_cert_eq(idv_trust_pin(trust), pki.rogue_ca.cert));
    FAILS(IDV_E_STATE, "imprinted already", imprint(&a));
}

static void keys_of_all_kinds(void **state)
{
    need_tpm();
    EVP_PKEY *keys[] = {EVP_EC_gen("P-384"), EVP_RSA_gen(2048)};
    for (size_t i = 0; i < 2; i++) {
        ANSWER(a);
        delivered(keys[i]);
        OK(start());
        approve_this(&a, pki.domain_ca.cert, keys[i]);
        OK(imprint(&a));
        is_state(IDV_TRUST_IMPRINTED);
        OK(idv_trust_reset(trust));
        is_state(IDV_TRUST_NONE);
        idv_trust_close(idv_steal(&trust));
        cycle();
        OK(idv_platform_delete(device, &conf));
        EVP_PKEY_free(keys[i]);
    }
    conf.approval_key = maker_key;
}

static void survives_clear(void **state)
{
    ANSWER(a);
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    clear_tpm();
    is_state(IDV_TRUST_IMPRINTED);
    cycle();
    disable_platform();
    is_state(IDV_TRUST_IMPRINTED);
}

static void start_is_cheap(void **state)
{
    ANSWER(a);
    struct idv_device_stats before, after;
    struct idv_trust_conf tc = {.dir = state_dir, .env = &pki.env.env};
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    idv_trust_close(idv_steal(&trust));
    OK(idv_anchor_open(device, &conf, &tc.anchor));
    idv_device_stats(&before);
    OK(idv_trust_open(&tc, &trust));
    idv_device_stats(&after);
    /* two public areas and two reads; the salt key made and flushed, as no SRK
     * is kept at a handle here, and the session, which the last read ends */
    assert_int_equal(after.tpm_commands - before.tpm_commands, 4 + 3);
}

#define SALT 2 /* made and flushed, for each session */

/* read before (the Names are known) and after, and one session; a second time,
 * for the first there is nothing to read but a public area */
static void imprint_is_cheap(void **state)
{
    struct idv_device_stats before, after;
    need_tpm();
    delivered(maker_key);
    for (int i = 0; i < 2; i++) {
        ANSWER(a);
        OK(start());
        approve_this(&a, pki.domain_ca.cert, maker_key);
        idv_device_stats(&before);
        OK(imprint(&a));
        idv_device_stats(&after);
        /* PolicyNV, the step's own, LoadExternal, VerifySignature,
         * PolicyAuthorize, PolicyOR, in a session; the key flushed */
        assert_int_equal(after.tpm_commands - before.tpm_commands,
                         2 * (1 + 6 + 1) + 2 + (2 + 2 + 1) + 3 * SALT);
        OK(idv_trust_reset(trust));
    }
}

/* --- cut ------------------------------------------------------------------ */

/* between write and fuse, with the files and without */
static void cut_before_the_fuse(void **state)
{
    ANSWER(a);
    ANSWER(b);
    struct root x;
    need_tpm();
    delivered(maker_key);
    OK(start());
    approve_this(&a, pki.domain_ca.cert, maker_key);
    root_in(&x);
    root_has(&x, &a);
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_OK);
    root_out(&x);
    is_state(IDV_TRUST_NONE); /* no files: not ours to seal */
    const struct idv_approval_request r = statement();
    assert_true(r.generation == a.approval.generation);
    assert_memory_not_equal(r.anchor.name, x.request.anchor.name, 34);
    approve_this(&b, pki.rogue_ca.cert, maker_key);
    OK(imprint(&b));
    is_state(IDV_TRUST_IMPRINTED);
    assert_true(idv_cert_eq(idv_trust_pin(trust), pki.rogue_ca.cert));
}

/* Cut at every command: none or the whole, and then on. */
static void imprint_cut(bool after)
{
    bool whole = false;
    int forward = 0; /* what was cut short, and went on */
    for (int at = 1; !whole; at++) {
        ANSWER(a);
        ANSWER(b);
        struct cut c = {.at = at, .after = after};
        is_state(IDV_TRUST_NONE);
        approve_this(&a, pki.domain_ca.cert, maker_key);
        hwk_tpm_set_fault(cut, &c);
        idv_rc rc = imprint(&a);
        hwk_tpm_set_fault(NULL, NULL);
        idv_note_clear();
        whole = !c.happened;
        assert_true(!whole || rc == IDV_OK);
        OK(start());
        if (idv_trust_state(trust) == IDV_TRUST_NONE) {
            assert_int_not_equal(rc, IDV_OK);
            approve_this(&b, pki.domain_ca.cert, maker_key);
            OK(imprint(&b));
        } else {
            forward += rc != IDV_OK;
        }
        is_state(IDV_TRUST_IMPRINTED);
        OK(idv_trust_reset(trust));
        assert_true(at < 200);
    }
    assert_true(forward > 0);
}

static void imprint_cut_at_every_command(void **state)
{
    need_tpm();
    delivered(maker_key);
    imprint_cut(false);
    imprint_cut(true);
}

static void reset_cut(bool after)
{
    bool whole = false;
    for (int at = 1; !whole; at++) {
        ANSWER(a);
        struct cut c = {.at = at, .after = after};
        imprinted(&a, pki.domain_ca.cert);
        OK(start());
        hwk_tpm_set_fault(cut, &c);
        idv_rc rc = idv_trust_reset(trust);
        hwk_tpm_set_fault(NULL, NULL);
        idv_note_clear();
        whole = !c.happened;
        assert_true(!whole || rc == IDV_OK);
        OK(start());
        if (idv_trust_state(trust) != IDV_TRUST_NONE)
            OK(idv_trust_reset(trust));
        is_state(IDV_TRUST_NONE);
        assert_true(at < 200);
    }
}

static void reset_cut_at_every_command(void **state)
{
    need_tpm();
    delivered(maker_key);
    reset_cut(false);
    reset_cut(true);
}

/* --- the end -------------------------------------------------------------- */

static void deleted_in_firmware(void **state)
{
    ANSWER(a);
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    assert_int_equal(idv_platform_delete(device, &conf), IDV_E_DEVICE);
    cycle();
    OK(idv_platform_delete(device, &conf));
    FAILS(IDV_E_REJECT, "the platform took it away", start());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(factory_makes_both),
        TEST(strength_is_told),
        TEST(cut_factory_goes_on),
        TEST(without_a_factory),
        TEST(life),
        TEST(keys_of_all_kinds),
        TEST(survives_clear),
        TEST(start_is_cheap),
        TEST(imprint_is_cheap),
        TEST(cut_before_the_fuse),
        TEST(imprint_cut_at_every_command),
        TEST(reset_cut_at_every_command),
        TEST(deleted_in_firmware),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
