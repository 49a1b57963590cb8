/* SPDX-License-Identifier: Apache-2.0 */
/* A private key in a TPM as the provider holds it. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_key.h"

struct hwk_tpm_key *hwk_tpm_key_new(struct hwk_tpm *tpm,
                                    struct hwk_tpm_object *object,
                                    struct hwk_secret *auth)
{
    struct hwk_tpm_key *key = OPENSSL_zalloc(sizeof(*key));
    if (!key) {
        hwk_tpm_object_close(tpm, object);
        hwk_secret_free(auth);
        hwk_raise(HWK_R_MEMORY, "TPM key");
        return NULL;
    }
    key->object = object;
    key->auth = auth;
    atomic_store(&key->refused, hwk_tpm_bad_is(tpm, &object->name, auth));
    return key;
}

void hwk_tpm_key_free(struct hwk_tpm *tpm, struct hwk_tpm_key *key)
{
    if (!key)
        return;
    hwk_tpm_object_release(tpm, key->object);
    hwk_secret_free(key->auth);
    hwk_tpm_keyfile_free(key->file);
    OPENSSL_free(key);
}

static int prepare(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                   struct hwk_tpm_use *use)
{
    return hwk_tpm_object_tr(tpm, key->object, &use->tr) &&
           hwk_tpm_authorize(tpm, use->tr, key->auth, use->secret,
                             &use->session);
}

ESYS_CONTEXT *hwk_tpm_key_use(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                              struct hwk_tpm_use *use)
{
    if (atomic_load(&key->refused)) {
        hwk_raise(HWK_R_PIN_INCORRECT, "TPM key %s refused its PIN before",
                  key->object->called);
        return NULL;
    }
    if (!hwk_tpm_begin(tpm))
        return NULL;
    ERR_set_mark();
    int ok = prepare(tpm, key, use);
    if (!ok && tpm->broken) { /* what it takes is not there any more */
        ERR_pop_to_mark();
        ok = hwk_tpm_reopen(tpm) && prepare(tpm, key, use);
    } else {
        ERR_clear_last_mark();
    }
    if (ok)
        return tpm->esys;
    hwk_tpm_end(tpm);
    return NULL;
}

bool hwk_tpm_key_again(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                       struct hwk_tpm_use *use, TSS2_RC rc)
{
    if (hwk_tpm_again(tpm, rc))
        return prepare(tpm, key, use);
    if (use->reopened || !hwk_tpm_rc_lost(rc))
        return false;
    use->reopened = true;
    return hwk_tpm_reopen(tpm) && prepare(tpm, key, use);
}

int hwk_tpm_key_done(struct hwk_tpm *tpm, struct hwk_tpm_key *key, TSS2_RC rc,
                     const char *what)
{
    TPM2_HANDLE handle = key->object->handle;
    int ok = 0;
    if (hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT && rc != TSS2_RC_SUCCESS) {
        atomic_store(&key->refused, true);
        hwk_tpm_bad_add(tpm, &key->object->name, key->auth);
        if (!key->auth)
            hwk_raise(HWK_R_PIN_MISSING,
                      "TPM key %s has an authorization value: give it with "
                      "?pass, pin-source or pin-value in the URI",
                      key->object->called);
        else
            hwk_tpm_check(tpm, rc, what, handle);
    } else {
        ok = hwk_tpm_check(tpm, rc, what, handle);
    }
    hwk_tpm_end(tpm);
    return ok;
}
