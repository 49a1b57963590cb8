/* SPDX-License-Identifier: Apache-2.0 */
/* The device identity keys that are loaded in this turn. */
#ifndef HWK_TPM2_BORN_H
#define HWK_TPM2_BORN_H

#include "provider/device/tpm2_object.h"

#define HWK_TPM_BORN_MAX 8
#define HWK_TPM_SEEN_MAX 32

/* One, as we know it: what a caller has of it is compared with this. */
struct hwk_tpm_born {
    enum hwk_devid what;
    TPM2_HANDLE handle;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;               /* computed from it */
    struct hwk_tpm_object *object; /* persistent, counted; NULL: made here */
    ESYS_TR tr;                    /* of what was made, in generation */
    unsigned generation;
    TPM2B_DIGEST creation;   /* of what was made: creationHash and */
    TPMT_TK_CREATION ticket; /* the TPM's word for it */
};

/* All of a turn, a pointer to which is in struct hwk_tpm. */
struct hwk_tpm_borns {
    struct hwk_tpm_born list[HWK_TPM_BORN_MAX];
    size_t n;
    /* the range of NV indices that was asked for last, and those in it */
    TPM2_HANDLE from, to, seen[HWK_TPM_SEEN_MAX];
    size_t seen_n;
};

/* Those of this turn: NULL with a reason, HWK_R_UNSUPPORTED outside of one. */
struct hwk_tpm_borns *hwk_tpm_borns(struct hwk_tpm *tpm);

/* A place for another; what was made is to be added with hwk_tpm_born_keep.
 * NULL with a reason when there are too many. */
struct hwk_tpm_born *hwk_tpm_born_new(struct hwk_tpm *tpm);
void hwk_tpm_born_keep(struct hwk_tpm *tpm);
/* How many transient ones there are. */
size_t hwk_tpm_born_loaded(const struct hwk_tpm *tpm);

/* The one that key is, between begin and end, with its ESYS handle in *tr. NULL
 * with a reason: HWK_R_ARGUMENT when it is none of this turn's, HWK_R_NO_DEVICE
 * when the line was lost since, and the key with it. */
struct hwk_tpm_born *hwk_tpm_born_find(struct hwk_tpm *tpm,
                                       const struct hwk_born *key, ESYS_TR *tr);

/* Flushes it. */
void hwk_tpm_born_drop(struct hwk_tpm *tpm, struct hwk_tpm_born *b);
/* For leave: flushes all. */
void hwk_tpm_born_leave(struct hwk_tpm *tpm);

/* An EK is what sessions of this turn are salted with from here on: it is there
 * anyway, and the only key of a TPM that somebody vouches for. */
void hwk_tpm_born_salts(struct hwk_tpm *tpm, const struct hwk_tpm_born *ek);

#endif
