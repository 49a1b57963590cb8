/* SPDX-License-Identifier: Apache-2.0 */
/* Who serves which scheme: rows opened on first use, made ready after a fork.
 */
#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>

#include "provider/backend.h"

#define ROWS 3

struct hwk_device_slot {
    const struct hwk_backend *table;
    const struct hwk_config *cfg;
    pthread_mutex_t lock; /* held while opening and renewing */
    _Atomic(enum hwk_life) life;
    atomic_uint users; /* of state: keys, devices, calls */
    void *state;
};

struct hwk_registry {
    struct hwk_device_slot slot[ROWS];
    size_t n;
    const struct hwk_config *cfg;
    struct hwk_config reached; /* cfg with another TCTI, the TPM's row's own */
    char *tcti;                /* its */
    struct hwk_registry *next;
};

const struct hwk_backend *hwk_backend_for_tests;
struct hwk_counters hwk_counters;

/* --- forks --- */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hwk_registry *all;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&all_lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&all_lock);
}

static void in_child(void)
{
    struct hwk_registry *r;
    size_t i;

    hwk_err_forked();
    hwk_log_forked();
    for (r = all; r != NULL; r = r->next) {
        for (i = 0; i < r->n; i++) {
            struct hwk_device_slot *s = &r->slot[i];

            pthread_mutex_init(&s->lock, NULL);
            if (s->state == NULL)
                continue;
            if (s->table->forked != NULL)
                s->table->forked(s->state);
            atomic_store(&s->life, HWK_STALE);
        }
    }
    pthread_mutex_unlock(&all_lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}

/* --- the registry --- */

static void add(struct hwk_registry *reg, const struct hwk_backend *table)
{
    struct hwk_device_slot *s;

    if (table == NULL)
        return;
    s = &reg->slot[reg->n++];
    s->table = table;
    s->cfg = reg->cfg;
    pthread_mutex_init(&s->lock, NULL);
}

struct hwk_registry *hwk_registry_new(const struct hwk_config *cfg)
{
    struct hwk_registry *reg = OPENSSL_zalloc(sizeof(*reg));

    if (reg == NULL) {
        hwk_raise(HWK_R_MEMORY, "registry");
        return NULL;
    }
    reg->cfg = cfg;
    add(reg, &hwk_backend_tpm2);
    add(reg, &hwk_backend_pkcs11);
    add(reg, hwk_backend_for_tests);
    pthread_once(&watch_once, watch_forks);
    pthread_mutex_lock(&all_lock);
    reg->next = all;
    all = reg;
    pthread_mutex_unlock(&all_lock);
    return reg;
}

static void forget(struct hwk_registry *reg)
{
    struct hwk_registry **at;

    pthread_mutex_lock(&all_lock);
    for (at = &all; *at != NULL; at = &(*at)->next) {
        if (*at == reg) {
            *at = reg->next;
            break;
        }
    }
    pthread_mutex_unlock(&all_lock);
}

void hwk_registry_free(struct hwk_registry *reg, bool exiting)
{
    size_t i;

    if (reg == NULL)
        return;
    forget(reg);
    for (i = 0; i < reg->n; i++) {
        struct hwk_device_slot *s = &reg->slot[i];

        if (s->state != NULL)
            s->table->close(s->state, exiting);
        pthread_mutex_destroy(&s->lock);
    }
    OPENSSL_free(reg->tcti);
    OPENSSL_free(reg);
}

static int make_ready(struct hwk_device_slot *s)
{
    const struct hwk_backend *t = s->table;
    bool renew = s->state != NULL;
    int ok = 1;

    if (!renew)
        ok = t->open(s->cfg, &s->state);
    else if (t->renew != NULL)
        ok = t->renew(s->state);
    atomic_store(&s->life, ok ? HWK_OPEN : HWK_BROKEN);
    return ok;
}

int hwk_slot_ready(struct hwk_device_slot *slot)
{
    int ok = 1;

    if (atomic_load(&slot->life) == HWK_OPEN)
        return 1;
    pthread_mutex_lock(&slot->lock);
    if (atomic_load(&slot->life) != HWK_OPEN)
        ok = make_ready(slot);
    pthread_mutex_unlock(&slot->lock);
    return ok;
}

bool hwk_table_serves(const struct hwk_backend *table, enum hwk_scheme scheme)
{
    const enum hwk_scheme *s;

    for (s = table->schemes; *s != 0; s++)
        if (*s == scheme)
            return true;
    return false;
}

static struct hwk_device_slot *slot_of(struct hwk_registry *reg,
                                       enum hwk_scheme scheme)
{
    size_t i;

    for (i = 0; i < reg->n; i++)
        if (hwk_table_serves(reg->slot[i].table, scheme))
            return &reg->slot[i];
    hwk_raise(HWK_R_NO_DEVICE, "nothing here serves that kind of URI");
    return NULL;
}

struct hwk_device_slot *hwk_slot_hold(struct hwk_device_slot *slot)
{
    atomic_fetch_add(&slot->users, 1);
    return slot;
}

void hwk_slot_give(struct hwk_device_slot *slot)
{
    atomic_fetch_sub(&slot->users, 1);
}

struct hwk_device_slot *hwk_registry_use(struct hwk_registry *reg,
                                         enum hwk_scheme scheme)
{
    struct hwk_device_slot *s;

    if (!hwk_config_check(reg->cfg) || (s = slot_of(reg, scheme)) == NULL)
        return NULL;
    hwk_slot_hold(s); /* before it is made ready: see let_go */
    if (hwk_slot_ready(s))
        return s;
    hwk_slot_give(s);
    return NULL;
}

/* --- another TPM --- */

/* Under its lock. Who comes after life is CLOSED waits for that; who came
 * before is among the users. */
static int let_go(struct hwk_device_slot *s)
{
    enum hwk_life life = atomic_exchange(&s->life, HWK_CLOSED);
    unsigned users = atomic_load(&s->users);

    if (users > 0) {
        atomic_store(&s->life, life);
        return hwk_raise(HWK_R_IN_USE,
                         "TPM: %u of its keys or devices are open: no other "
                         "TPM can take its place",
                         users);
    }
    if (s->state == NULL)
        return 1;
    if (life == HWK_STALE && s->table->renew != NULL &&
        !s->table->renew(s->state)) {
        atomic_store(&s->life, life);
        return 0;
    }
    s->table->close(s->state, false);
    s->state = NULL;
    return 1;
}

static int reach(struct hwk_registry *reg, struct hwk_device_slot *s,
                 char *tcti)
{
    if (!let_go(s))
        return 0;
    OPENSSL_free(reg->tcti);
    reg->tcti = tcti;
    reg->reached = *reg->cfg;
    if (tcti != NULL)
        reg->reached.tcti = tcti;
    s->cfg = &reg->reached;
    return 1;
}

int hwk_registry_reach(struct hwk_registry *reg, const char *tcti)
{
    struct hwk_device_slot *s = slot_of(reg, HWK_SCHEME_TPM2);
    char *copy = NULL;
    int ok;

    if (s == NULL)
        return 0;
    if (tcti != NULL && (copy = OPENSSL_strdup(tcti)) == NULL)
        return hwk_raise(HWK_R_MEMORY, "TCTI");
    pthread_mutex_lock(&s->lock);
    ok = reach(reg, s, copy);
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        OPENSSL_free(copy);
    return ok;
}

int hwk_registry_again(struct hwk_registry *reg)
{
    struct hwk_device_slot *s = slot_of(reg, HWK_SCHEME_PKCS11);
    int ok = 1;

    if (s == NULL)
        return 0;
    pthread_mutex_lock(&s->lock);
    if (s->state != NULL && s->table->again != NULL)
        ok = s->table->again(s->state);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

const struct hwk_config *hwk_registry_config(const struct hwk_registry *reg)
{
    return reg->cfg;
}

const struct hwk_backend *hwk_slot_table(const struct hwk_device_slot *slot)
{
    return slot->table;
}

void *hwk_slot_state(const struct hwk_device_slot *slot)
{
    return slot->state;
}
