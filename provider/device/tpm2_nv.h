/* SPDX-License-Identifier: Apache-2.0 */
/* NV indices: read, write once, erase. */
#ifndef HWK_TPM2_NV_H
#define HWK_TPM2_NV_H

#include "provider/device/tpm2_conn.h"

/* An index as read: its public area, and the bytes in it (data is owned by
 * the struct, as long as content says; NULL when it cannot be read). */
struct hwk_tpm_nv {
    TPMS_NV_PUBLIC pub;
    enum hwk_object_type type;
    uint8_t *data;
    size_t n;
};
void hwk_tpm_nv_clear(struct hwk_tpm_nv *nv);

/* How an index is read; NULL instead: with the empty value. */
struct hwk_tpm_nv_how {
    const struct hwk_secret *auth; /* the index's value, or where it is not read
                                      with that, its hierarchy's */
    bool careful;                  /* not with what might count as a wrong try:
                                      HWK_R_PIN_MISSING */
};

/*
 * Reads index whole, all of its bytes, in pieces of the TPM's size. 1, or 0
 * with a reason: HWK_R_NOT_FOUND when there is none, none was written yet, or
 * it is one of ours that was not finished; others see tpm2_nvindex.h. out->pub
 * is filled as soon as the index is there (otherwise its attributes are 0).
 * These functions take their turn themselves (begin and end).
 */
int hwk_tpm_nv_bytes(struct hwk_tpm *tpm, TPM2_HANDLE index,
                     const struct hwk_tpm_nv_how *how, struct hwk_tpm_nv *out);

/* The same with certificates trimmed and PEM ones turned into DER. */
int hwk_tpm_nv_read(struct hwk_tpm *tpm, TPM2_HANDLE index,
                    const struct hwk_tpm_nv_how *how, struct hwk_tpm_nv *out);

/* The same for a list, between begin and end: an index that cannot be read, or
 * only with what might count as a wrong try, is described all the same, data
 * NULL. */
int hwk_tpm_nv_look(struct hwk_tpm *tpm, TPM2_HANDLE index,
                    struct hwk_tpm_nv *out);

/* As write of device.h. The same bytes again cost no wear: 1 without a write.
 * Counters, and indices that neither owner nor index auth may write, are never
 * replaced: HWK_R_EXISTS. With HWK_WRITE_LOCK a write that was cut between its
 * last byte and the lock is completed by the same write. */
int hwk_tpm_nv_write(struct hwk_tpm *tpm, TPM2_HANDLE index,
                     const uint8_t *data, size_t n, unsigned flags);

/* Undefines an index, or evicts a persistent key (0x81...). */
int hwk_tpm_erase(struct hwk_tpm *tpm, TPM2_HANDLE handle);

#endif
