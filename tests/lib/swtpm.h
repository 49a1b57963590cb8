/* SPDX-License-Identifier: Apache-2.0 */
/* A software TPM of a test's own: its directory, its sockets, its process. */
#ifndef TESTS_SWTPM_H
#define TESTS_SWTPM_H

#include <stdbool.h>
#include <sys/types.h>

struct swtpm {
    char dir[96];   /* of its own, removed by swtpm_stop */
    char tcti[160]; /* what tpm2-tss takes: "swtpm:path=..." */
    char lock[160]; /* a path for the lock file, in dir */
    pid_t pid;
};

/* True when PATH has a program of that name. */
bool program_here(const char *name);

/* True when somebody listens at dir/name. */
bool socket_answers(const char *dir, const char *name);

/* True when the program swtpm is installed; tests that need it skip()
 * otherwise. */
bool swtpm_here(void);

/* Starts one and waits until it answers its socket. 0, or -1 with a line on
 * stderr. It ends with the calling thread's process, however that ends. */
int swtpm_start(struct swtpm *t);

/* True when what the next one needs is installed besides. */
bool swtpm_vendor_here(void);

/* The same of a TPM as its vendor ships it, with EK certificates: see
 * tpm_vendor.sh. ca is the vendor's directory, which is there already and may
 * be several TPMs'; NULL: t->dir. Takes about a second. */
int swtpm_start_vendor(struct swtpm *t, const char *ca);

/* Off and on again: what is persistent stays. */
int swtpm_cycle(struct swtpm *t);

/* Ends it, by pid, and removes its directory. */
void swtpm_stop(struct swtpm *t);

#endif
