/* SPDX-License-Identifier: Apache-2.0 */
/* What the file of object=FILE holds. */
#ifndef HWK_TPM2_FILE_H
#define HWK_TPM2_FILE_H

#include <tss2/tss2_tpm2_types.h>

#include "provider/uri.h"

enum hwk_tpm_file_kind {
    HWK_TPM_FILE_HANDLE = 1, /* a serialised ESYS handle, persistent or NV */
    HWK_TPM_FILE_KEY,        /* TSS2 PRIVATE KEY, PEM or DER */
    HWK_TPM_FILE_CONTEXT,    /* tpm2-tools' saved context of a key */
};

struct hwk_tpm_file {
    enum hwk_tpm_file_kind kind;
    TPM2_HANDLE handle;
    uint8_t *der; /* OPENSSL_malloc'ed */
    size_t n;
    TPMS_CONTEXT context;
};

#define HWK_TPM_FILE_MAX 131072

/* Tells by its bytes what the file called name is; pure. 1, or 0 with
 * HWK_R_FORMAT, which says of what is no key by itself (a public area alone,
 * a session, other PEM) what it is and what to do. */
int hwk_tpm_file_parse(const char *name, const uint8_t *p, size_t n,
                       struct hwk_tpm_file *out);
int hwk_tpm_file_read(const char *path, struct hwk_tpm_file *out);
void hwk_tpm_file_clear(struct hwk_tpm_file *file);

#endif
