/* SPDX-License-Identifier: Apache-2.0 */
/* New keys, made or brought in: at a handle, or as a key file. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_evict.h"
#include "provider/device/tpm2_import.h"
#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_make.h"
#include "provider/device/tpm2_newpolicy.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_primary.h"
#include "provider/device/tpm2_rule.h"
#include "provider/device/tpm2_spec.h"
#include "provider/device/tpm2_under.h"
#include "provider/device/tpm2_wrap.h"

/* what there is of a key while it is made */
struct work {
    struct hwk_tpm *tpm;
    const struct hwk_uri *uri;
    const struct hwk_spec *spec;
    const struct hwk_secret *auth;
    TPM2_HANDLE handle; /* where it is to be kept; 0: in a file */
    struct hwk_tpm_parent parent;
    TPM2B_PUBLIC pub; /* the template, then the key's */
    TPM2B_PRIVATE priv;
    struct hwk_tpm_rules rules; /* its policy */
    ESYS_TR child;              /* transient, flushed at the end */
    ESYS_TR kept;               /* persistent */
};

/* --- making --- */

/* a parameter is wrong, or nothing that has a number: not a handle, a session
 */
static bool of_the_kind(TSS2_RC rc)
{
    return (rc & TPM2_RC_FMT1) &&
           ((rc & TPM2_RC_P) || (rc & TPM2_RC_N_MASK) == 0);
}

/* What a TPM says of a kind of key that it does not make is the number of a
 * parameter: the kind is told besides. */
static int made(struct work *w, TSS2_RC rc, const char *what)
{
    char text[HWK_TPM_SPEC_TEXT_MAX];
    if (hwk_tpm_check(w->tpm, rc, what, 0))
        return 1;
    if (!of_the_kind(rc))
        return 0;
    hwk_tpm_spec_text(&w->pub, text);
    return hwk_raise(HWK_R_UNSUPPORTED, "TPM %s: makes no such key: %s",
                     w->tpm->name, text);
}

/* what answers may be no TPM at all */
static int take(struct work *w, const TPM2B_PUBLIC *pub)
{
    if (!hwk_tpm_spec_made(&w->pub, pub))
        return hwk_raise(HWK_R_BUS, "TPM %s: the key is not what was asked for",
                         w->tpm->name);
    w->pub = *pub;
    return 1;
}

static int create(struct work *w, const struct hwk_tpm_under *under,
                  const TPM2B_SENSITIVE_CREATE *sensitive)
{
    const TPM2B_DATA outside = {.size = 0};
    const TPML_PCR_SELECTION none = {.count = 0};
    TPM2B_PRIVATE *priv = NULL;
    TPM2B_PUBLIC *pub = NULL;
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(w->tpm, under->tr, under->auth,
                               hwk_tpm_secret_in(sensitive), &session))
            return 0;
        rc = Esys_Create(w->tpm->esys, under->tr, session, ESYS_TR_NONE,
                         ESYS_TR_NONE, sensitive, &w->pub, &outside, &none,
                         &priv, &pub, NULL, NULL, NULL);
    } while (hwk_tpm_again(w->tpm, rc));
    if (!made(w, rc, "Create"))
        return 0;
    int ok = take(w, pub);
    w->priv = *priv;
    Esys_Free(priv);
    Esys_Free(pub);
    return ok;
}

static int load(struct work *w, const struct hwk_tpm_under *under)
{
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(w->tpm, under->tr, under->auth,
                               HWK_TPM_NO_SECRET, &session))
            return 0;
        rc = Esys_Load(w->tpm->esys, under->tr, session, ESYS_TR_NONE,
                       ESYS_TR_NONE, &w->priv, &w->pub, &w->child);
    } while (hwk_tpm_again(w->tpm, rc));
    return hwk_tpm_check(w->tpm, rc, "Load", 0);
}

/* What goes over the bus only the parent can open, if it is the TPM's; where
 * the configuration knows its Name, it is that one. */
static int bring(struct work *w, const struct hwk_tpm_under *under)
{
    const struct hwk_private *from = w->spec->from;
    struct hwk_tpm_wrapped wrapped;
    return hwk_tpm_under_expected(w->tpm, under) &&
           hwk_tpm_prove_public(w->tpm, under->tr, &under->pub) &&
           hwk_tpm_wrap(from->soft, &under->pub, &w->pub, from, w->auth,
                        &wrapped) &&
           hwk_tpm_import_under(w->tpm, under, &w->pub, &wrapped.duplicate,
                                &wrapped.seed, &w->priv);
}

static int make_under(struct work *w, const struct hwk_tpm_under *under,
                      const TPM2B_SENSITIVE_CREATE *sensitive)
{
    w->parent = under->at;
    return (w->spec->from ? bring(w, under) : create(w, under, sensitive)) &&
           (w->handle == 0 || load(w, under));
}

static int make_child(struct work *w, const TPM2B_SENSITIVE_CREATE *sensitive)
{
    struct hwk_tpm_under under;
    if (!hwk_tpm_under_open(w->tpm, w->uri, &w->spec->tpm, &under))
        return 0;
    int ok = make_under(w, &under, sensitive);
    hwk_tpm_under_close(w->tpm, &under);
    return ok;
}

static int make_primary(struct work *w, const TPM2B_SENSITIVE_CREATE *sensitive)
{
    const struct hwk_tpm_spec *t = &w->spec->tpm;
    TPM2B_PUBLIC pub;
    return hwk_tpm_create_primary(w->tpm, TPM2_RH_ENDORSEMENT, t->parent_auth,
                                  sensitive, &w->pub, &w->child, &pub) &&
           take(w, &pub);
}

/* the auth value, where it is created and no longer */
static int make(struct work *w)
{
    TPM2B_SENSITIVE_CREATE sensitive = {.size = 0};
    TPM2B_AUTH *a = &sensitive.sensitive.userAuth;
    a->size = w->auth ? (UINT16)w->auth->n : 0;
    if (w->auth)
        memcpy(a->buffer, w->auth->p, w->auth->n);
    int ok = w->spec->usage == HWK_USAGE_IDEVID ? make_primary(w, &sensitive)
                                                : make_child(w, &sensitive);
    OPENSSL_cleanse(&sensitive, sizeof(sensitive));
    return ok;
}

/* --- where it is kept --- */

static int keep(struct work *w)
{
    TPM2_HANDLE by = w->handle >= HWK_TPM_PLATFORM_PERSISTENT ? TPM2_RH_PLATFORM
                                                              : TPM2_RH_OWNER;
    const struct hwk_secret *auth =
        hwk_tpm_under_hierarchy(&w->spec->tpm, w->uri, by);
    TPM2_HANDLE loaded;
    TPM2B_NAME name;
    TSS2_RC rc = Esys_TR_GetTpmHandle(w->tpm->esys, w->child, &loaded);
    if (!hwk_tpm_check(w->tpm, rc, "new key", 0) ||
        !hwk_tpm_public_name(&w->pub, &name) ||
        !hwk_tpm_evict(w->tpm, by, auth, loaded, &name, w->handle, &rc) ||
        !hwk_tpm_check(w->tpm, rc, "EvictControl", w->handle))
        return 0;
    rc = hwk_tpm_primary_tell(w->tpm, w->handle, &w->pub, &name, &w->kept);
    return hwk_tpm_check(w->tpm, rc, "new key", w->handle);
}

static int free_handle(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    int there = hwk_tpm_occupied(tpm, handle);
    return there == 1
               ? hwk_raise(HWK_R_EXISTS, "TPM %s: there is a key at 0x%08x",
                           tpm->name, handle)
               : there == 0;
}

static int steps(struct work *w)
{
    if ((w->handle != 0 && !free_handle(w->tpm, w->handle)) ||
        !hwk_tpm_newpolicy(w->tpm, w->spec->tpm.policy, &w->pub, &w->rules) ||
        !hwk_tpm_mark(w->tpm))
        return 0;
    hwk_tpm_spare(w->tpm, 2);
    int ok = make(w) && (w->handle == 0 || keep(w));
    hwk_tpm_flush(w->tpm, &w->child);
    return ok;
}

/* --- the key as it is given --- */

static struct hwk_tpm_object *object(struct work *w)
{
    if (w->handle != 0)
        return hwk_tpm_object_adopt(w->tpm, w->handle, w->kept, &w->pub);
    return hwk_tpm_object_blob(w->tpm, &w->parent, &w->pub, &w->priv);
}

/* takes the rules: the first is the file's policy, the others alternatives */
static struct hwk_tpm_keyfile *file(struct work *w)
{
    struct hwk_tpm_keyfile *f = OPENSSL_zalloc(sizeof(*f));
    if (!f) {
        hwk_raise(HWK_R_MEMORY, "key file");
        return NULL;
    }
    f->type = HWK_TPM_FILE_LOADABLE;
    f->empty_auth = !w->auth || w->auth->n == 0;
    f->rsa_parent = w->parent.rsa;
    f->parent = w->parent.handle;
    f->pub = w->pub;
    f->priv = w->priv;
    hwk_tpm_newpolicy_take(&w->rules, f);
    return f;
}

static struct hwk_tpm_key *wrap(struct work *w)
{
    struct hwk_secret *copy = w->auth ? hwk_secret_dup(w->auth) : NULL;
    struct hwk_tpm_keyfile *f = w->handle == 0 ? file(w) : NULL;
    struct hwk_tpm_object *o = object(w);
    struct hwk_tpm_key *key = NULL;
    if (o && (copy || !w->auth) && (f || w->handle != 0)) {
        key = hwk_tpm_key_new(w->tpm, o, copy);
    } else {
        if (o)
            hwk_tpm_object_close(w->tpm, o);
        hwk_secret_free(copy);
    }
    if (key)
        key->file = f;
    else
        hwk_tpm_keyfile_free(f);
    return key;
}

/* --- what was asked --- */

static int auth_fits(const struct hwk_secret *auth, const TPM2B_PUBLIC *pub)
{
    size_t max = hwk_md_size(hwk_tpm_md(pub->publicArea.nameAlg));
    return !auth || auth->n <= max ||
           hwk_raise(HWK_R_ARGUMENT,
                     "a TPM key's PIN has no more bytes than the digest that "
                     "names it: %zu",
                     max);
}

static int handle_of(const struct hwk_uri *uri, const struct hwk_spec *spec,
                     TPM2_HANDLE *out)
{
    *out = uri->tpm == HWK_TPM_IDEVID   ? HWK_TPM_IDEVID_HANDLE
           : uri->tpm == HWK_TPM_HANDLE ? uri->handle
                                        : 0;
    if (uri->tpm == 0)
        return spec->usage != HWK_USAGE_IDEVID ||
               hwk_raise(HWK_R_BAD_URI, "an IDevID is made at a handle");
    if (*out >> 24 != TPM2_HT_PERSISTENT)
        return hwk_raise(HWK_R_BAD_URI, "a key is made at handle=0x81..., or "
                                        "without a name for a key file");
    if (uri->has_parent && uri->parent == TPM2_RH_NULL)
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "a key of the null hierarchy cannot be kept");
    return !spec->session ||
           hwk_raise(HWK_R_PARAM, "%s: a key at a handle stays",
                     HWK_PARAM_KEY_TOKEN);
}

/* what is not to be kept goes with the TPM's next start at the latest */
static struct hwk_uri under_what(const struct hwk_uri *uri,
                                 const struct hwk_spec *spec)
{
    struct hwk_uri under = *uri; /* lent */
    if (spec->session && !uri->has_parent) {
        under.has_parent = true;
        under.parent = TPM2_RH_NULL;
    }
    return under;
}

struct hwk_tpm_key *hwk_tpm_make(struct hwk_tpm *tpm, const struct hwk_uri *uri,
                                 const struct hwk_spec *spec,
                                 const struct hwk_secret *auth)
{
    const struct hwk_uri under = under_what(uri, spec);
    struct work w = {.tpm = tpm,
                     .uri = &under,
                     .spec = spec,
                     .auth = spec->tpm.auth ? spec->tpm.auth : auth,
                     .child = ESYS_TR_NONE,
                     .kept = ESYS_TR_NONE};
    struct hwk_tpm_key *key = NULL;
    if (!handle_of(uri, spec, &w.handle) ||
        !hwk_tpm_spec_public(spec, &w.pub) || !auth_fits(w.auth, &w.pub) ||
        !hwk_tpm_begin(tpm))
        return NULL;
    if (steps(&w))
        key = wrap(&w);
    hwk_tpm_end(tpm);
    hwk_tpm_rules_clear(&w.rules);
    return key;
}
