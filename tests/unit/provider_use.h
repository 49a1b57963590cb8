/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the provider on a device made of memory share. */
#ifndef PROVIDER_USE_H
#define PROVIDER_USE_H

#include "tests/lib/backend_soft.h"
#include "tests/lib/hwk_test.h"

#define MAY_STAY __attribute__((unused))

static struct world w;

static int open_world(void **state)
{
    (void)state;
    soft_reset();
    prompts = 0;
    return world_open(&w, "dh") ? 0 : -1;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    ERR_clear_error();
    /* what was opened is closed, what was handed out is back */
    return soft.refs == 0 && soft.opened == soft.closed ? 0 : -1;
}

MAY_STAY static EVP_PKEY *private_key(const char *uri)
{
    return open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
}

/* its keys of each type */
static const struct {
    const char *uri, *type, *group;
    int bits, size, security;
} keys[] = {
    {"hwksoft:ec", "EC", "prime256v1", 256, 72, 128},
    {"HWKSOFT:ec384", "EC", "secp384r1", 384, 104, 192},
    {"hwksoft:ec521", "EC", "secp521r1", 521, 139, 256},
    {"hwksoft:rsa", "RSA", NULL, 2048, 256, 112},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

#endif
