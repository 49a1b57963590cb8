/* SPDX-License-Identifier: Apache-2.0 */
/* How a key that is not persistent comes into the TPM. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_primary.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_template.h"

/* --- commands --- */

static int hierarchy_tr(TPM2_HANDLE hierarchy, ESYS_TR *tr)
{
    switch (hierarchy) {
    case TPM2_RH_OWNER:
        *tr = ESYS_TR_RH_OWNER;
        return 1;
    case TPM2_RH_ENDORSEMENT:
        *tr = ESYS_TR_RH_ENDORSEMENT;
        return 1;
    case TPM2_RH_PLATFORM:
        *tr = ESYS_TR_RH_PLATFORM;
        return 1;
    case TPM2_RH_NULL:
        *tr = ESYS_TR_RH_NULL;
        return 1;
    default:
        return hwk_raise(HWK_R_KEY, "0x%08x is no hierarchy of a TPM",
                         hierarchy);
    }
}

static int primary_by_hand(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                           const TPM2B_PUBLIC *template, ESYS_TR *tr,
                           TPM2B_PUBLIC *pub)
{
    struct hwk_tpm_primary made;
    TSS2_RC rc = hwk_tpm_primary_make(tpm, hierarchy, template, &made);
    if (!hwk_tpm_check(tpm, rc, "CreatePrimary", hierarchy))
        return 0;
    *tr = made.tr;
    if (pub)
        *pub = made.pub;
    return 1;
}

static int primary_by_esys(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                           ESYS_TR root,
                           const struct hwk_secret *hierarchy_auth,
                           const TPM2B_SENSITIVE_CREATE *sensitive,
                           const TPM2B_PUBLIC *template, ESYS_TR *tr,
                           TPM2B_PUBLIC *pub)
{
    static const TPM2B_SENSITIVE_CREATE empty;
    static const TPM2B_DATA outside;
    static const TPML_PCR_SELECTION none;
    TPM2B_PUBLIC *made = NULL;
    ESYS_TR session;
    TSS2_RC rc;
    sensitive = sensitive ? sensitive : &empty;
    do {
        if (!hwk_tpm_authorize(tpm, root, hierarchy_auth,
                               hwk_tpm_secret_in(sensitive), &session))
            return 0;
        rc = Esys_CreatePrimary(tpm->esys, root, session, ESYS_TR_NONE,
                                ESYS_TR_NONE, sensitive, template, &outside,
                                &none, tr, &made, NULL, NULL, NULL);
    } while (hwk_tpm_again(tpm, rc));
    if (!hwk_tpm_check(tpm, rc, "CreatePrimary", hierarchy))
        return 0;
    if (pub)
        *pub = *made;
    Esys_Free(made);
    return 1;
}

int hwk_tpm_create_primary(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                           const struct hwk_secret *hierarchy_auth,
                           const TPM2B_SENSITIVE_CREATE *sensitive,
                           const TPM2B_PUBLIC *template, ESYS_TR *tr,
                           TPM2B_PUBLIC *pub)
{
    ESYS_TR root = ESYS_TR_NONE;
    *tr = ESYS_TR_NONE;
    if (!hierarchy_tr(hierarchy, &root) || !hwk_tpm_mark(tpm))
        return 0;
    hwk_tpm_spare(tpm, 1);
    return !sensitive && hwk_tpm_plain(tpm, hierarchy_auth)
               ? primary_by_hand(tpm, hierarchy, template, tr, pub)
               : primary_by_esys(tpm, hierarchy, root, hierarchy_auth,
                                 sensitive, template, tr, pub);
}

int hwk_tpm_parent_may(struct hwk_tpm *tpm, const struct hwk_tpm_object *parent,
                       const struct hwk_secret *auth)
{
    return !parent || !hwk_tpm_bad_is(tpm, &parent->name, auth) ||
           hwk_raise(HWK_R_PIN_INCORRECT,
                     "TPM key %s refused that authorization value before",
                     parent->called);
}

void hwk_tpm_parent_said(struct hwk_tpm *tpm,
                         const struct hwk_tpm_object *parent,
                         const struct hwk_secret *auth, TSS2_RC rc)
{
    if (parent && rc != TSS2_RC_SUCCESS &&
        hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT)
        hwk_tpm_bad_add(tpm, &parent->name, auth);
}

int hwk_tpm_check_wrapped(struct hwk_tpm *tpm, TSS2_RC rc, const char *command,
                          TPM2_HANDLE parent)
{
    char what[40];
    snprintf(what, sizeof(what), "%s under 0x%08x", command, parent);
    return hwk_tpm_check(tpm, rc, what, 0);
}

static int load_context(struct hwk_tpm *tpm, const TPMS_CONTEXT *context,
                        ESYS_TR *tr, TPM2B_PUBLIC *pub)
{
    TPM2B_PUBLIC *known = NULL;
    *tr = ESYS_TR_NONE;
    TSS2_RC rc = Esys_ContextLoad(tpm->esys, context, tr);
    if (!hwk_tpm_check(tpm, rc, "ContextLoad", 0))
        return hwk_raise(HWK_R_KEY, "TPM key in a saved context: it is of "
                                    "another TPM, or of before this one was "
                                    "restarted");
    if (!pub)
        return 1;
    rc = Esys_ReadPublic(tpm->esys, *tr, ESYS_TR_NONE, ESYS_TR_NONE,
                         ESYS_TR_NONE, &known, NULL, NULL);
    if (!hwk_tpm_check(tpm, rc, "ReadPublic", 0)) {
        hwk_tpm_flush(tpm, tr);
        return 0;
    }
    *pub = *known;
    Esys_Free(known);
    return 1;
}

static int load_under(struct hwk_tpm *tpm, const struct hwk_tpm_source *s,
                      ESYS_TR parent, const struct hwk_secret *auth,
                      ESYS_TR *tr)
{
    ESYS_TR session;
    TSS2_RC rc;
    *tr = ESYS_TR_NONE;
    if (!hwk_tpm_parent_may(tpm, s->parent, auth))
        return 0;
    do {
        if (!hwk_tpm_authorize(tpm, parent, auth, HWK_TPM_NO_SECRET, &session))
            return 0;
        rc = Esys_Load(tpm->esys, parent, session, ESYS_TR_NONE, ESYS_TR_NONE,
                       &s->priv, &s->pub, tr);
    } while (hwk_tpm_again(tpm, rc));
    hwk_tpm_parent_said(tpm, s->parent, auth, rc);
    return hwk_tpm_check_wrapped(tpm, rc, "Load",
                                 s->parent ? s->parent->handle : s->hierarchy);
}

static int load_under_primary(struct hwk_tpm *tpm,
                              const struct hwk_tpm_source *s, ESYS_TR *tr)
{
    TPM2B_PUBLIC template;
    ESYS_TR parent;
    hwk_tpm_template_default(s->rsa, &template);
    if (!hwk_tpm_create_primary(tpm, s->hierarchy, s->auth, NULL, &template,
                                &parent, NULL))
        return 0;
    int ok = load_under(tpm, s, parent, NULL, tr);
    hwk_tpm_flush(tpm, &parent);
    return ok;
}

static int load_once(struct hwk_tpm *tpm, const struct hwk_tpm_source *s,
                     ESYS_TR *tr)
{
    ESYS_TR parent;
    hwk_tpm_spare(tpm, s->parent ? 1 : 2);
    if (!s->parent)
        return load_under_primary(tpm, s, tr);
    return hwk_tpm_object_tr(tpm, s->parent, &parent) &&
           load_under(tpm, s, parent, s->auth, tr);
}

int hwk_tpm_load(struct hwk_tpm *tpm, const struct hwk_tpm_source *s,
                 ESYS_TR *tr, TPM2B_PUBLIC *pub)
{
    if (!hwk_tpm_mark(tpm))
        return 0;
    if (s->context) {
        hwk_tpm_spare(tpm, 1);
        return load_context(tpm, s->context, tr, pub);
    }
    if (s->priv.size == 0)
        return hwk_tpm_create_primary(tpm, s->hierarchy, s->auth, NULL, &s->pub,
                                      tr, pub);
    ERR_set_mark();
    int ok = load_once(tpm, s, tr);
    if (!ok && tpm->broken) { /* power failed since there was a primary */
        ERR_pop_to_mark();
        ok = load_once(tpm, s, tr);
    } else {
        ERR_clear_last_mark();
    }
    if (ok && pub)
        *pub = s->pub;
    return ok;
}

/* --- sources --- */

static int open_parent(struct hwk_tpm *tpm, const struct hwk_tpm_parent *parent,
                       struct hwk_tpm_source *s)
{
    if (parent->handle >> 24 != TPM2_HT_PERSISTENT) {
        ESYS_TR unused;
        s->hierarchy = parent->handle;
        s->rsa = parent->rsa;
        return hierarchy_tr(parent->handle, &unused);
    }
    s->parent = hwk_tpm_object_open(tpm, parent->handle);
    return s->parent &&
           (hwk_tpm_is_parent(&s->parent->pub) ||
            hwk_raise(HWK_R_KEY, "TPM key 0x%08x is no storage key",
                      parent->handle));
}

struct hwk_tpm_source *hwk_tpm_source_new(struct hwk_tpm *tpm,
                                          const struct hwk_tpm_parent *parent,
                                          const TPM2B_PUBLIC *pub,
                                          const TPM2B_PRIVATE *priv)
{
    struct hwk_tpm_source *s = OPENSSL_zalloc(sizeof(*s));
    if (!s || (parent->auth && !(s->auth = hwk_secret_dup(parent->auth)))) {
        OPENSSL_free(s);
        hwk_raise(HWK_R_MEMORY, "TPM key");
        return NULL;
    }
    s->pub = *pub;
    if (priv)
        s->priv = *priv;
    if (open_parent(tpm, parent, s))
        return s;
    hwk_tpm_source_free(tpm, s);
    return NULL;
}

struct hwk_tpm_source *hwk_tpm_source_context(const TPMS_CONTEXT *context)
{
    struct hwk_tpm_source *s = OPENSSL_zalloc(sizeof(*s));
    if (s && (s->context = OPENSSL_memdup(context, sizeof(*context)))) {
        s->hierarchy = context->hierarchy;
        return s;
    }
    OPENSSL_free(s);
    hwk_raise(HWK_R_MEMORY, "TPM key");
    return NULL;
}

void hwk_tpm_source_free(struct hwk_tpm *tpm, struct hwk_tpm_source *s)
{
    if (!s)
        return;
    if (s->parent)
        hwk_tpm_object_close(tpm, s->parent);
    hwk_secret_free(s->auth);
    OPENSSL_free(s->context);
    OPENSSL_free(s);
}

static bool same_public(const TPM2B_PUBLIC *a, const TPM2B_PUBLIC *b)
{
    uint8_t x[sizeof(*a)], y[sizeof(*b)];
    size_t n = 0, m = 0;
    return Tss2_MU_TPM2B_PUBLIC_Marshal(a, x, sizeof(x), &n) == 0 &&
           Tss2_MU_TPM2B_PUBLIC_Marshal(b, y, sizeof(y), &m) == 0 && n == m &&
           memcmp(x, y, n) == 0;
}

bool hwk_tpm_source_same(const struct hwk_tpm_source *s,
                         const struct hwk_tpm_parent *parent,
                         const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv)
{
    size_t n = priv ? priv->size : 0;
    TPM2_HANDLE handle = s->parent ? s->parent->handle : s->hierarchy;
    return !s->context && handle == parent->handle &&
           (s->parent || s->rsa == parent->rsa) && s->priv.size == n &&
           (n == 0 || memcmp(s->priv.buffer, priv->buffer, n) == 0) &&
           same_public(&s->pub, pub);
}
