/* SPDX-License-Identifier: Apache-2.0 */
/* The real clock, randomness and log. */
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include <openssl/rand.h>

#include <idevid/env.h>

/* the clock cannot be right before this library was written */
#define BUILD_FLOOR 1767225600 /* 2026-01-01T00:00:00Z */

static int64_t system_now(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

static bool system_clock_trusted(void *ctx)
{
    const struct idv_env_system *sys = ctx;
    if (sys->clock != IDV_CLOCK_AUTO)
        return sys->clock == IDV_CLOCK_TRUSTED;
    struct timex t = {0};
    int state = adjtimex(&t);
    return state >= 0 && state != TIME_ERROR && time(NULL) >= BUILD_FLOOR;
}

static idv_rc system_random(void *ctx, uint8_t *p, size_t n)
{
    (void)ctx;
    if (RAND_bytes_ex(NULL, p, n, 0) != 1)
        return idv_fail(IDV_E_CRYPTO, "random bytes");
    return IDV_OK;
}

static void system_log(void *ctx, enum idv_level level, const char *line)
{
    const struct idv_env_system *sys = ctx;
    static const char *const words[] = {"error", "warn", "info", "debug"};
    if (level > sys->level)
        return;
    if (sys->program)
        fprintf(stderr, "%s: %s: %s\n", sys->program, words[level], line);
    else
        fprintf(stderr, "%s: %s\n", words[level], line);
}

void idv_env_system_init(struct idv_env_system *sys, const char *program)
{
    memset(sys, 0, sizeof(*sys));
    sys->env.now = system_now;
    sys->env.clock_trusted = system_clock_trusted;
    sys->env.random = system_random;
    sys->env.log = system_log;
    sys->env.ctx = sys;
    sys->level = IDV_LOG_INFO;
    sys->program = program;
}

idv_rc idv_env_clock_from_text(struct idv_env_system *sys, const char *text)
{
    if (strcmp(text, "auto") == 0)
        sys->clock = IDV_CLOCK_AUTO;
    else if (strcmp(text, "trusted") == 0)
        sys->clock = IDV_CLOCK_TRUSTED;
    else if (strcmp(text, "none") == 0)
        sys->clock = IDV_CLOCK_NONE;
    else
        return idv_fail(IDV_E_ARG, "clock: '%s' is not auto, trusted or none",
                        text);
    return IDV_OK;
}

int64_t idv_now(const struct idv_env *env)
{
    return env->now(env->ctx);
}

int64_t idv_ticks_ms(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool idv_clock_trusted(const struct idv_env *env)
{
    return env->clock_trusted(env->ctx);
}

idv_rc idv_random(const struct idv_env *env, uint8_t *p, size_t n)
{
    return env->random(env->ctx, p, n);
}
