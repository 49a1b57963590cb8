/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads that decrypt and agree on secrets, with keys that they share and
 * with their own, while sessions are lost and children are forked. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/rsa.h>

#include "tests/lib/keycheck.h"
#include "tests/lib/soft_token.h"

#define TOKEN "pkcs11:token=soft"
#define TWO "pkcs11:token=two"
#define PIN "?pin-value=1234"
#define THREADS 8
#define ROUNDS 12
#define SIZE 256
#define SECRET 32

static EVP_PKEY *rsa, *ec, *peer;
static uint8_t box[SIZE], secret[SECRET];
static const char text[] = "for the holder of the key";

/* asked by LeakSanitizer: what the parent's threads hold looks lost in a child
 */
static int is_child;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_child;
}

/* --- what is done --- */

static int decrypts(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft_w.libctx, key, NULL);
    uint8_t out[SIZE];
    size_t n = sizeof(out);
    int ok = EVP_PKEY_decrypt_init(ctx) > 0 &&
             EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
             EVP_PKEY_decrypt(ctx, out, &n, box, SIZE) > 0;

    EVP_PKEY_CTX_free(ctx);
    if (ok && (n != sizeof(text) || memcmp(out, text, n) != 0))
        return -1;
    return ok;
}

static int agrees(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft_w.libctx, key, NULL);
    uint8_t out[SECRET];
    size_t n = sizeof(out);
    int ok = EVP_PKEY_derive_init(ctx) > 0 &&
             EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
             EVP_PKEY_derive(ctx, out, &n) > 0;

    EVP_PKEY_CTX_free(ctx);
    if (ok && (n != SECRET || memcmp(out, secret, n) != 0))
        return -1;
    return ok;
}

/* --- keys, and what was made for them --- */

static EVP_PKEY *made(const char *type, const char *usage, const char *uri)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(soft_w.libctx, type, "provider=hwkey");
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_URI, uri) > 0);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_USAGE, usage) > 0);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void encrypt(void)
{
    EVP_PKEY *twin = default_twin(&soft_w, rsa);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft_w.libctx, twin, NULL);
    size_t n = SIZE;

    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0);
    assert_int_equal(
        EVP_PKEY_encrypt(ctx, box, &n, (const uint8_t *)text, sizeof(text)), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(twin);
}

static void agree_in_software(void)
{
    EVP_PKEY *other = EVP_PKEY_Q_keygen(soft_w.libctx, NULL, "EC", "P-256");
    EVP_PKEY *twin = default_twin(&soft_w, ec);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft_w.libctx, other, NULL);
    size_t n = SECRET;

    assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
    assert_int_equal(EVP_PKEY_derive_set_peer(ctx, twin), 1);
    assert_int_equal(EVP_PKEY_derive(ctx, secret, &n), 1);
    peer = default_twin(&soft_w, other);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(twin);
    EVP_PKEY_free(other);
}

static int begin(void **state)
{
    if (soft_begin(state) != 0)
        return -1;
    tell("slot 1 label=soft");
    tell("slot 2 label=two");
    rsa = made("RSA", "decrypt", TOKEN ";id=%01;object=rsa" PIN);
    ec = made("EC", "derive", TWO ";id=%02;object=ec" PIN);
    encrypt();
    agree_in_software();
    return 0;
}

static int end(void **state)
{
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(peer);
    return soft_end(state);
}

/* --- workers --- */

struct worker {
    pthread_t id;
    bool own; /* keys opened anew for each round, besides */
    int failed, wrong;
};

static void count(struct worker *me, int result)
{
    me->failed += result == 0;
    me->wrong += result < 0;
}

static void with_own(struct worker *me)
{
    EVP_PKEY *r =
        open_key(&soft_w, TOKEN ";object=rsa" PIN, OSSL_STORE_INFO_PKEY, NULL);
    EVP_PKEY *e =
        open_key(&soft_w, TWO ";object=ec" PIN, OSSL_STORE_INFO_PKEY, NULL);

    count(me, r != NULL && decrypts(r));
    count(me, e != NULL && agrees(e));
    EVP_PKEY_free(r);
    EVP_PKEY_free(e);
}

static void *work(void *arg)
{
    struct worker *me = arg;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        count(me, decrypts(rsa));
        count(me, agrees(ec));
        if (me->own)
            with_own(me);
    }
    ERR_clear_error();
    return NULL;
}

static void start(struct worker *workers, bool own)
{
    int i;

    for (i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.own = own};
        assert_int_equal(
            pthread_create(&workers[i].id, NULL, work, &workers[i]), 0);
    }
}

static int finish(struct worker *workers)
{
    int i, failed = 0;

    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].id, NULL);
        failed += workers[i].failed;
        assert_int_equal(workers[i].wrong, 0);
    }
    return failed;
}

static int run(bool own)
{
    struct worker workers[THREADS];

    start(workers, own);
    return finish(workers);
}

/* --- the tests --- */

static void shared(void **state)
{
    (void)state;
    tell("do finalize"); /* the first use of all is everybody's */
    assert_int_equal(run(false), 0);
    tell("forget");
    assert_int_equal(run(false), 0);
    /* nothing but the operations themselves */
    assert_int_equal(soft->calls("C_DeriveKey"), THREADS * ROUNDS);
    assert_int_equal(soft->calls("C_Decrypt"), THREADS * ROUNDS);
    assert_int_equal(soft->calls("C_Login"), 0);
    assert_int_equal(soft->calls("C_FindObjectsInit"), 0);
}

static void shared_and_own(void **state)
{
    (void)state;
    assert_int_equal(run(true), 0);
}

/* secrets are session objects, and die with the session they were made in */
static void few_sessions(void **state)
{
    unsigned max;

    (void)state;
    for (max = 1; max <= 3; max++) {
        tell("do sessions");
        tell("slot 1 max-sessions=%u", max);
        tell("slot 2 max-sessions=%u", max);
        assert_int_equal(run(false), 0);
        assert_true(soft->sessions() <= 2 * max);
    }
    tell("slot 1 max-sessions=0");
    tell("slot 2 max-sessions=0");
}

static void losses(void **state)
{
    static const char *const at[] = {"C_DecryptInit", "C_Decrypt",
                                     "C_DeriveKey", "C_GetAttributeValue"};
    static const char *const events[] = {"sessions", "logout", "restart",
                                         "finalize"};
    struct worker workers[THREADS];
    size_t i, j;

    (void)state;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 4; j++) {
            tell("forget");
            start(workers, false);
            tell("on %s nth=20 %s", at[i], events[j]);
            assert_int_equal(finish(workers), 0); /* one loss is healed */
        }
    tell("forget");
    assert_int_equal(run(true), 0);
}

/* --- children --- */

/* says what it got to its parent, who knows what is right */
static int child(bool own, int fd)
{
    EVP_PKEY *r = rsa, *e = ec;
    char results[2];

    is_child = 1;
    signal(SIGSEGV, SIG_DFL); /* cmocka would go on with the next test */
    patience(60);
    if (own) {
        r = open_key(&soft_w, TOKEN ";object=rsa" PIN, OSSL_STORE_INFO_PKEY,
                     NULL);
        e = open_key(&soft_w, TWO ";object=ec" PIN, OSSL_STORE_INFO_PKEY, NULL);
    }
    results[0] = (char)(r != NULL ? decrypts(r) : -2);
    results[1] = (char)(e != NULL ? agrees(e) : -2);
    return write(fd, results, 2) == 2 ? 0 : 1;
}

static void fork_one(bool own)
{
    char results[2] = {0};
    int fds[2], status;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(child(own, fds[1]));
    close(fds[1]);
    assert_int_equal(read(fds[0], results, 2), 2);
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], 1);
}

/* All threads are within the module, and nowhere in libcrypto: of that, a fork
 * in the wrong moment leaves locks taken in the child, which nobody can help.
 */
static void forks(void **state)
{
    static const char *const at[] = {"C_DecryptInit", "C_Decrypt",
                                     "C_DeriveKey", "C_GetAttributeValue",
                                     "C_DestroyObject"};
    struct worker workers[THREADS];
    size_t i;

    (void)state;
    assert_int_equal(run(false), 0);
    for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        tell("forget");
        tell("on %s times=%d hold", at[i], THREADS);
        start(workers, false);
        soft->await_held(THREADS);
        fork_one(false);
        fork_one(true);
        tell("release");
        assert_int_equal(finish(workers), 0);
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, soft_each)
    const struct CMUnitTest tests[] = {
        T(shared), T(shared_and_own), T(few_sessions), T(losses), T(forks),
    };

    patience(600); /* whoever waits for ever ends */
    return cmocka_run_group_tests(tests, begin, end);
}
