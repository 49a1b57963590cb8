/* SPDX-License-Identifier: Apache-2.0 */
/* Names and policy digests against what a TPM answered (swtpm, through
 * tpm2-tools) and against the policies the TCG published. */
#include "tests/unit/codec.h"

#include <openssl/sha.h>

#include <idevid/codec.h>

#include "tpm/nvpolicy.h"

#define COUNTER_NAME                                                           \
    "000bda5ced328ab7ffdb4fc42465808689cf02b17b50ff42f37d0397f8543c2a4e88"
#define ANCHOR_NAME                                                            \
    "000b0f7b8563f66b9dd76499c3fed6a51e51bd75c96f63c08730f3bc0b3364a6a0e6"
#define ANCHOR_POLICY                                                          \
    "9260433b7eda43c909e470f239d85b56bc3dc5eff936b5e1cbc23560c93d5c72"

static void unhex(const char *hex, uint8_t *out, size_t n)
{
    IDV_AUTO(buf) b = {0};
    OK(idv_hex_to_bytes(idv_str(hex), &b));
    assert_int_equal(b.n, n);
    memcpy(out, b.p, n);
}

static void is_hex(const uint8_t *p, size_t n, const char *want)
{
    IDV_AUTO(buf) hex = {0};
    OK(idv_hex_from_bytes(idv_bytes(p, n), &hex));
    assert_string_equal((const char *)hex.p, want);
}

static struct hwk_nv anchor(uint32_t attributes)
{
    struct hwk_nv nv = {.index = 0x01800a01,
                        .attributes = attributes,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = 112,
                        .policy_n = 32};
    unhex(ANCHOR_POLICY, nv.policy, 32);
    return nv;
}

/* the record those were made with */
static const uint8_t *record_of_r(void)
{
    static uint8_t record[112];
    memset(record, 'r', sizeof(record));
    return record;
}

/* PolicyNV(counter == 4) from there on */
static void add_counter(uint8_t p[static 32])
{
    static const uint8_t four[8] = {[7] = 4};
    uint8_t name[IDVI_NV_NAME];
    unhex(COUNTER_NAME, name, sizeof(name));
    idvi_policy_nv(p, name, idv_bytes(four, 8), 0, IDVI_EO_EQ);
}

static void names(void **state)
{
    struct hwk_nv counter = {.index = 0x01800a00,
                             .attributes = 0x22060012,
                             .name_alg = IDVI_ALG_SHA256,
                             .size = 8};
    struct hwk_nv nv = anchor(0x02063008);
    (void)state;
    idvi_nv_name(&counter);
    is_hex(counter.name, counter.name_n, COUNTER_NAME);
    idvi_nv_name(&nv);
    is_hex(nv.name, nv.name_n,
           "000b65e1417e88b4fbe5778656cd92f5226b70dc95cf51da2a341459d8b6ee1490"
           "fe");
    nv = anchor(0x22063808);
    idvi_nv_name(&nv);
    is_hex(nv.name, nv.name_n, ANCHOR_NAME);
}

static void public_area_there_and_back(void **state)
{
    struct hwk_nv nv = anchor(0x22063808), back;
    uint8_t raw[IDVI_NV_PUBLIC_MAX];
    (void)state;
    const size_t n = idvi_nv_to_bytes(&nv, raw);
    is_hex(raw, n, "01800a01000b220638080020" ANCHOR_POLICY "0070");
    OK(idvi_nv_from_bytes(idv_bytes(raw, n), &back));
    idvi_nv_name(&nv);
    assert_memory_equal(&back, &nv, sizeof(nv));
    nv.policy_n = 0;
    memset(nv.policy, 0, sizeof(nv.policy));
    const size_t short_n = idvi_nv_to_bytes(&nv, raw);
    OK(idvi_nv_from_bytes(idv_bytes(raw, short_n), &back));
    idvi_nv_name(&nv);
    assert_memory_equal(&back, &nv, sizeof(nv));
}

static void no_public_area(void **state)
{
    struct hwk_nv nv = anchor(0x22063808), back;
    uint8_t raw[IDVI_NV_PUBLIC_MAX + 1] = {0};
    (void)state;
    const size_t n = idvi_nv_to_bytes(&nv, raw);
    for (size_t cut = 0; cut < n; cut++)
        FAILS(IDV_E_FORMAT, "public area",
              idvi_nv_from_bytes(idv_bytes(raw, cut), &back));
    FAILS(IDV_E_FORMAT, "bytes",
          idvi_nv_from_bytes(idv_bytes(raw, n + 1), &back));
    FAILS(IDV_E_FORMAT, "bytes",
          idvi_nv_from_bytes(idv_bytes(raw, sizeof(raw)), &back));
    raw[5] = 0x0c; /* SHA-384 */
    FAILS(IDV_E_FORMAT, "SHA-256",
          idvi_nv_from_bytes(idv_bytes(raw, n), &back));
    nv.policy_n = 20;
    const size_t odd = idvi_nv_to_bytes(&nv, raw);
    FAILS(IDV_E_FORMAT, "policy of 20",
          idvi_nv_from_bytes(idv_bytes(raw, odd), &back));
}

static void counter_and_pcrs(void **state)
{
    uint8_t p[32] = {0}, zeros[32];
    (void)state;
    add_counter(p);
    is_hex(p, 32,
           "36b62c4a40482523d37b6d280a5079d4158e5406ac9ebc4f32c579c05f371fbd");
    memset(p, 0, 32); /* PCRs 7 and 15 as they are after a reset */
    unhex("f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b",
          zeros, 32);
    idvi_policy_pcr(p, 1u << 7 | 1u << 15, zeros);
    is_hex(p, 32,
           "f62d13a8dfa1a3dca5b7f16214692abd321889814e17d52ab9e830623eb8f15d");
    add_counter(p);
    is_hex(p, 32,
           "3854949a5ee8f1dfe65081aa7d6c27f0563b11fadde77885918afd0837bf3885");
}

/* a higher PCR and an offset and operator other than zero, in their places */
static void order_of_arguments(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0}, name[IDVI_NV_NAME] = {0};
    (void)state;
    idvi_policy_nv(a, name, idv_bytes("", 0), 0x0102, 0x0304);
    idvi_policy_nv(b, name, idv_bytes("\1\2\3\4", 4), 0, 0);
    assert_memory_not_equal(a, b, 32);
    memset(a, 0, 32);
    memset(b, 0, 32);
    idvi_policy_pcr(a, 1u << 23, name);
    idvi_policy_pcr(b, 1u << 7, name);
    assert_memory_not_equal(a, b, 32);
}

static void counter_or_record(void **state)
{
    uint8_t legs[2][32] = {{0}}, p[32];
    (void)state;
    add_counter(legs[0]);
    SHA256(record_of_r(), 112, legs[1]);
    idvi_policy_or(p, legs, 2);
    is_hex(p, 32, ANCHOR_POLICY);
}

static void secrets_and_commands(void **state)
{
    uint8_t p[32] = {0};
    (void)state;
    idvi_policy_secret(p, IDVI_RH_PLATFORM);
    is_hex(p, 32,
           "c8b1292eff2ce7a3fa0fb1aed9ad254fb03fc01c9abc2dd1985161ba6811bdc7");
    idvi_policy_command(p, IDVI_CC_NV_UNDEFINE_SPECIAL);
    is_hex(p, 32,
           "742634fdf7c778b2f3993c7bcaefe5b3f4ff9050bca15fd7af661d6cdb449997");
}

/* PolicyB of TCG's EK templates is an OR of PolicyA, the same with a command,
 * and an NV index: the IDevID policy of "TPM 2.0 Keys for Device Identity" */
static void the_published_policy_of_idevid(void **state)
{
    const uint32_t endorsement = 0x4000000b, certify = 0x148, activate = 0x147;
    uint8_t legs[4][32] = {{0}}, p[32];
    (void)state;
    idvi_policy_secret(legs[0], endorsement);
    is_hex(legs[0], 32,
           "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa");
    memcpy(legs[1], legs[0], 32);
    memcpy(legs[2], legs[0], 32);
    idvi_policy_command(legs[1], certify);
    idvi_policy_command(legs[2], activate);
    unhex("629c50b05f1adb5b4297feb241549d4217a1c792c162feb861022def88fa9501",
          legs[3], 32);
    idvi_policy_or(p, legs, 4);
    is_hex(p, 32,
           "ad6b3a2284fd698a0710bf5cc1b9bdf15e2532e3f601fa4b93a6a8fa8de579ea");
}

static void one_write_exactly(void **state)
{
    uint8_t name[IDVI_NV_NAME], cp[32], p[32] = {0};
    uint8_t big[IDVI_NV_DATA_MAX + 1] = {0};
    (void)state;
    unhex(ANCHOR_NAME, name, sizeof(name));
    OK(idvi_nv_write_cphash(name, idv_bytes(record_of_r(), 112), 0, cp));
    is_hex(cp, 32,
           "38c039cff8d887080d0fdf3181be65026095db9a5520651063bd7b571dc10dd9");
    idvi_policy_cphash(p, cp);
    is_hex(p, 32,
           "51c5d81d7945a56d61a756a11f09b2840cfb6eb2b6f67f9319298e2de601d06b");
    OK(idvi_nv_write_cphash(name, idv_bytes(big, sizeof(big) - 1), 0, cp));
    FAILS(IDV_E_LIMIT, "2049",
          idvi_nv_write_cphash(name, idv_bytes(big, sizeof(big)), 0, cp));
}

static void approvals(void **state)
{
    uint8_t name[IDVI_NV_NAME], p[32];
    (void)state;
    memset(p, 0x5a, 32);
    unhex("000b182bf842e5ac926d12acce5941ff9613e91e089e0f6d0677f8ddc8fb677b5fb"
          "6",
          name, sizeof(name));
    idvi_policy_authorize(p, idv_bytes(name, sizeof(name)), idv_str("serial"));
    is_hex(p, 32,
           "ae12e441d09dd9a75276f39cea9a63208bb1d90e8ca7568617ca9b861045d0e3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(public_area_there_and_back),
        cmocka_unit_test(no_public_area),
        cmocka_unit_test(counter_and_pcrs),
        cmocka_unit_test(order_of_arguments),
        cmocka_unit_test(counter_or_record),
        cmocka_unit_test(secrets_and_commands),
        cmocka_unit_test(the_published_policy_of_idevid),
        cmocka_unit_test(one_write_exactly),
        cmocka_unit_test(approvals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
