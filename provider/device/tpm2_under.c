/* SPDX-License-Identifier: Apache-2.0 */
/* The parent under which a key is made. */
#include <string.h>

#include <openssl/err.h>

#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_make.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_template.h"
#include "provider/device/tpm2_under.h"

const struct hwk_secret *
hwk_tpm_under_hierarchy(const struct hwk_tpm_spec *spec,
                        const struct hwk_uri *uri, TPM2_HANDLE hierarchy)
{
    if (uri->has_parent && uri->parent == hierarchy && spec->parent_auth)
        return spec->parent_auth;
    return hierarchy == TPM2_RH_OWNER || hierarchy == TPM2_RH_PLATFORM
               ? spec->hierarchy_auth
               : NULL;
}

/* takes o */
static int take(struct hwk_tpm *tpm, struct hwk_tpm_object *o,
                const struct hwk_secret *auth, struct hwk_tpm_under *out)
{
    out->object = o;
    out->at = (struct hwk_tpm_parent){o->handle, false, auth};
    out->auth = auth;
    out->pub = o->pub;
    if (hwk_tpm_is_parent(&o->pub)
            ? hwk_tpm_object_tr(tpm, o, &out->tr)
            : hwk_raise(HWK_R_KEY, "TPM key %s is no storage key", o->called))
        return 1;
    hwk_tpm_object_close(tpm, o);
    return 0;
}

static int primary(struct hwk_tpm *tpm, const struct hwk_tpm_parent *parent,
                   struct hwk_tpm_under *out)
{
    TPM2B_PUBLIC template;
    out->at = *parent;
    hwk_tpm_template_default(parent->rsa, &template);
    return hwk_tpm_create_primary(tpm, parent->handle, parent->auth, NULL,
                                  &template, &out->tr, &out->pub);
}

int hwk_tpm_under_at(struct hwk_tpm *tpm, const struct hwk_tpm_parent *parent,
                     struct hwk_tpm_under *out)
{
    memset(out, 0, sizeof(*out));
    out->tr = ESYS_TR_NONE;
    if (parent->handle >> 24 != TPM2_HT_PERSISTENT)
        return primary(tpm, parent, out);
    struct hwk_tpm_object *o = hwk_tpm_object_open(tpm, parent->handle);
    return o && take(tpm, o, parent->auth, out);
}

/* The usual storage root key in *o; NULL where that handle is free or of
 * another kind of key. */
static int usual(struct hwk_tpm *tpm, struct hwk_tpm_object **o)
{
    ERR_set_mark();
    *o = hwk_tpm_object_open(tpm, HWK_TPM_SRK);
    if (!*o && !hwk_err_is(HWK_R_NOT_FOUND)) {
        ERR_clear_last_mark();
        return 0;
    }
    ERR_pop_to_mark();
    if (*o && !hwk_tpm_is_parent(&(*o)->pub)) {
        hwk_tpm_object_close(tpm, *o);
        *o = NULL;
    }
    return 1;
}

static int open_usual(struct hwk_tpm *tpm, const struct hwk_tpm_spec *spec,
                      struct hwk_tpm_under *out)
{
    const struct hwk_tpm_parent owner = {
        TPM2_RH_OWNER, spec->rsa_parent,
        spec->parent_auth ? spec->parent_auth : spec->hierarchy_auth};
    struct hwk_tpm_object *o = NULL;
    memset(out, 0, sizeof(*out));
    out->tr = ESYS_TR_NONE;
    if (!spec->rsa_parent && !usual(tpm, &o))
        return 0;
    return o ? take(tpm, o, spec->parent_auth, out)
             : hwk_tpm_under_at(tpm, &owner, out);
}

int hwk_tpm_under_open(struct hwk_tpm *tpm, const struct hwk_uri *uri,
                       const struct hwk_tpm_spec *spec,
                       struct hwk_tpm_under *out)
{
    struct hwk_tpm_parent parent = {uri->parent, spec->rsa_parent,
                                    spec->parent_auth};
    if (!uri->has_parent)
        return open_usual(tpm, spec, out);
    if (uri->parent >> 24 != TPM2_HT_PERSISTENT)
        parent.auth = hwk_tpm_under_hierarchy(spec, uri, uri->parent);
    return hwk_tpm_under_at(tpm, &parent, out);
}

void hwk_tpm_under_close(struct hwk_tpm *tpm, struct hwk_tpm_under *u)
{
    if (u->object)
        hwk_tpm_object_close(tpm, u->object);
    else
        hwk_tpm_flush(tpm, &u->tr);
    u->object = NULL;
}

int hwk_tpm_under_expected(const struct hwk_tpm *tpm,
                           const struct hwk_tpm_under *u)
{
    const struct hwk_salt_key *pin = tpm->cfg ? &tpm->cfg->salt_key : NULL;
    TPM2B_NAME name;
    if (!pin || pin->name_n == 0 || pin->handle != u->at.handle)
        return 1;
    return (hwk_tpm_name(&u->pub, &name) && name.size == pin->name_n &&
            memcmp(name.name, pin->name, name.size) == 0) ||
           hwk_raise(HWK_R_BUS,
                     "TPM %s: the key at 0x%08x has not the Name that salt-key "
                     "gives: nothing is brought in under it",
                     tpm->name, pin->handle);
}
