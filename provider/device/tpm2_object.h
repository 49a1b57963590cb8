/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent keys: one ESYS handle each, however often they are opened. */
#ifndef HWK_TPM2_OBJECT_H
#define HWK_TPM2_OBJECT_H

#include <stdatomic.h>

#include "provider/device/tpm2_conn.h"

/* A persistent key; what is not atomic belongs to the lock of its TPM, except
 * handle, pub and name, which never change. */
struct hwk_tpm_object {
    struct hwk_tpm_object *next;
    unsigned refs;
    TPM2_HANDLE handle;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    ESYS_TR tr; /* of generation; ESYS_TR_NONE: none */
    unsigned generation;
    atomic_uint pss_salt[HWK_MD_COUNT]; /* 1 + what the TPM makes; 0: unknown */
};

/* The functions below are called between begin and end. */

/* The key at handle, counted: one ReadPublic each time, since another process
 * may have put another key there; opens of the same key share one object.
 * NULL with a reason, HWK_R_NOT_FOUND when there is none. */
struct hwk_tpm_object *hwk_tpm_object_open(struct hwk_tpm *tpm,
                                           TPM2_HANDLE handle);

/* Takes over tr, a persistent handle just made, with its public area. */
struct hwk_tpm_object *hwk_tpm_object_adopt(struct hwk_tpm *tpm,
                                            TPM2_HANDLE handle, ESYS_TR tr,
                                            const TPM2B_PUBLIC *pub);

/* Its ESYS handle in *tr: no command unless ESYS was built anew since (then a
 * ReadPublic, and HWK_R_NOT_FOUND if another key is there now). */
int hwk_tpm_object_tr(struct hwk_tpm *tpm, struct hwk_tpm_object *o,
                      ESYS_TR *tr);

/* The handle is about to be evicted: who has it open reads it anew and sees
 * whether another key came there. */
void hwk_tpm_object_forget(struct hwk_tpm *tpm, TPM2_HANDLE handle);

void hwk_tpm_object_close(struct hwk_tpm *tpm, struct hwk_tpm_object *o);

/* The public area without an ESYS handle: what others hold stays theirs. */
int hwk_tpm_ask_public(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                       TPM2B_PUBLIC *pub, TPM2B_NAME *name);
/* An ESYS handle of a persistent key with its public area; one command. ESYS
 * has one for all who ask: closing it takes it away from an object. */
int hwk_tpm_read_public(struct hwk_tpm *tpm, TPM2_HANDLE handle, ESYS_TR *tr,
                        TPM2B_PUBLIC *pub, TPM2B_NAME *name);

#endif
