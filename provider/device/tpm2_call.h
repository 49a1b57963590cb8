/* SPDX-License-Identifier: Apache-2.0 */
/* Commands written by hand, past ESYS: those that a TPM may well refuse, which
 * ESYS would print on stderr, or that need no look at an object first. */
#ifndef HWK_TPM2_CALL_H
#define HWK_TPM2_CALL_H

#include "provider/device/tpm2_conn.h"

struct hwk_tpm_call {
    TSS2_RC rc; /* of marshalling, then of run */
    uint8_t in[TPM2_MAX_COMMAND_SIZE], out[TPM2_MAX_RESPONSE_SIZE];
    size_t in_n, out_n, at; /* at: how much of out was read */
    size_t head;            /* where the parameters of in begin */
    size_t params_n;        /* bytes of them in out */
    TPM2_CC code;
    bool authorised;
    bool makes;       /* the answer begins with a handle: set after start */
    TPM2_HANDLE made; /* which is here after run */
};

/* Starts a command on handles[n]; password: the first one is authorised with
 * an empty value. The caller appends parameters with put. */
void hwk_tpm_call_start(struct hwk_tpm_call *call, TPM2_CC code,
                        const TPM2_HANDLE *handles, size_t n, bool password);

/* Appends what a function of the MU library writes. */
#define hwk_tpm_call_put(call, type, value)                                    \
    do {                                                                       \
        if ((call)->rc == TSS2_RC_SUCCESS)                                     \
            (call)->rc = Tss2_MU_##type##_Marshal(                             \
                (value), (call)->in, sizeof((call)->in), &(call)->in_n);       \
    } while (0)

/* Sends it and takes the answer; between begin and end. Afterwards out is read
 * with get, from the first parameter on. Gives rc, which is for hwk_tpm_check.
 */
TSS2_RC hwk_tpm_call_run(struct hwk_tpm *tpm, struct hwk_tpm_call *call);

/* Reads a part of the answer; a short one is an rc too. */
#define hwk_tpm_call_get(call, type, value)                                    \
    do {                                                                       \
        if ((call)->rc == TSS2_RC_SUCCESS)                                     \
            (call)->rc = Tss2_MU_##type##_Unmarshal(                           \
                (call)->out, (call)->out_n, &(call)->at, (value));             \
    } while (0)

#endif
