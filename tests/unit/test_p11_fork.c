/* SPDX-License-Identifier: Apache-2.0 */
/* Forks: before, after and in the middle of use; children that end in every
 * way disturb nobody. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "provider/core.h"
#include "tests/lib/soft_token.h"
#include "tests/unit/children.h"

#define TOKEN "pkcs11:token=soft"
#define TWO "pkcs11:token=two"
#define PIN "?pin-value=1234"
#define PIN2 "?pin-value=2222"
#define THREADS 4

static EVP_PKEY *ec, *two;

static int begin(void **state)
{
    if (soft_begin(state) != 0)
        return -1;
    tell("slot 1 label=soft");
    tell("slot 2 label=two pin=2222");
    ec = soft_make("P-256", TOKEN ";id=%01;object=ec" PIN);
    EVP_PKEY_free(soft_make("P-256", TOKEN ";id=%02;object=second" PIN));
    two = soft_make("P-256", TWO ";id=%03;object=k" PIN2);
    return 0;
}

static int end(void **state)
{
    EVP_PKEY_free(ec);
    EVP_PKEY_free(two);
    return soft_end(state);
}

/* --- children --- */

static int uses_inherited(int fd)
{
    return signs_to(&soft_w, ec, fd) && ERR_peek_error() == 0 &&
                   soft->calls("C_Finalize") == 0
               ? 0
               : 1;
}

static int opens_own(int fd)
{
    EVP_PKEY *own =
        open_key(&soft_w, TOKEN ";object=ec" PIN, OSSL_STORE_INFO_PKEY, NULL);
    int ok = own != NULL && signs_to(&soft_w, own, fd);

    EVP_PKEY_free(own);
    return ok ? 0 : 1;
}

/* --- when --- */

static void after_use(void **state)
{
    struct child c;

    (void)state;
    assert_true(soft_signs(ec));
    c = spawn(uses_inherited);
    assert_true(verified_from(ec, c.fd));
    assert_ended_well(&c);
    c = spawn(opens_own);
    assert_true(verified_from(ec, c.fd));
    assert_ended_well(&c);
    tell("forget");
    assert_true(soft_signs(ec)); /* in the session of before */
    assert_int_equal(soft->calls(NULL), 2);
}

static void before_use(void **state)
{
    struct child c;

    (void)state;
    EVP_PKEY_free(ec);
    EVP_PKEY_free(two);
    world_close(&soft_w);
    assert_true(world_open(&soft_w, "dh"));
    c = spawn(opens_own); /* the parent has done nothing yet */
    ec = soft_key(TOKEN ";object=ec" PIN);
    two = soft_key(TWO ";object=k" PIN2);
    assert_true(soft_signs(ec));
    assert_true(verified_from(ec, c.fd));
    assert_ended_well(&c);
    assert_true(soft_signs(ec));
}

static int grandchild(int fd)
{
    struct child c;
    int ok;

    if (!signs_to(&soft_w, ec, fd))
        return 1;
    c = spawn(uses_inherited);
    ok = verified_from(ec, c.fd);
    return status_of(&c) == 0 && ok ? 0 : 1;
}

static void twice(void **state)
{
    struct child c;

    (void)state;
    assert_true(soft_signs(ec));
    c = spawn(grandchild);
    assert_true(verified_from(ec, c.fd));
    assert_ended_well(&c);
    assert_true(soft_signs(ec));
}

/* the PIN of one token must not reach the one that has its number now */
static int both_where_they_are(int fd)
{
    CK_TOKEN_INFO info;
    CK_SLOT_ID id;

    if (!signs_to(&soft_w, ec, fd) ||
        sign_msg(&soft_w, two, "SHA256", NO_PSS, "x", 1, (uint8_t[256]){0},
                 256) == 0)
        return 1;
    for (id = 1; id <= 2; id++)
        if (soft_f->C_GetTokenInfo(id, &info) != CKR_OK ||
            (info.flags & CKF_USER_PIN_COUNT_LOW) != 0)
            return 2;
    return 0;
}

static void slots_move(void **state)
{
    struct child c;

    (void)state;
    assert_true(soft_signs(ec));
    assert_true(soft_signs(two));
    tell("do move-on-fork");
    c = spawn(both_where_they_are);
    assert_true(verified_from(ec, c.fd));
    assert_ended_well(&c);
    assert_true(soft_signs(ec));
    assert_true(soft_signs(two));
}

/* --- how a child ends --- */

static int exits(int fd)
{
    if (!signs_to(&soft_w, ec, fd))
        return 1;
    exit(0); /* with all handlers, keys and provider still open */
}

static int unloads(int fd)
{
    int ok = signs_to(&soft_w, ec, fd);

    EVP_PKEY_free(ec);
    EVP_PKEY_free(two);
    world_close(&soft_w);
    return ok ? 0 : 1;
}

static int unloads_unused(int fd)
{
    (void)fd;
    EVP_PKEY_free(ec);
    EVP_PKEY_free(two);
    world_close(&soft_w);
    return soft->calls("C_Finalize") == 0 ? 0 : 1;
}

static int execs(int fd)
{
    (void)fd;
    execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
    return 1;
}

static int killed_within(int fd)
{
    tell("on C_Sign kill");
    signs_to(&soft_w, ec, fd);
    return 1;
}

static void ends(void **state)
{
    static int (*const ways[])(int) = {exits, unloads, unloads_unused, execs,
                                       killed_within};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct child c;

        assert_true(soft_signs(ec));
        c = spawn(ways[i]);
        if (ways[i] == killed_within)
            assert_killed(&c);
        else
            assert_ended_well(&c);
        tell("forget");
        assert_true(soft_signs(ec));
        assert_int_equal(soft->calls(NULL), 2); /* nothing was lost here */
    }
}

/* --- while others sign --- */

struct worker {
    pthread_t id;
    int done, bad;
};

static void *work(void *arg)
{
    struct worker *me = arg;
    uint8_t sig[256];
    size_t n;

    while (me->done < 5) {
        n = sign_msg(&soft_w, ec, "SHA256", NO_PSS, "thread", 6, sig,
                     sizeof(sig));
        me->bad +=
            n == 0 || !verify_msg(ec, "SHA256", NO_PSS, "thread", 6, sig, n);
        me->done++;
    }
    return NULL;
}

/* Each thread is within C_Sign, and nowhere in libcrypto: of that, a fork in
 * the wrong moment leaves locks taken in the child, which nobody can help. */
static void while_others_sign(void **state)
{
    static int (*const ways[])(int) = {uses_inherited, exits, execs,
                                       killed_within};
    struct worker workers[THREADS];
    size_t i;

    (void)state;
    tell("on C_Sign times=%d hold", THREADS);
    for (i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){0};
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    }
    soft->await_held(THREADS);
    for (i = 0; i < 4; i++) {
        struct child c = spawn(ways[i]);

        if (i < 2)
            assert_true(verified_from(ec, c.fd));
        if (ways[i] == killed_within)
            assert_killed(&c);
        else
            assert_ended_well(&c);
    }
    tell("release");
    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].id, NULL);
        assert_int_equal(workers[i].bad, 0);
    }
    assert_true(soft_signs(ec));
}

/* --- while another makes the private context --- */

static atomic_bool hold_load;
static sem_t within, go;

/* libcrypto's, where a thread waits when it is to; it holds no lock there */
OSSL_PROVIDER *OSSL_PROVIDER_load(OSSL_LIB_CTX *ctx, const char *name)
{
    OSSL_PROVIDER *(*load)(OSSL_LIB_CTX *, const char *);

    *(void **)(void *)&load = dlsym(RTLD_NEXT, "OSSL_PROVIDER_load");
    if (atomic_exchange(&hold_load, false)) {
        sem_post(&within);
        sem_wait(&go);
    }
    return load(ctx, name);
}

static struct hwk_core *core;

static void *wants_context(void *arg)
{
    (void)arg;
    return hwk_core_soft(core);
}

static int hashes(int fd)
{
    (void)fd;
    patience(60);
    return hwk_core_md(core, HWK_MD_SHA256) != NULL ? 0 : 1;
}

static void while_another_prepares(void **state)
{
    static const OSSL_DISPATCH none[] = {{0, NULL}};
    pthread_t id;
    struct child c;
    void *soft_ctx;

    (void)state;
    sem_init(&within, 0, 0);
    sem_init(&go, 0, 0);
    core = hwk_core_new(NULL, none);
    assert_non_null(core);
    atomic_store(&hold_load, true);
    pthread_create(&id, NULL, wants_context, NULL);
    sem_wait(&within);
    c = spawn(hashes);
    assert_ended_well(&c);
    assert_non_null(hwk_core_soft(core));
    sem_post(&go);
    pthread_join(id, &soft_ctx);
    assert_ptr_equal(soft_ctx, hwk_core_soft(core));
    hwk_core_free(core);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, soft_each)
    const struct CMUnitTest tests[] = {
        T(after_use),
        T(before_use),
        T(twice),
        T(ends),
        T(slots_move),
        T(while_others_sign),
        T(while_another_prepares),
    };

    patience(600);
    return cmocka_run_group_tests(tests, begin, end);
}
