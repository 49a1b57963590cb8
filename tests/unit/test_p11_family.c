/* SPDX-License-Identifier: Apache-2.0 */
/* A module that has one session with its device for a process and all that it
 * forks: who is out of step with it does not come near it. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/soft_token.h"

static EVP_PKEY *key;

static int begin(void **state)
{
    if (soft_begin(state) != 0)
        return -1;
    tell("slot 1 label=soft");
    tell("module description=TPM2.0%%20Cryptoki unaware");
    EVP_PKEY_free(
        soft_make("P-256", "pkcs11:token=soft;object=k?pin-value=1234"));
    world_close(&soft_w);
    return 0;
}

static int end(void **state)
{
    (void)state;
    return 0;
}

/* a process that was just started */
static int each(void **state)
{
    tell("module unaware");
    if (!world_open(&soft_w, "dh") || soft_each(state) != 0)
        return -1;
    key = soft_key("pkcs11:token=soft;object=k;type=private?pin-value=1234");
    return 0;
}

static int after(void **state)
{
    EVP_PKEY_free(key);
    return soft_end(state);
}

static int sign(void)
{
    uint8_t sig[256];

    return sign_msg(&soft_w, key, "SHA256", NO_PSS, "x", 1, sig, sizeof(sig)) >
           0;
}

/* refused in words, and the module was asked for nothing but whether it begins
 * anew in this process */
static int refused(void)
{
    const char *text = "";
    int flags;

    tell("forget");
    if (sign() || soft->calls(NULL) != soft->calls("C_Initialize"))
        return 0;
    ERR_peek_last_error_all(NULL, NULL, NULL, &text, &flags);
    return strstr(text, "one TPM session for all processes") != NULL &&
           hwk_reason() == HWK_R_UNSUPPORTED;
}

static int in_child(int (*run)(void))
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0)
        _exit(run() ? 0 : 1);
    return waitpid(pid, &status, 0) == pid && status == 0;
}

static int signs_twice(void)
{
    return sign() && sign();
}

static void one_child(void **state)
{
    (void)state;
    assert_true(in_child(signs_twice));
    assert_true(refused()); /* the parent */
    assert_true(in_child(refused));
}

static int with_grandchild(void)
{
    return sign() && in_child(signs_twice) && refused();
}

static void down_the_line(void **state)
{
    (void)state;
    assert_true(sign());
    assert_true(in_child(with_grandchild));
    assert_true(refused());
}

static void the_parent_first(void **state)
{
    int go[2], status = -1;
    char c = 0;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(go), 0);
    pid = fork();
    if (pid == 0)
        _exit(read(go[0], &c, 1) == 1 && refused() ? 0 : 1);
    assert_true(signs_twice());
    assert_int_equal(write(go[1], &c, 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(sign());
    close(go[0]);
    close(go[1]);
}

/* a module that begins anew in each child */
static void each_its_own(void **state)
{
    (void)state;
    tell("module not-unaware");
    assert_true(in_child(signs_twice));
    assert_true(signs_twice());
    assert_true(in_child(signs_twice));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, each, after)

int main(void)
{
    const struct CMUnitTest tests[] = {T(one_child), T(down_the_line),
                                       T(the_parent_first), T(each_its_own)};

    patience(300);
    return cmocka_run_group_tests(tests, begin, end);
}
