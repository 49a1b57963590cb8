/* SPDX-License-Identifier: Apache-2.0 */
/* The PIN of a token: one try of it, what is kept of it, what went wrong. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "provider/badpin.h"
#include "provider/device/p11.h"

/* FNV-1a over what tells a token apart */
static uint64_t name_of(const struct p11_token *t)
{
    const char *const parts[] = {t->module->path, t->label, t->serial,
                                 t->manufacturer, t->model};
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    const char *p;
    size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (p = parts[i];; p++) {
            h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
            if (*p == 0)
                break;
        }
    return h;
}

/* --- what went wrong --- */

static CK_FLAGS flags_of(struct p11_token *t)
{
    CK_TOKEN_INFO info;

    if (P11(t->module, C_GetTokenInfo, t->slot_id, &info) != CKR_OK)
        return 0;
    return info.flags;
}

static int refused(const struct p11_token *t, const char *why)
{
    return hwk_raise(HWK_R_PIN_INCORRECT, "PIN incorrect for token '%s'%s",
                     t->label, why);
}

static int incorrect(struct p11_token *t)
{
    CK_FLAGS flags = flags_of(t);

    if ((flags & CKF_USER_PIN_LOCKED) != 0)
        return refused(t, ", and it is locked now");
    if ((flags & CKF_USER_PIN_FINAL_TRY) != 0)
        return refused(t, ": the next wrong one locks it");
    return refused(
        t, (flags & CKF_USER_PIN_COUNT_LOW) != 0 ? ": few tries are left" : "");
}

static int locked(const struct p11_token *t)
{
    return hwk_raise(HWK_R_PIN_LOCKED,
                     "the PIN of token '%s' is locked: its security officer "
                     "sets a new one",
                     t->label);
}

static int not_in(const struct p11_token *t, CK_RV rv)
{
    if (t->refused)
        return refused(t, ": refused before, not tried again");
    if (atomic_load(&t->was_in))
        return hwk_raise(HWK_R_PIN_MISSING,
                         "token '%s' has lost its login, and there is no PIN "
                         "to log in again: cache-pin = no keeps none, and it "
                         "came from no file; open the key again",
                         t->label);
    return hwk_raise(HWK_R_PIN_MISSING, "token '%s' is not logged in: %s",
                     t->label, p11_rv_name(rv));
}

int p11_pin_raise(struct p11_token *t, const char *what, CK_RV rv)
{
    switch (rv) {
    case CKR_PIN_INCORRECT:
        return incorrect(t);
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
        return refused(t, ": its length or characters are not what the token "
                          "takes");
    case CKR_PIN_LOCKED:
        return locked(t);
    case CKR_PIN_EXPIRED:
        return hwk_raise(HWK_R_PIN_UNUSABLE,
                         "the PIN of token '%s' has expired or was preset: "
                         "change it first",
                         t->label);
    case CKR_USER_PIN_NOT_INITIALIZED:
        return hwk_raise(HWK_R_PIN_UNUSABLE,
                         "token '%s' has no user PIN yet: its security "
                         "officer sets one",
                         t->label);
    case CKR_CANCEL:
    case CKR_FUNCTION_CANCELED:
    case CKR_FUNCTION_REJECTED:
        if (!t->protected_path)
            break;
        return hwk_raise(HWK_R_PIN_MISSING,
                         "token '%s': no PIN was entered on its own keypad, "
                         "or too late: %s",
                         t->label, p11_rv_name(rv));
    case CKR_USER_ANOTHER_ALREADY_LOGGED_IN:
        return hwk_raise(HWK_R_PKCS11,
                         "token '%s': its security officer is logged in, "
                         "which keeps users out",
                         t->label);
    case CKR_USER_NOT_LOGGED_IN:
        return not_in(t, rv);
    case P11_NO_PIN:
        return hwk_raise(HWK_R_PIN_MISSING,
                         "token '%s': this key wants the PIN for each use, "
                         "and none is kept: name a pin-source, or leave "
                         "cache-pin at yes",
                         t->label);
    }
    return p11_raise(what, rv);
}

/* --- one try --- */

static CK_RV c_login(struct p11_token *t, CK_SESSION_HANDLE h, CK_ULONG user,
                     struct hwk_secret *pin)
{
    CK_RV rv = P11(t->module, C_Login, h, user,
                   pin != NULL ? (CK_UTF8CHAR *)pin->p : NULL,
                   pin != NULL ? pin->n : 0);

    hwk_log(HWK_LOG_INFO, "login", "token", t->label, "pin",
            pin != NULL ? hwk_pin_from_name(pin->from) : "keypad", "rv",
            p11_rv_name(rv));
    return rv;
}

static bool says_wrong(CK_RV rv)
{
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID ||
           rv == CKR_PIN_LEN_RANGE;
}

static void note_refused(struct p11_token *t, const struct hwk_secret *pin)
{
    if (pin == NULL)
        return;
    hwk_badpin_add(name_of(t), pin);
    t->refused = true;
    if (t->pin == NULL || !hwk_secret_eq(t->pin, pin))
        return;
    hwk_secret_free(t->pin);
    t->pin = NULL;
}

/* A token whose PIN nobody had mistyped at the scan that this operation began
 * with is not asked again: it is not at its last try a moment later. Any other
 * is looked at, its flags and whether it is the one whose PIN this is. */
static CK_RV look_since(struct p11_token *t, unsigned since)
{
    if (atomic_load(&t->scan) > since && atomic_load(&t->pin_flags) == 0)
        return CKR_OK;
    return p11_confirm(t);
}

/* the token, not only what was asked of it */
static bool gone(CK_RV rv)
{
    return p11_lost(rv) && rv != CKR_DEVICE_ERROR;
}

/* is there a reason not to try pin at all? 0 and -1 as p11_pin_try */
static int may_try(struct p11_token *t, const struct hwk_secret *pin, bool risk,
                   unsigned since, CK_RV *rv)
{
    CK_FLAGS flags;

    *rv = look_since(t, since);
    if (gone(*rv))
        return -1;
    if (pin != NULL && hwk_badpin_known(name_of(t), pin))
        return refused(t, ": tried before, not tried again");
    flags = *rv == CKR_OK ? atomic_load(&t->pin_flags) : 0;
    if ((flags & CKF_USER_PIN_LOCKED) != 0)
        return locked(t);
    if (pin == NULL || risk || (flags & CKF_USER_PIN_FINAL_TRY) == 0)
        return 1;
    return hwk_raise(HWK_R_PIN_MISSING,
                     "token '%s' has one try left before its PIN is locked: "
                     "the one from %s is not risked (pin-final-try = yes "
                     "would), give it at the prompt",
                     t->label, hwk_pin_from_name(pin->from));
}

int p11_pin_try(struct p11_token *t, CK_SESSION_HANDLE h,
                struct hwk_secret *pin, bool risk, unsigned since, CK_RV *rv)
{
    int may = may_try(t, pin, risk, since, rv);

    if (may != 1)
        return may;
    *rv = c_login(t, h, CKU_USER, pin);
    if (*rv == CKR_OK || *rv == CKR_USER_ALREADY_LOGGED_IN) {
        t->refused = false;
        atomic_store(&t->was_in, true);
        atomic_store(&t->logged_in, true);
        return 1;
    }
    if (says_wrong(*rv))
        note_refused(t, pin);
    else if (gone(*rv))
        return -1;
    return p11_pin_raise(t, "C_Login", *rv);
}

/* His PIN is another one of the same token: refusals of the two are kept
 * apart. */
int p11_so_try(struct p11_token *t, CK_SESSION_HANDLE h, struct hwk_secret *pin)
{
    uint64_t officer = ~name_of(t);
    CK_RV rv;

    if (pin != NULL && hwk_badpin_known(officer, pin))
        return hwk_raise(HWK_R_PIN_INCORRECT,
                         "security officer of token '%s': tried before, not "
                         "tried again",
                         t->label);
    rv = c_login(t, h, CKU_SO, pin);
    if (rv == CKR_OK)
        return 1;
    if (says_wrong(rv) && pin != NULL)
        hwk_badpin_add(officer, pin);
    return hwk_raise(says_wrong(rv)         ? HWK_R_PIN_INCORRECT
                     : rv == CKR_PIN_LOCKED ? HWK_R_PIN_LOCKED
                                            : HWK_R_PKCS11,
                     "security officer of token '%s': %s", t->label,
                     p11_rv_name(rv));
}

/* --- what is kept --- */

void p11_pin_keep(struct p11_token *t, const struct hwk_pin_ask *ask,
                  const struct hwk_secret *pin)
{
    const char *file;

    if (pin == NULL)
        return;
    file = hwk_pin_file(ask, pin->from);
    t->pin_from = pin->from;
    OPENSSL_free(t->pin_file);
    t->pin_file = file != NULL ? OPENSSL_strdup(file) : NULL;
    if (t->pin == NULL && ask->cfg->cache_pin)
        t->pin = hwk_secret_dup(pin);
}

/* The PIN to use again: the one that is kept, lent, or what its file or the
 * environment has now, in *own. NULL: there is none, or only one known to be
 * wrong. An error is left only when the file cannot be read. */
static struct hwk_secret *once_more(struct p11_token *t,
                                    struct hwk_secret **own)
{
    *own = NULL;
    if (t->pin != NULL)
        return t->pin;
    if (t->pin_file == NULL && t->pin_from != HWK_PIN_ENV)
        return NULL;
    if (hwk_pin_again(t->pin_from, t->pin_file, t->label, own) &&
        hwk_badpin_known(name_of(t), *own)) {
        hwk_secret_free(*own);
        *own = NULL;
    }
    return *own;
}

int p11_pin_return(struct p11_token *t, CK_SESSION_HANDLE h, CK_RV *rv)
{
    struct hwk_secret *own, *pin;
    int r;

    if (t->protected_path)
        return p11_pin_try(t, h, NULL, true, P11_ANY_SCAN, rv);
    pin = once_more(t, &own);
    if (pin == NULL && t->refused) { /* by this one, or by one before it? */
        *rv = p11_confirm(t);
        return gone(*rv) ? -1 : 1;
    }
    if (pin == NULL)
        return 1;
    r = p11_pin_try(t, h, pin, own == NULL || t->module->pin_final_try,
                    P11_ANY_SCAN, rv);
    hwk_secret_free(own);
    return r;
}

/* once like any other: the PIN may have been changed since it worked */
CK_RV p11_login_again(struct p11_token *t, CK_SESSION_HANDLE h)
{
    struct hwk_secret *own = NULL, *pin;
    CK_RV rv = t->refused ? CKR_PIN_INCORRECT : P11_NO_PIN;

    pthread_mutex_lock(&t->login_lock);
    pin = t->protected_path ? NULL : once_more(t, &own);
    if (pin != NULL && hwk_badpin_known(name_of(t), pin))
        rv = CKR_PIN_INCORRECT;
    else if (pin != NULL || t->protected_path)
        rv = c_login(t, h, CKU_CONTEXT_SPECIFIC, pin);
    if (says_wrong(rv))
        note_refused(t, pin);
    pthread_mutex_unlock(&t->login_lock);
    hwk_secret_free(own);
    return rv;
}
