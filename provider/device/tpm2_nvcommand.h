/* SPDX-License-Identifier: Apache-2.0 */
/* What changes NV indices, one command each, and who authorises it. */
#ifndef HWK_TPM2_NVCOMMAND_H
#define HWK_TPM2_NVCOMMAND_H

#include "provider/device/tpm2_nvpolicy.h"
#include "provider/device/tpm2_nvpublic.h"

/* A hierarchy by its value, or the index by its policy or its empty value. */
struct hwk_tpm_by {
    TPM2_HANDLE hierarchy;           /* 0: the index */
    struct hwk_secret *auth;         /* of the hierarchy; NULL: empty */
    struct hwk_tpm_nv_policy policy; /* of the index, where it has steps */
};

/* That hierarchy (TPM2_RH_OWNER, TPM2_RH_PLATFORM), its value from
 * pin-source.owner, .platform. 1, or 0 with a reason; clear it either way. */
int hwk_tpm_by_hierarchy(const struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                         struct hwk_tpm_by *by);
/* What device.h says. */
int hwk_tpm_by_from(const struct hwk_tpm *tpm, const struct hwk_nv *nv,
                    const struct hwk_nv_by *in, struct hwk_tpm_by *by);
void hwk_tpm_by_clear(struct hwk_tpm_by *by);

/*
 * Between begin and end. 1, or 0 with a reason. Those of their own:
 * HWK_R_AUTH   the value is wrong; it is not tried again
 * HWK_R_POLICY the policy's steps were refused, or what they satisfied is not
 *              the index's policy, or not for this command
 * HWK_R_BUS    the index is not the one that ix is, see hwk_tpm_index_prove
 * Sent in a session where the authorization takes one, in a salted one where
 * the index's policy authorises: then nobody can alter what is written, and
 * nobody but the TPM says that it was.
 */

/* NV_DefineSpace, with an empty value; ix is closed by the caller. */
int hwk_tpm_index_define(struct hwk_tpm *tpm, const TPM2B_NV_PUBLIC *pub,
                         struct hwk_tpm_by *by, struct hwk_tpm_index *ix);
/* What rc of one that was sent otherwise means. Always 0. */
int hwk_tpm_index_defined(struct hwk_tpm *tpm, const TPM2B_NV_PUBLIC *pub,
                          struct hwk_tpm_by *by, TSS2_RC rc,
                          struct hwk_tpm_index *ix);
/* NV_UndefineSpace; NV_UndefineSpaceSpecial for an index with POLICY_DELETE. */
int hwk_tpm_index_undefine(struct hwk_tpm_index *ix, struct hwk_tpm_by *by);
int hwk_tpm_index_write(struct hwk_tpm_index *ix, struct hwk_tpm_by *by,
                        const uint8_t *data, size_t n, size_t offset);
int hwk_tpm_index_lock(struct hwk_tpm_index *ix, struct hwk_tpm_by *by);
int hwk_tpm_index_increment(struct hwk_tpm_index *ix, struct hwk_tpm_by *by);

/* For what else is authorised so: raises what a wrong value of who (a
 * hierarchy, 0: the index) means, and remembers it. Always 0. */
int hwk_tpm_index_denied(struct hwk_tpm_index *ix, TPM2_HANDLE who,
                         const struct hwk_secret *auth);
/* 1 unless that value was refused before: 0 with HWK_R_AUTH. */
int hwk_tpm_index_may(struct hwk_tpm_index *ix, TPM2_HANDLE who,
                      const struct hwk_secret *auth);

#endif
