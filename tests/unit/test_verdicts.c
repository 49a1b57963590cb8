/* SPDX-License-Identifier: Apache-2.0 */
/* Every verdict there is: what brings it about, in each form of voucher, and
 * the mutant that shows that a test misses the check when it is gone. */
#include "tests/unit/scene.h"

static void spoil_format(struct scene *s)
{
    OK(idv_buf_puts(&s->sealed, "no container"));
}

static void spoil_signature(struct scene *s)
{
    pki_seal_as(sealed_as, &s->voucher, &pki.masa, NULL, &s->sealed);
    uint8_t *end = s->sealed.p + s->sealed.n - 1;
    if (strcmp(sealed_as, IDV_MEDIA_VOUCHER_CMS) == 0)
        *end ^= 1;
    else /* "}]} are behind it, and its last character has bits to spare */
        end[-5] = end[-5] == 'A' ? 'B' : 'A';
}

static void spoil_signer(struct scene *s)
{
    s->signer = &pki.rogue_masa;
}

static void spoil_content(struct scene *s)
{
    pki_seal_as(sealed_as, &s->request, &pki.masa, NULL, &s->sealed);
}

static void spoil_serial(struct scene *s)
{
    s->voucher.serial_number[0] ^= 1;
}

static void spoil_issuer(struct scene *s)
{
    OK(idv_idevid_issuer(pki.rogue_idevid.cert, false,
                         &s->voucher.idevid_issuer));
}

static void spoil_nonce(struct scene *s)
{
    s->voucher.nonce[0] ^= 1;
}

static void spoil_nonceless(struct scene *s)
{
    make_nonceless(s);
    s->policy.refuse_nonceless = true;
}

static void spoil_expired(struct scene *s)
{
    make_nonceless(s);
    s->voucher.expires_on = PKI_NOW - 1;
}

static void spoil_time(struct scene *s)
{
    s->voucher.created_on = PKI_NOW + PKI_DAY;
}

static void spoil_assertion(struct scene *s)
{
    s->policy.refused_assertions = 1u << s->voucher.assertion;
}

static void spoil_no_pin(struct scene *s)
{
    idv_buf_clear(&s->voucher.pinned_domain_cert);
}

static void spoil_pin(struct scene *s)
{
    s->voucher.pinned_domain_cert.n--;
}

static void spoil_chain(struct scene *s)
{
    s->claim.tls_chain = pki.rogue_chain;
}

static void spoil_revoked(struct scene *s)
{
    s->voucher.revocation_checks = 1;
}

static const struct {
    void (*spoil)(struct scene *s);
    const char *mutant[2]; /* in tests/mutants; of CMS, of JWS if different */
} rows[IDV_VERDICT_COUNT] = {
    [IDV_VERDICT_FORMAT] = {spoil_format, {"voucher-format"}},
    [IDV_VERDICT_SIGNATURE] = {spoil_signature,
                               {"envelope-signature", "jws-signature"}},
    [IDV_VERDICT_SIGNER] = {spoil_signer, {"voucher-signer"}},
    [IDV_VERDICT_CONTENT] = {spoil_content, {"voucher-content"}},
    [IDV_VERDICT_SERIAL] = {spoil_serial, {"voucher-serial"}},
    [IDV_VERDICT_ISSUER] = {spoil_issuer, {"voucher-issuer"}},
    [IDV_VERDICT_NONCE] = {spoil_nonce, {"voucher-nonce"}},
    [IDV_VERDICT_NONCELESS] = {spoil_nonceless, {"voucher-nonceless"}},
    [IDV_VERDICT_EXPIRED] = {spoil_expired, {"voucher-expired"}},
    [IDV_VERDICT_TIME] = {spoil_time, {"voucher-future"}},
    [IDV_VERDICT_ASSERTION] = {spoil_assertion, {"voucher-assertion"}},
    [IDV_VERDICT_NO_PIN] = {spoil_no_pin, {"voucher-no-pin"}},
    [IDV_VERDICT_PIN] = {spoil_pin, {"voucher-pin"}},
    [IDV_VERDICT_CHAIN] = {spoil_chain, {"voucher-chain"}},
    [IDV_VERDICT_REVOKED] = {spoil_revoked, {"voucher-revocation"}},
};

/* R-P-35, R-P-36, R-P-37, R-P-38, R-P-40, R-P-41, R-P-43, R-P-44, R-P-46,
 * R-P-47: a new verdict without a row fails here */
static void each_has_its_cause(void **state)
{
    (void)state;
    for (int v = IDV_VERDICT_OK + 1; v < IDV_VERDICT_COUNT; v++) {
        SCENE(good);
        SCENE(s);
        VERDICT(IDV_VERDICT_OK, &good);
        if (!rows[v].spoil)
            fail_msg("nothing brings about %s",
                     idv_verdict_to_text((enum idv_verdict)v));
        rows[v].spoil(&s);
        VERDICT((enum idv_verdict)v, &s);
    }
}

static bool there_is(const char *mutant)
{
    char path[512];
    const char *top = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s/tests/mutants/%s.patch", top ? top : "..",
             mutant);
    return access(path, R_OK) == 0;
}

static void each_has_its_mutant(void **state)
{
    (void)state;
    for (int v = IDV_VERDICT_OK + 1; v < IDV_VERDICT_COUNT; v++) {
        for (int i = 0; i < 2; i++) {
            const char *mutant = rows[v].mutant[i];
            if (i == 1 && !mutant)
                continue;
            if (!mutant || !there_is(mutant))
                fail_msg("no mutant for %s",
                         idv_verdict_to_text((enum idv_verdict)v));
        }
    }
}

/* operators look for them in logs: each has its own, none is a sentence */
static void each_has_its_word(void **state)
{
    (void)state;
    for (int v = 0; v < IDV_VERDICT_COUNT; v++) {
        const char *word = idv_verdict_to_text((enum idv_verdict)v);
        assert_non_null(word);
        assert_true(word[0] && !strpbrk(word, " =\n"));
        assert_string_not_equal(word, "unknown");
        for (int w = 0; w < v; w++)
            assert_string_not_equal(word,
                                    idv_verdict_to_text((enum idv_verdict)w));
    }
    assert_string_equal(idv_verdict_to_text(IDV_VERDICT_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_has_its_cause),
        cmocka_unit_test(each_has_its_mutant),
        cmocka_unit_test(each_has_its_word),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
