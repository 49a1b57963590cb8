/* SPDX-License-Identifier: Apache-2.0 */
/* Policies without a TPM: parameters as files have them, text, digests. */
#include <stdlib.h>

#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_rule_text.h"
#include "tpm.h"

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

static void assert_hex(const uint8_t *p, size_t n, const char *hex)
{
    uint8_t want[200];
    assert_int_equal(unhex(hex, want), n);
    assert_memory_equal(p, want, n);
}

/* the term in params; written again it is canonical */
static void read_step(TPM2_CC code, const char *params, const char *canonical,
                      struct hwk_tpm_term *term)
{
    uint8_t p[1024];
    struct hwk_tpm_step step = {code, p, unhex(params, p)};
    struct hwk_tpm_rule rule = {.n = 0};
    assert_true(hwk_tpm_term_from(&step, term));
    assert_true(hwk_tpm_rule_add(&rule, term));
    assert_hex(rule.steps[0].params, rule.steps[0].n, canonical);
    hwk_tpm_rule_clear(&rule);
}

static void refused(TPM2_CC code, const char *params, int reason)
{
    uint8_t p[1024];
    struct hwk_tpm_step step = {code, p, unhex(params, p)};
    struct hwk_tpm_term term;
    assert_false(hwk_tpm_term_from(&step, &term));
    assert_int_equal(tpm_reason(), reason);
}

#define D32 "e2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9"

static void parameters(void **arg)
{
    static const char pcr[] = "0020" D32 "00000001000b03000080";
    struct hwk_tpm_term t;
    (void)arg;
    read_step(TPM2_CC_PolicyPCR, pcr, pcr, &t);
    assert_int_equal(t.digest.size, 32);
    assert_int_equal(t.pcrs.pcrSelections[0].pcrSelect[2], 0x80);
    read_step(TPM2_CC_PolicyPCR, "00000001000b03000080" D32, pcr, &t);
    read_step(TPM2_CC_PolicyPCR, "000000000001000b03000080",
              "000000000001000b03000080", &t);
    assert_int_equal(t.digest.size, 0);
    read_step(TPM2_CC_PolicyAuthValue, "", "", &t);
    read_step(TPM2_CC_PolicySecret, "4000000b00044000000b0006666f6f626172",
              "4000000b00044000000b0006666f6f626172", &t);
    assert_int_equal(t.handle, TPM2_RH_ENDORSEMENT);
    assert_int_equal(t.ref.size, 6);
    read_step(TPM2_CC_PolicyCommandCode, "0000015d", "0000015d", &t);
    assert_int_equal(t.command, TPM2_CC_Sign);
    read_step(TPM2_CC_PolicyCounterTimer, "0008000000000000000500080003",
              "0008000000000000000500080003", &t);
    read_step(TPM2_CC_PolicyCounterTimer, "000000000000000500080003",
              "0008000000000000000500080003", &t); /* as older tools do */
    assert_int_equal(t.offset, 8);
    assert_int_equal(t.op, TPM2_EO_UNSIGNED_GT);
    assert_int_equal(t.operand.size, 8);
    read_step(TPM2_CC_PolicyNV, "01800a0000000001ff00000000",
              "01800a0000000001ff00000000", &t);
    assert_int_equal(t.operand.size, 1);
}

/* what a file may not get us to do */
static void hostile(void **arg)
{
    (void)arg;
    refused(TPM2_CC_PolicyPCR, "", HWK_R_FORMAT);
    refused(TPM2_CC_PolicyPCR, "000000000001000b03000000", HWK_R_FORMAT);
    refused(TPM2_CC_PolicyPCR, "0041" D32 D32 "00000001000b03000080",
            HWK_R_FORMAT);
    refused(TPM2_CC_PolicyPCR, "0000000000ff000b03000080", HWK_R_FORMAT);
    refused(TPM2_CC_PolicyAuthValue, "00", HWK_R_FORMAT);
    refused(TPM2_CC_PolicyCommandCode, "0000015d00", HWK_R_FORMAT);
    refused(TPM2_CC_PolicyCommandCode, "00015d", HWK_R_FORMAT);
    refused(TPM2_CC_PolicyOR,
            "00000001"
            "0020" D32,
            HWK_R_FORMAT);
    refused(TPM2_CC_PolicyOR,
            "7fffffff"
            "0020" D32,
            HWK_R_FORMAT);
    refused(TPM2_CC_PolicyNV, "810000010000000001000000000000", HWK_R_FORMAT);
    refused(TPM2_CC_PolicyNV, "01800a000000000100000000000c", HWK_R_FORMAT);
    refused(TPM2_CC_PolicySecret, "0000000000000000", HWK_R_FORMAT);
    refused(TPM2_CC_PolicySigned, "00000000", HWK_R_FORMAT);
    refused(TPM2_CC_PolicyAuthorize, "0001ff", HWK_R_FORMAT);
    refused(TPM2_CC_Sign, "", HWK_R_UNSUPPORTED);
    refused(0xffffffff, "00", HWK_R_UNSUPPORTED);
}

static void digest_is(const char *text, TPMI_ALG_HASH alg, size_t ways,
                      const char *hex)
{
    struct hwk_tpm_policy *policy = hwk_tpm_policy_parse(text);
    struct hwk_tpm_rules rules;
    TPM2B_DIGEST one;
    assert_non_null(policy);
    assert_true(hwk_tpm_policy_compile(policy, alg, &rules));
    assert_int_equal(rules.n, ways);
    assert_hex(rules.policy.buffer, rules.policy.size, hex);
    for (size_t i = 0; i < rules.n; i++) {
        assert_true(hwk_tpm_rule_digest(alg, &rules.list[i], &one));
        assert_hex(one.buffer, one.size, hex);
    }
    hwk_tpm_rules_clear(&rules);
    hwk_tpm_policy_free(policy);
}

/* digests that others published */
static void digests(void **arg)
{
    (void)arg;
    /* PolicyA of the TCG's EK templates, and TPM2_PolicyAuthValue alone */
    digest_is("secret(endorsement)", TPM2_ALG_SHA256, 1,
              "837197674484b3f81a90cc8d46a5d724"
              "fd52d76e06520b64f2a1da1b331469aa");
    digest_is(" auth ", TPM2_ALG_SHA256, 1,
              "8fcd2169ab92694e0c633f1ab772842b"
              "8241bbc20288981fc7ac1eddc1fddb0e");
    /* what the TCG's IDevID policies are made of, see test_tpm2_pure */
}

/* the branches of the TCG's IDevID policy, put together here another way */
static void branches(void **arg)
{
    TPM2B_DIGEST b[HWK_TPM_DEVID_BRANCHES], policy;
    char hex[200];
    (void)arg;
    assert_true(
        hwk_tpm_policy_devid(TPM2_ALG_SHA512, HWK_TPM_IDEVID, b, &policy));
    for (int i = 0; i < 64; i++)
        snprintf(hex + 2 * i, 3, "%02x", b[2].buffer[i]);
    digest_is("secret(endorsement) & code(0x147)", TPM2_ALG_SHA512, 1, hex);
}

static void ways(void **arg)
{
    struct hwk_tpm_policy *policy;
    struct hwk_tpm_rules rules;
    char text[200];
    (void)arg;
    policy = hwk_tpm_policy_parse(
        "(auth | secret(owner)) & code(sign) & (pcr(sha256:7=" D32
        ") | nv(0x01800a00==count:5, offset=0) | auth)");
    assert_non_null(policy);
    /* an index whose name is not known hides the digest of its branch */
    assert_false(hwk_tpm_policy_compile(policy, TPM2_ALG_SHA256, &rules));
    assert_int_equal(tpm_reason(), HWK_R_FORMAT);
    hwk_tpm_policy_free(policy);
    policy = hwk_tpm_policy_parse("(auth | secret(owner)) & code(sign) & "
                                  "(pcr(sha256:7=" D32 ") | auth)");
    assert_true(hwk_tpm_policy_compile(policy, TPM2_ALG_SHA384, &rules));
    assert_int_equal(rules.n, 4);
    assert_int_equal(rules.policy.size, 48);
    hwk_tpm_rule_text(&rules.list[1], text, sizeof(text));
    assert_string_equal(text, "secret(owner) & code(sign) & pcr(sha256:7)");
    for (size_t i = 0; i < 4; i++) {
        TPM2B_DIGEST d;
        assert_true(hwk_tpm_rule_digest(TPM2_ALG_SHA384, &rules.list[i], &d));
        assert_int_equal(d.size, 48);
        assert_memory_equal(d.buffer, rules.policy.buffer, 48);
    }
    hwk_tpm_rules_clear(&rules);
    hwk_tpm_policy_free(policy);
}

static void bad_text(const char *text, const char *what)
{
    const char *said = NULL;
    int flags;
    assert_null(hwk_tpm_policy_parse(text));
    ERR_peek_last_error_data(&said, &flags);
    assert_non_null(said);
    if (!strstr(said, what))
        fail_msg("'%s': %s", text, said);
    ERR_clear_error();
}

static void texts(void **arg)
{
    char deep[200] = "", wide[2000] = "auth";
    (void)arg;
    bad_text("", "auth, pcr");
    bad_text("authx", "auth, pcr");
    bad_text("auth &", "auth, pcr");
    bad_text("auth auth", "an end");
    bad_text("(auth", ")");
    bad_text("pcr(sha3:1)", "sha256");
    bad_text("pcr(sha256:24)", "smaller");
    bad_text("pcr(sha256:1,1)", "once");
    bad_text("pcr(sha256:1=00)", "as long as");
    bad_text("pcr(sha256:1=0)", "even");
    bad_text("secret(nobody)", "0x");
    bad_text("secret(owner,pin=00)", "ref");
    bad_text("signed()", "path");
    bad_text("signed(/nonexistent/key.pem)", "key.pem");
    bad_text("nv(0x81000001 == 00)", "NV index");
    bad_text("nv(0x01000001 = 00)", "==");
    bad_text("nv(0x01000001 == count:99999999999999999999999)", "smaller");
    bad_text("nv(0x01000001 == 00,offset=70000)", "smaller");
    bad_text("code(123456789012)", "smaller");
    for (int i = 0; i < 12; i++)
        strcat(deep, "(");
    bad_text(deep, "depth");
    for (int i = 0; i < 80; i++)
        strcat(wide, "&auth");
    bad_text(wide, "an end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters), cmocka_unit_test(hostile),
        cmocka_unit_test(digests),    cmocka_unit_test(branches),
        cmocka_unit_test(ways),       cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
