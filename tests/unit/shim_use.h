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

#define TOKEN "pkcs11:token=hwkey"
#define PIN "?pin-value=1234"

#define MAY_STAY __attribute__((unused))

static struct world w;
static struct p11shim *shim;
static char dir[256];

/* --- a token of our own --- */

static const char *softhsm(void)
{
    static const char *const paths[] = {
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    };
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], R_OK) == 0)
            return paths[i];
    return NULL;
}

static int init_token(const char *label)
{
    char command[256];

    snprintf(command, sizeof(command),
             "softhsm2-util --init-token --free --label %s --pin 1234 "
             "--so-pin 5678 >/dev/null 2>&1",
             label);
    return system(command) == 0;
}

/* SoftHSM2 with its tokens in a folder of that name, of which the first is
 * made */
static int configure_in(const char *name, const char *label)
{
    char where[280], path[300];
    FILE *f;

    snprintf(where, sizeof(where), "%s/%s", dir, name);
    if (mkdir(where, 0700) != 0)
        return 0;
    snprintf(path, sizeof(path), "%s/softhsm2.conf", where);
    f = fopen(path, "w");
    if (f == NULL)
        return 0;
    fprintf(f,
            "directories.tokendir = %s\nobjectstore.backend = file\n"
            "log.level = ERROR\n",
            where);
    fclose(f);
    setenv("SOFTHSM2_CONF", path, 1);
    return init_token(label);
}

static int configure(void)
{
    snprintf(dir, sizeof(dir), "%s/hwkp11.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(dir) != NULL && configure_in("two", "hwkey") &&
           init_token("other");
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
    if (softhsm() == NULL)
        return 0;
    setenv("P11SHIM_REAL", softhsm(), 1);
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
