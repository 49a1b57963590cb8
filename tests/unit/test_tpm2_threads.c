/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on the keys of a TPM: shared keys and their own, in one provider
 * and in two, of all that keys do. */
#include <stdlib.h>
#include <string.h>

#include <openssl/rsa.h>

#define ROUNDS 6

#include "provider/device/tpm2_tcti.h"
#include "tests/lib/keycheck.h"
#include "tests/lib/tpm_device.h"
#include "tests/unit/workers.h"

#define EC "tpm2:handle=0x81020201"
#define RSA_ "tpm2:handle=0x81020202"
#define BOX "tpm2:handle=0x81020203"
#define PEER "tpm2:handle=0x81020204"
#define SIZE 256
#define SECRET 32

static struct world w;
static EVP_PKEY *ec, *rsa, *box_key, *agreeing, *peer;
static uint8_t box[SIZE], secret[SECRET];
static const char text[] = "for the holder of the key";

static EVP_PKEY *made(const char *type, const char *group, const char *usage,
                      const char *uri)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(w.libctx, type, "provider=hwkey");
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_URI, uri) > 0);
    assert_true(group == NULL ||
                EVP_PKEY_CTX_ctrl_str(ctx, "group", group) > 0);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_USAGE, usage) > 0);
    if (EVP_PKEY_generate(ctx, &key) <= 0)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void encrypt(void)
{
    EVP_PKEY *twin = default_twin(&w, box_key);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, twin, NULL);
    size_t n = SIZE;

    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0);
    assert_int_equal(
        EVP_PKEY_encrypt(ctx, box, &n, (const uint8_t *)text, sizeof(text)), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(twin);
}

static int agrees(EVP_PKEY *own, EVP_PKEY *with, uint8_t out[SECRET])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, own, NULL);
    size_t n = SECRET;
    int ok = EVP_PKEY_derive_init(ctx) > 0 &&
             EVP_PKEY_derive_set_peer(ctx, with) > 0 &&
             EVP_PKEY_derive(ctx, out, &n) > 0 && n == SECRET;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int begin(void **state)
{
    EVP_PKEY *other, *twin;

    (void)state;
    if (tpm_device_up() != 0 || !world_open(&w, "dh"))
        return -1;
    at = &w;
    ec = made("EC", "P-256", "sign", EC);
    rsa = made("RSA", NULL, "sign", RSA_);
    box_key = made("RSA", NULL, "decrypt", BOX);
    agreeing = made("EC", "P-256", "derive", PEER);
    encrypt();
    other = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    twin = default_twin(&w, agreeing);
    assert_true(agrees(other, twin, secret));
    peer = default_twin(&w, other);
    EVP_PKEY_free(twin);
    EVP_PKEY_free(other);
    return 0;
}

static int end(void **state)
{
    size_t left;

    (void)state;
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(box_key);
    EVP_PKEY_free(agreeing);
    EVP_PKEY_free(peer);
    world_close(&w);
    left = tpm_device_left();
    tpm_device_down();
    return left == 0 ? 0 : -1;
}

/* --- signatures --- */

static void one_key_and_own_opens(void **state)
{
    (void)state;
    assert_int_equal(run(ec, EC), 0);
    assert_int_equal(run(rsa, EC), 0);
    assert_int_equal(run(ec, RSA_), 0);
}

/* the first use of all, by each of them: one connection is made */
static void all_at_once(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        struct world other;
        EVP_PKEY *key;

        assert_true(world_open(&other, "dh"));
        at = &other;
        key = open_key(&other, EC, OSSL_STORE_INFO_PKEY, NULL);
        assert_int_equal(run(key, RSA_), 0);
        EVP_PKEY_free(key);
        at = &w;
        world_close(&other);
    }
}

/* two providers in a process know nothing of each other */
static void two_providers(void **state)
{
    struct worker here[THREADS], there[THREADS];
    struct world other;
    EVP_PKEY *key;
    int failed;

    (void)state;
    assert_true(world_open(&other, "dh"));
    key = open_key(&other, RSA_, OSSL_STORE_INFO_PKEY, NULL);
    start(here, THREADS, ec, NULL);
    start(there, THREADS, key, NULL);
    failed = finish(here, THREADS) + finish(there, THREADS);
    assert_int_equal(failed, 0);
    EVP_PKEY_free(key);
    world_close(&other);
}

/* --- all that keys do --- */

static int decrypts(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    uint8_t out[SIZE];
    size_t n = sizeof(out);
    int ok = EVP_PKEY_decrypt_init(ctx) > 0 &&
             EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
             EVP_PKEY_decrypt(ctx, out, &n, box, SIZE) > 0 &&
             n == sizeof(text) && memcmp(out, text, n) == 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

struct mixed {
    pthread_t id;
    int number, bad;
};

static void *do_all(void *arg)
{
    struct mixed *me = arg;
    struct worker signs = {.shared = NULL};
    uint8_t out[SECRET];
    int i;

    for (i = me->number; i < me->number + ROUNDS; i++)
        switch (i % 4) {
        case 0:
            me->bad += !decrypts(box_key);
            break;
        case 1:
            me->bad += !agrees(agreeing, peer, out) ||
                       memcmp(out, secret, SECRET) != 0;
            break;
        case 2:
            one(&signs, ec);
            break;
        default:
            one(&signs, rsa);
        }
    me->bad += signs.failed + signs.wrong;
    return NULL;
}

static void everything(void **state)
{
    struct mixed threads[THREADS];
    int i;

    (void)state;
    for (i = 0; i < THREADS; i++) {
        threads[i] = (struct mixed){.number = i};
        assert_int_equal(
            pthread_create(&threads[i].id, NULL, do_all, &threads[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i].id, NULL);
        assert_int_equal(threads[i].bad, 0);
    }
}

/* --- a line that breaks, and answers that want patience --- */

static atomic_int commands;

static TSS2_RC breaks(void *arg, bool sent, TPM2_CC command)
{
    (void)arg;
    if (sent || command != TPM2_CC_Sign)
        return TSS2_RC_SUCCESS;
    return atomic_fetch_add(&commands, 1) % 5 == 4 ? TSS2_TCTI_RC_IO_ERROR
                                                   : TSS2_RC_SUCCESS;
}

static TSS2_RC delays(void *arg, bool sent, TPM2_CC command)
{
    (void)arg;
    if (!sent || command != TPM2_CC_Sign)
        return TSS2_RC_SUCCESS;
    return atomic_fetch_add(&commands, 1) % 3 == 2 ? TPM2_RC_RETRY
                                                   : TSS2_RC_SUCCESS;
}

static void losses(void **state)
{
    (void)state;
    hwk_tpm_set_fault(breaks, NULL);
    run(ec, RSA_); /* none is wrong, that is all */
    hwk_tpm_set_fault(NULL, NULL);
    assert_true(atomic_load(&commands) > THREADS * ROUNDS);
    assert_int_equal(run(ec, RSA_), 0);
    hwk_tpm_set_fault(delays, NULL);
    assert_int_equal(run(rsa, EC), 0);
    hwk_tpm_set_fault(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_and_own_opens),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(two_providers),
        cmocka_unit_test(everything),
        cmocka_unit_test(losses),
    };

    if (!tpm_device_here()) {
        puts("1..0 # SKIP no TPM in software");
        return 0;
    }
    patience(600);
    return cmocka_run_group_tests(tests, begin, end);
}
