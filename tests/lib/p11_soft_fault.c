/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in the test's PKCS#11 module, because a test wants it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tests/lib/p11_soft_int.h"

enum kind {
    RV,
    LATE,
    SLOW,
    HOLD,
    SESSIONS,
    LOGOUT,
    FINALIZE,
    RESTART,
    REMOVE,
    INSERT,
    MOVE,
    MOVE_ON_FORK,
    KILL,
};

static const struct {
    const char *word;
    bool number;
} kinds[] = {
    [RV] = {"rv", true},
    [LATE] = {"late", true},
    [SLOW] = {"slow", true},
    [HOLD] = {"hold", false},
    [SESSIONS] = {"sessions", false},
    [LOGOUT] = {"logout", false},
    [FINALIZE] = {"finalize", false},
    [RESTART] = {"restart", false},
    [REMOVE] = {"remove", true},
    [INSERT] = {"insert", true},
    [MOVE] = {"move", false},
    [MOVE_ON_FORK] = {"move-on-fork", false},
    [KILL] = {"kill", false},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct action {
    enum kind kind;
    unsigned long arg;
};

#define ANY SOFT_FN_COUNT
struct fault {
    enum soft_fn fn;
    bool one_slot;
    unsigned long slot, nth, times; /* times 0: for ever */
    bool spent;
    struct action what;
};

#define FAULTS 256
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of these */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct fault faults[FAULTS];
static size_t n_faults;
static unsigned calls[SOFT_FN_COUNT], n_held, turn;
static __thread CK_RV late;

#define NAME(name) #name,
static const char *const names[] = {SOFT_FUNCTIONS(NAME) "any"};

static enum soft_fn fn_by_name(const char *name)
{
    int fn = 0;

    while (fn <= ANY && strcmp(names[fn], name) != 0)
        fn++;
    return (enum soft_fn)fn;
}

/* --- the end of the process, as a module in C++ sees it --- */

static volatile sig_atomic_t gone;

static void destroy(void)
{
    gone = 1;
}

static __attribute__((constructor)) void watch_the_end(void)
{
    atexit(destroy); /* of a library: also when it is unloaded */
}

/* --- doing it; soft.lock is held --- */

static void log_out(void)
{
    struct soft_slot *slot;

    for (slot = soft.slots; slot != NULL; slot = slot->next)
        slot->logged_in = false;
}

static void insert(unsigned long n, bool in)
{
    struct soft_slot *slot = soft_slot_by_number(n);

    if (slot == NULL)
        return;
    slot->empty = !in;
    soft_end_sessions(slot);
    if (in)
        soft_deal_handles(slot);
}

static void act(const struct action *a)
{
    switch (a->kind) {
    case SESSIONS:
        soft_end_sessions(NULL);
        break;
    case LOGOUT:
        log_out();
        break;
    case FINALIZE:
    case RESTART:
        soft_finalize();
        if (a->kind == RESTART)
            soft_initialize();
        break;
    case REMOVE:
    case INSERT:
        insert(a->arg, a->kind == INSERT);
        break;
    case MOVE:
        soft_move();
        break;
    case MOVE_ON_FORK:
        soft.moves_on_fork = true;
        break;
    case KILL:
        kill(getpid(), SIGKILL);
        break;
    default:
        break;
    }
}

static CK_RV perform(const struct action *a)
{
    struct timespec t = {(time_t)(a->arg / 1000),
                         (long)(a->arg % 1000) * 1000000};
    unsigned mine;

    switch (a->kind) {
    case RV:
        return a->arg;
    case LATE:
        late = a->arg;
        return CKR_OK;
    case SLOW:
        nanosleep(&t, NULL);
        return CKR_OK;
    case HOLD:
        pthread_mutex_lock(&lock);
        n_held++;
        pthread_cond_broadcast(&changed);
        for (mine = turn; mine == turn;)
            pthread_cond_wait(&changed, &lock);
        n_held--;
        pthread_mutex_unlock(&lock);
        return CKR_OK;
    default:
        pthread_mutex_lock(&soft.lock);
        act(a);
        pthread_mutex_unlock(&soft.lock);
        return CKR_OK;
    }
}

/* --- every call --- */

/* the number of the slot that a call is about; false: none */
static bool slot_of(enum soft_about about, CK_ULONG which, unsigned long *out)
{
    const struct soft_session *s;
    const struct soft_slot *slot = NULL;

    pthread_mutex_lock(&soft.lock);
    if (about == SOFT_BY_SLOT)
        slot = soft_slot_by_id(which);
    else if (about == SOFT_BY_SESSION && (s = soft_session(which)) != NULL)
        slot = s->slot;
    if (slot != NULL)
        *out = slot->n;
    pthread_mutex_unlock(&soft.lock);
    return slot != NULL;
}

/* is it the turn of f? lock is held */
static bool due(struct fault *f, enum soft_fn fn, bool known,
                unsigned long slot)
{
    if (f->spent || (f->fn != ANY && f->fn != fn) ||
        (f->one_slot && (!known || f->slot != slot)))
        return false;
    if (f->nth > 1) {
        f->nth--;
        return false;
    }
    f->spent = f->times == 1;
    if (f->times > 0)
        f->times--;
    return true;
}

CK_RV soft_enter(enum soft_fn fn, enum soft_about about, CK_ULONG which)
{
    struct action due_now[8];
    size_t i, n = 0;
    unsigned long slot = 0;
    bool known;
    CK_RV rv = CKR_OK;

    if (gone)
        abort();
    if (soft.noisy) {
        ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
        ERR_raise(ERR_LIB_RSA, ERR_R_INTERNAL_ERROR);
    }
    late = CKR_OK;
    known = slot_of(about, which, &slot);
    pthread_mutex_lock(&lock);
    calls[fn]++;
    for (i = 0; i < n_faults && n < 8; i++)
        if (due(&faults[i], fn, known, slot))
            due_now[n++] = faults[i].what;
    pthread_mutex_unlock(&lock);
    for (i = 0; i < n && rv == CKR_OK; i++)
        rv = perform(&due_now[i]);
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&soft.lock);
    if (fn != SOFT_C_Initialize && fn != SOFT_C_GetFunctionList &&
        (!soft.up || soft.pid != getpid()))
        rv = CKR_CRYPTOKI_NOT_INITIALIZED;
    if (rv != CKR_OK)
        pthread_mutex_unlock(&soft.lock);
    return rv;
}

CK_RV soft_leave(enum soft_fn fn, CK_RV rv)
{
    (void)fn;
    pthread_mutex_unlock(&soft.lock);
    return rv == CKR_OK ? late : rv;
}

/* --- what tests say --- */

static bool action_of(const char *word, struct action *out)
{
    size_t k;

    for (k = 0; k < KINDS; k++) {
        const char *value = soft_value(word, kinds[k].word);

        out->kind = (enum kind)k;
        if (kinds[k].number && value != NULL)
            return soft_number(value, &out->arg);
        if (!kinds[k].number && strcmp(word, kinds[k].word) == 0)
            return true;
    }
    return false;
}

int soft_tell_on(char *words[], size_t n)
{
    struct fault f = {.nth = 1, .times = 1};
    const char *v;
    size_t i;

    if (n < 2 || (f.fn = fn_by_name(words[0])) > ANY)
        return 0;
    for (i = 1; i + 1 < n; i++) {
        if ((v = soft_value(words[i], "slot")) != NULL)
            f.one_slot = soft_number(v, &f.slot);
        else if ((v = soft_value(words[i], "nth")) == NULL ||
                 !soft_number(v, &f.nth))
            if ((v = soft_value(words[i], "times")) == NULL ||
                !soft_number(v, &f.times))
                return 0;
    }
    if (!action_of(words[n - 1], &f.what))
        return 0;
    pthread_mutex_lock(&lock);
    for (i = 0; i < n_faults && !faults[i].spent; i++)
        ;
    if (i < FAULTS)
        faults[i] = f;
    if (i == n_faults && i < FAULTS)
        n_faults++;
    pthread_mutex_unlock(&lock);
    return i < FAULTS;
}

int soft_tell_do(char *words[], size_t n)
{
    struct action a = {0};

    if (n != 1 || !action_of(words[0], &a) || a.kind <= HOLD)
        return 0;
    perform(&a);
    return 1;
}

void soft_release(bool forget)
{
    size_t i;

    pthread_mutex_lock(&lock);
    for (i = 0; i < n_faults; i++)
        if (forget || faults[i].what.kind == HOLD)
            faults[i].spent = true;
    if (forget) {
        n_faults = 0;
        memset(calls, 0, sizeof(calls));
    }
    turn++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

unsigned soft_calls(const char *function)
{
    enum soft_fn fn = function != NULL ? fn_by_name(function) : ANY;
    unsigned n = 0;
    int i;

    pthread_mutex_lock(&lock);
    for (i = 0; i < SOFT_FN_COUNT; i++)
        if (fn == ANY || (int)fn == i)
            n += calls[i];
    pthread_mutex_unlock(&lock);
    return n;
}

void soft_await_held(unsigned n)
{
    pthread_mutex_lock(&lock);
    while (n_held < n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

void soft_fault_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&changed, NULL);
    n_held = 0;
}
