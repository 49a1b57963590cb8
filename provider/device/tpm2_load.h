/* SPDX-License-Identifier: Apache-2.0 */
/* How a key that is not persistent comes into the TPM. */
#ifndef HWK_TPM2_LOAD_H
#define HWK_TPM2_LOAD_H

#include "provider/device/tpm2_object.h"

/* A blob and what wraps it, a primary key's template, or a saved context. */
struct hwk_tpm_source {
    TPM2_HANDLE hierarchy; /* of the primary, or of the parent; 0: parent */
    bool rsa;              /* the parent is the RSA primary */
    struct hwk_tpm_object *parent; /* persistent, counted */
    struct hwk_secret *auth;       /* of parent or hierarchy; NULL: empty */
    TPM2B_PUBLIC pub;              /* of the blob; or the template */
    TPM2B_PRIVATE priv;            /* of the blob; size 0: a primary */
    TPMS_CONTEXT *context;         /* saved by somebody; instead of all above */
};

/* Copies all; opens parent if it is persistent. NULL with a reason. */
struct hwk_tpm_source *hwk_tpm_source_new(struct hwk_tpm *tpm,
                                          const struct hwk_tpm_parent *parent,
                                          const TPM2B_PUBLIC *pub,
                                          const TPM2B_PRIVATE *priv);
struct hwk_tpm_source *hwk_tpm_source_context(const TPMS_CONTEXT *context);
void hwk_tpm_source_free(struct hwk_tpm *tpm, struct hwk_tpm_source *s);

/* Whether both come to the same key; pure. */
bool hwk_tpm_source_same(const struct hwk_tpm_source *s,
                         const struct hwk_tpm_parent *parent,
                         const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv);

/* Loads it. *tr is a transient object, *pub (may be NULL) its public area.
 * Nothing else is left in the TPM, and nothing at all when it fails. */
int hwk_tpm_load(struct hwk_tpm *tpm, const struct hwk_tpm_source *s,
                 ESYS_TR *tr, TPM2B_PUBLIC *pub);

/* A value that a parent refused is not tried on it again: 0 with
 * HWK_R_PIN_INCORRECT. parent NULL, a primary, has none. The other remembers
 * what rc says of it. */
int hwk_tpm_parent_may(struct hwk_tpm *tpm, const struct hwk_tpm_object *parent,
                       const struct hwk_secret *auth);
void hwk_tpm_parent_said(struct hwk_tpm *tpm,
                         const struct hwk_tpm_object *parent,
                         const struct hwk_secret *auth, TSS2_RC rc);

/* As hwk_tpm_check, of a command that took what was wrapped under parent. */
int hwk_tpm_check_wrapped(struct hwk_tpm *tpm, TSS2_RC rc, const char *command,
                          TPM2_HANDLE parent);

/* A primary key of hierarchy (TPM2_RH_OWNER ...), transient, to be flushed.
 * sensitive and pub may be NULL. Marks the turn. */
int hwk_tpm_create_primary(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                           const struct hwk_secret *hierarchy_auth,
                           const TPM2B_SENSITIVE_CREATE *sensitive,
                           const TPM2B_PUBLIC *template, ESYS_TR *tr,
                           TPM2B_PUBLIC *pub);

#endif
