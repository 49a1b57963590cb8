/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions compute: keys, the digests of commands and answers, their HMACs
 * and the encryption of a parameter. All but randomness and secrecy of it is
 * here, nothing of a TPM: pure. */
#ifndef HWK_TPM2_HMAC_H
#define HWK_TPM2_HMAC_H

#include <openssl/types.h>
#include <tss2/tss2_tpm2_types.h>

#include "provider/device.h"

/*
 * TPM 2.0 Part 1, 11.4.10.2 (KDFa): n bytes of key for label, of the parties u
 * and v; alg is one that hwk_tpm_hash knows. soft here and below is a library
 * context with the default provider. 1 or 0, raises nothing.
 */
int hwk_tpm_kdfa(OSSL_LIB_CTX *soft, TPMI_ALG_HASH alg, struct hwk_view key,
                 const char *label, struct hwk_view u, struct hwk_view v,
                 uint8_t *out, size_t n);

/* The most that one command names. */
#define HWK_TPM_NAMES_MAX 3

/* cpHash of a command on n entities, by their Names (18.7); and rpHash of an
 * answer that says success (18.8). params is as it is sent: an encrypted
 * parameter is hashed so. 1 or 0. */
int hwk_tpm_cp_hash(TPMI_ALG_HASH alg, TPM2_CC code, const TPM2B_NAME *names,
                    size_t n, struct hwk_view params, TPM2B_DIGEST *out);
int hwk_tpm_rp_hash(TPMI_ALG_HASH alg, TPM2_CC code, struct hwk_view params,
                    TPM2B_DIGEST *out);

/* What is signed of a command, or of its answer, by one session (19.6.5), where
 * no other session encrypts anything. The newer nonce is that of who sends. */
struct hwk_tpm_sum {
    TPMI_ALG_HASH alg;
    struct hwk_view hash, newer, older;
    uint8_t attributes;
};

/* key is the session's, and behind it the object's auth value where that
 * counts: 128 bytes at most, and may be empty. 1 or 0. */
int hwk_tpm_sum(OSSL_LIB_CTX *soft, struct hwk_view key,
                const struct hwk_tpm_sum *sum, TPM2B_DIGEST *out);

/* AES-128-CFB (21.3) of a parameter in place, n bytes of it; key as above. 1 or
 * 0, p being of no use then. */
int hwk_tpm_cfb(OSSL_LIB_CTX *soft, TPMI_ALG_HASH alg, struct hwk_view key,
                struct hwk_view newer, struct hwk_view older, bool encrypt,
                uint8_t *p, size_t n);

#endif
