/* SPDX-License-Identifier: Apache-2.0 */
/* The anchor of a TPM that is in dictionary-attack lockout, as anybody who can
 * guess at a value puts it: it is read, made and reset all the same, and
 * evidence depends on the key; the lockout administrator ends it. */
#include "tests/unit/codec.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <tss2/tss2_esys.h>

#include <idevid/key.h>
#include <idevid/trust.h>

#include "key/nv.h"
#include "provider/device/tpm2_conn.h"
#include "tests/lib/paper.h"
#include "tests/lib/pki.h"
#include "tests/lib/swtpm.h"

#define IAK "tpm2:handle=0x81020001"

static struct pki pki;
static struct swtpm tpm;
static struct hwk_config raw_conf;
static struct hwk_tpm *raw; /* another program's way to the same TPM */
static struct idv_device *dev;
static char dir[64], state_dir[80];
static struct idv_trust *trust;
static const uint8_t nonce[20] = "a verifier's nonce .";

static inline void idv_auto_evidence(struct idv_evidence *e)
{
    idv_evidence_free(e);
}

static int setup(void **state)
{
    (void)state;
    setenv("TSS2_LOG", "all+none", 1); /* refusals are what is asked for */
    test_dir(dir);
    snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    pki_make(&pki);
    if (!swtpm_here() || swtpm_start(&tpm) != 0)
        return 0;
    setenv("HWKEY_TPM_LOCK", tpm.lock, 1);
    const struct idv_provider_conf conf = {.tpm2_tcti = tpm.tcti};
    if (idv_provider_setup(hwk_provider_init, &conf) != IDV_OK ||
        idv_device_open("tpm2:", NULL, &dev) != IDV_OK)
        return -1;
    raw_conf = (struct hwk_config){.tcti = tpm.tcti, .tpm_lock = tpm.lock};
    raw = hwk_tpm_new(&raw_conf);
    return raw ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    idv_trust_close(trust);
    hwk_tpm_free(raw);
    idv_device_close(dev);
    pki_free(&pki);
    if (raw)
        swtpm_stop(&tpm);
    test_dir_drop(dir);
    return 0;
}

#define need_tpm()                                                             \
    do {                                                                       \
        (void)state;                                                           \
        if (!raw)                                                              \
            skip();                                                            \
    } while (0)

/* --- lockout -------------------------------------------------------------- */

static bool locked(void)
{
    struct hwk_tpm_facts facts;
    OK(idvi_nv_facts(dev, HWK_FACTS_STATE, &facts, NULL));
    return facts.in_lockout;
}

/* One wrong value is enough, once the owner of lockout says so. */
static void lock_up(void)
{
    const TPM2B_AUTH good = {4, "good"}, wrong = {5, "wrong"};
    const TPM2B_MAX_NV_BUFFER data = {8, "whatever"};
    const TPM2B_NV_PUBLIC guessed = {
        .nvPublic = {.nvIndex = 0x01900000,
                     .nameAlg = TPM2_ALG_SHA256,
                     .attributes = TPMA_NV_AUTHWRITE | TPMA_NV_AUTHREAD,
                     .dataSize = 8}};
    ESYS_TR index;
    ESYS_CONTEXT *esys = hwk_tpm_begin(raw);
    assert_non_null(esys);
    TSS2_RC set = Esys_DictionaryAttackParameters(
        esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
        1, 1000, 1000);
    TSS2_RC made = Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE, ESYS_TR_NONE, &good,
                                       &guessed, &index);
    if (made == 0)
        Esys_TR_SetAuth(esys, index, &wrong);
    TSS2_RC tried = Esys_NV_Write(esys, index, index, ESYS_TR_PASSWORD,
                                  ESYS_TR_NONE, ESYS_TR_NONE, &data, 0);
    TSS2_RC gone =
        Esys_NV_UndefineSpace(esys, ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD,
                              ESYS_TR_NONE, ESYS_TR_NONE);
    hwk_tpm_end(raw);
    assert_int_equal(set, 0);
    assert_int_equal(made, 0);
    assert_int_not_equal(tried, 0);
    assert_int_equal(gone, 0);
    assert_true(locked());
}

/* what tpm2_dictionarylockout --clear-lockout does */
static void unlock(void)
{
    ESYS_CONTEXT *esys = hwk_tpm_begin(raw);
    assert_non_null(esys);
    TSS2_RC rc = Esys_DictionaryAttackLockReset(
        esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE);
    hwk_tpm_end(raw);
    assert_int_equal(rc, 0);
    assert_false(locked());
}

/* --- the anchor ----------------------------------------------------------- */

static void start(enum idv_trust_state want)
{
    struct idv_trust_conf conf = {.dir = state_dir, .env = &pki.env.env};
    idv_trust_close(idv_steal(&trust));
    OK(idv_anchor_open(dev, NULL, &conf.anchor));
    OK(idv_trust_open(&conf, &trust));
    assert_string_equal(idv_trust_profile(trust), "owner");
    assert_int_equal(idv_trust_state(trust), want);
    assert_false(idv_trust_unsure(trust));
}

static void imprint(void)
{
    struct idv_pinned p = {.kind = IDV_PIN_CERT, .cert = pki.domain_ca.cert};
    OK(idv_key_fingerprint(X509_get0_pubkey(p.cert), p.spki_sha256));
    SHA256((const uint8_t *)"voucher", 7, p.voucher_sha256);
    OK(idv_trust_imprint(trust, &p, idv_str("voucher")));
    start(IDV_TRUST_IMPRINTED);
}

static void reset(void)
{
    OK(idv_trust_reset(trust));
    start(IDV_TRUST_NONE);
}

/* the first imprint, its start, its end, and the next; none of them counts */
static void life_in_lockout(void **state)
{
    need_tpm();
    lock_up();
    start(IDV_TRUST_NONE);
    imprint();
    assert_int_equal(swtpm_cycle(&tpm), 0);
    start(IDV_TRUST_IMPRINTED);
    assert_true(locked());
    const uint64_t generation = idv_trust_generation(trust);
    reset();
    imprint();
    assert_true(idv_trust_generation(trust) == generation + 2);
    reset();
    assert_true(locked());
    unlock();
    imprint();
    reset();
}

/* imprinted before somebody begins to guess */
static void lockout_in_life(void **state)
{
    need_tpm();
    start(IDV_TRUST_NONE);
    imprint();
    lock_up();
    start(IDV_TRUST_IMPRINTED);
    reset();
    unlock();
}

/* --- evidence ------------------------------------------------------------- */

static EVP_PKEY *make_iak(const char *noda)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(NULL, "EC", "provider=hwkey");
    EVP_PKEY *key = NULL;
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_URI, IAK) > 0);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, "group", "P-256") > 0);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_RESTRICTED, "yes") >
                0);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_SCHEME, "ecdsa") > 0);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_NODA, noda) > 0);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static idv_rc evidence(const struct paper_pki *k)
{
    const struct idv_evidence_policy policy = {
        .nonce = idv_bytes(nonce, sizeof(nonce)),
        .anchors = k->anchors,
        .check_time = true,
        .now = PAPER_NOW,
    };
    struct idv_evidence_request req;
    struct idv_evidence_report report;
    IDV_AUTO(evidence) e = {0};
    OK(idv_evidence_request_of(trust, &req));
    req.key_uri = IAK;
    req.chain = k->chain;
    req.nonce = policy.nonce;
    IDV_TRY(idv_evidence_make(dev, &req, &e));
    return idv_evidence_verify(&e, &policy, &report);
}

static void evidence_in_lockout(void **state)
{
    static const char *const noda[] = {"yes", "no"};
    need_tpm();
    start(IDV_TRUST_NONE);
    imprint();
    for (size_t i = 0; i < 2; i++) {
        struct paper_pki k;
        paper_pki_make_for(&k, make_iak(noda[i]), PAPER_EKU);
        OK(evidence(&k));
        lock_up();
        if (i == 0) /* it counts no guesses, and signs */
            OK(evidence(&k));
        else
            FAILS(IDV_E_DEVICE, "lockout", evidence(&k));
        start(IDV_TRUST_IMPRINTED);
        unlock();
        OK(evidence(&k)); /* the way out */
        paper_pki_free(&k);
        OK(idv_device_erase(dev, IAK));
    }
    reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_in_lockout),
        cmocka_unit_test(lockout_in_life),
        cmocka_unit_test(evidence_in_lockout),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
