/* SPDX-License-Identifier: Apache-2.0 */
/* New keys, made persistent. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_make.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_template.h"

/* what is in the TPM while a key is made */
struct work {
    struct hwk_tpm *tpm;
    ESYS_TR parent;   /* flushed at the end if it is ours */
    bool parent_ours; /* transient, as against a persistent one */
    ESYS_TR child;    /* transient, flushed at the end */
    ESYS_TR kept;     /* persistent */
    TPM2B_PUBLIC pub;
    TPM2B_SENSITIVE_CREATE sensitive;
};

static int create_primary(struct work *w, ESYS_TR hierarchy,
                          const TPM2B_SENSITIVE_CREATE *sensitive,
                          const TPM2B_PUBLIC *template, ESYS_TR *out,
                          TPM2B_PUBLIC *pub)
{
    const TPM2B_DATA outside = {.size = 0};
    const TPML_PCR_SELECTION none = {.count = 0};
    TPM2B_PUBLIC *made = NULL;
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(w->tpm, hierarchy, NULL,
                               hwk_tpm_secret_in(sensitive), &session))
            return 0;
        rc = Esys_CreatePrimary(w->tpm->esys, hierarchy, session, ESYS_TR_NONE,
                                ESYS_TR_NONE, sensitive, template, &outside,
                                &none, out, &made, NULL, NULL, NULL);
    } while (hwk_tpm_again(w->tpm, rc));
    if (!hwk_tpm_check(w->tpm, rc, "CreatePrimary", 0))
        return 0;
    if (pub)
        *pub = *made;
    Esys_Free(made);
    return 1;
}

static int persistent_parent(struct work *w, TPM2_HANDLE handle)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    if (!hwk_tpm_read_public(w->tpm, handle, &w->parent, &pub, &name))
        return 0;
    return hwk_tpm_is_parent(&pub)
               ? 1
               : hwk_raise(HWK_R_KEY, "TPM key 0x%08x is no storage key",
                           handle);
}

static int primary_parent(struct work *w, ESYS_TR hierarchy)
{
    const TPM2B_SENSITIVE_CREATE empty = {.size = 0};
    TPM2B_PUBLIC srk;
    hwk_tpm_template_srk(&srk);
    w->parent_ours = true;
    return create_primary(w, hierarchy, &empty, &srk, &w->parent, NULL);
}

/* the usual storage root key; another kind of key there is none */
static int usual_parent(struct work *w)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    ERR_set_mark();
    int there =
        hwk_tpm_read_public(w->tpm, HWK_TPM_SRK, &w->parent, &pub, &name);
    if (!there && !hwk_err_is(HWK_R_NOT_FOUND)) {
        ERR_clear_last_mark();
        return 0;
    }
    ERR_pop_to_mark();
    if (there && hwk_tpm_is_parent(&pub))
        return 1;
    if (there)
        Esys_TR_Close(w->tpm->esys, &w->parent);
    return primary_parent(w, ESYS_TR_RH_OWNER);
}

static int find_parent(struct work *w, const struct hwk_uri *uri)
{
    if (!uri->has_parent)
        return usual_parent(w);
    switch (uri->parent) {
    case TPM2_RH_OWNER:
        return primary_parent(w, ESYS_TR_RH_OWNER);
    case TPM2_RH_ENDORSEMENT:
        return primary_parent(w, ESYS_TR_RH_ENDORSEMENT);
    case TPM2_RH_PLATFORM:
        return primary_parent(w, ESYS_TR_RH_PLATFORM);
    case TPM2_RH_NULL:
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "a key of the null hierarchy cannot be kept");
    default:
        return persistent_parent(w, uri->parent);
    }
}

static int create(struct work *w, const TPM2B_PUBLIC *template,
                  TPM2B_PRIVATE **private, TPM2B_PUBLIC **public)
{
    const TPM2B_DATA outside = {.size = 0};
    const TPML_PCR_SELECTION none = {.count = 0};
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(w->tpm, w->parent, NULL,
                               hwk_tpm_secret_in(&w->sensitive), &session))
            return 0;
        rc = Esys_Create(w->tpm->esys, w->parent, session, ESYS_TR_NONE,
                         ESYS_TR_NONE, &w->sensitive, template, &outside, &none,
                         private, public, NULL, NULL, NULL);
    } while (hwk_tpm_again(w->tpm, rc));
    return hwk_tpm_check(w->tpm, rc, "Create", 0);
}

static int load(struct work *w, const TPM2B_PRIVATE *private,
                const TPM2B_PUBLIC *public)
{
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(w->tpm, w->parent, NULL, HWK_TPM_NO_SECRET,
                               &session))
            return 0;
        rc = Esys_Load(w->tpm->esys, w->parent, session, ESYS_TR_NONE,
                       ESYS_TR_NONE, private, public, &w->child);
    } while (hwk_tpm_again(w->tpm, rc));
    w->pub = *public;
    return hwk_tpm_check(w->tpm, rc, "Load", 0);
}

static int make_child(struct work *w, const struct hwk_uri *uri,
                      const TPM2B_PUBLIC *template)
{
    TPM2B_PRIVATE *private = NULL;
    TPM2B_PUBLIC *public = NULL;
    int ok = find_parent(w, uri) && create(w, template, &private, &public) &&
             load(w, private, public);
    Esys_Free(private);
    Esys_Free(public);
    return ok;
}

static int describe(const struct hwk_spec *spec, TPM2B_PUBLIC *out)
{
    struct hwk_tpm_kind kind = {
        .type = spec->type == HWK_KEY_EC ? TPM2_ALG_ECC : TPM2_ALG_RSA,
        .curve = hwk_tpm_curve(spec->curve),
        .bits = (uint16_t)spec->bits,
    };
    if (spec->type == HWK_KEY_EC && kind.curve == TPM2_ECC_NONE)
        return hwk_raise(HWK_R_KEY, "a TPM key needs a NIST curve");
    if (!hwk_spec_plain(spec))
        return 0;
    if (spec->usage == HWK_USAGE_SIGN)
        hwk_tpm_template_sign(&kind, out);
    else if (spec->usage == HWK_USAGE_DECRYPT ||
             (spec->usage == HWK_USAGE_DERIVE && spec->type == HWK_KEY_EC))
        hwk_tpm_template_decrypt(&kind, out);
    else if (spec->usage != HWK_USAGE_IDEVID)
        return hwk_raise(HWK_R_KEY, "a TPM key is made for one usage");
    else if (!hwk_tpm_devid_own(HWK_TPM_IDEVID, &kind, out))
        return hwk_raise(HWK_R_KEY, "the TCG has no IDevID of this kind: RSA "
                                    "2048, P-256, P-384 or P-521");
    return 1;
}

static int keep(struct work *w, TPM2_HANDLE handle)
{
    ESYS_TR session, by = handle >= HWK_TPM_PLATFORM_PERSISTENT
                              ? ESYS_TR_RH_PLATFORM
                              : ESYS_TR_RH_OWNER;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(w->tpm, by, NULL, HWK_TPM_NO_SECRET, &session))
            return 0;
        rc = Esys_EvictControl(w->tpm->esys, by, w->child, session,
                               ESYS_TR_NONE, ESYS_TR_NONE, handle, &w->kept);
    } while (hwk_tpm_again(w->tpm, rc));
    return hwk_tpm_check(w->tpm, rc, "EvictControl", handle);
}

static int free_handle(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    int there = hwk_tpm_occupied(tpm, handle);
    return there == 1
               ? hwk_raise(HWK_R_EXISTS, "TPM %s: there is a key at 0x%08x",
                           tpm->name, handle)
               : there == 0;
}

static int steps(struct work *w, const struct hwk_uri *uri,
                 const struct hwk_spec *spec, TPM2_HANDLE handle)
{
    TPM2B_PUBLIC template;
    if (!describe(spec, &template) || !free_handle(w->tpm, handle) ||
        !hwk_tpm_mark(w->tpm))
        return 0;
    hwk_tpm_spare(w->tpm, 2);
    int ok = spec->usage == HWK_USAGE_IDEVID
                 ? create_primary(w, ESYS_TR_RH_ENDORSEMENT, &w->sensitive,
                                  &template, &w->child, &w->pub)
                 : make_child(w, uri, &template);
    return ok && keep(w, handle);
}

static void clean(struct work *w)
{
    hwk_tpm_flush(w->tpm, &w->child);
    if (w->parent_ours)
        hwk_tpm_flush(w->tpm, &w->parent);
    else if (w->parent != ESYS_TR_NONE)
        Esys_TR_Close(w->tpm->esys, &w->parent);
    OPENSSL_cleanse(&w->sensitive, sizeof(w->sensitive));
}

/* the key at its handle, opened; its auth is a copy */
static struct hwk_tpm_key *wrap(struct work *w, TPM2_HANDLE handle,
                                const struct hwk_secret *auth)
{
    struct hwk_secret *copy = auth ? hwk_secret_dup(auth) : NULL;
    struct hwk_tpm_object *o =
        hwk_tpm_object_adopt(w->tpm, handle, w->kept, &w->pub);
    if (!o || (auth && !copy)) {
        if (o)
            hwk_tpm_object_close(w->tpm, o);
        hwk_secret_free(copy);
        return NULL;
    }
    return hwk_tpm_key_new(w->tpm, o, copy);
}

static int new_auth(struct work *w, const struct hwk_secret *auth)
{
    TPM2B_AUTH *a = &w->sensitive.sensitive.userAuth;
    if (auth && auth->n > 32) /* no more than the digest of nameAlg */
        return hwk_raise(HWK_R_ARGUMENT,
                         "a TPM key's PIN has 32 bytes at most");
    a->size = auth ? (UINT16)auth->n : 0;
    if (auth)
        memcpy(a->buffer, auth->p, auth->n);
    return 1;
}

static TPM2_HANDLE handle_of(const struct hwk_uri *uri)
{
    if (uri->tpm == HWK_TPM_IDEVID)
        return HWK_TPM_IDEVID_HANDLE;
    return uri->tpm == HWK_TPM_HANDLE ? uri->handle : 0;
}

struct hwk_tpm_key *hwk_tpm_make(struct hwk_tpm *tpm, const struct hwk_uri *uri,
                                 const struct hwk_spec *spec,
                                 const struct hwk_secret *auth)
{
    struct work w = {.tpm = tpm,
                     .parent = ESYS_TR_NONE,
                     .child = ESYS_TR_NONE,
                     .kept = ESYS_TR_NONE};
    TPM2_HANDLE handle = handle_of(uri);
    struct hwk_tpm_key *key = NULL;
    if (handle >> 24 != TPM2_HT_PERSISTENT) {
        hwk_raise(HWK_R_BAD_URI, "a key is made at handle=0x81...");
        return NULL;
    }
    if (!new_auth(&w, auth) || !hwk_tpm_begin(tpm))
        return NULL;
    int ok = steps(&w, uri, spec, handle);
    clean(&w);
    if (ok)
        key = wrap(&w, handle, auth);
    hwk_tpm_end(tpm);
    return key;
}
