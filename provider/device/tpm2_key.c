/* SPDX-License-Identifier: Apache-2.0 */
/* A private key in a TPM as the provider holds it. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_key.h"
#include "provider/device/tpm2_satisfy.h"

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
    hwk_tpm_guard_free(key->guard);
    hwk_tpm_keyfile_free(key->file);
    OPENSSL_free(key);
}

/* what guards it is found out on its first use */
static int judge(struct hwk_tpm *tpm, struct hwk_tpm_key *key)
{
    if (!key->judged)
        key->judged = hwk_tpm_guard_new(tpm, key, &key->guard);
    return key->judged;
}

static int prepare(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                   struct hwk_tpm_use *use)
{
    if (!hwk_tpm_object_tr(tpm, key->object, &use->tr))
        return 0;
    return key->guard ? hwk_tpm_guard_open(tpm, key, use)
                      : hwk_tpm_authorize(tpm, use->tr, key->auth, use->secret,
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
    int ok = judge(tpm, key) && prepare(tpm, key, use);
    if (!ok && tpm->broken) { /* what it takes is not there any more */
        ERR_pop_to_mark();
        ok = hwk_tpm_reopen(tpm) && judge(tpm, key) && prepare(tpm, key, use);
    } else {
        ERR_clear_last_mark();
    }
    if (ok)
        return tpm->esys;
    hwk_tpm_end(tpm);
    return NULL;
}

/* when that fails its reason counts, not what the command gave before */
static bool once_more(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                      struct hwk_tpm_use *use, bool reopen)
{
    tpm->told = !((!reopen || hwk_tpm_reopen(tpm)) && prepare(tpm, key, use));
    return !tpm->told;
}

/* whether a value that is wrong after all costs no more when it is sent again:
 * nobody knows what became of the first time */
static bool harmless(const struct hwk_tpm_key *key)
{
    return !key->auth || atomic_load(&key->proven) ||
           key->object->pub.publicArea.objectAttributes & TPMA_OBJECT_NODA;
}

bool hwk_tpm_key_again(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                       struct hwk_tpm_use *use, TSS2_RC rc)
{
    if (hwk_tpm_again(tpm, rc))
        return once_more(tpm, key, use, false);
    if (key->guard && !use->changed && hwk_tpm_rc_is(rc, TPM2_RC_PCR_CHANGED)) {
        use->changed = true;
        return once_more(tpm, key, use, false);
    }
    if (use->reopened || !hwk_tpm_rc_lost(rc) || !harmless(key))
        return false;
    use->reopened = true;
    return once_more(tpm, key, use, true);
}

static void refused(struct hwk_tpm *tpm, struct hwk_tpm_key *key, TSS2_RC rc,
                    const char *what)
{
    atomic_store(&key->refused, true);
    hwk_tpm_bad_add(tpm, &key->object->name, key->auth);
    if (!key->auth)
        hwk_raise(HWK_R_PIN_MISSING,
                  "TPM key %s has an authorization value: give it with "
                  "?pass, pin-source or pin-value in the URI",
                  key->object->called);
    else
        hwk_tpm_check(tpm, rc, what, key->object->handle);
}

int hwk_tpm_key_done(struct hwk_tpm *tpm, struct hwk_tpm_key *key, TSS2_RC rc,
                     const char *what)
{
    int ok = 0;
    if (tpm->told)
        ok = 0;
    else if (hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT &&
             rc != TSS2_RC_SUCCESS &&
             (!key->guard || hwk_tpm_guard_auth(key->guard)))
        refused(tpm, key, rc, what);
    else if (!key->guard || !hwk_tpm_guard_blame(tpm, key, rc))
        ok = hwk_tpm_check(tpm, rc, what, key->object->handle);
    if (ok)
        atomic_store(&key->proven, true);
    hwk_tpm_end(tpm);
    return ok;
}
