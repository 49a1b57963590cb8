/* SPDX-License-Identifier: Apache-2.0 */
/* The key of the TPM that session secrets are encrypted to. */
#ifndef HWK_TPM2_SALT_H
#define HWK_TPM2_SALT_H

#include <stdbool.h>

#include <tss2/tss2_esys.h>

struct hwk_tpm;

/* Such a key, in the TPM. */
struct hwk_tpm_salt_key {
    TPM2_HANDLE handle; /* 0: none */
    TPM2B_PUBLIC pub;
    ESYS_TR passing; /* it was made for the moment; ESYS_TR_NONE: not */
};

/* What is remembered of it: later sessions cost no look at it. */
struct hwk_tpm_salt {
    struct hwk_tpm_salt_key known; /* its Name is that of the pin */
    bool absent; /* the usual key was not there: not asked for again */
    bool told;   /* the log has been told that it is not pinned */
    struct hwk_tpm_salt_key lent; /* another that is loaded anyway */
};

/*
 * The salt key, until hwk_tpm_salt_close: that of the configuration (salt-key),
 * whose Name must be the pinned one, computed from the public area that the
 * salt is then encrypted with; otherwise the storage root key at 0x81000001, or
 * where there is none a primary key of the null hierarchy, made for the moment.
 * Of the latter two nobody knows whose they are: said once in the log, with the
 * Name to pin.
 * While one is lent, that, for no command: unless the configuration names one.
 * One ReadPublic, later none; for the made one a CreatePrimary each time, and
 * one FlushContext. 1, or 0 with a reason: HWK_R_BUS when the Name is not the
 * pinned one.
 */
int hwk_tpm_salt_open(struct hwk_tpm *tpm, struct hwk_tpm_salt_key *out);
void hwk_tpm_salt_close(struct hwk_tpm *tpm, struct hwk_tpm_salt_key *key);

/* The Name of a public area (TPM 2.0 Part 1, 16); 0 when its nameAlg is none
 * of ours; raises nothing. Pure. */
int hwk_tpm_name(const TPM2B_PUBLIC *pub, TPM2B_NAME *out);
/* That of what has no public area, a hierarchy. Pure. */
TPM2B_NAME hwk_tpm_handle_name(TPM2_HANDLE handle);

#endif
