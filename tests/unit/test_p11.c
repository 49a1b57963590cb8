/* SPDX-License-Identifier: Apache-2.0 */
/* A real SoftHSM2 behind a shim: PINs, losses, forks, threads. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/rsa.h>
#include <p11-kit/pkcs11.h>

#include "tests/unit/shim_use.h"

/* --- PINs, before anything has logged in --- */

static void missing_token(void **state)
{
    NEED_TOKEN();
    assert_null(key_at("pkcs11:token=nowhere;object=ec" PIN));
    assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
    assert_int_equal(shim->login, 0);
}

static void no_pin(void **state)
{
    NEED_TOKEN();
    assert_null(key_at(TOKEN ";object=ec"));
    assert_int_equal(hwk_reason(), HWK_R_PIN_MISSING);
    assert_int_equal(shim->login, 0);
    assert_int_equal(prompts, 1);
}

static void wrong_pin_once(void **state)
{
    int i;

    NEED_TOKEN();
    for (i = 0; i < 3; i++) {
        assert_null(key_at(TOKEN ";object=ec?pin-value=9999"));
        assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
        assert_int_equal(shim->login, 1); /* and never again */
    }
}

static void not_on_every_token(void **state)
{
    NEED_TOKEN();
    assert_null(key_at("pkcs11:object=ec" PIN));
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI);
    assert_int_equal(shim->login, 0);
}

/* --- making and using --- */

static void make_and_sign(void **state)
{
    static const struct {
        const char *type, *group, *md, *object;
    } kinds[] = {{"EC", "P-256", "SHA256", "ec"},
                 {"EC", "P-384", "SHA512", "ec384"},
                 {"EC", "P-521", "SHA512", "ec521"},
                 {"RSA", NULL, "SHA256", "rsa"}};
    size_t i;

    NEED_TOKEN();
    for (i = 0; i < 4; i++) {
        char uri[128];
        EVP_PKEY *key, *again;

        snprintf(uri, sizeof(uri), TOKEN ";id=%%0%zu;object=%s" PIN, i + 1,
                 kinds[i].object);
        key = make_key(&w, kinds[i].type, kinds[i].group, 2048, uri);
        assert_non_null(key);
        assert_true(sign_verify(&w, key, kinds[i].md, NO_PSS));
        again = key_at(uri);
        assert_non_null(again);
        assert_int_equal(EVP_PKEY_eq(key, again), 1);
        assert_true(sign_verify(&w, again, kinds[i].md, NO_PSS));
        if (kinds[i].group == NULL) {
            assert_true(
                sign_verify(&w, again, "SHA384", RSA_PSS_SALTLEN_DIGEST));
            assert_true(sign_verify(&w, again, "SHA256", RSA_PSS_SALTLEN_MAX));
        }
        EVP_PKEY_free(again);
        EVP_PKEY_free(key);
        assert_null(make_key(&w, kinds[i].type, kinds[i].group, 2048, uri));
        assert_int_equal(hwk_reason(), HWK_R_EXISTS);
    }
}

static void chosen_id(void **state)
{
    EVP_PKEY *key;

    NEED_TOKEN();
    key = make_key(&w, "EC", "P-256", 0, TOKEN ";object=noid" PIN);
    assert_non_null(key);
    EVP_PKEY_free(key);
    key = key_at(TOKEN ";object=noid;type=private" PIN);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

static void another_pin_is_refused(void **state)
{
    NEED_TOKEN();
    assert_null(key_at(TOKEN ";object=ec?pin-value=0000"));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(shim->login, 0);
}

static void public_without_pin(void **state)
{
    struct world other;
    EVP_PKEY *pub =
        open_key(&w, TOKEN ";object=ec", OSSL_STORE_INFO_PUBKEY, NULL);

    NEED_TOKEN();
    (void)other;
    assert_non_null(pub);
    assert_int_equal(shim->login, 0);
    assert_int_equal(prompts, 0);
    assert_false(sign_verify(&w, pub, "SHA256", NO_PSS));
    EVP_PKEY_free(pub);
}

static void two_calls(void **state)
{
    static const char *const uris[] = {TOKEN ";object=ec" PIN,
                                       TOKEN ";object=rsa" PIN};
    size_t i, j;

    NEED_TOKEN();
    for (i = 0; i < 2; i++) {
        EVP_PKEY *key = key_at(uris[i]);
        const struct hwk_device_ops *ops;
        struct hwk_stats a, b;
        uint8_t sig[256];
        void *ctx;

        ops = world_ops(&w, &ctx);
        ops->stats(ctx, &a);
        shim->calls = 0;
        for (j = 0; j < 50; j++)
            assert_true(sign_msg(&w, key, "SHA256", NO_PSS, "x", 1, sig,
                                 sizeof(sig)) > 0);
        assert_int_equal(shim->calls, 100);
        assert_int_equal(shim->sign_init, shim->sign);
        shim->sign_init = shim->sign = 0;
        ops->stats(ctx, &b);
        assert_int_equal(b.pkcs11_calls - a.pkcs11_calls, 100);
        assert_int_equal(b.signatures - a.signatures, 50);
        EVP_PKEY_free(key);
    }
}

/* --- losses --- */

static void losses(void **state)
{
    static const enum p11shim_loss kinds[] = {
        P11SHIM_SESSIONS, P11SHIM_LOGOUT, P11SHIM_RESTART, P11SHIM_FINALIZE};
    EVP_PKEY *ec, *rsa;
    size_t i;

    NEED_TOKEN();
    ec = key_at(TOKEN ";object=ec" PIN);
    rsa = key_at(TOKEN ";object=rsa" PIN);
    for (i = 0; i < 4; i++) {
        shim->login = 0;
        shim->loss = kinds[i];
        assert_true(sign_verify(&w, ec, "SHA256", NO_PSS));
        assert_int_equal(shim->login, 1);
        assert_int_equal(ERR_peek_error(), 0);
        assert_true(sign_verify(&w, rsa, "SHA256", NO_PSS));
        assert_true(sign_verify(&w, ec, "SHA256", NO_PSS));
        assert_int_equal(shim->login, 1);
        EVP_PKEY_free(rsa);
        rsa = key_at(TOKEN ";object=rsa" PIN);
        assert_non_null(rsa);
    }
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}

static void every_lost_code(void **state)
{
    static const CK_RV codes[] = {
        CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED,
        CKR_USER_NOT_LOGGED_IN,     CKR_OBJECT_HANDLE_INVALID,
        CKR_KEY_HANDLE_INVALID,     CKR_DEVICE_REMOVED,
        CKR_DEVICE_ERROR,           CKR_TOKEN_NOT_PRESENT,
        CKR_OPERATION_ACTIVE};
    EVP_PKEY *key;
    size_t i;

    NEED_TOKEN();
    key = key_at(TOKEN ";object=ec" PIN);
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        shim->sign_init = 0;
        shim->rv = codes[i];
        assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
        assert_int_equal(shim->sign_init, 2);
    }
    shim->sign_init = 0;
    shim->rv = CKR_FUNCTION_FAILED; /* no loss: not repeated */
    assert_false(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_int_equal(shim->sign_init, 1);
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

static void replaced_key(void **state)
{
    const struct hwk_device_ops *ops;
    struct hwk_device *dev;
    EVP_PKEY *key, *new;
    void *ctx;

    NEED_TOKEN();
    key = make_key(&w, "EC", "P-256", 0, TOKEN ";id=%77;object=gone" PIN);
    ops = world_ops(&w, &ctx);
    assert_int_equal(ops->open(ctx, TOKEN PIN, NULL, &dev), 1);
    assert_int_equal(ops->erase(dev, TOKEN ";id=%77;type=private"), 1);
    new = make_key(&w, "EC", "P-256", 0, TOKEN ";id=%77;object=gone" PIN);
    assert_non_null(new);
    shim->loss = P11SHIM_SESSIONS;
    assert_false(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    assert_true(sign_verify(&w, new, "SHA256", NO_PSS));
    assert_int_equal(ops->erase(dev, TOKEN ";id=%77;type=private"), 1);
    ops->close(dev);
    EVP_PKEY_free(new);
    EVP_PKEY_free(key);
}

/* --- processes and threads --- */

static int in_child(EVP_PKEY *key)
{
    EVP_PKEY *own;
    int i, ok = 1;

    for (i = 0; i < 20 && ok; i++)
        ok = sign_verify(&w, key, "SHA256", NO_PSS);
    own = key_at(TOKEN ";object=rsa" PIN);
    ok = ok && own != NULL && sign_verify(&w, own, "SHA256", NO_PSS);
    EVP_PKEY_free(own);
    EVP_PKEY_free(key);
    return ok && shim->finalize == 0;
}

static void forks(void **state)
{
    EVP_PKEY *key;
    int i, status;
    pid_t pid;

    NEED_TOKEN();
    key = key_at(TOKEN ";object=ec" PIN);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    pid = fork();
    if (pid == 0)
        exit(in_child(key) ? 0 : 1); /* with all exit handlers */
    for (i = 0; i < 20; i++)
        assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

#define THREADS 8
struct worker {
    pthread_t id;
    EVP_PKEY *shared;
    int good, lose;
};

static void *work(void *arg)
{
    struct worker *me = arg;
    int i;

    for (i = 0; i < 40; i++) {
        EVP_PKEY *own = key_at(TOKEN ";object=ec" PIN);

        if (me->lose && i % 10 == 5) /* SoftHSM itself would not survive */
            shim->rv = i % 20 == 5 ? CKR_USER_NOT_LOGGED_IN
                                   : CKR_SESSION_HANDLE_INVALID;
        me->good += sign_verify(&w, me->shared, "SHA256", NO_PSS) &&
                    own != NULL && sign_verify(&w, own, "SHA256", NO_PSS);
        EVP_PKEY_free(own);
    }
    return NULL;
}

static int run_threads(int lose)
{
    struct worker workers[THREADS];
    EVP_PKEY *key = key_at(TOKEN ";object=ec" PIN);
    int i, good = 0;

    for (i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.shared = key, .lose = lose && i == 0};
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].id, NULL);
        good += workers[i].good;
    }
    EVP_PKEY_free(key);
    return good;
}

static void threads(void **state)
{
    NEED_TOKEN();
    assert_int_equal(run_threads(0), THREADS * 40);
}

static void few_sessions(void **state)
{
    EVP_PKEY *key;

    NEED_TOKEN();
    shim->loss = P11SHIM_SESSIONS; /* begin with none */
    key = key_at(TOKEN ";object=ec" PIN);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
    shim->open = 1;
    shim->close = 0;
    shim->max_sessions = 2;
    assert_int_equal(run_threads(0), THREADS * 40);
}

/* --- beginnings and ends --- */

static void two_worlds(void **state)
{
    struct world second;
    EVP_PKEY *a, *b;

    NEED_TOKEN();
    assert_true(world_open(&second, "hd"));
    a = key_at(TOKEN ";object=ec" PIN);
    b = open_key(&second, TOKEN ";object=ec" PIN, OSSL_STORE_INFO_PKEY, NULL);
    assert_true(sign_verify(&second, b, "SHA256", NO_PSS));
    EVP_PKEY_free(b);
    world_close(&second);
    assert_int_equal(shim->finalize, 0); /* the first is still there */
    assert_true(sign_verify(&w, a, "SHA256", NO_PSS));
    EVP_PKEY_free(a);
}

static void unload_and_again(void **state)
{
    EVP_PKEY *key;

    NEED_TOKEN();
    world_close(&w);
    assert_int_equal(shim->finalize, 1);
    assert_true(world_open(&w, "dh"));
    key = key_at(TOKEN ";object=ec" PIN);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

static int calls_to_open(void)
{
    EVP_PKEY *key;
    int calls;

    world_close(&w);
    assert_true(world_open(&w, "dh"));
    shim->calls = 0;
    key = key_at(TOKEN ";object=first;type=private" PIN);
    calls = shim->calls;
    assert_non_null(key);
    EVP_PKEY_free(key);
    return calls;
}

/* From the module's C_Initialize on, a slot for a new token, which SoftHSM
 * always has, included. */
static void first_key(void **state)
{
    char two[300];
    EVP_PKEY *key;

    NEED_TOKEN();
    key = make_key(&w, "EC", "P-256", 0, TOKEN ";object=first" PIN);
    assert_non_null(key);
    EVP_PKEY_free(key);
    assert_int_equal(calls_to_open(), 18); /* tokens in two slots */
    snprintf(two, sizeof(two), "%s", getenv("SOFTHSM2_CONF"));
    assert_true(configure_in("one", "hwkey"));
    world_close(&w);
    assert_true(world_open(&w, "dh"));
    key = make_key(&w, "EC", "P-256", 0, TOKEN ";object=first" PIN);
    assert_non_null(key);
    EVP_PKEY_free(key);
    assert_int_equal(calls_to_open(), 16); /* in one */
    setenv("SOFTHSM2_CONF", two, 1);
    world_close(&w);
    assert_true(world_open(&w, "dh"));
}

static void a_token_comes(void **state)
{
    EVP_PKEY *key;

    NEED_TOKEN();
    assert_null(key_at("pkcs11:token=late;object=k" PIN));
    assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
    key = key_at(TOKEN ";object=ec" PIN);
    assert_true(softhsm_token("late"));
    /* SoftHSM sees new tokens when it starts again */
    shim->loss = P11SHIM_RESTART;
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
    key = make_key(&w, "EC", "P-256", 0, "pkcs11:token=late;object=k" PIN);
    assert_non_null(key);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

static void losses_under_threads(void **state)
{
    NEED_TOKEN();
    /* a signature that meets two losses may fail, none may be wrong, and
     * afterwards all is well */
    assert_true(run_threads(1) >= THREADS * 40 - 24);
    ERR_clear_error();
    assert_int_equal(run_threads(0), THREADS * 40);
}

/* a PIN changed by somebody else: each signature would cost one of the tries
 * that the token grants. Comes last: the PIN is not used again after it. */
static void refused_again_once(void **state)
{
    EVP_PKEY *key;
    int i;

    NEED_TOKEN();
    shim->always_auth = 1;
    key = key_at(TOKEN ";object=ec" PIN);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_int_equal(shim->again, 1);
    shim->again_rv = CKR_PIN_INCORRECT;
    for (i = 0; i < 3; i++) {
        assert_false(sign_verify(&w, key, "SHA256", NO_PSS));
        assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
        assert_int_equal(shim->again, 2);
    }
    EVP_PKEY_free(key);
}

#define T(fn) cmocka_unit_test_setup(fn, each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(missing_token),
        T(no_pin),
        T(wrong_pin_once),
        T(not_on_every_token),
        T(make_and_sign),
        T(chosen_id),
        T(another_pin_is_refused),
        T(public_without_pin),
        T(two_calls),
        T(losses),
        T(every_lost_code),
        T(replaced_key),
        T(forks),
        T(threads),
        T(few_sessions),
        T(two_worlds),
        T(unload_and_again),
        T(first_key),
        T(a_token_comes),
        T(losses_under_threads),
        T(refused_again_once),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
