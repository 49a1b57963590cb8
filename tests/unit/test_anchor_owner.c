/* SPDX-License-Identifier: Apache-2.0 */
/* Profile "owner" in a software TPM: its life, what it costs, every place where
 * it may be cut, and everything that does not fit together. */
#include "tests/unit/codec.h"

#include <openssl/sha.h>

#include <idevid/key.h>
#include <idevid/trust.h>

#include "provider/device/tpm2_public.h"
#include "tests/lib/pki.h"
#include "tests/unit/tpm_blob.h"
#include "trust/owner.h"
#include "trust/trust_priv.h"

#define COUNTER IDV_ANCHOR_TPM2_COUNTER
#define ANCHOR IDV_ANCHOR_TPM2_INDEX

static struct pki pki;
static struct idv_device *dev;

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    if (!swtpm_here())
        return 0;
    if (tpm_setup(state) != 0)
        return -1;
    tpm_srk(); /* as manufacturers and operating systems leave it */
    hwk_tpm_free(tpm);
    tpm = NULL;
    setenv("HWKEY_TPM_LOCK", tpm_process.lock, 1);
    const struct idv_provider_conf conf = {.tpm2_tcti = tpm_process.tcti};
    if (idv_provider_setup(hwk_provider_init, &conf) != IDV_OK ||
        idv_device_open("tpm2:", NULL, &dev) != IDV_OK)
        return -1;
    return 0;
}

static int teardown(void **state)
{
    pki_free(&pki);
    if (!dev)
        return 0;
    idv_device_close(dev);
    tpm_teardown(state);
    return 0;
}

/* --- a device ------------------------------------------------------------- */

struct box {
    char dir[64], state[80];
    bool observe;
    struct idv_anchor_conf conf;
    struct idv_trust *trust;
};

static const struct hwk_nv_by owner = {.handle = IDVI_RH_OWNER};

static void undefine(uint32_t index)
{
    struct hwk_nv nv;
    bool found;
    OK(idvi_nv_look(dev, index, &found, &nv, NULL));
    if (found)
        OK(idvi_nv_undefine(dev, &nv, &owner, NULL));
}

static void box_init(struct box *b)
{
    memset(b, 0, sizeof(*b));
    idv_note_clear(); /* of a test that failed, as are these */
    undefine(ANCHOR);
    undefine(COUNTER);
    test_dir(b->dir);
    snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
}

static void box_free(struct box *b)
{
    idv_trust_close(b->trust);
    test_dir_drop(b->dir);
    undefine(ANCHOR);
    undefine(COUNTER);
}
#define BOX(b)                                                                 \
    if (!dev)                                                                  \
        skip();                                                                \
    __attribute__((cleanup(box_free))) struct box b;                           \
    box_init(&b)

static idv_rc reopen(struct box *b)
{
    struct idv_trust_conf conf = {
        .dir = b->state, .env = &pki.env.env, .observe = b->observe};
    idv_trust_close(idv_steal(&b->trust));
    OK(idv_anchor_open(dev, &b->conf, &conf.anchor));
    idv_rc rc = idv_trust_open(&conf, &b->trust);
    idv_anchor_close(&conf.anchor);
    return rc;
}

static struct idv_pinned pinned(X509 *cert)
{
    struct idv_pinned p = {.kind = IDV_PIN_CERT, .cert = cert};
    OK(idv_key_fingerprint(X509_get0_pubkey(cert), p.spki_sha256));
    SHA256((const uint8_t *)"voucher", 7, p.voucher_sha256);
    return p;
}

static idv_rc imprint_for(struct box *b, X509 *cert)
{
    const struct idv_pinned p = pinned(cert);
    return idv_trust_imprint(b->trust, &p, idv_str("voucher"));
}

static idv_rc imprint(struct box *b)
{
    return imprint_for(b, pki.domain_ca.cert);
}

static char *path(const struct box *b, const char *name)
{
    static char p[128];
    snprintf(p, sizeof(p), "%s/%s", b->state, name);
    return p;
}

static uint64_t commands(void)
{
    struct idv_device_stats s;
    idv_device_stats(&s);
    return s.tpm_commands;
}

static uint64_t value(void)
{
    struct idvi_owner o = {
        .dev = dev, .anchor_at = ANCHOR, .count_at = COUNTER};
    struct idvi_owner_state s;
    OK(idvi_owner_look(&o, true, &s));
    return s.value;
}

static void increment(void)
{
    const struct idvi_owner o = {.count_at = COUNTER};
    const struct hwk_nv nv = idvi_owner_counter(&o);
    OK(idvi_nv_increment(dev, &nv, &owner, NULL));
}

static void define(uint32_t index, uint32_t attributes, uint16_t size,
                   const uint8_t *policy, struct hwk_nv *out)
{
    struct hwk_nv nv = {.index = index,
                        .attributes = attributes,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = size,
                        .policy_n = policy ? 32 : 0};
    if (policy)
        memcpy(nv.policy, policy, 32);
    OK(idvi_nv_define(dev, &nv, IDVI_RH_OWNER, NULL));
    *out = nv;
}

static bool anchor_there(void)
{
    struct hwk_nv nv;
    bool found;
    OK(idvi_nv_look(dev, ANCHOR, &found, &nv, NULL));
    return found;
}

/* --- life ----------------------------------------------------------------- */

static void whole_life(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
    assert_string_equal(idv_trust_profile(b.trust), "owner");
    assert_string_equal(idv_trust_assurance(b.trust), "detect");
    OK(imprint(&b));
    const uint64_t g = idv_trust_generation(b.trust);
    assert_true(g > 0);
    assert_int_equal(value(), g + 1);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
    assert_true(idv_cert_eq(idv_trust_pin(b.trust), pki.domain_ca.cert));
    const struct idv_anchor_seen *seen = idv_trust_seen(b.trust);
    assert_int_equal(seen->found, IDV_ANCHOR_SEALED);
    assert_int_equal(seen->counter, g + 1);
    assert_int_equal(seen->anchor.index, ANCHOR);
    assert_int_equal(seen->count.index, COUNTER);
    struct hwk_nv nv;
    bool found;
    OK(idvi_nv_look(dev, ANCHOR, &found, &nv, NULL));
    assert_int_equal(nv.attributes, 0x22063808);
    assert_memory_equal(seen->anchor.name, nv.name, IDVI_NV_NAME);
    FAILS(IDV_E_STATE, "already", imprint(&b));
    /* another owner */
    OK(idv_trust_reset(b.trust));
    assert_false(anchor_there());
    assert_int_equal(value(), g + 2);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
    OK(imprint_for(&b, pki.rogue_ca.cert));
    assert_int_equal(idv_trust_generation(b.trust), g + 2);
    OK(reopen(&b));
    assert_true(idv_cert_eq(idv_trust_pin(b.trust), pki.rogue_ca.cert));
}

/*
 * What it costs. Imprint: define, twice (session, PolicyNV, PolicyOR) for write
 * and lock, these two, increment; beside them look at the place, read the
 * counter before, the reset count, read both back, and one salted session,
 * which the last of them ends. The first time ever the counter is made, too.
 * Check: look and read twice, and the session. Reset: the first command is the
 * one that counts.
 */
enum {
    IMPRINT_LOGICAL = 10,
    FIRST_LOGICAL = IMPRINT_LOGICAL + 2,
    IMPRINT_LISTED = 2 + 1 + 2 + 1,
    CHECK = 4,
    SESSION = 1,
    AUTO = 1, /* is it profile platform? */
    RESET = 3,
    GATE_LOGICAL = 2, /* PolicyPCR */
    GATE_LISTED = 1,  /* the PCRs before */
    CAP = 1,
};

static unsigned cost_of_imprint(struct box *b)
{
    OK(reopen(b));
    const uint64_t before = commands();
    OK(imprint(b));
    return (unsigned)(commands() - before);
}

static void costs(void **state)
{
    (void)state;
    BOX(b);
    b.conf.profile = IDV_ANCHOR_OWNER;
    assert_int_equal(cost_of_imprint(&b), FIRST_LOGICAL + IMPRINT_LISTED);
    OK(idv_trust_reset(b.trust));
    assert_int_equal(cost_of_imprint(&b), IMPRINT_LOGICAL + IMPRINT_LISTED);
    uint64_t before = commands();
    OK(reopen(&b));
    assert_int_equal(commands() - before, CHECK + SESSION);
    b.conf.profile = IDV_ANCHOR_AUTO;
    before = commands();
    OK(reopen(&b));
    assert_int_equal(commands() - before, AUTO + CHECK + SESSION);
    assert_true(AUTO + CHECK + SESSION <= 4 + 3);
    before = commands();
    OK(idv_trust_reset(b.trust));
    assert_int_equal(commands() - before, RESET);
    b.conf.gate = 1u << 7;
    b.conf.cap = 1u << 14;
    assert_int_equal(cost_of_imprint(&b), IMPRINT_LOGICAL + IMPRINT_LISTED +
                                              GATE_LOGICAL + GATE_LISTED + CAP);
    assert_true(FIRST_LOGICAL + GATE_LOGICAL + CAP <= 15);
    assert_true(IMPRINT_LISTED + GATE_LISTED <= 7);
}

static void capped_by_a_reboot(void **state)
{
    (void)state;
    BOX(b);
    bool capped = true;
    OK(reopen(&b));
    FAILS(IDV_E_STATE, "not imprinted", idv_trust_capped(b.trust, &capped));
    OK(imprint(&b));
    assert_string_equal(idv_trust_memo(b.trust)->cap, "reboot");
    OK(idv_trust_capped(b.trust, &capped));
    assert_false(capped);
    assert_int_equal(swtpm_cycle(&tpm_process), 0);
    OK(reopen(&b));
    OK(idv_trust_capped(b.trust, &capped));
    assert_true(capped);
}

static void capped_by_a_pcr(void **state)
{
    (void)state;
    BOX(b);
    bool capped = false;
    uint8_t was[32], is[32];
    if (!dev)
        skip();
    b.conf.cap = 1u << 14;
    OK(reopen(&b));
    OK(idvi_nv_pcr_read(dev, 1u << 14, was, NULL));
    OK(imprint(&b));
    OK(idvi_nv_pcr_read(dev, 1u << 14, is, NULL));
    assert_memory_not_equal(was, is, 32);
    OK(reopen(&b));
    assert_string_equal(idv_trust_memo(b.trust)->cap, "pcr:14");
    OK(idv_trust_capped(b.trust, &capped));
    assert_true(capped);
}

static void pcrs_that_are_of_no_use(void **state)
{
    static const uint32_t unfit[] = {1u << 16, 1u << 21, 1u << 22,
                                     1u << 23, 1u << 24, 1u << 31};
    struct idv_anchor a = {0};
    (void)state;
    if (!dev)
        skip();
    for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++) {
        struct idv_anchor_conf conf = {.cap = unfit[i]};
        FAILS(IDV_E_ARG, "PCR", idv_anchor_open(dev, &conf, &a));
        conf = (struct idv_anchor_conf){.gate = unfit[i] | 1u << 7};
        FAILS(IDV_E_ARG, "PCR", idv_anchor_open(dev, &conf, &a));
    }
    struct idv_anchor_conf conf = {.cap = 3};
    FAILS(IDV_E_ARG, "more than one", idv_anchor_open(dev, &conf, &a));
    conf = (struct idv_anchor_conf){.uri = "tpm2:handle=0x81000001"};
    FAILS(IDV_E_ARG, "names no NV index", idv_anchor_open(dev, &conf, &a));
    conf = (struct idv_anchor_conf){.profile = IDV_ANCHOR_TOKEN};
    FAILS(IDV_E_ARG, "not for a TPM", idv_anchor_open(dev, &conf, &a));
}

/* --- cut short ------------------------------------------------------------ */

enum step { COUNTED, DEFINED, WRITTEN, LOCKED, FUSED, CUT_STEPS };

/* An imprint as it is, files and TPM, when the power goes after that step. */
static void cut_imprint(struct box *b, enum step at, uint32_t gate,
                        struct idv_anchor_memo *memo)
{
    struct idvi_owner o = {
        .dev = dev, .anchor_at = ANCHOR, .count_at = COUNTER, .gate = gate};
    const struct idv_pinned p = pinned(pki.domain_ca.cert);
    uint8_t legs[2][32];
    IDV_AUTO(buf) pin = {0};
    struct idv_anchor a = {0};
    struct idv_record r;
    OK(idv_anchor_open(dev, &(struct idv_anchor_conf){.gate = gate}, &a));
    OK(a.ops->prepare(a.self, memo));
    idv_anchor_close(&a);
    OK(idvi_pin_record(&p, idv_str("voucher"), &pki.env.env, memo->generation,
                       &r, &pin));
    idv_record_to_bytes(&r, memo->record);
    OK(idv_fs_mkdir(b->state, 0700));
    OK(idvi_pending_write(b->state, idv_view(&pin), idv_str("voucher"), memo));
    struct hwk_nv nv = idvi_owner_anchor(&o, memo, legs);
    const struct hwk_policy_step steps[] = {
        {.code = IDVI_CC_POLICY_PCR, .pcrs = gate},
        {.code = IDVI_CC_POLICY_NV,
         .handle = COUNTER,
         .operand = {memo->record + 8, 8}},
        {.code = IDVI_CC_POLICY_OR,
         .branches = {{legs[0], 32}, {legs[1], 32}},
         .branches_n = 2}};
    const size_t skipped = gate ? 0 : 1;
    const struct hwk_nv_by by = {.steps = steps + skipped, .n = 3 - skipped};
    if (at >= DEFINED)
        OK(idvi_nv_define(dev, &nv, IDVI_RH_OWNER, NULL));
    if (at >= WRITTEN)
        OK(idvi_nv_write(dev, &nv, &by, idv_bytes(memo->record, 112), NULL));
    nv.attributes |= IDVI_NV_WRITTEN;
    if (at >= LOCKED)
        OK(idvi_nv_lock(dev, &nv, &by, NULL));
    if (at >= FUSED)
        increment();
}

static void resumed(void **state)
{
    (void)state;
    for (int at = COUNTED; at < CUT_STEPS; at++) {
        BOX(b);
        struct idv_anchor_memo memo;
        cut_imprint(&b, (enum step)at, 0, &memo);
        b.observe = true;
        uint64_t was = value();
        OK(reopen(&b));
        assert_int_equal(value(), was);
        assert_int_equal(idv_trust_state(b.trust),
                         at >= FUSED ? IDV_TRUST_IMPRINTED : IDV_TRUST_NONE);
        if (at == WRITTEN || at == LOCKED)
            assert_string_equal(idv_trust_cut(b.trust), "an imprint");
        else
            assert_null(idv_trust_cut(b.trust));
        b.observe = false;
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust),
                         at >= WRITTEN ? IDV_TRUST_IMPRINTED : IDV_TRUST_NONE);
        assert_false(idv_fs_exists(path(&b, "pending")));
        if (at < WRITTEN) {
            assert_int_equal(value(), memo.generation);
            OK(imprint(&b));
        }
        assert_int_equal(idv_trust_generation(b.trust), memo.generation);
        assert_int_equal(value(), memo.generation + 1);
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
    }
}

/* what is half done and has no files that belong to it */
static void undone(void **state)
{
    (void)state;
    for (int at = DEFINED; at < FUSED; at++) {
        BOX(b);
        struct idv_anchor_memo memo;
        cut_imprint(&b, (enum step)at, 0, &memo);
        OK(idvi_pending_remove(b.state));
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
        assert_int_equal(anchor_there(), at == DEFINED);
        assert_int_equal(value(), memo.generation);
        OK(imprint(&b));
        assert_int_equal(idv_trust_generation(b.trust), memo.generation);
    }
}

/* fused, and its files are lost */
static void sealed_without_files(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    cut_imprint(&b, FUSED, 0, &memo);
    OK(idvi_pending_remove(b.state));
    FAILS(IDV_E_REJECT, "tampered: anchor.json is missing", reopen(&b));
}

/* from the counter's step on, the reset only goes on */
static void reset_resumed(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        BOX(b);
        OK(reopen(&b));
        OK(imprint(&b));
        const uint64_t g = idv_trust_generation(b.trust);
        increment();
        if (gone)
            undefine(ANCHOR);
        b.observe = true;
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
        assert_string_equal(idv_trust_cut(b.trust), "a reset");
        b.observe = false;
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
        assert_false(anchor_there());
        assert_false(idv_fs_exists(path(&b, "anchor.der")));
        assert_false(idv_fs_exists(path(&b, "anchor.json")));
        assert_int_equal(value(), g + 2);
        OK(imprint(&b));
        assert_int_equal(idv_trust_generation(b.trust), g + 2);
    }
}

/* --- somebody was there between start and imprint ------------------------- */

static void make_counter(uint32_t attributes)
{
    struct hwk_nv nv;
    define(COUNTER, attributes, 8, NULL, &nv);
    OK(idvi_nv_increment(dev, &nv, &owner, NULL));
}

static void counter_undefined_since(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    OK(idv_trust_reset(b.trust));
    OK(reopen(&b));
    const uint64_t was = value();
    undefine(COUNTER);
    OK(imprint(&b));
    assert_true(idv_trust_generation(b.trust) > was);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
}

static void counter_replaced_since(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    OK(idv_trust_reset(b.trust));
    OK(reopen(&b));
    undefine(COUNTER);
    make_counter(IDVI_OWNER_COUNTER | IDVI_NV_AUTHWRITE);
    FAILS(IDV_E_REJECT, "another counter", imprint(&b));
    assert_false(anchor_there());
    assert_false(idv_fs_exists(path(&b, "pending")));
}

static void counter_made_since(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    make_counter(IDVI_OWNER_COUNTER);
    const uint64_t is = value();
    OK(imprint(&b));
    assert_int_equal(idv_trust_generation(b.trust), is);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
}

static void anchor_written_since(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    OK(reopen(&b));
    OK(imprint(&b));
    OK(idv_trust_reset(b.trust));
    OK(reopen(&b));
    cut_imprint(&b, LOCKED, 0, &memo);
    OK(idvi_pending_remove(b.state));
    FAILS(IDV_E_STATE, "holds a record already", imprint(&b));
    assert_int_equal(value(), memo.generation);
}

/* --- a gate --------------------------------------------------------------- */

static void gated(void **state)
{
    (void)state;
    BOX(b);
    IDV_AUTO(buf) file = {0};
    b.conf.gate = 1u << 7 | 1u << 11;
    OK(reopen(&b));
    OK(imprint(&b));
    OK(reopen(&b));
    assert_int_equal(idv_trust_memo(b.trust)->pcrs, b.conf.gate);
    /* reading needs no gate */
    OK(idvi_nv_pcr_extend(dev, 11, idv_trust_memo(b.trust)->record + 24, NULL));
    OK(reopen(&b));
    /* and of anchor.json nothing is believed */
    struct idv_anchor_memo memo = *idv_trust_memo(b.trust);
    memo.pcr_digest[5] ^= 1;
    OK(idvi_memo_to_json(&memo, &file));
    OK(idv_fs_write(path(&b, "anchor.json"), idv_view(&file), 0600));
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
}

static void a_gate_that_closes(void **state)
{
    static const uint8_t digest[32] = {1};
    (void)state;
    for (int at = DEFINED; at < FUSED; at++) {
        BOX(b);
        struct idv_anchor_memo memo;
        cut_imprint(&b, (enum step)at, 1u << 11, &memo);
        OK(idvi_nv_pcr_extend(dev, 11, digest, NULL));
        OK(reopen(&b));
        /* locked before: nothing can change any more, and it is only fused */
        assert_int_equal(idv_trust_state(b.trust),
                         at == LOCKED ? IDV_TRUST_IMPRINTED : IDV_TRUST_NONE);
        assert_false(idv_fs_exists(path(&b, "pending")));
        assert_int_equal(anchor_there(), at != WRITTEN);
    }
}

/* --- what does not fit together ------------------------------------------- */

/* the way out of each: a reset, or by hand, and then as new */
static void way_out(struct box *b)
{
    struct idv_trust_conf conf = {.dir = b->state, .env = &pki.env.env};
    OK(idv_anchor_open(dev, &b->conf, &conf.anchor));
    OK(idv_trust_wipe(&conf));
    idv_anchor_close(&conf.anchor);
    OK(reopen(b));
    assert_int_equal(idv_trust_state(b->trust), IDV_TRUST_NONE);
    OK(imprint(b));
}

static void no_anchor(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    undefine(ANCHOR);
    FAILS(IDV_E_REJECT, "tampered: the anchor is gone", reopen(&b));
    undefine(COUNTER); /* as TPM2_Clear leaves it */
    FAILS(IDV_E_REJECT, "tampered: the anchor is gone", reopen(&b));
    way_out(&b);
}

static void no_counter(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    undefine(COUNTER);
    FAILS(IDV_E_REJECT, "the generation counter, is missing", reopen(&b));
    way_out(&b);
}

static void a_fake_counter(void **state)
{
    (void)state;
    BOX(b);
    struct hwk_nv nv;
    uint8_t raw[8] = {0};
    OK(reopen(&b));
    OK(imprint(&b));
    const uint64_t g = idv_trust_generation(b.trust) + 1;
    for (int i = 0; i < 8; i++)
        raw[i] = (uint8_t)(g >> (56 - 8 * i));
    undefine(COUNTER);
    define(COUNTER, IDVI_OWNER_COUNTER & ~IDVI_NV_COUNTER, 8, NULL, &nv);
    OK(idvi_nv_write(dev, &nv, &owner, idv_bytes(raw, 8), NULL));
    FAILS(IDV_E_REJECT, "is no counter", reopen(&b));
    FAILS(IDV_E_REJECT, "is not ours", ({
              struct idv_trust_conf conf = {.dir = b.state};
              OK(idv_anchor_open(dev, NULL, &conf.anchor));
              idv_rc rc = idv_trust_wipe(&conf);
              idv_anchor_close(&conf.anchor);
              rc;
          }));
    undefine(COUNTER);
    define(COUNTER, IDVI_OWNER_COUNTER | IDVI_NV_AUTHWRITE, 8, NULL, &nv);
    FAILS(IDV_E_REJECT, "another counter than ours", reopen(&b));
    undefine(COUNTER);
    way_out(&b);
}

static void somebody_elses_index(void **state)
{
    (void)state;
    BOX(b);
    struct hwk_nv nv;
    OK(reopen(&b));
    define(ANCHOR, IDVI_NV_OWNERWRITE | IDVI_NV_OWNERREAD | IDVI_NV_AUTHREAD,
           40, NULL, &nv);
    FAILS(IDV_E_REJECT, "in use by somebody else", imprint(&b));
    FAILS(IDV_E_REJECT, "in use by somebody else", reopen(&b));
    struct idv_trust_conf conf = {.dir = b.state};
    OK(idv_anchor_open(dev, NULL, &conf.anchor));
    FAILS(IDV_E_REJECT, "left alone", idv_trust_wipe(&conf));
    idv_anchor_close(&conf.anchor);
    assert_true(anchor_there());
    undefine(ANCHOR);
    way_out(&b);
}

/* the same record at the same place, but the owner may write it */
static void other_attributes(void **state)
{
    (void)state;
    BOX(b);
    struct hwk_nv nv;
    OK(reopen(&b));
    OK(imprint(&b));
    struct idvi_owner o = {
        .dev = dev, .anchor_at = ANCHOR, .count_at = COUNTER};
    uint8_t legs[2][32];
    const struct idv_anchor_memo *memo = idv_trust_memo(b.trust);
    const struct hwk_nv want = idvi_owner_anchor(&o, memo, legs);
    undefine(ANCHOR);
    define(ANCHOR, IDVI_OWNER_ANCHOR | IDVI_NV_OWNERWRITE, 112, want.policy,
           &nv);
    OK(idvi_nv_write(dev, &nv, &owner, idv_bytes(memo->record, 112), NULL));
    FAILS(IDV_E_REJECT, "has other attributes", reopen(&b));
    undefine(ANCHOR);
    way_out(&b);
}

/* Bytes are written and locked under a policy that root can fulfil now, and
 * that is for another record: memo's, but of the generation at. */
static void forge(const struct idv_anchor_memo *memo, uint64_t at,
                  const uint8_t content[static IDV_RECORD_SIZE])
{
    struct idvi_owner o = {
        .dev = dev, .anchor_at = ANCHOR, .count_at = COUNTER};
    struct idv_anchor_memo m = *memo;
    uint8_t legs[2][32], now[8];
    for (int i = 0; i < 8; i++)
        now[i] = (uint8_t)(at >> (56 - 8 * i));
    memcpy(m.record + 8, now, 8);
    struct hwk_nv nv = idvi_owner_anchor(&o, &m, legs);
    const struct hwk_policy_step steps[] = {
        {.code = IDVI_CC_POLICY_NV, .handle = COUNTER, .operand = {now, 8}},
        {.code = IDVI_CC_POLICY_OR,
         .branches = {{legs[0], 32}, {legs[1], 32}},
         .branches_n = 2}};
    const struct hwk_nv_by by = {.steps = steps, .n = 2};
    OK(idvi_nv_define(dev, &nv, IDVI_RH_OWNER, NULL));
    OK(idvi_nv_write(dev, &nv, &by, idv_bytes(content, 112), NULL));
    nv.attributes |= IDVI_NV_WRITTEN;
    OK(idvi_nv_lock(dev, &nv, &by, NULL));
}

/* an imprint that waits, of another record than that */
static void another_waits(struct box *b, struct idv_anchor_memo memo)
{
    char pending[128];
    IDV_AUTO(buf) json = {0};
    memo.record[24] ^= 1;
    OK(idvi_memo_to_json(&memo, &json));
    snprintf(pending, sizeof(pending), "%s", path(b, "pending"));
    OK(idv_fs_mkdir(pending, 0700));
    OK(idv_fs_write(path(b, "pending/anchor.json"), idv_view(&json), 0600));
}

/* the old record, whose generation is over, under a policy of today's */
static void a_policy_of_another_generation(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    const struct idv_anchor_memo memo = *idv_trust_memo(b.trust);
    undefine(ANCHOR);
    forge(&memo, value(), memo.record);
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
    another_waits(&b, memo);
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
    way_out(&b);
}

/* a session kept from before writes another record in the place of the one
 * that its policy commits to, and brings the files for it */
static void a_policy_of_another_record(void **state)
{
    (void)state;
    BOX(b);
    IDV_AUTO(buf) json = {0};
    struct idv_anchor_memo memo;
    cut_imprint(&b, COUNTED, 0, &memo);
    struct idv_anchor_memo other = memo;
    other.record[23] ^= 1; /* its time */
    OK(idvi_memo_to_json(&other, &json));
    OK(idv_fs_write(path(&b, "pending/anchor.json"), idv_view(&json), 0600));
    forge(&memo, value(), other.record);
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
    increment();
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
    way_out(&b);
}

/* root imprints anew, by the rules, but has only the old files */
static void a_record_of_another_generation(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    struct idv_anchor_memo memo = *idv_trust_memo(b.trust);
    const uint64_t now = value();
    undefine(ANCHOR);
    for (int i = 0; i < 8; i++)
        memo.record[8 + i] = (uint8_t)(now >> (56 - 8 * i));
    forge(&memo, now, memo.record);
    FAILS(IDV_E_REJECT, "never sealed", reopen(&b));
    increment();
    FAILS(IDV_E_REJECT, "anchor.json is of another record", reopen(&b));
    way_out(&b);
}

/* fused without a lock: it could be written again by a session from before */
static void not_locked(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    cut_imprint(&b, WRITTEN, 0, &memo);
    increment();
    FAILS(IDV_E_REJECT, "is not locked", reopen(&b));
    way_out(&b);
}

static void a_counter_that_is_behind(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    cut_imprint(&b, COUNTED, 0, &memo);
    struct idv_anchor_memo ahead = memo;
    ahead.record[14] ^= 0x40; /* generation + 16384 */
    forge(&ahead, memo.generation, ahead.record);
    FAILS(IDV_E_REJECT, "the generation counter is behind", reopen(&b));
    way_out(&b);
}

static void no_record(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    cut_imprint(&b, COUNTED, 0, &memo);
    memo.record[0] = 'X';
    forge(&memo, memo.generation, memo.record);
    FAILS(IDV_E_REJECT, "IDTA", reopen(&b));
    way_out(&b);
}

static void files_that_are_not_those(void **state)
{
    static const char *const names[] = {"anchor.der", "voucher", "anchor.json"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        BOX(b);
        IDV_AUTO(buf) file = {0};
        OK(reopen(&b));
        OK(imprint(&b));
        OK(idv_fs_read(path(&b, names[i]), 0, &file));
        file.p[file.n / 2] ^= 1;
        OK(idv_fs_write(path(&b, names[i]), idv_view(&file), 0600));
        FAILS(IDV_E_REJECT, "not imprinted, tampered: ", reopen(&b));
        OK(idv_fs_remove(path(&b, names[i])));
        FAILS(IDV_E_REJECT, "is missing", reopen(&b));
        way_out(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_life),
        cmocka_unit_test(costs),
        cmocka_unit_test(capped_by_a_reboot),
        cmocka_unit_test(capped_by_a_pcr),
        cmocka_unit_test(pcrs_that_are_of_no_use),
        cmocka_unit_test(counter_undefined_since),
        cmocka_unit_test(counter_replaced_since),
        cmocka_unit_test(counter_made_since),
        cmocka_unit_test(anchor_written_since),
        cmocka_unit_test(resumed),
        cmocka_unit_test(undone),
        cmocka_unit_test(sealed_without_files),
        cmocka_unit_test(reset_resumed),
        cmocka_unit_test(gated),
        cmocka_unit_test(a_gate_that_closes),
        cmocka_unit_test(no_anchor),
        cmocka_unit_test(no_counter),
        cmocka_unit_test(a_fake_counter),
        cmocka_unit_test(somebody_elses_index),
        cmocka_unit_test(other_attributes),
        cmocka_unit_test(a_policy_of_another_generation),
        cmocka_unit_test(a_policy_of_another_record),
        cmocka_unit_test(a_record_of_another_generation),
        cmocka_unit_test(not_locked),
        cmocka_unit_test(a_counter_that_is_behind),
        cmocka_unit_test(no_record),
        cmocka_unit_test(files_that_are_not_those),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
