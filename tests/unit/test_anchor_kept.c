/* SPDX-License-Identifier: Apache-2.0 */
/* Profile platform: sessions that satisfied what the maker approved, saved by
 * root and used when it is over. */
#include "tests/unit/platform_acts.h"

#include "provider/device/tpm2_nvpolicy.h"
#include "provider/device/tpm2_nvpublic.h"

/* --- sessions that were satisfied, and kept ---------------------------------
 */

/* What fulfils the guard by an approval, and where that leaves a session. */
struct kept {
    uint8_t value[8], policy[32], cphash[32];
    struct hwk_policy_step steps[4];
    TPMS_CONTEXT *context;
};

static void steps_of(const struct root *x, enum idv_approval_step step,
                     struct kept *k)
{
    const struct idv_approval_signature *sig =
        step == IDV_APPROVE_WRITE  ? &x->p->approval.write
        : step == IDV_APPROVE_FUSE ? &x->p->approval.fuse
                                   : &x->p->approval.reset;
    uint8_t raw_record[IDV_RECORD_SIZE];
    idv_record_to_bytes(&x->p->record, raw_record);
    OK(idv_approval_policy(step, &x->request, raw_record, k->policy));
    OK(idvi_nv_write_cphash(x->request.anchor.name,
                            idv_bytes(raw_record, sizeof(raw_record)), 0,
                            k->cphash));
    idvi_approval_counter(idvi_approval_value(step, x->request.generation),
                          k->value);
    const struct hwk_policy_step steps[] = {
        {.code = IDVI_CC_POLICY_NV,
         .handle = COUNTER,
         .op = IDVI_EO_EQ,
         .operand = {k->value, 8}},
        step == IDV_APPROVE_WRITE
            ? (struct hwk_policy_step){.code = IDVI_CC_POLICY_CPHASH,
                                       .operand = {k->cphash, 32}}
            : (struct hwk_policy_step){.code = IDVI_CC_POLICY_COMMAND,
                                       .command = IDVI_CC_NV_INCREMENT},
        {.code = IDVI_CC_POLICY_AUTHORIZE,
         .operand = {k->policy, 32},
         .key = {x->p->key.p, x->p->key.n},
         .ref = {x->p->ref.p, x->p->ref.n},
         .signature = {sig->p, sig->n}},
        {.code = IDVI_CC_POLICY_OR,
         .branches = {{x->p->guard.branches[0], 32},
                      {x->p->guard.branches[1], 32}},
         .branches_n = 2}};
    memcpy(k->steps, steps, sizeof(steps));
}

/* Root fulfils the step's policy now, and saves the session for later. */
static void keep_session(struct root *x, const struct answer *a,
                         enum idv_approval_step step, struct kept *k)
{
    struct hwk_tpm_nv_policy policy;
    struct hwk_tpm_index ix;
    TPM2B_NV_PUBLIC pub;
    ESYS_TR session;
    root_has(x, a);
    steps_of(x, step, k);
    ESYS_CONTEXT *esys = hwk_tpm_begin(raw);
    assert_non_null(esys);
    assert_true(hwk_tpm_nv_policy_from(k->steps, 4, TPM2_ALG_SHA256, &policy));
    assert_true(hwk_tpm_nv_to(
        step == IDV_APPROVE_WRITE ? &x->seen.anchor : &x->seen.counter, &pub));
    assert_true(hwk_tpm_index_take(raw, &pub.nvPublic, &ix));
    assert_true(hwk_tpm_nv_policy_open(
        &ix, &policy,
        step == IDV_APPROVE_WRITE ? TPM2_CC_NV_Write : TPM2_CC_NV_Increment,
        HWK_TPM_NO_SECRET, &session));
    assert_int_equal(Esys_ContextSave(esys, session, &k->context), 0);
    raw->sessions.current = NULL; /* it is not in the TPM any more */
    raw->sessions.policy = (struct hwk_tpm_held){.tr = ESYS_TR_NONE};
    hwk_tpm_index_close(&ix);
    hwk_tpm_nv_policy_clear(&policy);
    hwk_tpm_end(raw);
}

/* Loads it and uses it for what it is for; the TPM's answer. */
static TSS2_RC replay(struct kept *k, const struct answer *a)
{
    TPM2B_MAX_NV_BUFFER data = {.size = IDV_RECORD_SIZE};
    struct hwk_tpm_index ix;
    ESYS_TR session;
    ESYS_CONTEXT *esys = hwk_tpm_begin(raw);
    assert_non_null(esys);
    TSS2_RC rc = Esys_ContextLoad(esys, k->context, &session);
    Esys_Free(k->context);
    if (rc == 0) {
        const bool writes = a != NULL;
        assert_true(hwk_tpm_index_open(raw, writes ? ANCHOR : COUNTER, &ix));
        if (writes)
            idv_record_to_bytes(&a->record, data.buffer);
        rc = writes ? Esys_NV_Write(esys, ix.tr, ix.tr, session, ESYS_TR_NONE,
                                    ESYS_TR_NONE, &data, 0)
                    : Esys_NV_Increment(esys, ix.tr, ix.tr, session,
                                        ESYS_TR_NONE, ESYS_TR_NONE);
        hwk_tpm_index_close(&ix);
        if (rc != 0)
            assert_int_equal(Esys_FlushContext(esys, session), 0);
    }
    hwk_tpm_end(raw);
    return rc;
}

/* What the TPM says of a session that is not for that. */
static void refused(TSS2_RC rc)
{
    assert_int_equal(rc, TPM2_RC_POLICY_FAIL + TPM2_RC_S + TPM2_RC_1);
}

/* --- the write ---------------------------------------------------------------
 */

/* It is for that content, and for an index that was never written: once it was,
 * by whom it may be, the session is dead. */
static void writes_nothing(void **state)
{
    ANSWER(a);
    ANSWER(b);
    struct root x;
    struct kept k[3];
    need_tpm();
    delivered(maker_key);
    OK(start());
    approve_this(&a, pki.domain_ca.cert, maker_key);
    approve_this(&b, pki.rogue_ca.cert, maker_key);
    root_in(&x);
    for (size_t i = 0; i < 3; i++)
        keep_session(&x, &a, IDV_APPROVE_WRITE, &k[i]);
    root_out(&x);
    refused(replay(&k[0], &b)); /* another content */
    still_blank(a.approval.generation);
    OK(imprint(&a));
    refused(replay(&k[1], &a));
    is_state(IDV_TRUST_IMPRINTED);
    OK(idv_trust_reset(trust));
    refused(replay(&k[2], &a));
    is_state(IDV_TRUST_NONE);
}

/* Approved for an index that holds something, it can be written again as long
 * as the TPM is not switched off: what comes back is of a generation that is
 * past, and lives no more; the anchor that it takes away is missed. */
static void writes_what_is_past(void **state)
{
    ANSWER(a);
    ANSWER(b);
    ANSWER(c);
    struct root x;
    struct kept old, same, capped, back;
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    OK(idv_trust_reset(trust));
    is_state(IDV_TRUST_NONE);
    approve_this(&b, pki.rogue_ca.cert, maker_key);
    root_in(&x);
    keep_session(&x, &b, IDV_APPROVE_WRITE, &old);
    keep_session(&x, &b, IDV_APPROVE_WRITE, &same);
    keep_session(&x, &b, IDV_APPROVE_WRITE, &capped);
    root_out(&x);
    OK(imprint(&b));
    assert_int_equal(replay(&same, &b), 0); /* what is there already */
    is_state(IDV_TRUST_IMPRINTED);
    assert_true(idv_cert_eq(idv_trust_pin(trust), pki.rogue_ca.cert));
    OK(idv_trust_reset(trust));
    is_state(IDV_TRUST_NONE);
    const uint64_t g = statement().generation;
    approve_this(&c, pki.domain_ca.cert, maker_key);
    root_in(&x);
    keep_session(&x, &c, IDV_APPROVE_WRITE, &back);
    root_out(&x);
    OK(imprint(&c));
    is_state(IDV_TRUST_IMPRINTED);
    assert_int_equal(replay(&old, &b), 0);
    FAILS(IDV_E_REJECT, "tampered: the anchor is gone", start());
    OK(wipe()); /* by the approval that came with the voucher */
    is_state(IDV_TRUST_NONE);
    assert_true(statement().generation == g + 2);
    assert_int_equal(replay(&back, &c), 0); /* the one that it took away */
    is_state(IDV_TRUST_NONE);
    cycle();
    disable_platform();
    assert_int_not_equal(replay(&capped, &b), 0); /* it went with the power */
    is_state(IDV_TRUST_NONE);
}

/* --- the counter -------------------------------------------------------------
 */

/* One step of the counter for each session that was kept, until the power goes:
 * that ends an anchor and makes none. */
static void fuses_once_more(void **state)
{
    ANSWER(a);
    ANSWER(b);
    struct root x;
    struct kept k, capped;
    need_tpm();
    delivered(maker_key);
    OK(start());
    approve_this(&a, pki.domain_ca.cert, maker_key);
    root_in(&x);
    keep_session(&x, &a, IDV_APPROVE_FUSE, &k);
    keep_session(&x, &a, IDV_APPROVE_FUSE, &capped);
    root_out(&x);
    OK(imprint(&a));
    is_state(IDV_TRUST_IMPRINTED);
    assert_int_equal(replay(&k, NULL), 0);
    is_state(IDV_TRUST_NONE); /* as after a reset */
    const uint64_t g = statement().generation;
    assert_true(g == a.approval.generation + 2);
    FAILS(IDV_E_REJECT, "generation", imprint(&a)); /* and no way back */
    imprinted(&b, pki.domain_ca.cert);
    cycle();
    disable_platform();
    assert_int_not_equal(replay(&capped, NULL), 0);
    is_state(IDV_TRUST_IMPRINTED);
    assert_true(idv_trust_record(trust)->generation == g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_nothing),
        TEST(writes_what_is_past),
        TEST(fuses_once_more),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
