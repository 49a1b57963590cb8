/* SPDX-License-Identifier: Apache-2.0 */
/* Users and the hashes of their passwords, out of a file. */
#ifndef TOOL_REGISTRAR_USERS_H
#define TOOL_REGISTRAR_USERS_H

#include <idevid/err.h>

struct crypt_data;
struct registrar_passwords {
    char **lines; /* NAME:HASH */
    struct crypt_data *room;
};

/*
 * Reads the file, which nobody else may read: NAME:HASH, a line each, comments
 * begin with "#". Hashes are what crypt(3) makes of a password by yescrypt,
 * gost-yescrypt, scrypt, bcrypt or SHA-512; IDV_E_ARG for another one.
 */
idv_rc registrar_passwords_open(const char *path,
                                struct registrar_passwords *out) IDV_CHECKED;
/* idv_registrar_users.check, with struct registrar_passwords. */
idv_rc registrar_passwords_check(void *passwords, const char *user,
                                 const char *password, bool *ok) IDV_CHECKED;
void registrar_passwords_clear(struct registrar_passwords *p);

#endif
