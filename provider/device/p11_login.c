/* SPDX-License-Identifier: Apache-2.0 */
/* Logins of a token: a PIN is tried once, and kept when it is right. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

/* --- the login itself; login_lock is held --- */

static bool known_bad(const struct p11_token *t, const struct hwk_secret *pin)
{
    size_t i;

    for (i = 0; i < t->n_bad; i++)
        if (hwk_secret_eq(t->bad[i], pin))
            return true;
    return false;
}

static void remember_bad(struct p11_token *t, const struct hwk_secret *pin)
{
    if (pin != NULL && t->n_bad < P11_BAD_PINS)
        t->bad[t->n_bad++] = hwk_secret_dup(pin);
    if (t->n_bad > 0 && t->bad[t->n_bad - 1] == NULL)
        t->n_bad--;
    if (t->pin != NULL && (pin == NULL || !hwk_secret_eq(t->pin, pin)))
        return;
    atomic_store(&t->kept, false);
    hwk_secret_free(t->pin);
    t->pin = NULL;
}

/* a login that worked can be repeated: with its PIN, or at the keypad */
static void keep(struct p11_token *t, const struct hwk_secret *pin)
{
    if (t->pin == NULL && pin != NULL)
        t->pin = hwk_secret_dup(pin);
    atomic_store(&t->kept, t->pin != NULL || t->protected_path);
}

static struct hwk_secret *kept_pin(struct p11_token *t)
{
    struct hwk_secret *pin = NULL;

    pthread_mutex_lock(&t->login_lock);
    if (t->pin != NULL)
        pin = hwk_secret_dup(t->pin);
    pthread_mutex_unlock(&t->login_lock);
    return pin;
}

static int refused(const struct p11_token *t, const char *why)
{
    return hwk_raise(HWK_R_PIN_INCORRECT, "PIN incorrect for token '%s'%s",
                     t->label, why);
}

static CK_RV c_login(struct p11_token *t, CK_SESSION_HANDLE h, CK_ULONG user,
                     struct hwk_secret *pin)
{
    return P11(t->module, C_Login, h, user,
               pin != NULL ? (CK_UTF8CHAR *)pin->p : NULL,
               pin != NULL ? pin->n : 0);
}

/* 1, 0 with a reason, or -1: the session was lost and the PIN not looked at */
static int try_pin(struct p11_token *t, CK_SESSION_HANDLE h,
                   struct hwk_secret *pin, CK_RV *rv)
{
    if (pin != NULL && known_bad(t, pin))
        return refused(t, ": tried before, not tried again");
    *rv = c_login(t, h, CKU_USER, pin);
    if (*rv == CKR_OK || *rv == CKR_USER_ALREADY_LOGGED_IN) {
        atomic_store(&t->logged_in, true);
        return 1;
    }
    if (*rv == CKR_PIN_INCORRECT || *rv == CKR_PIN_INVALID ||
        *rv == CKR_PIN_LEN_RANGE) {
        remember_bad(t, pin);
        return refused(t, "");
    }
    if (p11_lost(*rv) && *rv != CKR_DEVICE_ERROR)
        return -1;
    if (*rv == CKR_PIN_LOCKED)
        return hwk_raise(HWK_R_PIN_LOCKED, "the PIN of token '%s' is locked",
                         t->label);
    return p11_raise("C_Login", *rv);
}

int p11_relogin(struct p11_token *t, CK_SESSION_HANDLE h, CK_RV *rv)
{
    int r = 1;

    if (atomic_load(&t->logged_in) || !atomic_load(&t->kept))
        return 1;
    pthread_mutex_lock(&t->login_lock);
    if (!atomic_load(&t->logged_in) && atomic_load(&t->kept))
        r = try_pin(t, h, t->pin, rv);
    pthread_mutex_unlock(&t->login_lock);
    return r;
}

/* --- login on request --- */

static int login_with(struct p11_token *t, struct hwk_secret *pin)
{
    struct p11_session s;
    CK_RV rv = CKR_OK;
    int tries, r = -1;

    for (tries = 0; tries < 2 && r < 0; tries++) {
        if (!p11_session_get(t, false, &s))
            return 0;
        pthread_mutex_lock(&t->login_lock);
        r = atomic_load(&t->logged_in) ? 1 : try_pin(t, s.h, pin, &rv);
        if (r == 1)
            keep(t, pin);
        pthread_mutex_unlock(&t->login_lock);
        if (r < 0)
            p11_token_lost(t, s.epoch, rv);
        p11_session_put(t, &s, false, r < 0);
    }
    return r >= 0 ? r : p11_raise("C_Login", rv);
}

/* a URI that says a PIN must say the right one, also after a login */
static int same_pin(struct p11_token *t, const struct hwk_pin_ask *ask)
{
    const struct hwk_str *said = ask->uri != NULL ? &ask->uri->pin_value : NULL;
    int ok = 1;

    if (said == NULL || said->p == NULL)
        return 1;
    pthread_mutex_lock(&t->login_lock);
    if (t->pin != NULL)
        ok = t->pin->n == said->n &&
             CRYPTO_memcmp(t->pin->p, said->p, said->n) == 0;
    pthread_mutex_unlock(&t->login_lock);
    return ok || refused(t, ": not the one that it was opened with");
}

int p11_login(struct p11_token *t, const struct hwk_pin_ask *ask)
{
    struct hwk_secret *pin;
    char what[64];
    int ok;

    if (!t->login_required)
        return 1;
    if (!same_pin(t, ask))
        return 0;
    pin = kept_pin(t);
    if (atomic_load(&t->logged_in) || pin != NULL) {
        ok = login_with(t, pin);
        hwk_secret_free(pin);
        return ok;
    }
    snprintf(what, sizeof(what), "PIN of token '%s'", t->label);
    if (!t->protected_path && !hwk_pin_get(ask, what, &pin))
        return 0;
    ok = login_with(t, pin);
    hwk_secret_free(pin);
    return ok;
}

/* once like any other: the PIN may have been changed since it worked */
CK_RV p11_login_again(struct p11_token *t, CK_SESSION_HANDLE h)
{
    CK_RV rv = CKR_PIN_INCORRECT;

    pthread_mutex_lock(&t->login_lock);
    if (t->pin != NULL || t->protected_path)
        rv = c_login(t, h, CKU_CONTEXT_SPECIFIC, t->pin);
    if (rv == CKR_PIN_INCORRECT && t->pin != NULL)
        remember_bad(t, t->pin);
    pthread_mutex_unlock(&t->login_lock);
    return rv;
}
