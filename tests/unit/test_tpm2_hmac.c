/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions compute, against answers that were computed elsewhere by the
 * formulas of TPM 2.0 Part 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "provider/device/tpm2_hmac.h"

#define HASH 32

static const uint8_t text[] = "params";
static const struct hwk_view params = {text, 6};
static uint8_t key[HASH + 4], party[HASH], other[20], newer[HASH], older[HASH];

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < HASH; i++) {
        key[i] = (uint8_t)i;
        party[i] = (uint8_t)(100 + i);
    }
    memcpy(key + HASH, "auth", 4);
    memset(other, 0xa5, sizeof(other));
    memset(newer, 'N', sizeof(newer));
    memset(older, 'O', sizeof(older));
    return 0;
}

static void assert_hex(const uint8_t *p, size_t n, const char *hex)
{
    char is[200];
    assert_true(2 * n < sizeof(is));
    for (size_t i = 0; i < n; i++)
        snprintf(is + 2 * i, 3, "%02x", p[i]);
    assert_string_equal(is, hex);
}

/* --- KDFa --- */

static void kdfa_is(TPMI_ALG_HASH alg, size_t n, const char *hex)
{
    uint8_t out[80];
    assert_true(hwk_tpm_kdfa(NULL, alg, (struct hwk_view){key, HASH}, "ATH",
                             (struct hwk_view){other, sizeof(other)},
                             (struct hwk_view){party, sizeof(party)}, out, n));
    assert_hex(out, n, hex);
}

static void keys(void **state)
{
    (void)state;
    uint8_t out[HASH];
    const struct hwk_view none = {NULL, 0};
    kdfa_is(TPM2_ALG_SHA1, 20, "3d9785b4e7473b21839a3901822970ae2680ad92");
    kdfa_is(TPM2_ALG_SHA256, 32,
            "c283b1bd9030ff7f64d7350858b4d2eecc2726707d6ab829cf0f2f2cd465477e");
    kdfa_is(TPM2_ALG_SHA384, 48,
            "dc9e807e911baa27acd3320ffca31261567be823cdc0f7a8"
            "d39a9b99f13794ba14ed0ad52b771753faa50cf09acc4b27");
    kdfa_is(TPM2_ALG_SHA512, 64,
            "206f4c0551bce6dc3982e6ded20a930a1b91cd578665e6ed28762525354a1226"
            "65e4194f805aa2c03a9ce2a80128712ffa6c59c85020312b3771391f2416f0a3");
    /* more than one round */
    kdfa_is(TPM2_ALG_SHA256, 80,
            "4edde7b589e7f9c8faafcf241418324ac1b7d1d1110f6c7b"
            "28be4018f3ab8550306154cf57053f0cdfd81f741f1057376cfc73b6c3a460b9"
            "abb99d32f3611412208665943e15f504855d27c1cc018c04");
    assert_true(hwk_tpm_kdfa(NULL, TPM2_ALG_SHA256,
                             (struct hwk_view){key, HASH}, "INTEGRITY", none,
                             none, out, HASH));
    assert_hex(
        out, HASH,
        "bacf689f634ece301e1f1b15b072d9c87db6a69585db42b1a0cb8f73ebe2692e");
    assert_false(hwk_tpm_kdfa(NULL, TPM2_ALG_NULL, (struct hwk_view){key, HASH},
                              "ATH", none, none, out, HASH));
    /* parties that no Name or nonce could be */
    const uint8_t large[2 * sizeof(TPMU_NAME) + 1] = {0};
    assert_false(
        hwk_tpm_kdfa(NULL, TPM2_ALG_SHA256, (struct hwk_view){key, HASH}, "ATH",
                     (struct hwk_view){large, sizeof(large)}, none, out, HASH));
}

/* --- digests and HMACs --- */

static void command(TPM2B_DIGEST *out)
{
    TPM2B_NAME names[2] = {{.size = 2 + HASH},
                           {.size = 4, .name = {0x40, 0, 0, 0x0b}}};
    names[0].name[1] = 0x0b;
    memset(names[0].name + 2, 0x11, HASH);
    assert_true(hwk_tpm_cp_hash(TPM2_ALG_SHA256, TPM2_CC_Certify, names, 2,
                                params, out));
}

static void digests(void **state)
{
    (void)state;
    TPM2B_DIGEST d;
    const uint8_t large[TPM2_MAX_RESPONSE_SIZE + 1] = {0};
    const struct hwk_view too_much = {large, sizeof(large)};
    command(&d);
    assert_hex(
        d.buffer, d.size,
        "7705029cd43175da1762a39809f1e3e96bb0605a179cf54c8c54b87abef7b751");
    assert_true(hwk_tpm_rp_hash(TPM2_ALG_SHA256, TPM2_CC_ActivateCredential,
                                params, &d));
    assert_hex(
        d.buffer, d.size,
        "407ea6f52ea093956965f6ad31987894984e966a9b8c8e21e4f4d5e4ef64252a");
    assert_false(
        hwk_tpm_rp_hash(TPM2_ALG_SHA256, TPM2_CC_Certify, too_much, &d));
    assert_false(hwk_tpm_rp_hash(TPM2_ALG_NULL, TPM2_CC_Certify, params, &d));
}

static void sum_is(size_t key_n, uint8_t attributes, const char *hex)
{
    TPM2B_DIGEST hash, mac;
    command(&hash);
    const struct hwk_tpm_sum sum = {.alg = TPM2_ALG_SHA256,
                                    .hash = {hash.buffer, hash.size},
                                    .newer = {newer, HASH},
                                    .older = {older, HASH},
                                    .attributes = attributes};
    assert_true(hwk_tpm_sum(NULL, (struct hwk_view){key, key_n}, &sum, &mac));
    assert_hex(mac.buffer, mac.size, hex);
}

static void hmacs(void **state)
{
    (void)state;
    uint8_t large[2 * sizeof(TPMU_HA) + 1] = {0};
    TPM2B_DIGEST mac;
    const struct hwk_tpm_sum sum = {.alg = TPM2_ALG_SHA256};
    sum_is(sizeof(key), TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT,
           "eea9a9c29bb5f51a1e4cbdde850e999bf87b07405a49751cca2ed11772258497");
    sum_is(0, TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT,
           "52ff4cd37e2ec670206b01d86104835ca9ea7b4eb56ead019d3afcf9387cecc2");
    assert_false(
        hwk_tpm_sum(NULL, (struct hwk_view){large, sizeof(large)}, &sum, &mac));
}

/* --- encryption --- */

static void encryption(void **state)
{
    (void)state;
    const struct hwk_view by = {key, sizeof(key)}, n = {newer, HASH},
                          o = {older, HASH};
    uint8_t p[] = "a secret of twenty-six byte";
    const size_t size = sizeof(p) - 1;
    assert_true(hwk_tpm_cfb(NULL, TPM2_ALG_SHA256, by, n, o, true, p, size));
    assert_hex(p, size,
               "60aede8ada16a650545634c4a77b8c47566d672238d736b92433fe");
    assert_true(hwk_tpm_cfb(NULL, TPM2_ALG_SHA256, by, n, o, false, p, size));
    assert_string_equal((char *)p, "a secret of twenty-six byte");
    assert_false(hwk_tpm_cfb(NULL, TPM2_ALG_NULL, by, n, o, true, p, size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(digests),
        cmocka_unit_test(hmacs),
        cmocka_unit_test(encryption),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
