/* SPDX-License-Identifier: Apache-2.0 */
/* A process that is killed while it makes a key in a token or brings one in,
 * between any two calls: what it leaves is a whole key, nothing, or something
 * that is said when the key is made again; and no two keys of one name. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/raw_use.h"

#define URI "pkcs11:token=one;object=mine;id=%07?pin-value=" RAW_PIN

static char file[] = "killed.XXXXXX";
static EVP_PKEY *source;

static EVP_PKEY *generated(void)
{
    return make_key(&w, "EC", "P-256", 0, URI);
}

static EVP_PKEY *imported(void)
{
    return fromdata(source, URI, NULL);
}

static int begin_killed(void **state)
{
    static char line[128];
    static const char *const slots[] = {line, NULL};

    (void)state;
    setenv("HWKEY_ALLOW_IMPORT", "yes", 1);
    close(mkstemp(file));
    unlink(file); /* the module makes it */
    snprintf(line, sizeof(line),
             "slot 1 label=one serial=0001 pin=" RAW_PIN " file=%s", file);
    source = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    return source != NULL && begin_with(slots) ? 0 : -1;
}

static int end_killed(void **state)
{
    EVP_PKEY_free(source);
    return end(state) + unlink(file);
}

/* in a process that is killed before its nth call; true when it came through */
static bool survives(EVP_PKEY *(*make)(void), unsigned nth)
{
    char line[64];
    EVP_PKEY *key;
    bool ok;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        snprintf(line, sizeof(line), "on any nth=%u kill", nth);
        key = raw_soft->tell(line) ? make() : NULL;
        ok = key != NULL;
        EVP_PKEY_free(key);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGKILL);
    else
        assert_int_equal(status, 0);
    return WIFEXITED(status);
}

/* what is in the token: its private halves, and 16 times its public ones */
static unsigned left(void)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    unsigned n = raw_count(s, CKO_PRIVATE_KEY, "mine", NULL) +
                 16 * raw_count(s, CKO_PUBLIC_KEY, "mine", NULL);

    assert_int_equal(n / 16 + n % 16,
                     raw_count(s, (CK_OBJECT_CLASS)-1, NULL, NULL));
    raw_close(s);
    return n;
}

/* once more, by somebody who knows nothing of it */
static void made_again(EVP_PKEY *(*make)(void), unsigned before)
{
    EVP_PKEY *key = make();

    if (before == 0) {
        assert_non_null(key);
        assert_int_equal(left(), 17);
    } else {
        assert_null(key);
        assert_non_null(
            strstr(ERR_reason_error_string(ERR_peek_error()), "exists"));
        assert_int_equal(left(), before); /* and nothing was taken away */
    }
    EVP_PKEY_free(key);
    ERR_clear_error();
}

static unsigned seen[18]; /* how often that was left */

static void killed_anywhere(EVP_PKEY *(*make)(void))
{
    unsigned nth, n;
    bool through;

    memset(seen, 0, sizeof(seen));
    for (nth = 1; nth < 100; nth++) {
        EVP_PKEY *key;

        through = survives(make, nth);
        n = left();
        assert_true(n == 0 || n == 1 || n == 17);
        seen[n]++;
        if (n == 17) {
            key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
            assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
            EVP_PKEY_free(key);
        }
        made_again(make, n);
        each(NULL);
        if (through)
            break;
    }
    assert_int_equal(n, 17);
    assert_true(seen[0] > 0);
}

static void generation(void **state)
{
    (void)state;
    killed_anywhere(generated);
    assert_int_equal(seen[1], 0); /* a pair, or nothing */
}

static void import(void **state)
{
    (void)state;
    killed_anywhere(imported);
    assert_true(seen[1] > 0); /* two objects, one after the other */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(generation),
                                       cmocka_unit_test(import)};

    return cmocka_run_group_tests(tests, begin_killed, end_killed);
}
