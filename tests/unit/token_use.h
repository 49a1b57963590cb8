/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the keys of a token share: one of the tests' own module or,
 * when the program's name says so, of SoftHSM2. */
#ifndef TOKEN_USE_H
#define TOKEN_USE_H

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

#define MAY_STAY __attribute__((unused))

MAY_STAY static int each(void **state)
{
    (void)state;
    if (m.f != NULL)
        maker_wipe(&m);
    if (m.soft != NULL)
        m.soft->tell("forget");
    ERR_clear_error();
    return 0;
}

/* first in each test: it is skipped where SoftHSM2 is not installed */
#define NEED()                                                                 \
    do {                                                                       \
        (void)state;                                                           \
        if (m.f == NULL)                                                       \
            skip();                                                            \
    } while (0)

MAY_STAY static void no_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_print_errors_fp(stderr);
    assert_int_equal(ERR_peek_error(), 0);
}

/* The last own of all tests want the tests' own module. */
static int run(const char *program, const struct CMUnitTest *tests, size_t all,
               size_t own)
{
    softhsm = program != NULL && strstr(program, "softhsm") != NULL;
    return _cmocka_run_group_tests("tests", tests, softhsm ? all - own : all,
                                   begin, end);
}

#define RUN(argv, tests, own)                                                  \
    run((argv)[0], tests, sizeof(tests) / sizeof((tests)[0]), own)

#endif
