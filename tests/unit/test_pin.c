/* SPDX-License-Identifier: Apache-2.0 */
/* PINs: where they come from, how often one is tried, what is kept of it, and
 * what is said when it does not do. Each case has a token of its own. */
#include "config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#include "provider/env.h"
#include "tests/lib/hwk_test.h"
#include "tests/lib/p11_soft.h"

static struct world w;
static const struct p11soft *soft;
static char dir[256], file[300];
static int slot; /* of the case that runs */

#define TELL(...)                                                              \
    do {                                                                       \
        char line_[256];                                                       \
                                                                               \
        snprintf(line_, sizeof(line_), __VA_ARGS__);                           \
        assert_true(soft->tell(line_));                                        \
    } while (0)

/* --- setting up --- */

static const char *module_path(void)
{
    static char path[512];
    const char *top = getenv("top_builddir");

    snprintf(path, sizeof(path), "%s/.libs/p11soft.so",
             top != NULL ? top : ".");
    return path;
}

static int begin(void **state)
{
    p11soft_control_fn *control;
    void *dl;

    (void)state;
    snprintf(dir, sizeof(dir), "%s/hwkpin.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    dl = dlopen(module_path(), RTLD_NOW | RTLD_LOCAL);
    if (dl == NULL || mkdtemp(dir) == NULL)
        return -1;
    *(void **)(void *)&control = dlsym(dl, "p11soft_control");
    soft = control();
    snprintf(file, sizeof(file), "%s/pin", dir);
    setenv("HWKEY_PKCS11_MODULE", module_path(), 1);
    return 0;
}

static int end(void **state)
{
    char command[300];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

/* the provider as a program has it that was just started */
static void restart(void)
{
    if (w.libctx != NULL)
        world_close(&w);
    assert_true(world_open(&w, "dh"));
    TELL("forget");
    prompts = 0;
    ERR_clear_error();
}

/* a token tN with PIN 1234 and an EC key k in it */
static void fresh_token(const char *words)
{
    char uri[128];
    EVP_PKEY *key;

    slot++;
    TELL("slot %d label=t%d serial=%d pin=1234 %s", slot, slot, slot, words);
    snprintf(uri, sizeof(uri), "pkcs11:token=t%d;object=k?pin-value=1234",
             slot);
    key = make_key(&w, "EC", "P-256", 0, uri);
    assert_non_null(key);
    EVP_PKEY_free(key);
    restart();
}

static int each(void **state)
{
    static const char *const names[] = {
        "HWKEY_PIN",   "HWKEY_PIN_FILE",      "HWKEY_CACHE_PIN",
        "HWKEY_LOGIN", "HWKEY_PIN_FINAL_TRY", "HWKEY_MAX_SESSIONS"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    restart();
    fresh_token("tries=9");
    return 0;
}

static int after(void **state)
{
    (void)state;
    TELL("forget");
    world_close(&w);
    return 0;
}

static const char *uri_with(const char *query)
{
    static char uri[512];

    snprintf(uri, sizeof(uri), "pkcs11:token=t%d;object=k%s", slot, query);
    return uri;
}

static EVP_PKEY *key_with(const char *query, const char *typed)
{
    return open_key(&w, uri_with(query), OSSL_STORE_INFO_PKEY, typed);
}

/* opening fails with that reason and a text that has says */
static void refused(const char *query, const char *typed, int reason,
                    const char *says)
{
    const char *text = "";
    int flags;

    assert_null(key_with(query, typed));
    ERR_peek_last_error_all(NULL, NULL, NULL, &text, &flags);
    if (strstr(text, says) == NULL)
        print_error("'%s' is not in: %s\n", says, text);
    assert_non_null(strstr(text, says));
    assert_int_equal(hwk_reason(), reason);
}

static int signs(EVP_PKEY *key)
{
    return sign_verify(&w, key, "SHA256", NO_PSS);
}

static unsigned logins(void)
{
    return soft->calls("C_Login");
}

static void write_pin(const char *pin)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fprintf(f, "%s\n", pin);
    assert_int_equal(fclose(f), 0);
}

static const char *from_file(void)
{
    static char query[400];

    snprintf(query, sizeof(query), "?pin-source=file:%s", file);
    return query;
}

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
        CASE(sources),
        CASE(odd_files),
        CASE(once),
        CASE(more_than_a_few),
        CASE(of_one_token_only),
        CASE(once_for_threads),
        CASE(once_for_processes),
        CASE(final_try),
        CASE(final_try_meanwhile),
        CASE(locked),
        CASE(in_words),
        CASE(keypad),
        CASE(kept),
        CASE(changed_at_the_token),
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
