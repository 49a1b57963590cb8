/* SPDX-License-Identifier: Apache-2.0 */
/* The keys in files labelled TSS2 PRIVATE KEY. */
#include <stdio.h>
#include <string.h>

#include "provider/device/tpm2_blob.h"
#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_import.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_satisfy.h"

/* what a PIN is asked for */
static void name_it(const struct hwk_tpm_keyfile *file, char *out, size_t max)
{
    if (file->description)
        snprintf(out, max, "TPM key '%.80s'", file->description);
    else
        snprintf(out, max, "TPM key under 0x%08x", file->parent);
}

static struct hwk_tpm_object *load(struct hwk_tpm *tpm,
                                   const struct hwk_tpm_keyfile *file,
                                   const struct hwk_secret *parent_auth)
{
    const struct hwk_tpm_parent parent = {file->parent, file->rsa_parent,
                                          parent_auth};
    TPM2B_PRIVATE imported;
    const TPM2B_PRIVATE *priv = &file->priv;
    if (file->type == HWK_TPM_FILE_IMPORTABLE) {
        if (!hwk_tpm_import(tpm, &parent, &file->pub, &file->priv,
                            &file->secret, &imported))
            return NULL;
        priv = &imported;
    }
    return hwk_tpm_object_blob(tpm, &parent, &file->pub, priv);
}

/* takes auth */
static struct hwk_tpm_key *load_key(struct hwk_tpm *tpm,
                                    const struct hwk_tpm_keyfile *file,
                                    const struct hwk_secret *parent_auth,
                                    struct hwk_secret *auth)
{
    struct hwk_tpm_object *o = NULL;
    struct hwk_tpm_key *key = NULL;
    if (hwk_tpm_begin(tpm)) {
        o = load(tpm, file, parent_auth);
        key = o ? hwk_tpm_key_new(tpm, o, auth) : NULL;
        hwk_tpm_end(tpm);
    }
    if (!o)
        hwk_secret_free(auth);
    if (!o && hwk_err_is(HWK_R_PIN_INCORRECT))
        hwk_raise(HWK_R_PIN_INCORRECT,
                  "TPM key under 0x%08x: %s, from parent-pin-source or "
                  "HWKEY_PARENT_PIN",
                  file->parent,
                  parent_auth ? "its parent has another authorization value "
                                "than the one given"
                              : "its parent has an authorization value: "
                                "give it");
    return key;
}

/* the file says so, or the URI of somebody who knows better */
static bool has_pin(const struct hwk_tpm_keyfile *file,
                    const struct hwk_uri *uri)
{
    return !file->empty_auth ||
           (uri && (uri->ask_auth || uri->pin_value.p || uri->pin_source.p));
}

static struct hwk_tpm_key *open_key(struct hwk_tpm *tpm,
                                    const struct hwk_tpm_keyfile *file,
                                    const struct hwk_pin_ask *pin)
{
    struct hwk_secret *auth = NULL, *parent_auth = NULL;
    struct hwk_tpm_key *key = NULL;
    char what[128];
    name_it(file, what, sizeof(what));
    if (hwk_pin_get_parent(pin, what, &parent_auth) &&
        (!has_pin(file, pin->uri) || hwk_pin_get(pin, what, &auth)))
        key = load_key(tpm, file, parent_auth, auth);
    hwk_secret_free(parent_auth);
    return key;
}

static void describe(const struct hwk_tpm_keyfile *file, const char *uri,
                     struct hwk_found *out)
{
    snprintf(out->uri, sizeof(out->uri), "%s", uri);
    snprintf(out->label, sizeof(out->label), "%s",
             file->description ? file->description : "");
}

/* takes file */
static int give_private(struct hwk_tpm *tpm, struct hwk_tpm_keyfile *file,
                        const char *uri, const struct hwk_pin_ask *pin,
                        hwk_found_fn *each, void *arg)
{
    struct hwk_tpm_key *key = open_key(tpm, file, pin);
    struct hwk_found found;
    if (!key)
        hwk_tpm_keyfile_free(file);
    else
        key->file = file;
    if (!key || !hwk_tpm_found_key(tpm, key, &found))
        return -1;
    describe(file, uri, &found);
    hwk_tpm_guard_ask(tpm, key, pin ? pin->prompt : NULL);
    int rc = each(arg, &found);
    if (found.ref)
        hwk_tpm_key_free(tpm, found.ref);
    return rc;
}

/* names are of what is private, too, and open nothing */
static int give_public(const struct hwk_tpm_keyfile *file, const char *uri,
                       unsigned want, hwk_found_fn *each, void *arg)
{
    struct hwk_found found = {.type = want & HWK_WANT_PRIVATE ? HWK_OBJ_PRIVATE
                                                              : HWK_OBJ_PUBLIC};
    if (!hwk_tpm_public(&file->pub, &found.pub))
        return -1;
    describe(file, uri, &found);
    return each(arg, &found);
}

int hwk_tpm_find_blob(struct hwk_tpm *tpm, const uint8_t *der, size_t n,
                      const char *uri, unsigned want,
                      const struct hwk_pin_ask *pin, hwk_found_fn *each,
                      void *arg)
{
    struct hwk_tpm_keyfile *file;
    if (!hwk_tpm_keyfile_parse(der, n, &file))
        return -1;
    if (file->type == HWK_TPM_FILE_SEALED) {
        hwk_tpm_keyfile_free(file);
        return hwk_raise(HWK_R_KEY, "TSS2 PRIVATE KEY: sealed data (type "
                                    "2.23.133.10.1.5), which is no key") -
               1;
    }
    if (want & HWK_WANT_PRIVATE && !(want & HWK_WANT_NAMES))
        return give_private(tpm, file, uri, pin, each, arg);
    int rc = give_public(file, uri, want, each, arg);
    hwk_tpm_keyfile_free(file);
    return rc;
}
