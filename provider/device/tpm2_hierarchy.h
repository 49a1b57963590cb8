/* SPDX-License-Identifier: Apache-2.0 */
/* A hierarchy that authorises a command, and its value. */
#ifndef HWK_TPM2_HIERARCHY_H
#define HWK_TPM2_HIERARCHY_H

#include "provider/device/tpm2_conn.h"

struct hwk_tpm_hierarchy_by {
    TPM2_HANDLE handle;
    ESYS_TR tr;
    const char *name;
    struct hwk_secret *auth; /* NULL: empty */
    bool given;              /* by the caller, not the configuration */
};

/* With value, or NULL: that of pin-source.NAME, else the empty one. 1, or 0
 * with a reason: HWK_R_AUTH when it was refused before. Clear it either way. */
int hwk_tpm_hierarchy_open(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                           const struct hwk_view *value,
                           struct hwk_tpm_hierarchy_by *out);
/* It was given another value. */
void hwk_tpm_hierarchy_changed(struct hwk_tpm *tpm,
                               const struct hwk_tpm_hierarchy_by *by);
void hwk_tpm_hierarchy_clear(struct hwk_tpm_hierarchy_by *by);

/* As hwk_tpm_check, of a command that it authorised: a wrong value is
 * HWK_R_AUTH, and remembered. */
int hwk_tpm_hierarchy_check(struct hwk_tpm *tpm,
                            const struct hwk_tpm_hierarchy_by *by, TSS2_RC rc,
                            const char *what, TPM2_HANDLE handle);

#endif
