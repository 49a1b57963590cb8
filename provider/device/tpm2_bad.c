/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization values that a TPM refused: none is tried twice. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_bad.h"

#define BAD_MAX 16

struct hwk_tpm_bad {
    struct hwk_tpm_bad *next;
    TPM2B_NAME name;
    struct hwk_secret *auth; /* NULL: empty */
};

static bool same_auth(const struct hwk_secret *a, const struct hwk_secret *b)
{
    return a && b ? hwk_secret_eq(a, b) : a == b;
}

static bool is_of(const struct hwk_tpm_bad *b, const TPM2B_NAME *name)
{
    return b->name.size == name->size &&
           memcmp(b->name.name, name->name, name->size) == 0;
}

bool hwk_tpm_bad_is(const struct hwk_tpm *tpm, const TPM2B_NAME *name,
                    const struct hwk_secret *auth)
{
    for (const struct hwk_tpm_bad *b = tpm->bad; b; b = b->next)
        if (is_of(b, name) && same_auth(b->auth, auth))
            return true;
    return false;
}

void hwk_tpm_bad_add(struct hwk_tpm *tpm, const TPM2B_NAME *name,
                     const struct hwk_secret *auth)
{
    size_t n = 0;
    for (const struct hwk_tpm_bad *b = tpm->bad; b; b = b->next)
        n++;
    struct hwk_tpm_bad *b = n < BAD_MAX ? OPENSSL_zalloc(sizeof(*b)) : NULL;
    if (!b)
        return;
    b->name = *name;
    if (auth && !(b->auth = hwk_secret_dup(auth))) {
        OPENSSL_free(b);
        return;
    }
    b->next = tpm->bad;
    tpm->bad = b;
}

static void take_out(struct hwk_tpm_bad **at)
{
    struct hwk_tpm_bad *b = *at;
    *at = b->next;
    hwk_secret_free(b->auth);
    OPENSSL_free(b);
}

void hwk_tpm_bad_forget(struct hwk_tpm *tpm, const TPM2B_NAME *name)
{
    for (struct hwk_tpm_bad **at = &tpm->bad; *at;)
        if (is_of(*at, name))
            take_out(at);
        else
            at = &(*at)->next;
}

void hwk_tpm_bad_free(struct hwk_tpm *tpm)
{
    while (tpm->bad)
        take_out(&tpm->bad);
}
