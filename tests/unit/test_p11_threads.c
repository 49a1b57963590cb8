/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on the keys of tokens made of memory: with few sessions, with
 * losses, with a slot that takes its time. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/soft_token.h"
#include "tests/unit/workers.h"

#define TOKEN "pkcs11:token=soft"
#define TWO "pkcs11:token=two"
#define PIN "?pin-value=1234"

static EVP_PKEY *ec, *rsa, *two;

static int begin(void **state)
{
    if (soft_begin(state) != 0)
        return -1;
    at = &soft_w;
    tell("slot 1 label=soft");
    tell("slot 2 label=two");
    ec = soft_make("P-256", TOKEN ";id=%01;object=ec" PIN);
    rsa = soft_make("RSA", TOKEN ";id=%02;object=rsa" PIN);
    two = soft_make("P-384", TWO ";id=%03;object=k" PIN);
    return 0;
}

static int end(void **state)
{
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(two);
    return soft_end(state);
}

/* --- all is well --- */

static void one_key_and_own_opens(void **state)
{
    (void)state;
    assert_int_equal(run(ec, TOKEN ";object=ec" PIN), 0);
    assert_int_equal(run(rsa, TWO ";object=k" PIN), 0);
}

/* also the first use of all, which loads, scans and logs in */
static void all_at_once(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        tell("do finalize");
        assert_int_equal(run(ec, TWO ";object=k" PIN), 0);
    }
}

/* --- few sessions --- */

static void few_sessions(void **state)
{
    unsigned max;

    (void)state;
    for (max = 1; max <= 3; max++) {
        tell("do sessions");
        tell("slot 1 max-sessions=%u", max);
        assert_int_equal(run(ec, NULL), 0);
        assert_true(soft->sessions() <= max);
    }
    tell("slot 1 max-sessions=0");
}

/* others have them all: nobody waits for what does not come */
static void no_session(void **state)
{
    CK_SESSION_HANDLE other;

    (void)state;
    tell("do sessions");
    other = soft_foreign(1);
    tell("slot 1 max-sessions=1");
    assert_int_equal(run(ec, NULL), THREADS * ROUNDS);
    assert_false(soft_signs(ec));
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    assert_int_equal(soft_f->C_CloseSession(other), CKR_OK);
    assert_int_equal(run(ec, NULL), 0);
    tell("slot 1 max-sessions=0");
}

/* a session for writing takes the place of an idle one */
static void room_to_write(void **state)
{
    EVP_PKEY *key;

    (void)state;
    tell("do sessions");
    tell("slot 1 max-sessions=1");
    assert_true(soft_signs(ec));
    key = soft_make("P-256", TOKEN ";object=new" PIN);
    assert_true(soft_signs(key));
    EVP_PKEY_free(key);
    tell("slot 1 max-sessions=0");
}

/* --- losses --- */

static void losses(void **state)
{
    static const char *const events[] = {"do sessions", "do logout",
                                         "do restart", "do finalize"};
    struct worker workers[THREADS];
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        tell("forget");
        start(workers, THREADS, ec, NULL);
        tell("on C_SignInit nth=20 %s", events[i] + 3);
        /* one loss: nobody may notice it */
        assert_int_equal(finish(workers, THREADS), 0);
        tell("forget");
        start(workers, THREADS, ec, TWO ";object=k" PIN);
        tell("on C_Sign nth=9 %s", events[i] + 3);
        tell("on C_Sign nth=50 %s", events[i] + 3);
        finish(workers, THREADS); /* none is wrong, that is all */
        tell("forget");
        assert_int_equal(run(ec, NULL), 0);
        assert_int_equal(run(two, NULL), 0);
    }
}

static void token_goes_and_comes(void **state)
{
    struct worker workers[THREADS];
    int i;

    (void)state;
    start(workers, THREADS, ec, NULL);
    for (i = 0; i < 50; i++) {
        tell("do remove=1");
        tell("do insert=1");
    }
    finish(workers, THREADS);
    assert_int_equal(run(ec, NULL), 0);
    assert_int_equal(run(two, NULL), 0);
}

/* --- a slow slot --- */

/* what hangs in one slot hangs there alone */
static void slow_slot(void **state)
{
    static const char *const where[] = {
        "C_Sign",        "C_SignInit",     "C_OpenSession",      "C_Login",
        "C_FindObjects", "C_GetTokenInfo", "C_GetAttributeValue"};
    struct worker slow;
    size_t i;

    (void)state;
    assert_true(soft_signs(two));
    for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
        tell("forget");
        tell("do remove=1"); /* so that all of these come */
        tell("do insert=1");
        tell("on %s slot=1 times=0 hold", where[i]);
        start(&slow, 1, ec, NULL);
        soft->await_held(1);
        assert_true(soft_signs(two));
        assert_int_equal(run(two, NULL), 0); /* in sessions not yet open */
        tell("release");
        assert_int_equal(finish(&slow, 1), 0);
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, soft_each)
    const struct CMUnitTest tests[] = {
        T(one_key_and_own_opens), T(all_at_once),
        T(few_sessions),          T(no_session),
        T(room_to_write),         T(losses),
        T(token_goes_and_comes),  T(slow_slot),
    };

    patience(600); /* whoever waits for ever ends */
    return cmocka_run_group_tests(tests, begin, end);
}
