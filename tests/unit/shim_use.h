/* SPDX-License-Identifier: Apache-2.0 */
/* A real SoftHSM2 with two tokens, behind a shim that a test tells what goes
 * wrong. Without SoftHSM2 there is no shim, and NEED_TOKEN skips. */
#ifndef SHIM_USE_H
#define SHIM_USE_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#include "tests/lib/hwk_test.h"
#include "tests/lib/p11_shim.h"
#include "tests/lib/softhsm.h"

#define TOKEN "pkcs11:token=hwkey"
#define PIN "?pin-value=1234"

#define MAY_STAY __attribute__((unused))

static struct world w;
static struct p11shim *shim;
static char dir[256];

/* --- a token of our own --- */

/* SoftHSM2 with its tokens in a folder of that name, of which the first is
 * made */
static int configure_in(const char *name, const char *label)
{
    char where[280];

    snprintf(where, sizeof(where), "%s/%s", dir, name);
    return mkdir(where, 0700) == 0 && softhsm_use(where, where) &&
           softhsm_token(label);
}

static int configure(void)
{
    snprintf(dir, sizeof(dir), "%s/hwkp11.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(dir) != NULL && configure_in("two", "hwkey") &&
           softhsm_token("other");
}

static const char *shim_path(void)
{
    static char path[512];
    const char *top = getenv("top_builddir");

    snprintf(path, sizeof(path), "%s/.libs/p11shim.so",
             top != NULL ? top : ".");
    return path;
}

static int begin(void **state)
{
    p11shim_control_fn *control;
    void *dl;

    (void)state;
    if (softhsm_module() == NULL)
        return 0;
    setenv("P11SHIM_REAL", softhsm_module(), 1);
    setenv("HWKEY_PKCS11_MODULE", shim_path(), 1);
    dl = dlopen(shim_path(), RTLD_NOW);
    if (dl == NULL || !configure())
        return -1;
    *(void **)(void *)&control = dlsym(dl, "p11shim_control");
    shim = control();
    return world_open(&w, "dh") ? 0 : -1;
}

static int end(void **state)
{
    char command[300];

    (void)state;
    if (shim == NULL)
        return 0;
    world_close(&w);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

MAY_STAY static int each(void **state)
{
    (void)state;
    ERR_clear_error();
    if (shim != NULL)
        memset(shim, 0, sizeof(*shim));
    prompts = 0;
    return 0;
}

#define NEED_TOKEN()                                                           \
    do {                                                                       \
        (void)state;                                                           \
        if (shim == NULL)                                                      \
            skip();                                                            \
    } while (0)

MAY_STAY static EVP_PKEY *key_at(const char *uri)
{
    return open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
}

#endif
