/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords of EST's users. */
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "registrar_users.h"

static bool is_modern(const char *hash)
{
    static const char *const kinds[] = {"$y$",  "$gy$", "$7$",
                                        "$2b$", "$2y$", "$6$"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strncmp(hash, kinds[i], strlen(kinds[i])) == 0)
            return true;
    }
    return false;
}

/* The hash of a line, behind the name. */
static const char *hash_of(const char *line)
{
    const char *colon = strchr(line, ':');
    return colon ? colon + 1 : "";
}

static idv_rc take_line(struct registrar_passwords *p, const char *path, int n,
                        struct idv_bytes line)
{
    IDV_TRY(idv_list_add(&p->lines, line));
    const size_t i = idv_list_count(p->lines) - 1;
    if (p->lines[i][0] != ':' && is_modern(hash_of(p->lines[i])))
        return IDV_OK;
    return idv_fail(IDV_E_ARG,
                    "%s:%d: not NAME:HASH, or a hash that is not taken", path,
                    n);
}

idv_rc registrar_passwords_open(const char *path,
                                struct registrar_passwords *out)
{
    IDV_AUTO(buf) text = {0};
    struct idv_bytes line;
    IDV_TRY(idv_fs_read_secret(path, &text));
    out->room = calloc(1, sizeof(*out->room));
    if (!out->room)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    struct idv_bytes rest = idv_view(&text);
    for (int n = 1; idv_text_next(&rest, "\n", &line); n++) {
        line = idv_text_trim(line);
        if (line.n && line.p[0] != '#')
            IDV_TRY(take_line(out, path, n, line));
    }
    return out->lines ? IDV_OK : idv_fail(IDV_E_ARG, "%s: no users", path);
}

/* NULL: there is none of that name */
static const char *find(const struct registrar_passwords *p, const char *user)
{
    const size_t n = strlen(user);
    for (size_t i = 0; p->lines[i]; i++) {
        if (strncmp(p->lines[i], user, n) == 0 && p->lines[i][n] == ':')
            return p->lines[i] + n + 1;
    }
    return NULL;
}

/* A name that is not there costs what one that is there costs. */
idv_rc registrar_passwords_check(void *passwords, const char *user,
                                 const char *password, bool *ok)
{
    const struct registrar_passwords *p = passwords;
    const char *known = strchr(user, ':') ? NULL : find(p, user);
    const char *hash = known ? known : hash_of(p->lines[0]);
    const char *made = crypt_r(password, hash, p->room);
    const bool same = made && strlen(made) == strlen(hash) &&
                      CRYPTO_memcmp(made, hash, strlen(hash)) == 0;
    OPENSSL_cleanse(p->room, sizeof(*p->room));
    *ok = known && same;
    return IDV_OK;
}

void registrar_passwords_clear(struct registrar_passwords *p)
{
    idv_list_free(p->lines);
    free(p->room);
    *p = (struct registrar_passwords){0};
}
