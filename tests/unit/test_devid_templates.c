/* SPDX-License-Identifier: Apache-2.0 */
/* TCG's policies and templates: against the digests that were published,
 * against the provider's own templates, and each way in which a public area can
 * be another. */
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_devid.h"
#include "tests/unit/tpm_forms.h"

/* --- policies --- */

static const struct {
    enum idvi_devid what;
    uint16_t alg;
    bool low;
    const char *digest;
} published[] = {
    {IDVI_DEVID_IDEVID, IDVI_TPM_SHA256, false,
     "ad6b3a2284fd698a0710bf5cc1b9bdf15e2532e3f601fa4b93a6a8fa8de579ea"},
    {IDVI_DEVID_IDEVID, IDVI_TPM_SHA384, false,
     "4db1aa836d0b5615df6ee53a40ef70c61c217f4303d44695925972bc927006cf"
     "a5cbdf6dc18c4dbe329b2f1542c3dd33"},
    {IDVI_DEVID_IDEVID, IDVI_TPM_SHA512, false,
     "7dd7500fd6c1b94f97a6af910da147301ef28f662fee06f225a4ccadda3b4e6b"
     "38e66b2f3ad5dee1a0503cd2daedb1e68cfe4f84b03a8cd22bb6a976f071a72f"},
    {IDVI_DEVID_IAK, IDVI_TPM_SHA256, false,
     "5437182326e414fca797d5f174615a1641f61255797c3a2b22c21d120b2d1e07"},
    {IDVI_DEVID_IAK, IDVI_TPM_SHA384, false,
     "129d94ebf84556652c6eef43bbb757512ac87e52be7b349ca6ce4d826f749fcf"
     "672f51716c5cbb605f313bf345aab312"},
    {IDVI_DEVID_IAK, IDVI_TPM_SHA512, false,
     "8060d1fb31716a29e48a6e5fece088bcfc1b278fc162255e81c3eca3544cd44a"
     "f94410c3715d561cccd9e39a6cb2646d43535bb54ea88710deb5f7836bd9b586"},
    {IDVI_DEVID_EK, IDVI_TPM_SHA256, true,
     "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"},
    {IDVI_DEVID_EK, IDVI_TPM_SHA384, true,
     "8bbf2266537c171cb56e403c4dc1d4b64f432611dc386e6f532050c3278c930e"
     "143e8bb1133824ccb431053871c6db53"},
    {IDVI_DEVID_EK, IDVI_TPM_SHA256, false,
     "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0"},
    {IDVI_DEVID_EK, IDVI_TPM_SHA384, false,
     "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419ca"
     "cb47ba09699646150f9fc000f3f80e12"},
    {IDVI_DEVID_EK, IDVI_TPM_SHA512, false,
     "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a4"
     "29c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea"},
};

static void policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(published) / sizeof(*published); i++) {
        IDV_AUTO(buf) got = {0};
        IDV_AUTO(buf) hex = {0};
        OK(idvi_devid_policy(published[i].what, published[i].alg,
                             published[i].low, &got));
        OK(idv_hex_from_bytes(idv_view(&got), &hex));
        assert_string_equal((const char *)hex.p, published[i].digest);
    }
    IDV_AUTO(buf) none = {0};
    FAILS(IDV_E_ARG, "0x0004",
          idvi_devid_policy(IDVI_DEVID_EK, 0x0004, true, &none));
}

/* --- templates --- */

static void as_the_provider(const struct hwk_tpm_devid *d, const char *kind,
                            const char *dialect)
{
    TPM2B_PUBLIC want;
    uint8_t raw[1024];
    size_t n = 0;
    IDV_AUTO(buf) got = {0};
    assert_true(hwk_tpm_devid_template(d, &want));
    assert_int_equal(
        Tss2_MU_TPMT_PUBLIC_Marshal(&want.publicArea, raw, sizeof(raw), &n),
        TSS2_RC_SUCCESS);
    OK(idvi_devid_template(d->purpose == HWK_TPM_IDEVID ? IDVI_DEVID_IDEVID
                                                        : IDVI_DEVID_IAK,
                           kind, dialect, &got));
    assert_true(idv_bytes_eq(idv_view(&got), idv_bytes(raw, n)));
}

static size_t all_of(enum hwk_tpm_name purpose)
{
    struct hwk_tpm_devid d;
    size_t i = 0;
    for (; hwk_tpm_devid_nth(purpose, i, &d); i++) {
        char name[HWK_TPM_DEVID_NAME_MAX];
        hwk_tpm_devid_name(&d, name);
        char *slash = strchr(name, '/');
        if (slash)
            *slash = 0;
        as_the_provider(&d, name, slash ? slash + 1 : NULL);
    }
    return i;
}

static void templates(void **state)
{
    (void)state;
    assert_int_equal(all_of(HWK_TPM_IDEVID), 3 * 6 + 1);
    assert_int_equal(all_of(HWK_TPM_IAK), 3 * 3 + 1);
}

static void no_such_template(void **state)
{
    static const struct {
        enum idvi_devid what;
        const char *kind, *dialect;
    } none[] = {
        {IDVI_DEVID_IDEVID, "H-5", NULL},
        {IDVI_DEVID_IDEVID, "H-2", "tss"},
        {IDVI_DEVID_IDEVID, "H-1", "keylime"},
        {IDVI_DEVID_IAK, "H-2", "swtpm-null"},
        {IDVI_DEVID_EK, "H-1", NULL},
        {IDVI_DEVID_IDEVID, "L-1", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        IDV_AUTO(buf) b = {0};
        FAILS(IDV_E_ARG, "no template",
              idvi_devid_template(none[i].what, none[i].kind, none[i].dialect,
                                  &b));
        assert_int_equal(b.n, 0);
    }
}

/* --- judging --- */

static void is(enum idvi_devid what, const char *type, bool low,
               const char *kind)
{
    struct idvi_devid_found found;
    struct idvi_tpm_public back;
    struct form f;
    form_make(&f, what, type, low);
    OK(idvi_tpm_public_from_bytes(idv_view(&f.raw), &back));
    OK(idvi_devid_check(what, &back, &found));
    assert_string_equal(found.kind, kind);
    assert_string_equal(found.type, type);
    assert_false(found.no_scheme);
    form_free(&f);
}

static void what_tcg_says(void **state)
{
    static const struct {
        const char *type, *kind;
    } devids[] = {{"RSA-2048", "H-1"},
                  {"P-256", "H-2"},
                  {"P-384", "H-3"},
                  {"P-521", "H-4"}};
    (void)state;
    for (size_t i = 0; i < sizeof(devids) / sizeof(*devids); i++) {
        is(IDVI_DEVID_IDEVID, devids[i].type, false, devids[i].kind);
        is(IDVI_DEVID_IAK, devids[i].type, false, devids[i].kind);
        is(IDVI_DEVID_EK, devids[i].type, false, devids[i].kind);
    }
    is(IDVI_DEVID_EK, "RSA-2048", true, "L-1");
    is(IDVI_DEVID_EK, "P-256", true, "L-2");
    is(IDVI_DEVID_EK, "RSA-3072", false, "H-6");
}

static void no_scheme_of_an_idevid(void **state)
{
    struct idvi_devid_found found;
    struct form f;
    (void)state;
    form_make(&f, IDVI_DEVID_IDEVID, "P-256", false);
    f.p.scheme = IDVI_TPM_NULL;
    f.p.hash = 0;
    OK(idvi_devid_check(IDVI_DEVID_IDEVID, &f.p, &found));
    assert_true(found.no_scheme);
    form_free(&f);
}

static void check(const struct form *f, enum idvi_devid what, const char *says)
{
    struct idvi_devid_found found;
    FAILS(IDV_E_REJECT, says, idvi_devid_check(what, &f->p, &found));
}

static void each_attribute(void **state)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } bits[] = {
        {1u << 1, "fixedTPM"},       {1u << 2, "stClear"},
        {1u << 4, "fixedParent"},    {1u << 5, "sensitiveDataOrigin"},
        {1u << 6, "userWithAuth"},   {1u << 7, "adminWithPolicy"},
        {1u << 10, "noDA"},          {1u << 11, "encryptedDuplication"},
        {1u << 16, "restricted"},    {1u << 17, "decrypt"},
        {1u << 18, "sign"},          {1u << 19, "attributes 0x"},
        {1u << 31, "attributes 0x"},
    };
    static const char *const names[] = {"EK: ", "IAK: ", "IDevID: "};
    (void)state;
    for (int what = IDVI_DEVID_EK; what <= IDVI_DEVID_IDEVID; what++) {
        struct form f;
        form_make(&f, (enum idvi_devid)what, "P-384", false);
        for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
            char says[64];
            f.p.attributes ^= bits[i].bit;
            snprintf(says, sizeof(says), "%s%s%s", names[what], bits[i].name,
                     i >= 11                        ? ""
                     : f.p.attributes & bits[i].bit ? " is set"
                                                    : " is clear");
            check(&f, (enum idvi_devid)what, says);
            f.p.attributes ^= bits[i].bit;
        }
        form_free(&f);
    }
}

/* of a key made for one, judged as another */
static void one_is_not_another(void **state)
{
    struct form f;
    (void)state;
    form_make(&f, IDVI_DEVID_IAK, "P-256", false);
    check(&f, IDVI_DEVID_IDEVID, "IDevID: restricted is set");
    check(&f, IDVI_DEVID_EK, "EK: sign is set");
    f.p.attributes ^= IDVI_TPM_RESTRICTED;
    check(&f, IDVI_DEVID_IDEVID, "IDevID: authPolicy is not TCG's");
    form_free(&f);
    form_make(&f, IDVI_DEVID_EK, "P-256", true);
    f.p.attributes |= IDVI_TPM_USER_WITH_AUTH;
    check(&f, IDVI_DEVID_EK, "EK: authPolicy is not TCG's");
    form_free(&f);
    /* where there is only one range, that is what it is compared with */
    form_make(&f, IDVI_DEVID_EK, "P-384", false);
    f.p.attributes ^= IDVI_TPM_USER_WITH_AUTH;
    check(&f, IDVI_DEVID_EK, "EK: userWithAuth is clear");
    form_free(&f);
}

static void everything_else(void **state)
{
    struct form f;
    struct idvi_tpm_public was;
    (void)state;
    form_make(&f, IDVI_DEVID_IDEVID, "P-256", false);
    was = f.p;
#define OTHER(change, says)                                                    \
    do {                                                                       \
        change;                                                                \
        check(&f, IDVI_DEVID_IDEVID, "IDevID: " says);                         \
        f.p = was;                                                             \
    } while (0)
    OTHER(f.p.name_alg = IDVI_TPM_SHA384, "nameAlg is 0x000c, not 0x000b");
    OTHER(f.p.policy.n = 0, "it has no authPolicy");
    OTHER(f.p.policy = idv_bytes(f.a, 32), "authPolicy is not TCG's");
    OTHER(f.p.symmetric = IDVI_TPM_AES, "symmetric algorithm 0x0006");
    OTHER(f.p.scheme = 0x001a, "scheme 0x001a");
    OTHER(f.p.hash = IDVI_TPM_SHA384, "scheme 0x0018 with hash 0x000c");
    OTHER(f.p.x.n = 6, "unique of 6 and 32 bytes is no key's");
    OTHER(f.p.curve = 0x0020, "of a key on the curve 0x0020 there is no");
#undef OTHER
    form_free(&f);
    form_make(&f, IDVI_DEVID_IDEVID, "RSA-2048", false);
    f.p.exponent = 3;
    check(&f, IDVI_DEVID_IDEVID, "IDevID: exponent 3");
    f.p.bits = 1024;
    check(&f, IDVI_DEVID_IDEVID, "of an RSA key of 1024 bits there is no");
    form_free(&f);
    form_make(&f, IDVI_DEVID_IAK, "RSA-2048", false);
    f.p.scheme = IDVI_TPM_NULL;
    check(&f, IDVI_DEVID_IAK, "IAK: scheme 0x0010");
    form_free(&f);
    form_make(&f, IDVI_DEVID_EK, "P-256", true);
    f.p.sym_bits = 256;
    check(&f, IDVI_DEVID_EK, "EK: symmetric algorithm 0x0006 of 256 bits");
    form_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies),
        cmocka_unit_test(templates),
        cmocka_unit_test(no_such_template),
        cmocka_unit_test(what_tcg_says),
        cmocka_unit_test(no_scheme_of_an_idevid),
        cmocka_unit_test(each_attribute),
        cmocka_unit_test(one_is_not_another),
        cmocka_unit_test(everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
