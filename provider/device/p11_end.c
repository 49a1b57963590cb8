/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a module, which nobody waits for without limit. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

#define PATIENCE 5 /* seconds */

/* --- what is ours --- */

static void forget(struct p11_token *t)
{
    t->n_idle = 0;
    atomic_store(&t->logged_in, false);
    t->epoch++;
    atomic_store(&t->was_in, false);
    hwk_secret_free(t->pin);
    t->pin = NULL;
    OPENSSL_free(t->pin_file);
    t->pin_file = NULL;
    t->pin_from = 0;
}

/* --- what the module does, in a thread of its own --- */

struct ending {
    struct p11_module *m;
    bool owner;
    size_t n;
    CK_SESSION_HANDLE h[];
};

static void finalize(struct p11_module *m)
{
    if (m->ctx != NULL && !m->forked) {
        PKCS11_release_all_slots(m->ctx, m->slots, m->n_slots);
        PKCS11_CTX_unload(m->ctx); /* C_Finalize */
        PKCS11_CTX_free(m->ctx);
        m->ctx = NULL;
        m->slots = NULL;
        m->n_slots = 0;
        m->looked = false;
    } else {
        P11(m, C_Finalize, NULL);
    }
}

static void *run(void *arg)
{
    struct ending *e = arg;
    struct p11_module *m = e->m;
    size_t i;

    for (i = 0; i < e->n; i++)
        P11(m, C_CloseSession, e->h[i]);
    if (e->owner)
        finalize(m);
    OPENSSL_free(e);
    atomic_store(&m->ending, false);
    return NULL;
}

static struct ending *ending_of(struct p11_module *m)
{
    struct ending *e;
    struct p11_token *t;
    size_t n = 0, i;

    for (t = m->tokens; t != NULL; t = t->next)
        n += t->n_idle;
    e = OPENSSL_zalloc(sizeof(*e) + n * sizeof(e->h[0]));
    if (e == NULL)
        return NULL;
    e->m = m;
    e->owner = m->owner;
    for (t = m->tokens; t != NULL; t = t->next)
        for (i = t->n_idle; i > 0; i--)
            e->h[e->n++] = t->idle[i - 1].h;
    return e;
}

/* signals are for the threads of the program */
static int begin(pthread_t *thread, struct ending *e)
{
    sigset_t every, before;
    int r;

    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    r = pthread_create(thread, NULL, run, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* The thread of one that does not come back stays, as our code does (which is
 * linked with nodelete). */
static void end_in_a_thread(struct p11_module *m, struct ending *e)
{
    struct timespec until;
    pthread_t thread;

    atomic_store(&m->ending, true);
    if (begin(&thread, e) != 0) {
        run(e);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    if (pthread_timedjoin_np(thread, NULL, &until) == 0)
        return;
    pthread_detach(thread);
    hwk_log(HWK_LOG_ERROR, "hangs", "path", m->path, "call", "C_Finalize");
}

void p11_module_end(struct p11_module *m, bool exiting)
{
    struct ending *e = NULL;
    struct p11_token *t;

    atomic_store(&m->gives_few, false);
    if (!exiting && !atomic_load(&m->ending))
        e = ending_of(m);
    for (t = m->tokens; t != NULL; t = t->next) {
        forget(t);
        if (!exiting && m->owner)
            atomic_store(&t->present, false);
    }
    if (e == NULL)
        return;
    if (m->owner)
        atomic_store(&m->ready, false);
    m->owner = false;
    if (e->owner || e->n > 0)
        end_in_a_thread(m, e);
    else
        OPENSSL_free(e);
}
