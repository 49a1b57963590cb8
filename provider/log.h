/* SPDX-License-Identifier: Apache-2.0 */
/* The debug log: off unless configured; one line an event, never a secret. */
#ifndef HWK_LOG_H
#define HWK_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

enum hwk_log_level {
    HWK_LOG_OFF,
    HWK_LOG_ERROR, /* what went on the error queue, also when it was healed */
    HWK_LOG_INFO,  /* and modules, tokens, logins, losses */
    HWK_LOG_CALLS, /* and every Cryptoki call with its return code */
};

/* Starts the log of this process, which belongs to all provider contexts: the
 * first file named stays until the last hwk_log_end. "stderr" is the standard
 * error output. A file that cannot be written means no log. */
void hwk_log_begin(const char *path, enum hwk_log_level level);
void hwk_log_end(void);

/* In the child of a fork: no lock of the parent's threads is held here. */
void hwk_log_forked(void);

/* Writes "event time=... pid=... tid=... name=value ...": event and what
 * follows are pairs of strings, ended by NULL; a value of NULL is left out,
 * one with other than plain characters is quoted. Callers hand over no PIN,
 * no key, no data. errno stays. */
#define hwk_log(level, ...)                                                    \
    do {                                                                       \
        if (hwk_log_on(level))                                                 \
            hwk_log_line(__VA_ARGS__, (const char *)0);                        \
    } while (0)
void hwk_log_line(const char *event, ...) __attribute__((sentinel));

extern atomic_int hwk_log_now; /* the level */
static inline bool hwk_log_on(enum hwk_log_level level)
{
    return atomic_load_explicit(&hwk_log_now, memory_order_relaxed) >=
           (int)level;
}

#endif
