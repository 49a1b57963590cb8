/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a TPM behind tpm2-abrmd, without GLib. */
#ifndef HWK_TPM2_TCTI_TABRMD_H
#define HWK_TPM2_TCTI_TABRMD_H

#include <stdbool.h>

#include <tss2/tss2_tcti.h>

/*
 * The library's TCTI for tpm2-abrmd speaks to it through GLib, whose threads
 * stay in every process that used it, and whose child of a fork waits for ever
 * for threads that it has not. All that it takes is one call on the bus, which
 * gives a socket; commands and answers are what goes over that.
 *
 * Source: tpm2-abrmd 3.0, its interface com.intel.tss2.TctiTabrmd as it
 * describes itself on the bus.
 */

/* True for "tabrmd", "tabrmd:bus_type=session,bus_name=NAME" and the same with
 * the library's file name, if the bus is one that we can speak to; the library
 * is for the others. Pure but for the environment. */
bool hwk_tpm_tabrmd_is(const char *name);

/* A connection of its own; *out is the caller's until
 * hwk_tpm_tabrmd_close. TSS2_TCTI_RC_NO_CONNECTION comes with the reason on
 * the error queue. Cancelling and localities are not possible. */
TSS2_RC hwk_tpm_tabrmd_open(const char *name, TSS2_TCTI_CONTEXT **out);

/* *ctx becomes NULL. */
void hwk_tpm_tabrmd_close(TSS2_TCTI_CONTEXT **ctx);

#endif
