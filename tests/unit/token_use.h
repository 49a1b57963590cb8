/* SPDX-License-Identifier: Apache-2.0 */
/* What test_decrypt.c, test_derive.c and test_rand.c share: a token of the
 * tests' own module or, when the program's name says so, of SoftHSM2. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/keycheck.h"
#include "tests/lib/keymaker.h"

#define URI "pkcs11:id=k;type=private?pin-value=1234"

static struct maker m;
static struct world w;
static bool softhsm;

static int begin(void **state)
{
    (void)state;
    if (softhsm ? !maker_softhsm(&m) : !maker_soft(&m))
        return softhsm ? 0 : -1;
    return world_open(&w, "dh") ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    if (m.f == NULL)
        return 0;
    world_close(&w);
    maker_end(&m);
    return 0;
}

static int each(void **state)
{
    (void)state;
    if (m.f != NULL)
        maker_wipe(&m);
    if (m.soft != NULL)
        m.soft->tell("forget");
    ERR_clear_error();
    return 0;
}

#define NEED(what)                                                             \
    do {                                                                       \
        if (m.f == NULL || !(what))                                            \
            skip();                                                            \
    } while (0)

__attribute__((unused)) static EVP_PKEY *made(const struct hwk_curve *curve,
                                              struct made *out)
{
    EVP_PKEY *key;

    assert_int_equal(maker_pair(&m, curve, "k", "key", NULL, 0, out), CKR_OK);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    if (key == NULL)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    return key;
}

static void no_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_print_errors_fp(stderr);
    assert_int_equal(ERR_peek_error(), 0);
}

static bool named_softhsm(const char *program)
{
    return strstr(program, "softhsm") != NULL;
}

/* the last own of all tests want the tests' own module */
static int run(const struct CMUnitTest *tests, size_t all, size_t own)
{
    return _cmocka_run_group_tests("tests", tests, softhsm ? all - own : all,
                                   begin, end);
}
