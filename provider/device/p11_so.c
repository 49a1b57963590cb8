/* SPDX-License-Identifier: Apache-2.0 */
/* The security officer of a token, for what is written at the factory. */
#include <stdio.h>

#include "provider/device/p11_dev.h"

/* --- alone on the token --- */

static bool taken(const struct p11_token *t)
{
    return t->n_busy > 0 || t->n_homes > 0;
}

/* idle sessions are closed, with them the user's login ends; it comes back with
 * the next session, as after a loss */
static int clear(struct p11_token *t)
{
    CK_SESSION_HANDLE close[P11_IDLE];
    bool busy;
    size_t n = 0;

    pthread_mutex_lock(&t->lock);
    busy = taken(t);
    while (!busy && t->n_idle > 0)
        close[n++] = t->idle[--t->n_idle].h;
    if (!busy) {
        t->n_busy++;
        t->epoch++; /* handles of private objects go with the login */
        atomic_store(&t->logged_in, false);
    }
    pthread_mutex_unlock(&t->lock);
    while (n > 0)
        P11(t->module, C_CloseSession, close[--n]);
    return !busy || hwk_raise(HWK_R_PKCS11,
                              "token '%s' is in use: its security officer "
                              "logs in alone",
                              t->label);
}

static void let_go(struct p11_token *t)
{
    pthread_mutex_lock(&t->lock);
    t->n_busy--;
    pthread_cond_broadcast(&t->freed);
    pthread_mutex_unlock(&t->lock);
}

/* --- the login --- */

static int get_pin(struct p11_dev *d, const struct hwk_uri *uri,
                   struct hwk_secret **pin)
{
    struct hwk_pin_ask said = {NULL, uri, NULL}, ask = {NULL, uri, d->prompt};
    char what[80];

    if (d->t->protected_path)
        return 1;
    if (!hwk_pin_at_hand(&said) && d->pin != NULL) {
        *pin = hwk_secret_dup(d->pin);
        return *pin != NULL;
    }
    snprintf(what, sizeof(what), "PIN of the security officer of token '%s'",
             d->t->label);
    return hwk_pin_get(&ask, what, pin);
}

static int log_in(struct p11_token *t, struct hwk_secret *pin,
                  struct p11_session *out)
{
    CK_RV rv;
    int ok = 0;

    out->epoch = p11_epoch(t);
    rv = P11(t->module, C_OpenSession, t->slot_id,
             CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &out->h);
    if (rv != CKR_OK)
        return p11_raise("C_OpenSession", rv);
    pthread_mutex_lock(&t->login_lock);
    ok = p11_so_try(t, out->h, pin);
    pthread_mutex_unlock(&t->login_lock);
    if (!ok)
        P11(t->module, C_CloseSession, out->h);
    return ok;
}

int p11_so_begin(struct p11_dev *d, const struct hwk_uri *uri,
                 struct p11_session *out)
{
    struct hwk_secret *pin = NULL;
    int ok;

    if (!p11_token_there(d->t) || !get_pin(d, uri, &pin))
        return 0;
    ok = clear(d->t);
    if (ok && !log_in(d->t, pin, out)) {
        let_go(d->t);
        ok = 0;
    }
    hwk_secret_free(pin);
    return ok;
}

/* the login goes with the only session */
void p11_so_end(struct p11_token *t, struct p11_session *s)
{
    P11(t->module, C_CloseSession, s->h);
    let_go(t);
}
