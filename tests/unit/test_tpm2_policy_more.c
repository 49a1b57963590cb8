/* SPDX-License-Identifier: Apache-2.0 */
/* Policies on a software TPM that others have a hand in: signatures, key
 * files, a PCR extended in the middle, a TPM reset, threads. */
#include "config.h"

#include <pthread.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "tpm_policy.h"

/* somebody who signs: his key in files */
static struct signer {
    EVP_PKEY *key;
    char private[160], public[160], sig[160];
} rsa, ec;

static void signer_new(struct signer *s, const char *name, EVP_PKEY *key)
{
    const char *dir = tpm_process.dir;
    s->key = key;
    assert_non_null(key);
    snprintf(s->private, sizeof(s->private), "%s/%s.key", dir, name);
    snprintf(s->public, sizeof(s->public), "%s/%s.pub", dir, name);
    snprintf(s->sig, sizeof(s->sig), "%s/%s.sig", dir, name);
    FILE *f = fopen(s->private, "wb");
    assert_true(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    f = fopen(s->public, "wb");
    assert_true(PEM_write_PUBKEY(f, key));
    fclose(f);
}

static int setup(void **arg)
{
    if (policy_setup(arg))
        return -1;
    if (!tpm)
        return 0;
    signer_new(&rsa, "rsa", EVP_RSA_gen(2048));
    signer_new(&ec, "ec", EVP_EC_gen("P-256"));
    return 0;
}

static int teardown(void **arg)
{
    EVP_PKEY_free(rsa.key);
    EVP_PKEY_free(ec.key);
    return tpm_teardown(arg);
}

/* as openssl dgst -sha256 -sign does, into the file */
static void sign_file(const struct signer *s, const uint8_t *p, size_t n)
{
    uint8_t sig[512];
    size_t sig_n = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_true(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->key) > 0);
    assert_true(EVP_DigestSign(ctx, sig, &sig_n, p, n) > 0);
    EVP_MD_CTX_free(ctx);
    policy_write(s->sig, sig, sig_n);
}

/* what a text gives for a key that has the same but for the files */
static struct hwk_tpm_key *reopen(TPM2_HANDLE at, struct hwk_tpm_key *key,
                                  const char *text)
{
    char name[48];
    snprintf(name, sizeof(name), "policy.0x%08x", at);
    policy_set(name, text);
    hwk_tpm_key_free(tpm, key);
    hwk_tpm_policies_free(tpm); /* policy-keys is read once */
    return policy_open(at, NULL);
}

static void clean(struct hwk_tpm_key *key)
{
    hwk_tpm_key_free(tpm, key);
    hwk_tpm_policies_free(tpm);
    tpm_cfg.policy_keys = NULL;
    policy_clean();
}

static void signed_with(const struct signer *s, TPM2_HANDLE at)
{
    static const uint8_t good[] = {0, 0, 0, 0, 0xbe, 0xef}, bad[5] = {0};
    char text[512], with[700];
    struct hwk_tpm_key *key = NULL;
    snprintf(text, sizeof(text), "signed(%s,ref=beef)", s->public);
    snprintf(with, sizeof(with), "signed(%s, ref=beef, sig=%s)", s->public,
             s->sig);
    policy_key_of(at, text, TPM2_ALG_SHA256, NULL);
    key = reopen(at, key, text);
    assert_false(policy_signs(tpm, key));
    policy_said("there is no signature, and its key is not among policy-keys");
    sign_file(s, good, sizeof(good));
    key = reopen(at, key, with);
    assert_true(policy_signs(tpm, key));
    unsigned long long before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    /* LoadExternal PolicySigned FlushContext Sign */
    assert_int_equal(tpm_commands() - before, START + 4);
    sign_file(s, bad, sizeof(bad));
    key = reopen(at, key, with);
    assert_false(policy_signs(tpm, key));
    policy_said("the signature is not good");
    tpm_cfg.policy_keys = (char *)(uintptr_t)s->private;
    key = reopen(at, key, text);
    assert_true(policy_signs(tpm, key));
    clean(key);
}

static void signed_(void **arg)
{
    (void)arg;
    need_tpm();
    signed_with(&rsa, 0x81020110);
    signed_with(&ec, 0x81020111);
}

/* a policy may become another one that its owner signs */
static void authorized(void **arg)
{
    char text[600], now[700], pcr[128];
    struct hwk_tpm_key *key = NULL;
    struct hwk_tpm_rules rules;
    (void)arg;
    need_tpm();
    snprintf(text, sizeof(text), "authorize(%s,ref=0a)", rsa.public);
    policy_key_of(0x81020112, text, TPM2_ALG_SHA256, NULL);
    snprintf(text, sizeof(text), "pcr(sha256:11) & authorize(%s,ref=0a)",
             rsa.public);
    tpm_cfg.policy_keys = rsa.private;
    key = reopen(0x81020112, key, text);
    assert_true(policy_signs(tpm, key));
    policy_extend(11, 3);
    assert_true(policy_signs(tpm, key)); /* signed anew */
    unsigned long long before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    /* PCR, digest asked, authorize with the ticket of before, sign */
    assert_int_equal(tpm_commands() - before, START + 4);
    /* signed for one value */
    tpm_cfg.policy_keys = NULL;
    policy_rules("pcr(sha256:11)", TPM2_ALG_SHA256, &rules);
    uint8_t approved[33];
    memcpy(approved, rules.policy.buffer, 32);
    approved[32] = 0x0a;
    hwk_tpm_rules_clear(&rules);
    sign_file(&rsa, approved, sizeof(approved));
    snprintf(now, sizeof(now), "pcr(sha256:11) & authorize(%s,ref=0a,sig=%s)",
             rsa.public, rsa.sig);
    key = reopen(0x81020112, key, now);
    assert_true(policy_signs(tpm, key));
    policy_extend(11, 4);
    assert_false(policy_signs(tpm, key));
    policy_said("the signature is not one of this policy");
    snprintf(pcr, sizeof(pcr), "authorize(%.100s)", ec.public);
    key = reopen(0x81020112, key, pcr);
    assert_false(policy_signs(tpm, key));
    policy_said("is of no use"); /* another key: another digest */
    clean(key);
}

/* a key file says what it takes, alternatives too */
static void files(void **arg)
{
    struct hwk_tpm_rules rules;
    struct hwk_tpm_key *key;
    struct tpm_blob blob;
    (void)arg;
    need_tpm();
    policy_define(COUNTER, NULL, 8, TPMA_NV_AUTHREAD);
    policy_rules("pcr(sha256:12) | nv(0x01800a00 == count:2) | "
                 "secret(endorsement) & code(decrypt)",
                 TPM2_ALG_SHA256, &rules);
    assert_int_equal(rules.n, 3);
    policy_blob(&rules.policy, 0, &blob);
    key = policy_file(&blob, &rules);
    assert_true(policy_signs(tpm, key));
    policy_extend(12, 1);
    assert_false(policy_signs(tpm, key));
    policy_said("pcr(sha256:12): the PCRs are not as wanted: their digest is ");
    policy_count(COUNTER);
    assert_true(policy_signs(tpm, key));
    hwk_tpm_key_free(tpm, key);
    /* one that its value is enough for is not asked for its policy */
    policy_blob(&rules.policy, TPMA_OBJECT_USERWITHAUTH, &blob);
    key = policy_file(&blob, &rules);
    unsigned long long before = tpm_commands();
    assert_true(policy_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, 1);
    hwk_tpm_rules_clear(&rules);
    clean(key);
}

/* --- what happens in between --- */

static struct {
    TPM2_CC after;
    TSS2_RC rc; /* instead of the command; 0: the TPM is reset after it */
    int times;
} between;

static TSS2_RC meddle(void *arg, bool sent, TPM2_CC command)
{
    (void)arg;
    if (sent != (between.rc == 0) || command != between.after ||
        between.times <= 0)
        return TSS2_RC_SUCCESS;
    between.times--;
    if (between.rc == 0)
        assert_int_equal(swtpm_cycle(&tpm_process), 0);
    return between.rc;
}

static void meddle_with(TPM2_CC after, TSS2_RC rc, int times)
{
    between.after = after;
    between.rc = rc;
    between.times = times;
    hwk_tpm_set_fault(meddle, NULL);
}

static void changed(void **arg)
{
    struct hwk_tpm_key *key;
    (void)arg;
    need_tpm();
    policy_key_of(0x81020113, "pcr(sha256:13)", TPM2_ALG_SHA256, NULL);
    policy_set("policy.0x81020113", "pcr(sha256:13)");
    key = policy_open(0x81020113, NULL);
    meddle_with(TPM2_CC_Sign, TPM2_RC_PCR_CHANGED, 1);
    assert_true(policy_signs(tpm, key)); /* once more */
    assert_int_equal(between.times, 0);
    between.times = 2;
    assert_false(policy_signs(tpm, key));
    policy_said("PCRs change all the time");
    meddle_with(TPM2_CC_Sign, TPM2_RC_REFERENCE_S0, 1);
    assert_true(policy_signs(tpm, key)); /* a session that was lost */
    assert_int_equal(between.times, 0);
    meddle_with(TPM2_CC_PolicyPCR, TPM2_RC_REFERENCE_H0, 1);
    assert_true(policy_signs(tpm, key));
    assert_int_equal(between.times, 0);
    policy_clean(); /* no session is kept */
    meddle_with(TPM2_CC_StartAuthSession, TPM2_RC_SESSION_MEMORY, 1);
    assert_false(policy_signs(tpm, key));
    policy_said("StartAuthSession");
    hwk_tpm_set_fault(NULL, NULL);
    assert_true(policy_signs(tpm, key));
    clean(key);
}

/* the TPM loses its power between two steps, with a session that is kept, too
 */
static void reset(void **arg)
{
    static const TPM2_CC after[] = {TPM2_CC_PolicyNV, TPM2_CC_StartAuthSession,
                                    TPM2_CC_PolicyCommandCode};
    static const char text[] =
        "nv(0x01800a00 >= count:1) & code(sign) & nv(0x01800a00 < count:99)";
    struct hwk_tpm_key *key;
    (void)arg;
    need_tpm();
    policy_key_of(0x81020114, text, TPM2_ALG_SHA256, NULL);
    policy_set("policy.0x81020114", text);
    if (tpm_managed)
        skip(); /* its TPM is not ours to reset */
    for (int managed = tpm_managed; managed < 2; managed++) {
        tpm->sharing = managed ? HWK_TPM_MANAGED : HWK_TPM_BARE;
        key = policy_open(0x81020114, NULL);
        for (size_t i = 0; i < 3; i++) {
            meddle_with(after[i], 0, 1);
            assert_true(policy_signs(tpm, key));
            hwk_tpm_set_fault(NULL, NULL);
            assert_true(policy_signs(tpm, key));
        }
        assert_int_equal(swtpm_cycle(&tpm_process), 0);
        assert_true(policy_signs(tpm, key));
        hwk_tpm_key_free(tpm, key);
    }
    assert_int_equal(tpm_left_behind(), 1);
    clean(NULL);
}

/* --- threads --- */

#define THREADS 6

static void *signs(void *arg)
{
    for (int i = 0; i < 8; i++)
        if (!policy_signs(tpm, arg))
            return NULL;
    return arg;
}

/* three keys with a policy each, of two hashes, and two threads for each */
static void threads(void **arg)
{
    struct hwk_tpm_key *key[3];
    pthread_t thread[THREADS];
    void *said;
    (void)arg;
    need_tpm();
    policy_key_of(0x81020115, "auth & nv(0x01800a00 >= count:1)",
                  TPM2_ALG_SHA256, "pin");
    policy_key_of(0x81020116, "nv(0x01800a00 >= count:1)", TPM2_ALG_SHA384,
                  NULL);
    policy_set("policy.0x81020115", "auth & nv(0x01800a00 >= count:1)");
    policy_set("policy.0x81020116", "nv(0x01800a00 >= count:1)");
    for (int managed = tpm_managed; managed < 2; managed++) {
        tpm->sharing = managed ? HWK_TPM_MANAGED : HWK_TPM_BARE;
        key[0] = policy_open(0x81020114, NULL);
        key[1] = policy_open(0x81020115, "pin");
        key[2] = policy_open(0x81020116, NULL);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(
                pthread_create(&thread[i], NULL, signs, key[i % 3]), 0);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(thread[i], &said), 0);
            assert_non_null(said);
        }
        for (int i = 0; i < 3; i++)
            hwk_tpm_key_free(tpm, key[i]);
    }
    clean(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_), cmocka_unit_test(authorized),
        cmocka_unit_test(files),   cmocka_unit_test(changed),
        cmocka_unit_test(reset),   cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
