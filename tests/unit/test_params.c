/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever libssl and applications ask of a key is answered as the default
 * provider does for the same public half. */
#include <string.h>

#include "tests/lib/backend_soft.h"
#include "tests/lib/keycheck.h"

static struct world w;

static int open_world(void **state)
{
    (void)state;
    soft_reset();
    return world_open(&w, "dh") ? 0 : -1;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    return soft.refs == 0 ? 0 : -1;
}

static void like_the_default(void **state)
{
    EVP_PKEY *key = open_key(&w, *state, OSSL_STORE_INFO_PKEY, NULL);

    assert_non_null(key);
    check_like_default(&w, key);
    EVP_PKEY_free(key);
}

#define KEY(name)                                                              \
    {                                                                          \
        name, like_the_default, open_world, close_world,                       \
            (void *)(uintptr_t) "hwksoft:" name                                \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEY("ec"),      KEY("ec384"), KEY("ec521"),   KEY("eck1"),
        KEY("ecbp"),    KEY("rsa"),   KEY("rsa-pss"), KEY("rsa-pss-sha256"),
        KEY("ed25519"), KEY("ed448"), KEY("x25519"),  KEY("x448"),
    };

    hwk_backend_for_tests = &hwk_backend_soft;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
