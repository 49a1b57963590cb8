/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that nobody uses is given up, and what is loaded when the
 * process ends. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "provider/device/tpm2_resident.h"

#define AT_EXIT_MS 2000

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct timespec moment(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* --- idle connections --- */

static void init(struct hwk_tpm_idle *idle)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&idle->wake, &attr);
    pthread_condattr_destroy(&attr);
    idle->started = idle->running = idle->stop = false;
}

void hwk_tpm_idle_new(struct hwk_tpm *tpm)
{
    init(&tpm->idle);
}

static void *wait_idle(void *arg)
{
    struct hwk_tpm *tpm = arg;
    struct hwk_tpm_idle *idle = &tpm->idle;
    pthread_mutex_lock(&tpm->lock);
    while (!idle->stop && now() < idle->due) {
        struct timespec due = moment(idle->due);
        pthread_cond_timedwait(&idle->wake, &tpm->lock, &due);
    }
    if (!idle->stop)
        hwk_tpm_hang_up(tpm);
    idle->running = false;
    pthread_mutex_unlock(&tpm->lock);
    return NULL;
}

/* who cannot have a thread keeps the line */
static void start(struct hwk_tpm *tpm)
{
    struct hwk_tpm_idle *idle = &tpm->idle;
    sigset_t all, before;
    if (idle->started)
        pthread_join(idle->thread, NULL); /* it has ended */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    idle->started = pthread_create(&idle->thread, NULL, wait_idle, tpm) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    idle->running = idle->started;
}

void hwk_tpm_idle_begins(struct hwk_tpm *tpm)
{
    unsigned seconds = tpm->cfg ? tpm->cfg->tpm_idle : 0;
    if (seconds == 0 || !tpm->tcti)
        return;
    if (seconds == HWK_TPM_IDLE_AT_ONCE) {
        hwk_tpm_hang_up(tpm);
        return;
    }
    tpm->idle.due = now() + (uint64_t)seconds * 1000;
    if (!tpm->idle.running)
        start(tpm);
}

void hwk_tpm_idle_free(struct hwk_tpm *tpm)
{
    struct hwk_tpm_idle *idle = &tpm->idle;
    pthread_mutex_lock(&tpm->lock);
    idle->stop = true;
    pthread_cond_signal(&idle->wake);
    pthread_mutex_unlock(&tpm->lock);
    if (idle->started)
        pthread_join(idle->thread, NULL);
    idle->started = false;
    idle->stop = false;
}

/* --- the end of the process --- */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hwk_tpm *all;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* a thread that still uses the TPM is not waited for long */
static bool lock_soon(pthread_mutex_t *lock)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t = moment((uint64_t)t.tv_sec * 1000 + AT_EXIT_MS);
    return pthread_mutex_timedlock(lock, &t) == 0;
}

static void leave_all(void)
{
    if (!lock_soon(&all_lock))
        return;
    for (struct hwk_tpm *tpm = all; tpm; tpm = tpm->idle.next_at_exit)
        if (lock_soon(&tpm->lock)) {
            pthread_mutex_unlock(&tpm->lock);
            hwk_tpm_object_unload(tpm);
            hwk_tpm_idle_free(tpm);
        }
    pthread_mutex_unlock(&all_lock);
}

static void watch(void)
{
    atexit(leave_all);
}

void hwk_tpm_at_exit(struct hwk_tpm *tpm)
{
    pthread_once(&once, watch);
    pthread_mutex_lock(&all_lock);
    tpm->idle.next_at_exit = all;
    all = tpm;
    pthread_mutex_unlock(&all_lock);
}

void hwk_tpm_not_at_exit(struct hwk_tpm *tpm)
{
    struct hwk_tpm **at = &all;
    pthread_mutex_lock(&all_lock);
    while (*at && *at != tpm)
        at = &(*at)->idle.next_at_exit;
    if (*at)
        *at = tpm->idle.next_at_exit;
    pthread_mutex_unlock(&all_lock);
}

/* its parent's thread is not here, and neither is who held all_lock */
void hwk_tpm_idle_forked(struct hwk_tpm *tpm)
{
    init(&tpm->idle);
    pthread_mutex_init(&all_lock, NULL);
}
