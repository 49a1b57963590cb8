/* SPDX-License-Identifier: Apache-2.0 */
/* SoftHSM2 with tokens of a test's own. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/softhsm.h"

const char *softhsm_module(void)
{
    static const char *const places[] = {
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/pkcs11/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        if (access(places[i], R_OK) == 0)
            return places[i];
    }
    return NULL;
}

bool softhsm_use(const char *dir, const char *tokens)
{
    char path[320];
    snprintf(path, sizeof(path), "%s/softhsm2.conf", dir);
    FILE *f = fopen(path, "w");
    if (!f)
        return false;
    fprintf(f,
            "directories.tokendir = %s\nobjectstore.backend = file\n"
            "log.level = ERROR\n",
            tokens);
    return fclose(f) == 0 && setenv("SOFTHSM2_CONF", path, 1) == 0;
}

bool softhsm_token(const char *label)
{
    char command[192];
    snprintf(command, sizeof(command),
             "softhsm2-util --init-token --free --label %s --pin 1234 "
             "--so-pin 5678 >/dev/null 2>&1",
             label);
    return system(command) == 0;
}
