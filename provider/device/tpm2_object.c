/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent keys: one ESYS handle each, however often they are opened. */
#include <string.h>

#include <openssl/crypto.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_object.h"

#define RESPONSE_HEADER 10

/* asks, without ESYS; the answer waits for ESYS to ask the same */
int hwk_tpm_ask_public(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                       TPM2B_PUBLIC *pub, TPM2B_NAME *name)
{
    size_t n, at = RESPONSE_HEADER;
    TSS2_RC rc = hwk_tpm_tcti_ask(tpm->tcti, TPM2_CC_ReadPublic, handle);
    if (!hwk_tpm_check(tpm, rc, "ReadPublic", handle))
        return 0;
    const uint8_t *p = hwk_tpm_tcti_last(tpm->tcti, &n);
    memset(pub, 0, sizeof(*pub));
    name->size = 0;
    rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(p, n, &at, pub);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_NAME_Unmarshal(p, n, &at, name);
    return hwk_tpm_check(tpm, rc, "public area", handle);
}

static int take_tr(struct hwk_tpm *tpm, TPM2_HANDLE handle, ESYS_TR *tr)
{
    *tr = ESYS_TR_NONE;
    TSS2_RC rc = Esys_TR_FromTPMPublic(tpm->esys, handle, ESYS_TR_NONE,
                                       ESYS_TR_NONE, ESYS_TR_NONE, tr);
    return hwk_tpm_check(tpm, rc, "ReadPublic", handle);
}

int hwk_tpm_read_public(struct hwk_tpm *tpm, TPM2_HANDLE handle, ESYS_TR *tr,
                        TPM2B_PUBLIC *pub, TPM2B_NAME *name)
{
    return hwk_tpm_ask_public(tpm, handle, pub, name) &&
           take_tr(tpm, handle, tr);
}

static bool same_name(const TPM2B_NAME *a, const TPM2B_NAME *b)
{
    return a->size == b->size && a->size > 0 &&
           memcmp(a->name, b->name, a->size) == 0;
}

static bool has_tr(const struct hwk_tpm *tpm, const struct hwk_tpm_object *o)
{
    return o->tr != ESYS_TR_NONE && o->generation == tpm->generation &&
           tpm->esys;
}

static void drop_tr(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    if (has_tr(tpm, o))
        Esys_TR_Close(tpm->esys, &o->tr);
    o->tr = ESYS_TR_NONE;
}

static struct hwk_tpm_object *add(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                                  ESYS_TR tr, const TPM2B_PUBLIC *pub,
                                  const TPM2B_NAME *name)
{
    struct hwk_tpm_object *o = OPENSSL_zalloc(sizeof(*o));
    if (!o) {
        Esys_TR_Close(tpm->esys, &tr);
        hwk_raise(HWK_R_MEMORY, "TPM key");
        return NULL;
    }
    o->refs = 1;
    o->handle = handle;
    o->pub = *pub;
    o->name = *name;
    o->tr = tr;
    o->generation = tpm->generation;
    o->next = tpm->objects;
    tpm->objects = o;
    return o;
}

static struct hwk_tpm_object *known(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (o->handle == handle && has_tr(tpm, o))
            return o;
    return NULL;
}

struct hwk_tpm_object *hwk_tpm_object_open(struct hwk_tpm *tpm,
                                           TPM2_HANDLE handle)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    ESYS_TR tr;
    if (!hwk_tpm_ask_public(tpm, handle, &pub, &name))
        return NULL;
    struct hwk_tpm_object *o = known(tpm, handle);
    if (o && same_name(&name, &o->name)) {
        o->refs++;
        return o;
    }
    if (o)
        drop_tr(tpm, o);
    return take_tr(tpm, handle, &tr) ? add(tpm, handle, tr, &pub, &name) : NULL;
}

void hwk_tpm_object_forget(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (o->handle == handle)
            drop_tr(tpm, o);
}

struct hwk_tpm_object *hwk_tpm_object_adopt(struct hwk_tpm *tpm,
                                            TPM2_HANDLE handle, ESYS_TR tr,
                                            const TPM2B_PUBLIC *pub)
{
    TPM2B_NAME *name = NULL;
    if (!hwk_tpm_check(tpm, Esys_TR_GetName(tpm->esys, tr, &name), "name",
                       handle)) {
        Esys_TR_Close(tpm->esys, &tr);
        return NULL;
    }
    struct hwk_tpm_object *o = add(tpm, handle, tr, pub, name);
    Esys_Free(name);
    return o;
}

static int another(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    return hwk_raise(HWK_R_NOT_FOUND, "TPM %s: another key is at 0x%08x now",
                     tpm->name, o->handle);
}

static int read_again(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    if (!hwk_tpm_read_public(tpm, o->handle, &o->tr, &pub, &name))
        return 0;
    o->generation = tpm->generation;
    if (same_name(&name, &o->name))
        return 1;
    drop_tr(tpm, o);
    return another(tpm, o);
}

/* ESYS has one handle for all who ask it for the same: the owner is one */
int hwk_tpm_object_tr(struct hwk_tpm *tpm, struct hwk_tpm_object *o,
                      ESYS_TR *tr)
{
    struct hwk_tpm_object *owner = has_tr(tpm, o) ? o : known(tpm, o->handle);
    if (owner && !same_name(&owner->name, &o->name))
        return another(tpm, o);
    if (!owner && !read_again(tpm, o))
        return 0;
    *tr = owner ? owner->tr : o->tr;
    return 1;
}

void hwk_tpm_object_close(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    if (--o->refs > 0)
        return;
    struct hwk_tpm_object **at = &tpm->objects;
    while (*at && *at != o)
        at = &(*at)->next;
    if (*at)
        *at = o->next;
    drop_tr(tpm, o);
    OPENSSL_free(o);
}
