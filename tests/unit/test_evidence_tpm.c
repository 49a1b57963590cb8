/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence by a TPM: restricted keys of its own, and what others may forge. */
#include "tests/unit/codec.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <idevid/approval.h>
#include <idevid/key.h>

#include "key/nv.h"
#include "provider/device.h"
#include "tests/lib/paper.h"
#include "tests/lib/swtpm.h"
#include "tpm/nvpolicy.h"

#define COUNTER 0x01800a00u
#define ANCHOR 0x01800a01u
#define IAK "tpm2:handle=0x81020001"

static struct swtpm tpm;
static struct idv_device *dev;
static const uint8_t nonce[20] = "a verifier's nonce .";

static inline void idv_auto_evidence(struct idv_evidence *e)
{
    idv_evidence_free(e);
}

static int setup(void **state)
{
    (void)state;
    if (!swtpm_here())
        return 0;
    if (swtpm_start(&tpm) != 0)
        return -1;
    setenv("HWKEY_TPM_LOCK", tpm.lock, 1);
    const struct idv_provider_conf conf = {.tpm2_tcti = tpm.tcti};
    if (idv_provider_setup(hwk_provider_init, &conf) != IDV_OK ||
        idv_device_open("tpm2:", NULL, &dev) != IDV_OK)
        return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (!dev)
        return 0;
    idv_device_close(dev);
    swtpm_stop(&tpm);
    return 0;
}

#define need_tpm()                                                             \
    do {                                                                       \
        if (!dev)                                                              \
            skip();                                                            \
    } while (0)

/* --- an anchor of the profile owner, by hand ------------------------------ */

static const struct hwk_nv_by owner = {.handle = IDVI_RH_OWNER};

/* the counter as it is, and what it says; made when there is none */
static uint64_t count(struct hwk_nv *nv)
{
    uint8_t raw[8];
    uint64_t v = 0;
    bool found;
    OK(idvi_nv_look(dev, COUNTER, &found, nv, NULL));
    if (!found) {
        *nv = (struct hwk_nv){.index = COUNTER,
                              .attributes = 0x02060012,
                              .name_alg = IDVI_ALG_SHA256,
                              .size = 8};
        OK(idvi_nv_define(dev, nv, IDVI_RH_OWNER, NULL));
        OK(idvi_nv_increment(dev, nv, &owner, NULL));
        OK(idvi_nv_look(dev, COUNTER, &found, nv, NULL));
    }
    OK(idvi_nv_read(dev, nv, &found, raw, NULL));
    for (size_t i = 0; i < sizeof(raw); i++)
        v = v << 8 | raw[i];
    return v;
}

struct sealing {
    struct hwk_nv counter, anchor;
    uint8_t record[IDV_RECORD_SIZE], legs[2][IDVI_DIGEST];
    uint32_t gate;
    uint8_t gate_digest[32];
};

static void fulfil(const struct sealing *s, struct hwk_policy_step out[3],
                   struct hwk_nv_by *by)
{
    size_t n = 0;
    memset(out, 0, 3 * sizeof(*out));
    if (s->gate)
        out[n++] = (struct hwk_policy_step){.code = IDVI_CC_POLICY_PCR,
                                            .pcrs = s->gate};
    out[n++] = (struct hwk_policy_step){.code = IDVI_CC_POLICY_NV,
                                        .handle = COUNTER,
                                        .operand = {s->record + 8, 8}};
    out[n++] = (struct hwk_policy_step){
        .code = IDVI_CC_POLICY_OR,
        .branches = {{s->legs[0], IDVI_DIGEST}, {s->legs[1], IDVI_DIGEST}},
        .branches_n = 2};
    *by = (struct hwk_nv_by){.steps = out, .n = n};
}

/* written, not locked, not fused */
static void begin(struct sealing *s, uint32_t gate)
{
    struct hwk_policy_step steps[3];
    struct hwk_nv_by by;
    struct idv_record r = {.version = 1, .time = PAPER_NOW, .pin_length = 9};
    memset(s, 0, sizeof(*s));
    s->gate = gate;
    r.generation = count(&s->counter);
    idv_record_to_bytes(&r, s->record);
    if (gate) {
        OK(idvi_nv_pcr_read(dev, gate, s->gate_digest, NULL));
        idvi_policy_pcr(s->legs[0], gate, s->gate_digest);
    }
    idvi_policy_nv(s->legs[0], s->counter.name, idv_bytes(s->record + 8, 8), 0,
                   IDVI_EO_EQ);
    SHA256(s->record, sizeof(s->record), s->legs[1]);
    s->anchor = (struct hwk_nv){.index = ANCHOR,
                                .attributes = 0x02063008,
                                .name_alg = IDVI_ALG_SHA256,
                                .size = IDV_RECORD_SIZE,
                                .policy_n = IDVI_DIGEST};
    idvi_policy_or(s->anchor.policy, s->legs, 2);
    OK(idvi_nv_define(dev, &s->anchor, IDVI_RH_OWNER, NULL));
    fulfil(s, steps, &by);
    OK(idvi_nv_write(dev, &s->anchor, &by,
                     idv_bytes(s->record, sizeof(s->record)), NULL));
}

static void look(struct sealing *s)
{
    bool found;
    OK(idvi_nv_look(dev, ANCHOR, &found, &s->anchor, NULL));
    assert_true(found);
}

static void seal(struct sealing *s, uint32_t gate)
{
    struct hwk_policy_step steps[3];
    struct hwk_nv_by by;
    begin(s, gate);
    look(s);
    fulfil(s, steps, &by);
    OK(idvi_nv_lock(dev, &s->anchor, &by, NULL));
    OK(idvi_nv_increment(dev, &s->counter, &owner, NULL));
}

static void reset(struct sealing *s)
{
    look(s);
    OK(idvi_nv_increment(dev, &s->counter, &owner, NULL));
    OK(idvi_nv_undefine(dev, &s->anchor, &owner, NULL));
}

/* --- keys, and what a CA says of them ------------------------------------- */

static EVP_PKEY *make_key(const char *type, const char *size,
                          const char *scheme, bool restricted)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(NULL, type, "provider=hwkey");
    EVP_PKEY *key = NULL;
    unsigned bits = (unsigned)atoi(size);
    OSSL_PARAM params[6], *p = params;
    *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_URI,
                                            (char *)(uintptr_t)IAK, 0);
    if (bits)
        *p++ = OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &bits);
    else
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                (char *)(uintptr_t)size, 0);
    if (restricted) {
        *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_RESTRICTED,
                                                (char *)(uintptr_t) "yes", 0);
        *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_SCHEME,
                                                (char *)(uintptr_t)scheme, 0);
    }
    *p = OSSL_PARAM_construct_end();
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
    if (EVP_PKEY_generate(ctx, &key) != 1)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* a CA of paper, and the TPM's key with the certificate that it gives */
struct signer {
    struct paper_pki pki;
};

static void signer_make(struct signer *s, const char *type, const char *size,
                        const char *scheme, bool restricted, int says)
{
    EVP_PKEY *key = make_key(type, size, scheme, restricted);
    paper_pki_make_for(&s->pki, key, says);
}

static void signer_drop(struct signer *s)
{
    paper_pki_free(&s->pki);
    OK(idv_device_erase(dev, IAK));
}

static struct idv_evidence_request request(const struct sealing *s,
                                           const struct signer *k)
{
    return (struct idv_evidence_request){
        .profile = "owner",
        .anchor = ANCHOR,
        .counter = COUNTER,
        .gate_pcrs = s->gate,
        .gate_digest = s->gate_digest,
        .key_uri = IAK,
        .chain = k->pki.chain,
        .nonce = idv_bytes(nonce, sizeof(nonce)),
    };
}

static struct idv_evidence_policy policy_of(const struct signer *k)
{
    return (struct idv_evidence_policy){
        .nonce = idv_bytes(nonce, sizeof(nonce)),
        .anchors = k->pki.anchors,
        .check_time = true,
        .now = PAPER_NOW,
    };
}

/* --- what a TPM attests --------------------------------------------------- */

/* two public areas, the key, and two attestations among them */
#define COMMANDS 6

/* made here, verified there: by way of the file */
static void proves(const struct sealing *s, const struct signer *k)
{
    struct idv_evidence_request req = request(s, k);
    struct idv_evidence_policy policy = policy_of(k);
    struct idv_evidence_report r;
    struct idv_device_stats before, after;
    IDV_AUTO(evidence) e = {0};
    IDV_AUTO(evidence) there = {0};
    IDV_AUTO(buf) file = {0};
    idv_device_stats(&before);
    OK(idv_evidence_make(dev, &req, &e));
    idv_device_stats(&after);
    assert_in_range(after.tpm_commands - before.tpm_commands, 1, COMMANDS);
    OK(idv_evidence_to_pem(&e, &file));
    OK(idv_evidence_from_bytes(idv_view(&file), &there));
    OK(idv_evidence_verify(&there, &policy, &r));
    assert_int_equal(r.counter, r.record.generation + 1);
    assert_memory_equal(r.anchor_name, s->anchor.name, 34);
    assert_string_equal(r.hierarchy, ""); /* below a storage key */
}

static void restricted_keys_prove(void **state)
{
    static const struct {
        const char *type, *size, *scheme;
        int says;
    } rows[] = {
        {"EC", "P-256", "ecdsa", PAPER_EKU},
        {"EC", "P-384", "ecdsa", PAPER_POLICY},
        {"RSA", "2048", "rsassa", PAPER_EKU},
        {"RSA-PSS", "2048", "rsapss", PAPER_EKU | PAPER_POLICY},
    };
    struct sealing s;
    (void)state;
    need_tpm();
    seal(&s, 0);
    look(&s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct signer k;
        signer_make(&k, rows[i].type, rows[i].size, rows[i].scheme, true,
                    rows[i].says);
        proves(&s, &k);
        signer_drop(&k);
    }
    reset(&s);
}

static void a_gate_is_part_of_it(void **state)
{
    struct sealing s;
    struct signer k;
    IDV_AUTO(evidence) e = {0};
    (void)state;
    need_tpm();
    signer_make(&k, "EC", "P-256", "ecdsa", true, PAPER_EKU);
    seal(&s, 1 << 7 | 1 << 10);
    look(&s);
    proves(&s, &k);
    struct idv_evidence_request req = request(&s, &k);
    req.gate_pcrs = 1 << 7;
    FAILS(IDV_E_REJECT, "made for another", idv_evidence_make(dev, &req, &e));
    assert_null(e.chain);
    reset(&s);
    signer_drop(&k);
}

static void life_shows(void **state)
{
    struct sealing s;
    struct signer k;
    IDV_AUTO(evidence) e = {0};
    (void)state;
    need_tpm();
    signer_make(&k, "EC", "P-256", "ecdsa", true, PAPER_EKU);
    memset(&s, 0, sizeof(s));
    struct idv_evidence_request req = request(&s, &k);
    FAILS(IDV_E_STATE, "no anchor is sealed", idv_evidence_make(dev, &req, &e));
    begin(&s, 0);
    FAILS(IDV_E_REJECT, "attributes 0x22063008",
          idv_evidence_make(dev, &req, &e));
    reset(&s);
    seal(&s, 0);
    look(&s);
    proves(&s, &k);
    OK(idvi_nv_increment(dev, &s.counter, &owner, NULL));
    FAILS(IDV_E_REJECT, "reset since", idv_evidence_make(dev, &req, &e));
    OK(idvi_nv_undefine(dev, &s.anchor, &owner, NULL));
    signer_drop(&k);
}

/* --- the profile platform, approved as a maker does ----------------------- */

static void seal_approved(const struct idv_anchor_conf *conf,
                          struct idv_anchor_seen *seen)
{
    struct idv_record r = {
        .version = 1, .flags = IDV_RECORD_CONTENT, .time = PAPER_NOW};
    struct idv_anchor_memo memo = {0};
    struct idv_approval_request asked;
    struct idv_approval answer;
    struct idv_approval_ref ref;
    struct idv_anchor a;
    OK(idv_anchor_open(dev, conf, &a));
    OK(a.ops->statement(a.self, &asked));
    r.generation = asked.generation;
    OK(idv_approval_ref(conf->serial, &ref));
    OK(idv_approval_sign(&asked, &r, conf->approval_key, &ref, &answer));
    OK(a.ops->approve(a.self, &answer, &r));
    OK(a.ops->prepare(a.self, &memo));
    idv_record_to_bytes(&r, memo.record);
    OK(a.ops->write(a.self, &memo, seen));
    idv_anchor_close(&a);
}

static void what_a_maker_approved_is_proved(void **state)
{
    struct idv_anchor_seen seen;
    struct idv_evidence_report r;
    struct signer k;
    IDV_AUTO(evidence) e = {0};
    (void)state;
    need_tpm();
    EVP_PKEY *maker = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    const struct idv_anchor_conf conf = {.profile = IDV_ANCHOR_PLATFORM,
                                         .approval_key = maker,
                                         .serial = "GW-0001"};
    OK(idv_platform_create(dev, &conf));
    seal_approved(&conf, &seen);
    signer_make(&k, "EC", "P-256", "ecdsa", true, PAPER_EKU);
    const struct idv_evidence_request req = {
        .profile = "platform",
        .anchor = seen.anchor.index,
        .counter = seen.count.index,
        .key_uri = IAK,
        .chain = k.pki.chain,
        .nonce = idv_bytes(nonce, sizeof(nonce)),
    };
    OK(idv_evidence_make(dev, &req, &e));
    struct idv_evidence_policy policy = policy_of(&k);
    FAILS(IDV_E_REJECT, "approval key", idv_evidence_verify(&e, &policy, &r));
    policy.approval_key = maker;
    policy.serial_number = "GW-0001";
    OK(idv_evidence_verify(&e, &policy, &r));
    assert_memory_equal(r.anchor_name, seen.anchor.name, 34);
    policy.serial_number = "GW-0002";
    FAILS(IDV_E_REJECT, "GW-0002", idv_evidence_verify(&e, &policy, &r));
    policy.serial_number = "GW-0001";
    policy.approval_key = other;
    FAILS(IDV_E_REJECT, "not under", idv_evidence_verify(&e, &policy, &r));
    signer_drop(&k);
    OK(idv_platform_delete(dev, &conf));
    EVP_PKEY_free(maker);
    EVP_PKEY_free(other);
}

/* --- what is unavailable, and never faked --------------------------------- */

static void without_a_restricted_key_there_is_none(void **state)
{
    struct sealing s;
    struct signer k;
    IDV_AUTO(evidence) e = {0};
    (void)state;
    need_tpm();
    seal(&s, 0);
    signer_make(&k, "EC", "P-256", "ecdsa", false, PAPER_EKU);
    struct idv_evidence_request req = request(&s, &k);
    FAILS(IDV_E_UNABLE, "evidence: unavailable",
          idv_evidence_make(dev, &req, &e));
    req.key_uri = NULL;
    FAILS(IDV_E_UNABLE, "no restricted key", idv_evidence_make(dev, &req, &e));
    signer_drop(&k);
    signer_make(&k, "EC", "P-256", "ecdsa", true, 0);
    req = request(&s, &k);
    FAILS(IDV_E_UNABLE, "does not say", idv_evidence_make(dev, &req, &e));
    req.chain = NULL;
    FAILS(IDV_E_UNABLE, "no certificate", idv_evidence_make(dev, &req, &e));
    req = request(&s, &k);
    req.profile = "token";
    FAILS(IDV_E_UNABLE, "profile", idv_evidence_make(dev, &req, &e));
    req = request(&s, &k);
    req.chain = k.pki.anchors;
    FAILS(IDV_E_REJECT, "another key", idv_evidence_make(dev, &req, &e));
    req.nonce.n = IDV_MIN_NONCE - 1;
    FAILS(IDV_E_ARG, "nonce", idv_evidence_make(dev, &req, &e));
    signer_drop(&k);
    reset(&s);
}

/* A key that signs anything signs an attestation that no TPM made: real key,
 * real TPM, right nonce, and a certificate that its owner got somewhere. */
static void a_forger_with_a_key_of_the_tpm(void **state)
{
    struct signer k;
    struct paper p;
    struct idv_evidence_report r;
    (void)state;
    need_tpm();
    signer_make(&k, "EC", "P-256", "ecdsa", false, PAPER_EKU);
    struct idv_evidence_policy policy = policy_of(&k);
    paper_begin(&p, &k.pki, 0);
    memset(p.nonce, 0, sizeof(p.nonce));
    memcpy(p.anchor.nonce, p.nonce, sizeof(p.nonce));
    memcpy(p.counter.nonce, p.nonce, sizeof(p.nonce));
    policy.nonce = idv_bytes(p.nonce, sizeof(p.nonce));
    for (int told = 0; told < 2; told++) {
        IDV_AUTO(evidence) e = {0};
        /* its public area as it is, then as it would have to be */
        p.key_attributes = told ? 0x00050472 : 0x00040472;
        paper_evidence(&p, &e);
        idv_note_clear();
        assert_int_equal(idv_evidence_verify(&e, &policy, &r),
                         told ? IDV_OK : IDV_E_REJECT);
        assert_int_equal(r.verdict,
                         told ? IDV_EVIDENCE_SOUND : IDV_EVIDENCE_UNRESTRICTED);
    }
    signer_drop(&k);
    /* so it is the CA's word that counts: it gives none for such a key */
    signer_make(&k, "EC", "P-256", "ecdsa", false, 0);
    paper_begin(&p, &k.pki, 0);
    IDV_AUTO(evidence) e = {0};
    paper_evidence(&p, &e);
    policy = policy_of(&k);
    FAILS(IDV_E_REJECT, "does not say", idv_evidence_verify(&e, &policy, &r));
    assert_int_equal(r.verdict, IDV_EVIDENCE_UNCERTIFIED);
    signer_drop(&k);
}

/* A restricted key signs no bytes that look like an attestation. */
static void a_restricted_key_forges_nothing(void **state)
{
    static const uint8_t magic[] = {0xff, 0x54, 0x43, 0x47, 0x80, 0x14};
    uint8_t text[64] = {0}, sig[256];
    size_t n = sizeof(sig);
    struct signer k;
    (void)state;
    need_tpm();
    memcpy(text, magic, sizeof(magic));
    signer_make(&k, "EC", "P-256", "ecdsa", true, PAPER_EKU);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k.pki.key), 1);
    assert_int_not_equal(EVP_DigestSign(ctx, sig, &n, text, sizeof(text)), 1);
    ERR_clear_error();
    EVP_MD_CTX_free(ctx);
    signer_drop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restricted_keys_prove),
        cmocka_unit_test(a_gate_is_part_of_it),
        cmocka_unit_test(life_shows),
        cmocka_unit_test(what_a_maker_approved_is_proved),
        cmocka_unit_test(without_a_restricted_key_there_is_none),
        cmocka_unit_test(a_forger_with_a_key_of_the_tpm),
        cmocka_unit_test(a_restricted_key_forges_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
