/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM that answers as it was told, instead of what tctildr would load. */
#ifndef TESTS_TCTI_SCRIPT_H
#define TESTS_TCTI_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A program that links this file has its own Tss2_TctiLdr_Initialize, whatever
 * name it is given. A script is a row of answers: the command's code (4 bytes,
 * big-endian), the length (2 bytes), the answer. A command gets the first
 * answer to its code that was not given yet; when there is none the line is
 * broken. Code 0 is no answer but an argument of the test.
 */
void script_play(const uint8_t *script, size_t n); /* lent until the next */

/* Whether anybody opened a line since then. */
bool script_asked(void);

/* The first thing with code 0; NULL when there is none. */
const uint8_t *script_argument(size_t *n);

/* Asks the TPM that SCRIPT_TCTI names instead, once, and writes the script of
 * that to the file SCRIPT_OUT behind first[n], for a corpus; 1 when the
 * environment has both, else 0. script_end() closes the file. */
int script_record(const uint8_t *first, size_t n);
void script_end(void);

#endif
