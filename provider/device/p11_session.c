/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a token, and what happens when they are lost. */
#include "provider/core.h"
#include "provider/device/p11.h"

unsigned p11_epoch(struct p11_token *t)
{
    unsigned epoch;

    pthread_mutex_lock(&t->lock);
    epoch = t->epoch;
    pthread_mutex_unlock(&t->lock);
    return epoch;
}

/* --- the pool --- */

static bool pop(struct p11_token *t, struct p11_session *out)
{
    if (t->n_idle == 0)
        return false;
    *out = t->idle[--t->n_idle];
    return true;
}

/* the token has no session left: one of ours, as soon as it comes back */
static bool wait_idle(struct p11_token *t, struct p11_session *out)
{
    bool got;

    pthread_mutex_lock(&t->lock);
    t->n_waiting++;
    while (!(got = pop(t, out)) && t->n_busy > t->n_waiting)
        pthread_cond_wait(&t->freed, &t->lock);
    t->n_waiting--;
    pthread_cond_broadcast(&t->freed); /* whom we kept waiting looks again */
    pthread_mutex_unlock(&t->lock);
    return got;
}

/* no session: one of the idle ones is given up for it, and is gone, or (when
 * it will do) taken */
static bool make_room(struct p11_token *t, bool rw, struct p11_session *out)
{
    if (!wait_idle(t, out))
        return false;
    if (rw)
        P11(t->module, C_CloseSession, out->h);
    return true;
}

/* The only session there may be is for reading and writing: it is not closed in
 * between, which would end the login and with it every handle. */
static bool one_for_all(const struct p11_token *t)
{
    return t->module->max_sessions == 1;
}

/* Under t->lock, which is let go meanwhile: waits until there may be one
 * session more. True when an idle one will do, which is popped. */
static bool take_turn(struct p11_token *t, bool rw, struct p11_session *out)
{
    unsigned max = t->module->max_sessions;
    struct p11_session idle;

    for (;;) {
        if ((!rw || one_for_all(t)) && pop(t, out))
            return true;
        if (max == 0 || t->n_busy + t->n_idle < max)
            return false;
        if (!pop(t, &idle)) {
            pthread_cond_wait(&t->freed, &t->lock);
            continue;
        }
        pthread_mutex_unlock(&t->lock); /* for reading only: there are others */
        P11(t->module, C_CloseSession, idle.h);
        pthread_mutex_lock(&t->lock);
    }
}

static CK_RV try_open(struct p11_token *t, bool rw, struct p11_session *out,
                      int *in)
{
    CK_FLAGS flags =
        CKF_SERIAL_SESSION | (rw || one_for_all(t) ? CKF_RW_SESSION : 0);
    CK_RV rv;

    out->epoch = p11_epoch(t);
    rv = P11(t->module, C_OpenSession, t->slot_id, flags, NULL, NULL, &out->h);
    if (rv != CKR_OK)
        return rv;
    *in = p11_relogin(t, out->h, &rv);
    if (*in != 1)
        P11(t->module, C_CloseSession, out->h);
    return *in >= 0 ? CKR_OK : rv;
}

static int open_session(struct p11_token *t, bool rw, struct p11_session *out)
{
    int in = 1, tries = 0, rooms = 0;
    CK_RV rv = CKR_OK;

    while (tries < 2) {
        if (!p11_token_there(t))
            return 0;
        rv = try_open(t, rw, out, &in);
        if (rv == CKR_OK)
            return in;
        if (rv == CKR_SESSION_COUNT && rooms++ < P11_IDLE &&
            make_room(t, rw, out)) {
            if (!rw)
                return 1;
            continue;
        }
        if (!p11_lost(rv))
            break;
        p11_token_lost(t, out->epoch, rv);
        tries++;
    }
    return p11_raise("C_OpenSession", rv);
}

int p11_session_get(struct p11_token *t, bool rw, struct p11_session *out)
{
    bool got;

    if (hwk_exiting())
        return hwk_raise(HWK_R_NO_DEVICE, "the process is ending");
    if (t->module->family != NULL &&
        (!p11_module_ready(t->module) || !p11_family_use(t->module)))
        return 0;
    pthread_mutex_lock(&t->lock);
    got = take_turn(t, rw, out);
    t->n_busy++;
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
    if ((!rw || one_for_all(t)) && !broken && s->epoch == t->epoch &&
        t->n_idle < P11_IDLE) {
        t->idle[t->n_idle++] = *s;
        close = false;
    }
    if (close && t->n_idle + t->n_busy + t->n_homes == 0)
        atomic_store(&t->logged_in, false); /* ends with the last session */
    pthread_cond_broadcast(&t->freed);
    pthread_mutex_unlock(&t->lock);
    if (close)
        P11(t->module, C_CloseSession, s->h);
}

void p11_session_keep(struct p11_token *t)
{
    pthread_mutex_lock(&t->lock);
    t->n_busy--;
    t->n_homes++;
    pthread_cond_broadcast(&t->freed);
    pthread_mutex_unlock(&t->lock);
}

void p11_session_end(struct p11_token *t, const struct p11_session *s)
{
    bool alive;

    pthread_mutex_lock(&t->lock);
    alive = s->epoch > t->dead;
    if (alive)
        t->n_homes--;
    if (alive && t->n_idle + t->n_busy + t->n_homes == 0)
        atomic_store(&t->logged_in, false);
    pthread_mutex_unlock(&t->lock);
    if (alive)
        P11(t->module, C_CloseSession, s->h);
}

/* --- loss --- */

static bool sessions_dead(CK_RV rv)
{
    return rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED ||
           rv == CKR_CRYPTOKI_NOT_INITIALIZED || rv == CKR_DEVICE_REMOVED ||
           rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_SLOT_ID_INVALID;
}

/* false: somebody was here before */
static bool drop_epoch(struct p11_token *t, unsigned epoch, bool dead)
{
    CK_SESSION_HANDLE close[P11_IDLE];
    bool first;
    size_t n = 0;

    pthread_mutex_lock(&t->lock);
    first = t->epoch == epoch;
    if (first) {
        while (!dead && t->n_idle > 0)
            close[n++] = t->idle[--t->n_idle].h;
        t->n_idle = 0;
        if (dead) {
            t->dead = t->epoch;
            t->n_homes = 0;
        }
        t->epoch++;
        atomic_store(&t->logged_in, false);
    }
    pthread_mutex_unlock(&t->lock);
    while (n > 0)
        P11(t->module, C_CloseSession, close[--n]);
    return first;
}

/* what happened to one token may have happened to the others: who restarted
 * the module may have renumbered its slots */
static void doubt_all(struct p11_module *m, const struct p11_token *t, CK_RV rv)
{
    struct p11_token *other;

    pthread_mutex_lock(&m->lock);
    for (other = m->tokens; other != NULL; other = other->next) {
        atomic_store(&other->unsure, true);
        if (rv == CKR_CRYPTOKI_NOT_INITIALIZED && other != t)
            drop_epoch(other, p11_epoch(other), true);
    }
    pthread_mutex_unlock(&m->lock);
}

void p11_token_lost(struct p11_token *t, unsigned epoch, CK_RV rv)
{
    bool dead = sessions_dead(rv);

    hwk_log(HWK_LOG_INFO, "lost", "token", t->label, "rv", p11_rv_name(rv));
    if (!drop_epoch(t, epoch, dead))
        return;
    if (dead)
        doubt_all(t->module, t, rv);
    if (rv == CKR_CRYPTOKI_NOT_INITIALIZED)
        p11_module_lost(t->module);
    if (rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT ||
        rv == CKR_SLOT_ID_INVALID)
        atomic_store(&t->present, false);
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
