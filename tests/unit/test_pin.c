/* SPDX-License-Identifier: Apache-2.0 */
/* PINs: where they come from, how often one is tried, and what is said when it
 * does not do. */
#include "config.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <p11-kit/pkcs11.h>

#include "provider/env.h"
#include "tests/unit/pin_use.h"

/* --- where it comes from --- */

static void sources(void **state)
{
    EVP_PKEY *key;

    (void)state;
    write_pin("1234");
    key = key_with(from_file(), NULL);
    assert_true(signs(key));
    EVP_PKEY_free(key);
    setenv("HWKEY_PIN_FILE", file, 1);
    restart();
    key = key_with("", NULL);
    assert_true(signs(key));
    EVP_PKEY_free(key);
    setenv("HWKEY_PIN", "1234", 1); /* before the file */
    write_pin("0000");
    restart();
    key = key_with("", NULL);
    assert_true(signs(key));
    EVP_PKEY_free(key);
    assert_int_equal(prompts, 0);
    unsetenv("HWKEY_PIN");
    unsetenv("HWKEY_PIN_FILE");
    restart();
    key = key_with("", "1234");
    assert_true(signs(key));
    EVP_PKEY_free(key);
    assert_int_equal(prompts, 1);
}

static void odd_files(void **state)
{
    char many[HWK_PIN_MAX + 2];
    EVP_PKEY *key;

    (void)state;
    refused("?pin-source=/nowhere/pin", NULL, HWK_R_FILE, "/nowhere/pin");
    refused("?pin-source=%7Ccat%20x", NULL, HWK_R_BAD_URI, "not run");
    memset(many, '1', sizeof(many));
    many[sizeof(many) - 1] = 0;
    write_pin(many);
    refused(from_file(), NULL, HWK_R_FILE, "more than 256");
    assert_int_equal(logins(), 0);
    write_pin("1234\r\nand more that is not the PIN");
    key = key_with(from_file(), NULL);
    assert_true(signs(key));
    EVP_PKEY_free(key);
}

/* --- a wrong one is tried once --- */

static void once(void **state)
{
    int i;

    (void)state;
    refused("?pin-value=9999", NULL, HWK_R_PIN_INCORRECT, "few tries are left");
    for (i = 0; i < 3; i++)
        refused("?pin-value=9999", NULL, HWK_R_PIN_INCORRECT,
                "not tried again");
    refused("", "9999", HWK_R_PIN_INCORRECT, "not tried again");
    write_pin("9999");
    refused(from_file(), NULL, HWK_R_PIN_INCORRECT, "not tried again");
    assert_int_equal(logins(), 1);
    restart(); /* the provider is new, the process is not */
    refused("?pin-value=9999", NULL, HWK_R_PIN_INCORRECT, "not tried again");
    assert_int_equal(logins(), 0);
}

static void more_than_a_few(void **state)
{
    char query[32];
    int i, round;

    (void)state;
    for (round = 0; round < 2; round++)
        for (i = 0; i < 8; i++) {
            snprintf(query, sizeof(query), "?pin-value=900%d", i);
            assert_null(key_with(query, NULL));
        }
    assert_int_equal(logins(), 8);
}

static void of_one_token_only(void **state)
{
    (void)state;
    TELL("slot %d pin=5678", slot);
    refused("?pin-value=1234", NULL, HWK_R_PIN_INCORRECT, "few tries");
    fresh_token("");
    EVP_PKEY_free(key_with("?pin-value=1234", NULL));
    assert_int_equal(logins(), 1);
}

/* another token of that label, in the same place: its PIN is its own */
static void another_token(bool noticed, const char *serial, const char *pin)
{
    if (noticed) /* by the module: sessions end */
        TELL("do remove=%d", slot);
    TELL("slot %d serial=%s pin=%s", slot, serial, pin);
    if (noticed)
        TELL("do insert=%d", slot);
}

static void of_one_that_went(void **state)
{
    EVP_PKEY *key;
    int noticed;

    (void)state;
    for (noticed = 0; noticed < 2; noticed++) {
        restart();
        another_token(noticed, noticed ? "A1" : "A0", "5678");
        refused("?pin-value=1234", NULL, HWK_R_PIN_INCORRECT, "few tries");
        another_token(noticed, noticed ? "B1" : "B0", "1234");
        key = key_with("?pin-value=1234", NULL);
        assert_true(signs(key));
        assert_int_equal(logins(), 2);
        /* the first one is back */
        another_token(true, noticed ? "A1" : "A0", "5678");
        refused("?pin-value=1234", NULL, HWK_R_PIN_INCORRECT, "tried before");
        assert_false(signs(key));
        assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
        assert_int_equal(logins(), 2);
        ERR_clear_error();
        EVP_PKEY_free(key);
    }
}

static void *open_wrong(void *arg)
{
    (void)arg;
    assert_null(key_with("?pin-value=7777", NULL));
    ERR_clear_error();
    return NULL;
}

static void once_for_threads(void **state)
{
    pthread_t id[6];
    int i;

    (void)state;
    for (i = 0; i < 6; i++)
        pthread_create(&id[i], NULL, open_wrong, NULL);
    for (i = 0; i < 6; i++)
        pthread_join(id[i], NULL);
    assert_int_equal(logins(), 1);
}

/* workers that a server forks, each with the same wrong PIN */
static unsigned tries_of_child(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        TELL("forget");
        open_wrong(NULL);
        _exit((int)logins());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return (unsigned)WEXITSTATUS(status);
}

static void once_for_processes(void **state)
{
    (void)state;
    assert_int_equal(tries_of_child(), 1);
    assert_int_equal(tries_of_child(), 0);
    refused("?pin-value=7777", NULL, HWK_R_PIN_INCORRECT, "not tried again");
    assert_int_equal(logins(), 0);
}

/* --- near the lock, and beyond --- */

static void final_try(void **state)
{
    EVP_PKEY *key;

    (void)state;
    TELL("slot %d tries=1", slot);
    write_pin("1234");
    refused("?pin-value=1234", NULL, HWK_R_PIN_MISSING, "one try left");
    refused(from_file(), NULL, HWK_R_PIN_MISSING, "pin-final-try");
    setenv("HWKEY_PIN", "1234", 1);
    restart();
    refused("", NULL, HWK_R_PIN_MISSING, "the environment");
    assert_int_equal(logins(), 0);
    unsetenv("HWKEY_PIN");
    restart();
    key = key_with("", "1234"); /* somebody is there to answer for it */
    assert_true(signs(key));
    EVP_PKEY_free(key);
    setenv("HWKEY_PIN_FINAL_TRY", "yes", 1);
    restart();
    key = key_with(from_file(), NULL);
    assert_true(signs(key));
    EVP_PKEY_free(key);
}

/* what was seen of a token before is not what it is when a PIN is to be sent */
static void final_try_meanwhile(void **state)
{
    EVP_PKEY *pub;

    (void)state;
    pub = open_key(&w, uri_with(";type=public"), OSSL_STORE_INFO_PUBKEY, NULL);
    assert_non_null(pub);
    EVP_PKEY_free(pub);
    TELL("slot %d tries=1", slot);
    refused("?pin-value=1234", NULL, HWK_R_PIN_MISSING, "one try left");
    assert_int_equal(logins(), 0);
}

static void locked(void **state)
{
    (void)state;
    TELL("slot %d tries=2", slot);
    refused("?pin-value=1", NULL, HWK_R_PIN_INCORRECT, "next wrong one locks");
    refused("", "2", HWK_R_PIN_INCORRECT, "locked now");
    TELL("forget");
    refused("?pin-value=1234", NULL, HWK_R_PIN_LOCKED, "is locked");
    assert_int_equal(logins(), 0);
}

static void in_words(void **state)
{
    static const struct {
        CK_RV rv;
        const char *says;
        int reason;
    } codes[] = {
        {CKR_PIN_EXPIRED, "change it first", HWK_R_PIN_UNUSABLE},
        {CKR_USER_PIN_NOT_INITIALIZED, "no user PIN", HWK_R_PIN_UNUSABLE},
        {CKR_PIN_LOCKED, "security officer", HWK_R_PIN_LOCKED},
        {CKR_USER_ANOTHER_ALREADY_LOGGED_IN, "keeps users out", HWK_R_PKCS11},
        {CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED (0x6)", HWK_R_PKCS11},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        TELL("on C_Login times=1 rv=0x%lx", codes[i].rv);
        refused("?pin-value=1234", NULL, codes[i].reason, codes[i].says);
    }
    TELL("on C_Login times=1 rv=0x%lx", CKR_PIN_LEN_RANGE);
    refused("?pin-value=12", NULL, HWK_R_PIN_INCORRECT, "length");
    refused("?pin-value=12", NULL, HWK_R_PIN_INCORRECT, "not tried again");
    EVP_PKEY_free(key_with("?pin-value=1234", NULL));
    assert_int_equal(hwk_reason(), 0);
}

static void keypad(void **state)
{
    EVP_PKEY *key;

    (void)state;
    TELL("slot %d protected", slot);
    restart();
    TELL("on C_Login times=1 rv=0x%lx", CKR_FUNCTION_CANCELED);
    refused("", "1234", HWK_R_PIN_MISSING, "own keypad");
    key = key_with("", "1234");
    assert_true(signs(key));
    TELL("do sessions");
    assert_true(signs(key)); /* the keypad is asked again */
    assert_int_equal(logins(), 3);
    TELL("do sessions");
    TELL("on C_Login times=1 rv=0x%lx", CKR_FUNCTION_CANCELED);
    assert_false(signs(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_MISSING);
    assert_int_equal(logins(), 4);
    assert_int_equal(prompts, 0);
    EVP_PKEY_free(key);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, each, after)
    const struct CMUnitTest tests[] = {
        CASE(sources),
        CASE(odd_files),
        CASE(once),
        CASE(more_than_a_few),
        CASE(of_one_token_only),
        CASE(of_one_that_went),
        CASE(once_for_threads),
        CASE(once_for_processes),
        CASE(final_try),
        CASE(final_try_meanwhile),
        CASE(locked),
        CASE(in_words),
        CASE(keypad),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
