/* SPDX-License-Identifier: Apache-2.0 */
/* NV indices of a TPM: provider/device.h's table, with our errors. */
#ifndef IDVI_KEY_NV_H
#define IDVI_KEY_NV_H

#include <idevid/key.h>

#include "provider/device.h"

/*
 * What each call does is said with struct hwk_nv_ops. Here a failure is
 * IDV_E_DEVICE (IDV_E_STATE: the index exists) with a note, and *why (NULL is
 * fine) says which one, for who acts upon it: enum hwk_public_reason, of these
 *
 *   HWK_R_NOT_FOUND    no such index (look and read: *found false instead)
 *   HWK_R_EXISTS       define: in use already
 *   HWK_R_NV_FULL      define: no room left
 *   HWK_R_LOCKOUT      the TPM is in dictionary-attack lockout
 *   HWK_R_AUTH         a hierarchy's or index's value is wrong (tried once)
 *   HWK_R_POLICY       a step, or the session for the command, was refused
 *   HWK_R_BUS          forged: not the TPM's answer, or not the TPM's index
 *   HWK_R_KEY          certify: not a restricted signing key
 *   HWK_R_UNSUPPORTED  a token; this TPM or its configuration cannot do that
 *   HWK_R_NO_DEVICE    the TPM does not answer
 *
 * or 0 for what has no name of its own. Success sets it to 0. The error queue
 * is empty afterwards; outputs are untouched on failure.
 */

/* One turn and one set of sessions for what follows, on this thread. leave
 * after enter succeeded only; they nest, and may be left out. */
idv_rc idvi_nv_enter(struct idv_device *dev, int *why) IDV_CHECKED;
void idvi_nv_leave(struct idv_device *dev);

/* The index as the TPM has it. Absence is not a failure: *found. */
idv_rc idvi_nv_look(struct idv_device *dev, uint32_t index, bool *found,
                    struct hwk_nv *out, int *why) IDV_CHECKED;
/* Proves nv and reads all of it, nv->size bytes. *found is false, and out as it
 * was, when it was never written or is not there any more. */
idv_rc idvi_nv_read(struct idv_device *dev, const struct hwk_nv *nv,
                    bool *found, uint8_t *out, int *why) IDV_CHECKED;

/* The same for the last one of a turn. */
idv_rc idvi_nv_read_last(struct idv_device *dev, const struct hwk_nv *nv,
                         bool *found, uint8_t *out, int *why) IDV_CHECKED;

/* The same where the bytes prove themselves: without a session, unless the
 * configuration wants one for all. */
idv_rc idvi_nv_peek(struct idv_device *dev, const struct hwk_nv *nv,
                    bool *found, uint8_t *out, int *why) IDV_CHECKED;

idv_rc idvi_nv_define(struct idv_device *dev, const struct hwk_nv *nv,
                      uint32_t hierarchy, int *why) IDV_CHECKED;
idv_rc idvi_nv_undefine(struct idv_device *dev, const struct hwk_nv *nv,
                        const struct hwk_nv_by *by, int *why) IDV_CHECKED;
idv_rc idvi_nv_write(struct idv_device *dev, const struct hwk_nv *nv,
                     const struct hwk_nv_by *by, struct idv_bytes data,
                     int *why) IDV_CHECKED;
idv_rc idvi_nv_lock(struct idv_device *dev, const struct hwk_nv *nv,
                    const struct hwk_nv_by *by, int *why) IDV_CHECKED;
idv_rc idvi_nv_increment(struct idv_device *dev, const struct hwk_nv *nv,
                         const struct hwk_nv_by *by, int *why) IDV_CHECKED;

/* TPMS_ATTEST, signature (ECDSA as DER), TPMT_PUBLIC of who signed. */
struct idvi_nv_proof {
    uint8_t attest[HWK_ATTEST_MAX], sig[HWK_ATTEST_SIGNATURE_MAX],
        pub[HWK_ATTEST_PUBLIC_MAX];
    size_t attest_n, sig_n, pub_n;
};
idv_rc idvi_nv_certify(struct idv_device *dev, const char *key_uri,
                       const struct hwk_nv *nv, struct idv_bytes nonce,
                       struct idvi_nv_proof *out, int *why) IDV_CHECKED;

idv_rc idvi_nv_pcr_read(struct idv_device *dev, uint32_t pcrs,
                        uint8_t out[static 32], int *why) IDV_CHECKED;
idv_rc idvi_nv_pcr_extend(struct idv_device *dev, unsigned pcr,
                          const uint8_t digest[static 32],
                          int *why) IDV_CHECKED;
/* what: HWK_FACTS_ bits */
idv_rc idvi_nv_facts(struct idv_device *dev, unsigned what,
                     struct hwk_tpm_facts *out, int *why) IDV_CHECKED;

#endif
