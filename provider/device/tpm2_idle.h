/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that nobody uses is given up, and what is loaded when the
 * process ends. */
#ifndef HWK_TPM2_IDLE_H
#define HWK_TPM2_IDLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct hwk_tpm;

/*
 * tpm-idle of the configuration: a TPM that is reached through a socket for one
 * client at a time belongs to the others again some seconds after our last
 * operation. When that is at once, it is done where the operation ends. Some
 * time later nobody calls us: then a thread waits for it, which there is only
 * while a connection waits, and which takes no signals.
 */
struct hwk_tpm_idle {
    pthread_t thread;
    pthread_cond_t wake;
    uint64_t due;          /* milliseconds of the monotonic clock */
    bool started, running; /* to be joined; and it has not ended yet */
    bool stop;
    struct hwk_tpm *next_at_exit;
};

void hwk_tpm_idle_new(struct hwk_tpm *tpm);
/* Ends the thread. Not between begin and end. */
void hwk_tpm_idle_free(struct hwk_tpm *tpm);
void hwk_tpm_idle_forked(struct hwk_tpm *tpm);

/* For end: closes the line, or sees to it that it will be. */
void hwk_tpm_idle_begins(struct hwk_tpm *tpm);

/* From here to there exit() flushes what is loaded, before libcrypto and what
 * ESYS uses are taken down. */
void hwk_tpm_at_exit(struct hwk_tpm *tpm);
void hwk_tpm_not_at_exit(struct hwk_tpm *tpm);

#endif
