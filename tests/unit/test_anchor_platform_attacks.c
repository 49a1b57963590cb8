/* SPDX-License-Identifier: Apache-2.0 */
/* Profile platform on a software TPM attacked, each attack carried out: what
 * the maker did not approve, what root tries, files and configuration that are
 * replaced. */
#include "tests/unit/platform_acts.h"

/* --- what the maker did not approve --------------------------------------- */

static void refused_before_the_tpm(void **state)
{
    need_tpm();
    delivered(maker_key);
    OK(start());
    const struct idv_approval_request r = statement();
    struct idv_approval_ref ref;
    {
        ANSWER(a); /* a voucher of a maker that approves nothing */
        pin(&a, pki.domain_ca.cert);
        seal(&a);
        FAILS(IDV_E_REJECT, "no approval", imprint(&a));
    }
    {
        ANSWER(a); /* another content */
        approve_this(&a, pki.domain_ca.cert, maker_key);
        strcpy(a.pinned.voucher.nonce, "b3RoZXItb3RoZXI=");
        FAILS(IDV_E_REJECT, "the write", imprint(&a));
    }
    {
        ANSWER(a); /* another domain */
        ANSWER(b);
        approve_this(&a, pki.domain_ca.cert, maker_key);
        pin(&b, pki.rogue_ca.cert);
        b.approval = a.approval;
        put_approval(&b);
        seal(&b);
        FAILS(IDV_E_REJECT, "the write", imprint(&b));
    }
    {
        ANSWER(a); /* another generation, which the device is not at */
        struct idv_approval_request later = r;
        later.generation += 2;
        approve(&a, pki.domain_ca.cert, &later, maker_key);
        FAILS(IDV_E_REJECT, "generation", imprint(&a));
    }
    {
        ANSWER(a); /* signed by another for itself */
        approve_this(&a, pki.domain_ca.cert, maker_key);
        OK(idv_approval_ref("another", &ref));
        assert_int_equal(
            idv_approval_sign(&r, &a.record, maker_key, &ref, &a.approval),
            IDV_E_REJECT); /* a maker that looks does not even sign */
        assert_int_equal(
            idv_approval_sign(&r, &a.record, other_key, &ref, &a.approval),
            IDV_E_REJECT);
        idv_note_clear();
    }
    still_blank(r.generation);
}

/* A signature over a policy by any key with any policyRef. */
static void sign(EVP_PKEY *key, const struct idv_approval_ref *ref,
                 const uint8_t policy[static 32],
                 struct idv_approval_signature *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t m[64];
    memcpy(m, policy, 32);
    memcpy(m + 32, ref->p, ref->n);
    out->n = sizeof(out->p);
    assert_int_equal(
        EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSign(ctx, out->p, &out->n, m, 32 + ref->n), 1);
    EVP_MD_CTX_free(ctx);
}

static void refused_by_the_tpm(void **state)
{
    ANSWER(a);
    struct root x;
    struct idv_approval_ref ref;
    uint8_t bytes[IDV_RECORD_SIZE], policy[32];
    need_tpm();
    delivered(maker_key);
    OK(start());
    approve_this(&a, pki.domain_ca.cert, maker_key);
    root_in(&x);
    root_has(&x, &a);
    x.p->record.pin_sha256[0] ^= 1; /* another content */
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_E_DEVICE);
    root_has(&x, &a);
    x.p->approval.write = a.approval.fuse; /* approved for something else */
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_E_DEVICE);
    root_has(&x, &a);
    x.p->approval.fuse = a.approval.reset;
    assert_int_equal(root_tries(&x, IDV_APPROVE_FUSE), IDV_E_DEVICE);
    root_has(&x, &a); /* a reset before its time */
    assert_int_equal(root_tries(&x, IDV_APPROVE_RESET), IDV_E_DEVICE);
    /* for another device, by the maker */
    idv_record_to_bytes(&a.record, bytes);
    OK(idv_approval_policy(IDV_APPROVE_WRITE, &x.request, bytes, policy));
    OK(idv_approval_ref("another", &ref));
    sign(maker_key, &ref, policy, &x.p->approval.write);
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_E_DEVICE);
    x.p->ref = ref; /* and used as such */
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_E_DEVICE);
    root_out(&x);
    /* by another key, first as the maker's, then as itself */
    root_in(&x);
    root_has(&x, &a);
    sign(other_key, &x.p->ref, policy, &x.p->approval.write);
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_E_DEVICE);
    idv_buf_clear(&x.p->key);
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(other_key, &der);
    OK(idv_buf_put(&x.p->key, idv_bytes(der, (size_t)n)));
    OPENSSL_free(der);
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_E_DEVICE);
    root_out(&x);
    still_blank(a.approval.generation);
    /* and what was approved is taken, after all that */
    root_in(&x);
    root_has(&x, &a);
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_OK);
    root_out(&x);
}

static void old_approvals_are_dead(void **state)
{
    ANSWER(a);
    ANSWER(b);
    struct root x;
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    root_in(&x);
    root_has(&x, &a); /* sealed: neither again, nor fused once more */
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_E_DEVICE);
    assert_int_equal(root_tries(&x, IDV_APPROVE_FUSE), IDV_E_DEVICE);
    root_out(&x);
    OK(idv_trust_reset(trust));
    FAILS(IDV_E_REJECT, "generation", imprint(&a));
    root_in(&x);
    root_has(&x, &a);
    for (int step = IDV_APPROVE_WRITE; step <= IDV_APPROVE_RESET; step++)
        assert_int_equal(root_tries(&x, (enum idv_approval_step)step),
                         IDV_E_DEVICE);
    root_out(&x);
    imprinted(&b, pki.rogue_ca.cert);
    root_in(&x);
    root_has(&x, &a);
    for (int step = IDV_APPROVE_WRITE; step <= IDV_APPROVE_RESET; step++)
        assert_int_equal(root_tries(&x, (enum idv_approval_step)step),
                         IDV_E_DEVICE);
    root_out(&x);
    is_state(IDV_TRUST_IMPRINTED);
    assert_true(idv_cert_eq(idv_trust_pin(trust), pki.rogue_ca.cert));
}

/* --- what root does without an approval ----------------------------------- */

static void root_has_no_hold(void **state)
{
    ANSWER(a);
    uint8_t forged[IDV_RECORD_SIZE] = "IDTA";
    const struct hwk_nv_by owner = {.handle = IDVI_RH_OWNER};
    const struct hwk_nv_by platform = {.handle = IDVI_RH_PLATFORM};
    const struct hwk_nv_by itself = {.handle = 0};
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    const struct hwk_nv anchor = look(ANCHOR), counter = look(COUNTER);
    const struct hwk_nv_by *const all[] = {&owner, &platform, &itself};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(idvi_nv_write(device, &anchor, all[i],
                                       idv_bytes(forged, sizeof(forged)), NULL),
                         IDV_E_DEVICE);
        assert_int_equal(idvi_nv_increment(device, &counter, all[i], NULL),
                         IDV_E_DEVICE);
        if (i == 2)
            continue;
        assert_int_equal(idvi_nv_undefine(device, &anchor, all[i], NULL),
                         IDV_E_DEVICE);
        assert_int_equal(idvi_nv_undefine(device, &counter, all[i], NULL),
                         IDV_E_DEVICE);
    }
    assert_int_equal(idv_platform_delete(device, &conf), IDV_E_DEVICE);
    struct idv_anchor_conf own = conf;
    own.approval_key = other_key;
    assert_int_equal(idv_platform_create(device, &own), IDV_E_REJECT);
    idv_note_clear();
    is_state(IDV_TRUST_IMPRINTED);
    assert_memory_equal(look(ANCHOR).name, anchor.name, 34);
}

/* The key in the configuration is not believed: the TPM has its Name. */
static void key_replaced_on_disk(void **state)
{
    ANSWER(a);
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    conf.approval_key = other_key;
    FAILS(IDV_E_REJECT, "another approval key", start());
    conf.approval_key = maker_key;
    is_state(IDV_TRUST_IMPRINTED);
}

/* --- files ---------------------------------------------------------------- */

static char *path(const char *name)
{
    static char p[160];
    snprintf(p, sizeof(p), "%s/%s", state_dir, name);
    return p;
}

static void files_replaced(void **state)
{
    ANSWER(a);
    ANSWER(b);
    IDV_AUTO(buf) was = {0};
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    OK(idv_fs_read(path("voucher"), 0, &was));
    pin(&b, pki.domain_ca.cert); /* the same voucher, its approval spoilt */
    b.approval = a.approval;
    b.approval.reset.p[b.approval.reset.n - 1] ^= 1;
    put_approval(&b);
    seal(&b);
    OK(idv_fs_write(path("voucher"), idv_view(&b.sealed), 0600));
    FAILS(IDV_E_REJECT, "the reset is not signed", start());
    idv_buf_free(&b.pinned.voucher.manufacturer_proprietary);
    idv_buf_free(&b.sealed);
    seal(&b);
    OK(idv_fs_write(path("voucher"), idv_view(&b.sealed), 0600));
    FAILS(IDV_E_REJECT, "no approval", start());
    strcpy(b.pinned.voucher.nonce, "b3RoZXItb3RoZXI="); /* another voucher */
    put_approval(&b);
    idv_buf_free(&b.sealed);
    seal(&b);
    OK(idv_fs_write(path("voucher"), idv_view(&b.sealed), 0600));
    FAILS(IDV_E_REJECT, "not what the record seals", start());
    OK(idv_fs_write(path("voucher"), idv_str("x"), 0600));
    FAILS(IDV_E_REJECT, "tampered", start());
    assert_int_equal(unlink(path("voucher")), 0);
    FAILS(IDV_E_REJECT, "voucher is missing", start());
    OK(idv_fs_write(path("voucher"), idv_view(&was), 0600));
    is_state(IDV_TRUST_IMPRINTED);
}

static void wiped_when_tampered(void **state)
{
    ANSWER(a);
    ANSWER(b);
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    OK(idv_fs_write(path("anchor.der"), idv_str("x"), 0600));
    FAILS(IDV_E_REJECT, "tampered", start());
    OK(wipe()); /* the voucher is there still */
    is_state(IDV_TRUST_NONE);
    imprinted(&b, pki.domain_ca.cert);
    assert_int_equal(unlink(path("voucher")), 0);
    FAILS(IDV_E_REJECT, "a reset needs the approval", wipe());
    cycle(); /* in firmware, before it disables its hierarchy */
    OK(wipe());
    disable_platform();
    is_state(IDV_TRUST_NONE);
}

/* --- the counter ---------------------------------------------------------- */

/* as firmware can, before it disables its hierarchy */
static void undefine_counter(void)
{
    struct root x;
    root_in(&x);
    struct idv_approval_guard *guard = &x.p->guard;
    const struct hwk_policy_step steps[] = {
        {.code = IDVI_CC_POLICY_SECRET, .handle = IDVI_RH_PLATFORM},
        {.code = IDVI_CC_POLICY_COMMAND,
         .command = IDVI_CC_NV_UNDEFINE_SPECIAL},
        {.code = IDVI_CC_POLICY_OR,
         .branches = {{guard->branches[0], 32}, {guard->branches[1], 32}},
         .branches_n = 2}};
    const struct hwk_nv_by by = {
        .handle = IDVI_RH_PLATFORM, .steps = steps, .n = 3};
    OK(idvi_nv_undefine(device, &x.seen.counter, &by, NULL));
    root_out(&x);
}

/* A TPM begins no counter lower than any that it ever had: redefined in factory
 * mode, it is beyond every record. */
static void counter_redefined(void **state)
{
    ANSWER(a);
    need_tpm();
    delivered(maker_key);
    imprinted(&a, pki.domain_ca.cert);
    const struct hwk_nv before = look(COUNTER);
    cycle();
    undefine_counter();
    FAILS(IDV_E_REJECT, "platform counter 0x01400a00: there is none", start());
    OK(idv_platform_create(device, &conf));
    disable_platform();
    assert_memory_equal(look(COUNTER).name, before.name, 34);
    is_state(IDV_TRUST_NONE); /* the record is ended, as by any reset */
    assert_false(idv_fs_exists(path("anchor.der")));
}

/* Another counter of the same factory, which has not counted so far: only the
 * configuration, or one who edits it, leads there. */
static void counter_behind(void **state)
{
    ANSWER(a);
    ANSWER(b);
    need_tpm();
    made(maker_key);
    struct idv_anchor_conf second = conf;
    second.uri = "tpm2:handle=0x01400A11";
    second.counter = 0x01400A10;
    OK(idv_platform_create(device, &second));
    disable_platform();
    imprinted(&a, pki.domain_ca.cert);
    OK(idv_trust_reset(trust));
    imprinted(&b, pki.domain_ca.cert);
    conf.counter = second.counter;
    FAILS(IDV_E_REJECT, "platform counter: behind the record, at ", start());
    FAILS(IDV_E_REJECT, "platform counter: behind the record", wipe());
    conf.counter = 0;
    is_state(IDV_TRUST_IMPRINTED);
    cycle();
    OK(idv_platform_delete(device, &second));
}

/* A maker that approves what it is not asked for, which ours would not sign. */
static void record_ahead(void **state)
{
    ANSWER(a);
    struct root x;
    uint8_t bytes[IDV_RECORD_SIZE], policy[32];
    need_tpm();
    delivered(maker_key);
    OK(start());
    approve_this(&a, pki.domain_ca.cert, maker_key);
    root_in(&x);
    a.record.generation += 4;
    idv_record_to_bytes(&a.record, bytes);
    OK(idv_approval_policy(IDV_APPROVE_WRITE, &x.request, bytes, policy));
    sign(maker_key, &x.p->ref, policy, &a.approval.write);
    root_has(&x, &a);
    assert_int_equal(root_tries(&x, IDV_APPROVE_WRITE), IDV_OK);
    root_out(&x);
    FAILS(IDV_E_REJECT, "platform counter: behind the record, at ", start());
    cycle(); /* the factory's way out */
    OK(idv_platform_delete(device, &conf));
    delivered(maker_key);
    is_state(IDV_TRUST_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refused_before_the_tpm), TEST(refused_by_the_tpm),
        TEST(old_approvals_are_dead), TEST(root_has_no_hold),
        TEST(key_replaced_on_disk),   TEST(files_replaced),
        TEST(wiped_when_tampered),    TEST(counter_redefined),
        TEST(counter_behind),         TEST(record_ahead),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
