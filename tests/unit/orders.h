/* SPDX-License-Identifier: Apache-2.0 */
/* What tests in every order of providers share: a group's state is the order,
 * as world_open has it. The device is made of memory or, when the program's
 * name says so, a TPM. */
#ifndef ORDERS_H
#define ORDERS_H

#include <stdio.h>
#include <string.h>

#include "tests/lib/backend_soft.h"
#include "tests/lib/hwk_test.h"
#include "tests/lib/tpm_device.h"

static struct world w;
static const char *order;

/* --- the device --- */

static const struct device_key {
    const char *name, *memory, *tpm; /* NULL: it has none */
    const char *type, *group;
} device_keys[] = {
    {"ec", "hwksoft:ec", "tpm2:handle=0x81020101", "EC", "P-256"},
    {"ec2", "hwksoft:ec521", "tpm2:handle=0x81020102", "EC", "P-384"},
    {"rsa", "hwksoft:rsa", "tpm2:handle=0x81020103", "RSA", NULL},
    {"ed25519", "hwksoft:ed25519", NULL, NULL, NULL},
    {"x25519", "hwksoft:x25519", NULL, NULL, NULL},
    {"x448", "hwksoft:x448", NULL, NULL, NULL},
};
#define DEVICE_KEYS (sizeof(device_keys) / sizeof(device_keys[0]))

/* the URI of one of these, NULL when the device has none */
static inline const char *device_uri(const char *name)
{
    size_t i;

    for (i = 0; i < DEVICE_KEYS; i++)
        if (strcmp(device_keys[i].name, name) == 0)
            return tpm_device_wanted() ? device_keys[i].tpm
                                       : device_keys[i].memory;
    fail_msg("%s: no such key", name);
    return NULL;
}

/* commands or calls since the world was opened */
static unsigned long long commands_before;

static inline int device_calls(void)
{
    return tpm_device_wanted() ? (int)(tpm_device_commands() - commands_before)
                               : soft.calls;
}

static int make_device_keys(void)
{
    size_t i;

    if (!world_open(&w, "dh"))
        return -1;
    for (i = 0; i < DEVICE_KEYS; i++) {
        const struct device_key *k = &device_keys[i];
        EVP_PKEY *key = NULL;

        if (k->tpm == NULL)
            continue;
        key = make_key(&w, k->type, k->group, 2048, k->tpm);
        if (key == NULL)
            ERR_print_errors_fp(stderr);
        EVP_PKEY_free(key);
        if (key == NULL)
            return -1;
    }
    world_close(&w);
    return 0;
}

static int device_begin(void **state)
{
    (void)state;
    if (tpm_device_wanted())
        return tpm_device_up() == 0 ? make_device_keys() : -1;
    hwk_backend_for_tests = &hwk_backend_soft;
    return 0;
}

static int device_end(void **state)
{
    int ok = 1;

    (void)state;
    if (tpm_device_wanted()) {
        ok = tpm_device_left() == 0;
        tpm_device_down();
    }
    return ok ? 0 : -1;
}

/* in main: without a TPM there is nothing to test */
#define NEED_DEVICE()                                                          \
    do {                                                                       \
        if (tpm_device_wanted() && !tpm_device_here()) {                       \
            puts("1..0 # SKIP no TPM in software");                            \
            return 0;                                                          \
        }                                                                      \
    } while (0)

/* --- the world --- */

static int open_world(void **state)
{
    order = *state;
    soft_reset();
    commands_before = tpm_device_commands();
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
    assert_int_equal(device_calls(), 0);
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
