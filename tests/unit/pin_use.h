/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of PINs share: each case has a token of its own, in the tests' own
 * module. */
#ifndef PIN_USE_H
#define PIN_USE_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/hwk_test.h"
#include "tests/lib/p11_soft.h"

#define MAY_STAY __attribute__((unused))

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

MAY_STAY static int begin(void **state)
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

MAY_STAY static int end(void **state)
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

MAY_STAY static int each(void **state)
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

MAY_STAY static int after(void **state)
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

MAY_STAY static EVP_PKEY *key_with(const char *query, const char *typed)
{
    return open_key(&w, uri_with(query), OSSL_STORE_INFO_PKEY, typed);
}

/* opening fails with that reason and a text that has says */
MAY_STAY static void refused(const char *query, const char *typed, int reason,
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

MAY_STAY static int signs(EVP_PKEY *key)
{
    return sign_verify(&w, key, "SHA256", NO_PSS);
}

MAY_STAY static unsigned logins(void)
{
    return soft->calls("C_Login");
}

MAY_STAY static void write_pin(const char *pin)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fprintf(f, "%s\n", pin);
    assert_int_equal(fclose(f), 0);
}

MAY_STAY static const char *from_file(void)
{
    static char query[400];

    snprintf(query, sizeof(query), "?pin-source=file:%s", file);
    return query;
}

#endif
