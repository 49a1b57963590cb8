/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM of a program of tests: a software TPM by itself or, when the
 * program's name has "abrmd" in it, the same behind its resource manager. */
#ifndef TESTS_TPM_DEVICE_H
#define TESTS_TPM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

/* by the program's name: that it has "tpm" or "abrmd" in it, or the latter */
bool tpm_device_wanted(void);
bool tpm_device_managed(void);

/* Whether what it takes is installed. */
bool tpm_device_here(void);

/* Starts it, and says in the environment where it is, as hwkey wants it. 0, or
 * -1 with a line on stderr. One at a time. */
int tpm_device_up(void);
void tpm_device_down(void);

/* What is in the TPM itself now, past the manager: transient objects and
 * sessions of anybody, loaded or saved. */
size_t tpm_device_left(void);

/* Commands that this process has sent to any TPM so far. */
unsigned long long tpm_device_commands(void);

#endif
