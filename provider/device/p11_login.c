/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and logins of a token, and what happens when they are lost. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

unsigned p11_epoch(struct p11_token *t)
{
    unsigned epoch;

    pthread_mutex_lock(&t->lock);
    epoch = t->epoch;
    pthread_mutex_unlock(&t->lock);
    return epoch;
}

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
    if (pin != t->pin)
        return;
    hwk_secret_free(t->pin);
    t->pin = NULL;
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

/* --- sessions --- */

/* logs in again with the PIN that worked, in a session just opened */
static int relogin(struct p11_token *t, struct p11_session *s)
{
    CK_RV rv = CKR_OK;
    int r = 1;

    if (atomic_load(&t->logged_in) || t->pin == NULL)
        return 1;
    pthread_mutex_lock(&t->login_lock);
    if (!atomic_load(&t->logged_in) && t->pin != NULL)
        r = try_pin(t, s->h, t->pin, &rv);
    pthread_mutex_unlock(&t->login_lock);
    return r >= 0 ? r : p11_raise("C_Login", rv);
}

static bool pop(struct p11_token *t, struct p11_session *out)
{
    if (t->n_idle == 0)
        return false;
    *out = t->idle[--t->n_idle];
    return true;
}

/* the token has no session left: wait for one of ours, if there are any */
static bool wait_idle(struct p11_token *t, struct p11_session *out)
{
    bool got;

    pthread_mutex_lock(&t->lock);
    while (!(got = pop(t, out)) && t->n_busy > 1)
        pthread_cond_wait(&t->freed, &t->lock);
    pthread_mutex_unlock(&t->lock);
    return got;
}

static int open_session(struct p11_token *t, bool rw, struct p11_session *out)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION | (rw ? CKF_RW_SESSION : 0);
    CK_RV rv = CKR_OK;
    int tries;

    for (tries = 0; tries < 2; tries++) {
        if (!p11_module_ready(t->module))
            return 0;
        if (!t->present)
            return hwk_raise(HWK_R_NO_DEVICE, "token '%s' is not there",
                             t->label);
        out->epoch = p11_epoch(t);
        rv = P11(t->module, C_OpenSession, t->slot_id, flags, NULL, NULL,
                 &out->h);
        if (rv == CKR_OK)
            return relogin(t, out);
        if (rv == CKR_SESSION_COUNT && !rw && wait_idle(t, out))
            return 1;
        if (!p11_lost(rv))
            break;
        p11_token_lost(t, out->epoch, rv);
    }
    return p11_raise("C_OpenSession", rv);
}

int p11_session_get(struct p11_token *t, bool rw, struct p11_session *out)
{
    bool got;

    pthread_mutex_lock(&t->lock);
    t->n_busy++;
    got = !rw && pop(t, out);
    pthread_mutex_unlock(&t->lock);
    if (got || open_session(t, rw, out))
        return 1;
    pthread_mutex_lock(&t->lock);
    t->n_busy--;
    pthread_cond_broadcast(&t->freed);
    pthread_mutex_unlock(&t->lock);
    return 0;
}

void p11_session_put(struct p11_token *t, struct p11_session *s, bool rw,
                     bool broken)
{
    bool close;

    pthread_mutex_lock(&t->lock);
    t->n_busy--;
    close = s->epoch > t->dead;
    if (!rw && !broken && s->epoch == t->epoch && t->n_idle < P11_IDLE) {
        t->idle[t->n_idle++] = *s;
        close = false;
    }
    if (close && t->n_idle == 0 && t->n_busy == 0)
        atomic_store(&t->logged_in, false); /* ends with the last session */
    pthread_cond_signal(&t->freed);
    pthread_mutex_unlock(&t->lock);
    if (close)
        P11(t->module, C_CloseSession, s->h);
}

/* --- loss --- */

static bool sessions_dead(CK_RV rv)
{
    return rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED ||
           rv == CKR_CRYPTOKI_NOT_INITIALIZED || rv == CKR_DEVICE_REMOVED ||
           rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_SLOT_ID_INVALID;
}

static void drop_epoch(struct p11_token *t, unsigned epoch, bool dead)
{
    CK_SESSION_HANDLE close[P11_IDLE];
    size_t n = 0;

    pthread_mutex_lock(&t->lock);
    if (t->epoch == epoch) {
        while (!dead && t->n_idle > 0)
            close[n++] = t->idle[--t->n_idle].h;
        t->n_idle = 0;
        if (dead)
            t->dead = t->epoch;
        t->epoch++;
        atomic_store(&t->logged_in, false);
    }
    pthread_mutex_unlock(&t->lock);
    while (n > 0)
        P11(t->module, C_CloseSession, close[--n]);
}

void p11_token_lost(struct p11_token *t, unsigned epoch, CK_RV rv)
{
    struct p11_module *m = t->module;
    struct p11_token *other;

    hwk_log(HWK_LOG_INFO, "lost", "token", t->label, "rv", p11_rv_name(rv));
    drop_epoch(t, epoch, sessions_dead(rv));
    if (rv == CKR_CRYPTOKI_NOT_INITIALIZED)
        for (other = m->tokens; other != NULL; other = other->next)
            if (other != t)
                drop_epoch(other, p11_epoch(other), true);
    if (rv == CKR_CRYPTOKI_NOT_INITIALIZED || rv == CKR_DEVICE_REMOVED ||
        rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_SLOT_ID_INVALID)
        atomic_store(&m->ready, false);
}

CK_RV p11_still_in(struct p11_token *t, const struct p11_session *s)
{
    CK_SESSION_INFO info;
    CK_RV rv;

    if (!t->login_required)
        return CKR_OK;
    rv = P11(t->module, C_GetSessionInfo, s->h, &info);
    if (rv == CKR_OK && info.state != CKS_RO_USER_FUNCTIONS &&
        info.state != CKS_RW_USER_FUNCTIONS)
        rv = CKR_USER_NOT_LOGGED_IN;
    return rv;
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
        if (r == 1 && t->pin == NULL && pin != NULL)
            t->pin = hwk_secret_dup(pin);
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
    struct hwk_secret *pin = NULL;
    char what[64];
    int ok;

    if (!t->login_required)
        return 1;
    if (atomic_load(&t->logged_in) || t->pin != NULL)
        return same_pin(t, ask) && login_with(t, t->pin);
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
