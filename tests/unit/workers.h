/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that sign with a key that they share and with keys of their own. */
#ifndef WORKERS_H
#define WORKERS_H

#include <pthread.h>

#include "tests/lib/hwk_test.h"

#define THREADS 8
#ifndef ROUNDS
#define ROUNDS 12
#endif

static struct world *at; /* where keys are opened */

struct worker {
    pthread_t id;
    int rounds;
    EVP_PKEY *shared;
    const char *own; /* opened anew for each round; NULL: not */
    int failed, wrong;
};

/* a signature that does not come is one thing, one that is wrong another */
static void one(struct worker *me, EVP_PKEY *key)
{
    uint8_t sig[1024];
    size_t n = key == NULL ? 0
                           : sign_msg(at, key, "SHA256", NO_PSS, "thread", 6,
                                      sig, sizeof(sig));

    if (n == 0)
        me->failed++;
    else if (!verify_msg(key, "SHA256", NO_PSS, "thread", 6, sig, n))
        me->wrong++;
}

static void *work(void *arg)
{
    struct worker *me = arg;
    int i;

    for (i = 0; i < me->rounds; i++) {
        EVP_PKEY *own = NULL;

        one(me, me->shared);
        if (me->own != NULL) {
            own = open_key(at, me->own, OSSL_STORE_INFO_PKEY, NULL);
            one(me, own);
        }
        EVP_PKEY_free(own);
    }
    ERR_clear_error();
    return NULL;
}

static void start(struct worker *workers, int n, EVP_PKEY *shared,
                  const char *own)
{
    int i;

    for (i = 0; i < n; i++) {
        workers[i] =
            (struct worker){.rounds = ROUNDS, .shared = shared, .own = own};
        assert_int_equal(
            pthread_create(&workers[i].id, NULL, work, &workers[i]), 0);
    }
}

static int finish(struct worker *workers, int n)
{
    int i, failed = 0;

    for (i = 0; i < n; i++) {
        pthread_join(workers[i].id, NULL);
        failed += workers[i].failed;
        assert_int_equal(workers[i].wrong, 0);
    }
    return failed;
}

static int run(EVP_PKEY *shared, const char *own)
{
    struct worker workers[THREADS];

    start(workers, THREADS, shared, own);
    return finish(workers, THREADS);
}

#endif
