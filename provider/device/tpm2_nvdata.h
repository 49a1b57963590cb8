/* SPDX-License-Identifier: Apache-2.0 */
/* What an NV index holds, and whether it is whole: all pure. */
#ifndef HWK_TPM2_NVDATA_H
#define HWK_TPM2_NVDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tss2/tss2_tpm2_types.h>

#include "provider/device.h"

/*
 * How an object of ours is written, so that a cut at any moment shows: the
 * index is defined with SHA-256 of the content as its authPolicy (a policy
 * that no command can satisfy: the attributes allow none, so it does no more
 * than commit), then written, read back, and locked if asked. Other programs
 * see plain bytes from offset 0 on. An index with our attributes whose content
 * does not agree with its authPolicy is half-written: reading says not found,
 * writing replaces it.
 */
#define HWK_TPM_NV_ATTRIBUTES                                                  \
    (TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

/* The public area of an index of ours for data[n]: WRITEDEFINE if it is to be
 * locked, WRITEALL where one command of chunk bytes holds it all. */
int hwk_tpm_nv_template(TPM2_HANDLE index, const uint8_t *data, size_t n,
                        bool lock, size_t chunk, TPM2B_NV_PUBLIC *out);

/* True for an index defined as above; its commitment is then its authPolicy. */
bool hwk_tpm_nv_ours(const TPMS_NV_PUBLIC *pub);

/* True when data[n], all that index holds, is what was meant to be there. */
bool hwk_tpm_nv_whole(const TPMS_NV_PUBLIC *pub, const uint8_t *data, size_t n);

/* The kind of an ordinary index (as against COUNTER, BITS, EXTEND ...). */
TPM2_NT hwk_tpm_nv_type(TPMA_NV attributes);

/* Turns content that begins with a certificate into that, in place: a DER one
 * loses what is behind it, a PEM one becomes DER. *n is updated; the type says
 * HWK_OBJ_CERT or HWK_OBJ_DATA. */
enum hwk_object_type hwk_tpm_nv_content(uint8_t *data, size_t *n);

#endif
