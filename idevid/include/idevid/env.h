/* SPDX-License-Identifier: Apache-2.0 */
/* The only clock, randomness and log that a role sees. */
#ifndef IDEVID_ENV_H
#define IDEVID_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include <idevid/err.h>

enum idv_level { IDV_LOG_ERROR, IDV_LOG_WARN, IDV_LOG_INFO, IDV_LOG_DEBUG };

struct idv_env {
    /* seconds since 1970 UTC */
    int64_t (*now)(void *ctx);
    /* whether now() is right: false means times cannot be judged (RFC 8995
     * section 2.6.1), only nonces give freshness */
    bool (*clock_trusted)(void *ctx);
    /* fills p with n strong random bytes */
    idv_rc (*random)(void *ctx, uint8_t *p, size_t n);
    /* one line: event name, then key=value pairs; never key material */
    void (*log)(void *ctx, enum idv_level level, const char *line);
    void *ctx;
};

/* The real ones: system clock, RAND_bytes, log to standard error from level
 * up (IDV_LOG_INFO at first). The clock is "auto" (trusted when the kernel says
 * it is synchronised and the time is not before 2026), "trusted" or "none",
 * IDV_E_ARG for another word. env.ctx points to the structure itself: it must
 * not move after the init, and program is borrowed. */
struct idv_env_system {
    struct idv_env env;
    enum idv_level level;
    enum { IDV_CLOCK_AUTO, IDV_CLOCK_TRUSTED, IDV_CLOCK_NONE } clock;
    const char *program; /* prefix of log lines; NULL for none */
};
void idv_env_system_init(struct idv_env_system *sys, const char *program);
idv_rc idv_env_clock_from_text(struct idv_env_system *sys,
                               const char *text) IDV_CHECKED;

int64_t idv_now(const struct idv_env *env);
/* Milliseconds since some moment, never stepped back: for deadlines only. */
int64_t idv_ticks_ms(void);
bool idv_clock_trusted(const struct idv_env *env);
idv_rc idv_random(const struct idv_env *env, uint8_t *p, size_t n) IDV_CHECKED;

/*
 * Logs "event key=value ...". fmt makes the pairs; values with blanks, quotes
 * or control characters must be passed through idv_log_value(). Control
 * characters in the finished line are replaced by '?'. env may be NULL
 * (nothing is logged). A line is cut at 2047 bytes.
 */
void idv_log(const struct idv_env *env, enum idv_level level, const char *event,
             const char *fmt, ...) IDV_PRINTF(4, 5);
/* Put behind the pairs of each line that this thread logs, until it is changed:
 * "req=..." while a request is served. NULL: nothing. Copied, 127 bytes. */
void idv_log_context(const char *pairs);
/* Logs event with rc's class and the note, then clears the note. */
void idv_log_failure(const struct idv_env *env, const char *event, idv_rc rc);
/* Quotes v for a log line where it needs quotes, into one of eight rotating
 * per-thread buffers; cut at about 1000 bytes. NULL is "". */
const char *idv_log_value(const char *v);

#endif
