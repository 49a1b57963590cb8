/* SPDX-License-Identifier: Apache-2.0 */
/* PINs: what is kept of them and where, those that are wanted for each use, and
 * when to log in at all. */
#include "config.h"

#include <pthread.h>
#include <sys/wait.h>

#include <p11-kit/pkcs11.h>

#include "provider/env.h"
#include "tests/unit/pin_use.h"

/* --- what is kept --- */

static void kept(void **state)
{
    EVP_PKEY *key = key_with("", "1234");

    (void)state;
    assert_true(signs(key));
    TELL("do sessions");
    assert_true(signs(key));
    assert_int_equal(logins(), 2);
    assert_int_equal(prompts, 1);
    assert_int_equal(ERR_peek_error(), 0);
    TELL("slot %d tries=1", slot); /* others have tried; ours has worked */
    TELL("do sessions");
    assert_true(signs(key));
    EVP_PKEY_free(key);
}

static void changed_at_the_token(void **state)
{
    EVP_PKEY *key = key_with("", "1234");
    int i;

    (void)state;
    assert_true(signs(key));
    TELL("slot %d pin=5678 tries=9", slot);
    TELL("do sessions");
    TELL("forget");
    for (i = 0; i < 4; i++) {
        assert_false(signs(key));
        assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    }
    assert_int_equal(logins(), 1);
    EVP_PKEY_free(key_with("", "5678")); /* who knows it helps the old key */
    assert_true(signs(key));
    EVP_PKEY_free(key);
}

/* its PIN was refused, and now it is another token that is there */
static void changed_and_gone(void **state)
{
    EVP_PKEY *key = key_with("", "1234");

    (void)state;
    assert_true(signs(key));
    TELL("slot %d pin=5678 tries=9", slot);
    TELL("do sessions");
    assert_false(signs(key));
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    TELL("slot %d serial=other", slot);
    TELL("do sessions");
    TELL("forget");
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
    TELL("slot %d serial=%d", slot, slot); /* back: as before */
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(logins(), 0);
    EVP_PKEY_free(key);
}

static void not_kept(void **state)
{
    EVP_PKEY *key;

    (void)state;
    setenv("HWKEY_CACHE_PIN", "no", 1);
    restart();
    key = key_with("", "1234");
    assert_true(signs(key));
    TELL("do sessions");
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_MISSING);
    assert_int_equal(logins(), 1);
    EVP_PKEY_free(key_with("", "1234"));
    assert_true(signs(key));
    EVP_PKEY_free(key);
}

static void read_again(void **state)
{
    EVP_PKEY *key;

    (void)state;
    setenv("HWKEY_CACHE_PIN", "no", 1);
    write_pin("1234");
    restart();
    key = key_with(from_file(), NULL);
    assert_true(signs(key));
    TELL("do sessions");
    assert_true(signs(key));
    TELL("slot %d pin=5678 tries=9", slot);
    TELL("do sessions");
    TELL("forget");
    assert_false(signs(key));
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(logins(), 1);
    write_pin("5678"); /* the file follows */
    assert_true(signs(key));
    unlink(file);
    TELL("do sessions");
    assert_false(signs(key));
    EVP_PKEY_free(key);
}

static void in_the_environment(void **state)
{
    EVP_PKEY *key;

    (void)state;
    setenv("HWKEY_CACHE_PIN", "no", 1);
    setenv("HWKEY_PIN", "1234", 1);
    restart();
    key = key_with("", NULL);
    assert_true(signs(key));
    TELL("do sessions");
    assert_true(signs(key));
    EVP_PKEY_free(key);
}

/* AddressSanitizer makes mlock() do nothing */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool locks = false;
#else
static const bool locks = true;
#endif

static bool locked_page(const void *p)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    unsigned long from, to;
    char line[512];
    bool mine = false, found = false;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            mine = (unsigned long)(uintptr_t)p >= from &&
                   (unsigned long)(uintptr_t)p < to;
        else if (mine && strncmp(line, "VmFlags:", 8) == 0)
            found = (strstr(line, " lo") != NULL || !locks) &&
                    strstr(line, " dd") != NULL;
    }
    if (f != NULL)
        fclose(f);
    return found;
}

static void in_locked_memory(void **state)
{
    struct hwk_secret *pin = hwk_secret_new("1234", 4), *dup;
    int status;
    pid_t pid;

    (void)state;
    assert_true(locked_page(pin));
    dup = hwk_secret_dup(pin);
    assert_true(locked_page(dup) && hwk_secret_eq(pin, dup));
    pid = fork();
    if (pid == 0) {
        hwk_secret_forked(pin);
        _exit(locked_page(pin) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    hwk_secret_free(pin);
    hwk_secret_free(dup);
}

/* --- a PIN for each use --- */

static void for_each_use(void **state)
{
    EVP_PKEY *key;

    (void)state;
    fresh_token("always-auth tries=9");
    key = key_with("", "1234");
    assert_true(signs(key) && signs(key));
    assert_int_equal(logins(), 3);
    assert_int_equal(prompts, 1);
    TELL("slot %d pin=5678 tries=9", slot);
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    TELL("forget");
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(logins(), 0);
    EVP_PKEY_free(key);
}

static void for_each_use_not_kept(void **state)
{
    EVP_PKEY *key;

    (void)state;
    fresh_token("always-auth");
    setenv("HWKEY_CACHE_PIN", "no", 1);
    restart();
    key = key_with("", "1234");
    assert_non_null(key);
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_MISSING);
    assert_int_equal(logins(), 1);
    EVP_PKEY_free(key);
    write_pin("1234");
    restart();
    key = key_with(from_file(), NULL);
    assert_true(signs(key) && signs(key));
    assert_int_equal(logins(), 3);
    EVP_PKEY_free(key);
}

/* --- when to log in at all --- */

static EVP_PKEY *public_key(const char *query)
{
    return open_key(&w, uri_with(query), OSSL_STORE_INFO_PUBKEY, "1234");
}

static void policy(void **state)
{
    (void)state;
    EVP_PKEY_free(public_key("?pin-value=1234"));
    assert_int_equal(logins(), 0);
    assert_int_equal(prompts, 0);
    setenv("HWKEY_LOGIN", "always", 1);
    restart();
    EVP_PKEY_free(public_key(""));
    assert_int_equal(logins(), 1);
    setenv("HWKEY_LOGIN", "never", 1);
    restart();
    EVP_PKEY_free(public_key(""));
    assert_null(key_with("", "1234"));
    assert_int_equal(logins(), 0);
    assert_int_equal(prompts, 0);
}

static void never_needs_none(void **state)
{
    EVP_PKEY *key;

    (void)state;
    TELL("slot %d no-login", slot);
    setenv("HWKEY_LOGIN", "never", 1);
    restart();
    key = key_with("", NULL);
    assert_true(signs(key));
    EVP_PKEY_free(key);
}

static void *sign_some(void *arg)
{
    int i, good = 0;

    for (i = 0; i < 20; i++)
        good += signs(arg);
    return good == 20 ? arg : NULL;
}

static void few_sessions(void **state)
{
    pthread_t id[6];
    EVP_PKEY *key;
    void *good;
    int i;

    (void)state;
    setenv("HWKEY_MAX_SESSIONS", "1", 1);
    restart();
    TELL("slot %d max-sessions=1", slot);
    key = key_with("?pin-value=1234", NULL);
    for (i = 0; i < 6; i++)
        pthread_create(&id[i], NULL, sign_some, key);
    for (i = 0; i < 6; i++) {
        pthread_join(id[i], &good);
        assert_non_null(good);
    }
    assert_int_equal(soft->calls("C_OpenSession"), 1);
    EVP_PKEY_free(key);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, each, after)
    const struct CMUnitTest tests[] = {
        CASE(kept),
        CASE(changed_at_the_token),
        CASE(changed_and_gone),
        CASE(not_kept),
        CASE(read_again),
        CASE(in_the_environment),
        CASE(in_locked_memory),
        CASE(for_each_use),
        CASE(for_each_use_not_kept),
        CASE(policy),
        CASE(never_needs_none),
        CASE(few_sessions),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
