/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of SoftHSM2 in a directory of their own, for tests. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/softtoken.h"

static char dir[256];

const char *softtoken_module(void)
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

const char *softtoken_dir(void)
{
    return dir;
}

bool softtoken_add(const char *label)
{
    char command[256];

    snprintf(command, sizeof(command),
             "softhsm2-util --init-token --free --label %s "
             "--pin " SOFTTOKEN_PIN " --so-pin 5678 >/dev/null 2>&1",
             label);
    return system(command) == 0;
}

static bool configure(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[300];
    FILE *f;

    snprintf(dir, sizeof(dir), "%s/softtoken.XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return false;
    snprintf(path, sizeof(path), "%s/softhsm2.conf", dir);
    f = fopen(path, "w");
    if (f == NULL)
        return false;
    fprintf(f,
            "directories.tokendir = %s\nobjectstore.backend = file\n"
            "log.level = ERROR\n",
            dir);
    fclose(f);
    return setenv("SOFTHSM2_CONF", path, 1) == 0 &&
           setenv("HWKEY_PKCS11_MODULE", softtoken_module(), 1) == 0;
}

bool softtoken_up(const char *const labels[], bool *missing)
{
    *missing = softtoken_module() == NULL;
    if (*missing || !configure())
        return false;
    for (; *labels != NULL; labels++)
        if (!softtoken_add(*labels))
            return false;
    return true;
}

void softtoken_down(void)
{
    char command[300];

    if (dir[0] == 0)
        return;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", dir);
    dir[0] = 0;
}
