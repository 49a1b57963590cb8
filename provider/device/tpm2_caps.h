/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM says of itself: properties, and which handles are taken. */
#ifndef HWK_TPM2_CAPS_H
#define HWK_TPM2_CAPS_H

#include "provider/device/tpm2_conn.h"

struct hwk_tpm_properties {
    TPML_TAGGED_TPM_PROPERTY list;
};

/* All properties of first's group (TPM2_PT_FIXED, TPM2_PT_VAR): one command,
 * between begin and end. */
int hwk_tpm_properties(struct hwk_tpm *tpm, TPM2_PT first,
                       struct hwk_tpm_properties *out);
/* 0 when the TPM does not say; pure. */
UINT32 hwk_tpm_property(const struct hwk_tpm_properties *p, TPM2_PT which);

/* Sizes of NV commands, asked once. */
int hwk_tpm_nv_limits(struct hwk_tpm *tpm);
/* How many bytes at once, in *most, where n are to be read or written: asked
 * only when nobody knows that n will do. Every TPM takes 512 (PC Client
 * profile, TPM_PT_NV_BUFFER_MAX), and this one what it took before. */
int hwk_tpm_nv_most(struct hwk_tpm *tpm, size_t n, size_t *most);
void hwk_tpm_nv_took(struct hwk_tpm *tpm, size_t n);

/* Calls each for every handle from first on in first's range. 1, or 0 with a
 * reason; each returns 0 to stop. It may send commands of its own. */
int hwk_tpm_handles(struct hwk_tpm *tpm, TPM2_HANDLE first,
                    int (*each)(void *arg, TPM2_HANDLE handle), void *arg);

/* Whether handle is taken: 1 yes, 0 no, -1 with a reason. One command, and
 * no complaint of ESYS on stderr, as asking for an absent object makes. */
int hwk_tpm_occupied(struct hwk_tpm *tpm, TPM2_HANDLE handle);

#endif
