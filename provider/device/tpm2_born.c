/* SPDX-License-Identifier: Apache-2.0 */
/* The device identity keys that are loaded in this turn. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_born.h"

struct hwk_tpm_borns *hwk_tpm_borns(struct hwk_tpm *tpm)
{
    if (!hwk_tpm_entered(tpm)) {
        hwk_raise(HWK_R_UNSUPPORTED,
                  "TPM %s: device identity keys are made and used between "
                  "enter and leave",
                  tpm->name);
        return NULL;
    }
    if (!tpm->born && !(tpm->born = OPENSSL_zalloc(sizeof(*tpm->born))))
        hwk_raise(HWK_R_MEMORY, "TPM keys");
    return tpm->born;
}

struct hwk_tpm_born *hwk_tpm_born_new(struct hwk_tpm *tpm)
{
    struct hwk_tpm_borns *all = hwk_tpm_borns(tpm);
    if (!all)
        return NULL;
    if (all->n == HWK_TPM_BORN_MAX) {
        hwk_raise(HWK_R_ARGUMENT, "TPM %s: more than %d keys in one turn",
                  tpm->name, HWK_TPM_BORN_MAX);
        return NULL;
    }
    struct hwk_tpm_born *b = &all->list[all->n];
    memset(b, 0, sizeof(*b));
    b->tr = ESYS_TR_NONE;
    return b;
}

void hwk_tpm_born_keep(struct hwk_tpm *tpm)
{
    tpm->born->n++;
}

size_t hwk_tpm_born_loaded(const struct hwk_tpm *tpm)
{
    size_t n = 0;
    for (size_t i = 0; tpm->born && i < tpm->born->n; i++)
        n += !tpm->born->list[i].object;
    return n;
}

/* --- finding --- */

static bool is(const struct hwk_tpm_born *b, const struct hwk_born *key)
{
    return b->what == key->what && b->handle == key->handle &&
           b->name.size == key->name_n &&
           memcmp(b->name.name, key->name, key->name_n) == 0;
}

static int tr_of(struct hwk_tpm *tpm, const struct hwk_tpm_born *b, ESYS_TR *tr)
{
    if (b->object)
        return hwk_tpm_object_tr(tpm, b->object, tr);
    *tr = b->tr;
    return b->generation == tpm->generation ||
           hwk_raise(HWK_R_NO_DEVICE,
                     "TPM %s: the line was lost, and the key that was loaded "
                     "with it",
                     tpm->name);
}

struct hwk_tpm_born *hwk_tpm_born_find(struct hwk_tpm *tpm,
                                       const struct hwk_born *key, ESYS_TR *tr)
{
    struct hwk_tpm_borns *all = hwk_tpm_borns(tpm);
    if (!all)
        return NULL;
    for (size_t i = 0; i < all->n; i++)
        if (is(&all->list[i], key))
            return tr_of(tpm, &all->list[i], tr) ? &all->list[i] : NULL;
    hwk_raise(HWK_R_ARGUMENT, "TPM %s: that key is not loaded in this turn",
              tpm->name);
    return NULL;
}

/* --- its end --- */

static void unload(struct hwk_tpm *tpm, struct hwk_tpm_born *b)
{
    if (b->object)
        hwk_tpm_object_close(tpm, b->object);
    else if (b->generation == tpm->generation && tpm->esys)
        hwk_tpm_flush(tpm, &b->tr);
}

void hwk_tpm_born_drop(struct hwk_tpm *tpm, struct hwk_tpm_born *b)
{
    struct hwk_tpm_borns *all = tpm->born;
    if (b->what == HWK_DEVID_EK)
        tpm->sessions.salt.lent.handle = 0;
    unload(tpm, b);
    *b = all->list[--all->n];
}

void hwk_tpm_born_leave(struct hwk_tpm *tpm)
{
    struct hwk_tpm_borns *all = tpm->born;
    tpm->sessions.salt.lent.handle = 0;
    for (size_t i = 0; all && i < all->n; i++)
        unload(tpm, &all->list[i]);
    OPENSSL_free(all);
    tpm->born = NULL;
}

void hwk_tpm_born_salts(struct hwk_tpm *tpm, const struct hwk_tpm_born *ek)
{
    tpm->sessions.salt.lent = (struct hwk_tpm_salt_key){
        .handle = ek->handle, .pub = ek->pub, .passing = ESYS_TR_NONE};
}
