/* SPDX-License-Identifier: Apache-2.0 */
/* Logins of a token: who asks for one, and whether it is there already. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

int p11_relogin(struct p11_token *t, CK_SESSION_HANDLE h, CK_RV *rv)
{
    int r = 1;

    if (atomic_load(&t->logged_in) || !atomic_load(&t->was_in))
        return 1;
    pthread_mutex_lock(&t->login_lock);
    if (!atomic_load(&t->logged_in))
        r = p11_pin_return(t, h, rv);
    pthread_mutex_unlock(&t->login_lock);
    return r;
}

static int login_with(struct p11_token *t, const struct hwk_pin_ask *ask,
                      struct hwk_secret *pin, unsigned since)
{
    bool risk =
        ask->cfg->pin_final_try || (pin != NULL && pin->from == HWK_PIN_PROMPT);
    struct p11_session s;
    CK_RV rv = CKR_OK;
    int tries, r = -1;

    for (tries = 0; tries < 2 && r < 0; tries++) {
        if (!p11_session_get(t, false, &s))
            return 0;
        pthread_mutex_lock(&t->login_lock);
        r = 1;
        if (!atomic_load(&t->logged_in))
            r = p11_pin_try(t, s.h, pin, risk, since, &rv);
        if (r == 1)
            p11_pin_keep(t, ask, pin);
        pthread_mutex_unlock(&t->login_lock);
        if (r < 0)
            p11_token_lost(t, s.epoch, rv);
        p11_session_put(t, &s, false, r < 0);
        since = P11_ANY_SCAN;
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
    return ok || hwk_raise(HWK_R_PIN_INCORRECT,
                           "PIN incorrect for token '%s': not the one that it "
                           "was opened with",
                           t->label);
}

/* Was logged in and is not any more: 1 when that is so again, 0 when another
 * PIN is needed, -1 with a reason when nothing helps. */
static int in_again(struct p11_token *t)
{
    struct p11_session s;

    if (!atomic_load(&t->was_in) || t->protected_path)
        return 0;
    hwk_mark();
    if (p11_session_get(t, false, &s))
        p11_session_put(t, &s, false, false);
    else if (!hwk_err_is(HWK_R_PIN_INCORRECT))
        return hwk_settle(0) - 1;
    hwk_settle(1);
    return atomic_load(&t->logged_in);
}

int p11_login(struct p11_token *t, const struct hwk_pin_ask *ask,
              unsigned since)
{
    struct hwk_secret *pin = NULL;
    char what[64];
    int ok, again;

    if (!t->login_required || ask->cfg->login == HWK_LOGIN_NEVER)
        return 1;
    if (!same_pin(t, ask))
        return 0;
    again = atomic_load(&t->logged_in) ? 1 : in_again(t);
    if (again != 0)
        return again > 0;
    snprintf(what, sizeof(what), "PIN of token '%s'", t->label);
    if (!t->protected_path && !hwk_pin_get(ask, what, &pin))
        return 0;
    ok = login_with(t, ask, pin, since);
    hwk_secret_free(pin);
    return ok;
}
