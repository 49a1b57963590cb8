/* SPDX-License-Identifier: Apache-2.0 */
/* The ASN.1 of files labelled TSS2 PRIVATE KEY, all pure. Source:
 * draft-bottomley-tpm2-keys, "ASN.1 Specification for TPM 2.0 Key Files". */
#ifndef HWK_TPM2_KEYFILE_H
#define HWK_TPM2_KEYFILE_H

#include <stdbool.h>

#include "provider/device/tpm2_rule.h"

#define HWK_TPM_KEYFILE_MAX 65536 /* bytes of DER */
#define HWK_TPM_STEPS_MAX 64
#define HWK_TPM_ALTERNATIVES_MAX 256

enum hwk_tpm_file_type {
    HWK_TPM_FILE_LOADABLE = 1, /* for TPM2_Load */
    HWK_TPM_FILE_IMPORTABLE,   /* for TPM2_Import, then TPM2_Load */
    HWK_TPM_FILE_SEALED,       /* data, no key */
};

struct hwk_tpm_keyfile {
    enum hwk_tpm_file_type type;
    bool empty_auth;                   /* false: it has an auth value */
    bool rsa_parent;                   /* the default SRK is the RSA one */
    struct hwk_tpm_rule policy;        /* n 0: none */
    struct hwk_tpm_rule *alternatives; /* signed ones, of authPolicy */
    size_t alternatives_n;
    TPM2B_ENCRYPTED_SECRET secret; /* of IMPORTABLE, else empty */
    char *description;             /* UTF-8, NULL: none */
    TPM2_HANDLE parent;            /* a hierarchy, 0x4000000x, or persistent */
    TPM2B_PUBLIC pub;
    TPM2B_PRIVATE priv;
};

/*
 * Reads a file whole. 1, or 0 with HWK_R_FORMAT that says what is wrong: bytes
 * left over, a type that is not known (it is named), a TPM2B whose size is not
 * what is there, a parent that is none, a secret with another type than
 * IMPORTABLE or the other way round, alternatives without a policy. What other
 * writers of such files do is read: BOOLEANs other than 0xff, handles as
 * negative numbers, parent 0 for the owner hierarchy.
 */
int hwk_tpm_keyfile_parse(const uint8_t *der, size_t n,
                          struct hwk_tpm_keyfile **out);

/* The DER of file, OPENSSL_malloc'ed: what parse gave comes back whole, and
 * emptyAuth is there in any case. 1, or 0
 * with HWK_R_FORMAT (not what parse would read) or HWK_R_MEMORY. */
int hwk_tpm_keyfile_encode(const struct hwk_tpm_keyfile *file, uint8_t **der,
                           size_t *n);

void hwk_tpm_keyfile_free(struct hwk_tpm_keyfile *file);

/* Is handle what a key can be loaded under? */
bool hwk_tpm_keyfile_parent(TPM2_HANDLE handle);

#endif
