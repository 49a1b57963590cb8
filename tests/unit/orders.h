/* SPDX-License-Identifier: Apache-2.0 */
/* What tests in every order of providers share: a group's state is the order,
 * as world_open has it. */
#ifndef ORDERS_H
#define ORDERS_H

#include <string.h>

#include "tests/lib/backend_soft.h"
#include "tests/lib/hwk_test.h"

static struct world w;
static const char *order;

static int open_world(void **state)
{
    order = *state;
    soft_reset();
    return world_open(&w, order) ? 0 : -1;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    ERR_clear_error();
    return soft.refs == 0 ? 0 : -1;
}

/* Software keys are ours only if we are asked for by property or come before a
 * default provider that we did not load; no device hears of them in any case.
 */
static inline void check_owner(const EVP_PKEY *key)
{
    bool ours = strpbrk(order, "?o") != NULL;

    assert_non_null(key);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
                        ours ? "hwkey" : "default");
    assert_int_equal(soft.calls, 0);
}

#define T(o, fn)                                                               \
    {                                                                          \
        o " " #fn, fn, open_world, close_world, (void *)(uintptr_t)o           \
    }

/* default first, ours first, ours alone (which loads the default), an
 * openssl.cnf, and default after ours that did not load it; each as it is and
 * with "?provider=hwkey" */
#define EVERY_ORDER(ORDER)                                                     \
    ORDER("dh"), ORDER("hd"), ORDER("h"), ORDER("c"), ORDER("od"),             \
        ORDER("dh?"), ORDER("hd?"), ORDER("h?"), ORDER("c?"), ORDER("od?")
/* with nothing but base beside us */
#define BASE_ONLY "ob"

#endif
