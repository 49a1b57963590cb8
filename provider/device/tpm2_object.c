/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a TPM, whatever their origin: one object each, however often they
 * are opened. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_resident.h"

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
    if (o->source)
        return hwk_tpm_is_loaded(tpm, o);
    return o->tr != ESYS_TR_NONE && o->generation == tpm->generation &&
           tpm->esys;
}

/* what is persistent stays in the TPM, what was loaded does not */
static void drop_tr(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    if (o->source)
        hwk_tpm_unloaded(tpm, o);
    else if (has_tr(tpm, o))
        Esys_TR_Close(tpm->esys, &o->tr);
    o->tr = ESYS_TR_NONE;
}

static void call(struct hwk_tpm_object *o)
{
    const struct hwk_tpm_source *s = o->source;
    TPM2_HANDLE h = !s          ? o->handle
                    : s->parent ? s->parent->handle
                                : s->hierarchy;
    snprintf(o->called, sizeof(o->called), "%s0x%08x",
             !s             ? ""
             : s->context   ? "saved of "
             : s->priv.size ? "under "
                            : "primary of ",
             h);
}

/* takes source, not tr, also when it fails */
static struct hwk_tpm_object *add(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                                  struct hwk_tpm_source *source,
                                  const TPM2B_PUBLIC *pub,
                                  const TPM2B_NAME *name)
{
    struct hwk_tpm_object *o = OPENSSL_zalloc(sizeof(*o));
    if (!o) {
        hwk_tpm_source_free(tpm, source);
        hwk_raise(HWK_R_MEMORY, "TPM key");
        return NULL;
    }
    o->refs = 1;
    o->handle = handle;
    o->source = source;
    o->pub = *pub;
    o->name = *name;
    o->tr = ESYS_TR_NONE;
    call(o);
    o->next = tpm->objects;
    tpm->objects = o;
    return o;
}

/* the same for what is persistent; takes tr */
static struct hwk_tpm_object *add_persistent(struct hwk_tpm *tpm,
                                             TPM2_HANDLE handle, ESYS_TR tr,
                                             const TPM2B_PUBLIC *pub,
                                             const TPM2B_NAME *name)
{
    struct hwk_tpm_object *o = add(tpm, handle, NULL, pub, name);
    if (!o) {
        Esys_TR_Close(tpm->esys, &tr);
        return NULL;
    }
    o->tr = tr;
    o->generation = tpm->generation;
    return o;
}

static struct hwk_tpm_object *known(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (!o->source && o->handle == handle && has_tr(tpm, o))
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
    return take_tr(tpm, handle, &tr)
               ? add_persistent(tpm, handle, tr, &pub, &name)
               : NULL;
}

void hwk_tpm_object_forget(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (!o->source && o->handle == handle)
            drop_tr(tpm, o);
}

/* that of pub; ESYS is asked only for what we cannot compute, since it makes a
 * library context for that */
static int name_of(struct hwk_tpm *tpm, const TPM2B_PUBLIC *pub, ESYS_TR tr,
                   TPM2B_NAME *out)
{
    TPM2B_NAME *name = NULL;
    if (hwk_tpm_name(pub, out))
        return 1;
    TSS2_RC rc = Esys_TR_GetName(tpm->esys, tr, &name);
    if (rc == TSS2_RC_SUCCESS)
        *out = *name;
    Esys_Free(name);
    return hwk_tpm_check(tpm, rc, "name", 0);
}

struct hwk_tpm_object *hwk_tpm_object_adopt(struct hwk_tpm *tpm,
                                            TPM2_HANDLE handle, ESYS_TR tr,
                                            const TPM2B_PUBLIC *pub)
{
    TPM2B_NAME name;
    if (name_of(tpm, pub, tr, &name))
        return add_persistent(tpm, handle, tr, pub, &name);
    Esys_TR_Close(tpm->esys, &tr);
    return NULL;
}

static struct hwk_tpm_object *same_source(struct hwk_tpm *tpm,
                                          const struct hwk_tpm_parent *parent,
                                          const TPM2B_PUBLIC *pub,
                                          const TPM2B_PRIVATE *priv)
{
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (o->source && hwk_tpm_source_same(o->source, parent, pub, priv))
            return o;
    return NULL;
}

/* takes s, also when it fails */
static struct hwk_tpm_object *load_new(struct hwk_tpm *tpm,
                                       struct hwk_tpm_source *s)
{
    struct hwk_tpm_object *o = NULL;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    ESYS_TR tr;
    if (!hwk_tpm_load(tpm, s, &tr, &pub)) {
        hwk_tpm_source_free(tpm, s);
        return NULL;
    }
    if (name_of(tpm, &pub, tr, &name))
        o = add(tpm, 0, s, &pub, &name);
    else
        hwk_tpm_source_free(tpm, s);
    if (!o)
        hwk_tpm_flush(tpm, &tr);
    if (!o || hwk_tpm_loaded(tpm, o, tr))
        return o;
    hwk_tpm_object_close(tpm, o);
    return NULL;
}

/* a blob, or without priv a primary */
static struct hwk_tpm_object *open_source(struct hwk_tpm *tpm,
                                          const struct hwk_tpm_parent *parent,
                                          const TPM2B_PUBLIC *pub,
                                          const TPM2B_PRIVATE *priv)
{
    struct hwk_tpm_object *o = same_source(tpm, parent, pub, priv);
    if (o) {
        o->refs++;
        return o;
    }
    struct hwk_tpm_source *s = hwk_tpm_source_new(tpm, parent, pub, priv);
    return s ? load_new(tpm, s) : NULL;
}

struct hwk_tpm_object *hwk_tpm_object_blob(struct hwk_tpm *tpm,
                                           const struct hwk_tpm_parent *parent,
                                           const TPM2B_PUBLIC *pub,
                                           const TPM2B_PRIVATE *priv)
{
    if (priv->size > 0)
        return open_source(tpm, parent, pub, priv);
    hwk_raise(HWK_R_FORMAT, "a TPM key without its private part");
    return NULL;
}

struct hwk_tpm_object *
hwk_tpm_object_primary(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                       const struct hwk_secret *hierarchy_auth,
                       const TPM2B_PUBLIC *template)
{
    const struct hwk_tpm_parent root = {.handle = hierarchy,
                                        .auth = hierarchy_auth};
    return open_source(tpm, &root, template, NULL);
}

struct hwk_tpm_object *hwk_tpm_object_context(struct hwk_tpm *tpm,
                                              const TPMS_CONTEXT *context)
{
    struct hwk_tpm_source *s = hwk_tpm_source_context(context);
    return s ? load_new(tpm, s) : NULL;
}

static int another(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    return hwk_raise(HWK_R_NOT_FOUND, "TPM %s: another key is %s%s now",
                     tpm->name, o->source ? "" : "at ", o->called);
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

/* a hierarchy whose seed was changed has other primaries */
static int load_again(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    ESYS_TR tr;
    if (!hwk_tpm_load(tpm, o->source, &tr, &pub))
        return 0;
    if (name_of(tpm, &pub, tr, &name) &&
        (same_name(&name, &o->name) || another(tpm, o)))
        return hwk_tpm_loaded(tpm, o, tr);
    hwk_tpm_flush(tpm, &tr);
    return 0;
}

/* ESYS has one handle for all who ask it for the same: the owner is one */
static int persistent_tr(struct hwk_tpm *tpm, struct hwk_tpm_object *o,
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

int hwk_tpm_object_tr(struct hwk_tpm *tpm, struct hwk_tpm_object *o,
                      ESYS_TR *tr)
{
    if (!o->source)
        return persistent_tr(tpm, o, tr);
    if (!hwk_tpm_is_loaded(tpm, o) && !load_again(tpm, o))
        return 0;
    o->used = tpm->turns;
    *tr = o->tr;
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
    hwk_tpm_source_free(tpm, o->source);
    OPENSSL_free(o);
}

void hwk_tpm_object_release(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    hwk_tpm_hold(tpm);
    if (o->refs > 1 || !hwk_tpm_is_loaded(tpm, o)) {
        hwk_tpm_object_close(tpm, o);
        hwk_tpm_let_go(tpm);
        return;
    }
    ERR_set_mark();
    if (!hwk_tpm_begin_locked(tpm)) {
        hwk_tpm_hold(tpm);
        o->loaded = 0; /* it stays there as long as we own it */
        hwk_tpm_object_close(tpm, o);
        hwk_tpm_let_go(tpm);
    } else {
        hwk_tpm_object_close(tpm, o);
        hwk_tpm_end(tpm);
    }
    ERR_pop_to_mark();
}

void hwk_tpm_object_forked(struct hwk_tpm_object *o)
{
    o->tr = ESYS_TR_NONE;
    o->loaded = 0;
    o->cookie = 0;
    if (o->source)
        hwk_secret_forked(o->source->auth);
}

static bool any_loaded(const struct hwk_tpm *tpm)
{
    for (const struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (hwk_tpm_is_loaded(tpm, o))
            return true;
    return false;
}

void hwk_tpm_object_unload(struct hwk_tpm *tpm)
{
    hwk_tpm_hold(tpm);
    if (!any_loaded(tpm)) {
        hwk_tpm_let_go(tpm);
        return;
    }
    ERR_set_mark();
    if (hwk_tpm_begin_locked(tpm)) {
        for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
            if (o->source)
                drop_tr(tpm, o);
        hwk_tpm_end(tpm);
    }
    ERR_pop_to_mark();
}
