/* SPDX-License-Identifier: Apache-2.0 */
/* The key of the TPM that session secrets are encrypted to. */
#ifndef HWK_TPM2_SALT_H
#define HWK_TPM2_SALT_H

#include <stdbool.h>

#include <tss2/tss2_esys.h>

struct hwk_tpm;

/* What is remembered of it: later sessions cost no look at it. */
struct hwk_tpm_salt {
    bool known;
    bool absent;  /* the usual key was not there: not asked for again */
    bool told;    /* the log has been told that it is not pinned */
    bool passing; /* the one in use is transient */
    ESYS_TR lent; /* another that is loaded anyway; ESYS_TR_NONE: none */
    TPM2_HANDLE handle;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name; /* computed from pub, never the TPM's word for it */
};

/*
 * The salt key's ESYS handle, until hwk_tpm_salt_close: that of the
 * configuration (salt-key), whose Name must be the pinned one, computed from
 * the public area that the salt is then encrypted with; otherwise the storage
 * root key at 0x81000001, or where there is none a primary key of the null
 * hierarchy, made for the moment. Of the latter two nobody knows whose they
 * are: said once in the log, with the Name to pin.
 * While one is lent, that, for no command: unless the configuration names one.
 * One ReadPublic, later none; for the made one a CreatePrimary each time, and
 * one FlushContext. 1, or 0 with a reason: HWK_R_BUS when the Name is not the
 * pinned one.
 */
int hwk_tpm_salt_open(struct hwk_tpm *tpm, ESYS_TR *tr);
void hwk_tpm_salt_close(struct hwk_tpm *tpm, ESYS_TR *tr);

/* The Name of a public area (TPM 2.0 Part 1, 16); 0 when its nameAlg is none
 * of ours; raises nothing. Pure. */
int hwk_tpm_name(const TPM2B_PUBLIC *pub, TPM2B_NAME *out);

#endif
