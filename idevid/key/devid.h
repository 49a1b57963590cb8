/* SPDX-License-Identifier: Apache-2.0 */
/* The making of device identities in a TPM: provider/device.h's table, with our
 * errors. */
#ifndef IDVI_KEY_DEVID_H
#define IDVI_KEY_DEVID_H

#include "key/nv.h"

/*
 * What each call does, and how many TPM commands it is, is said with struct
 * hwk_devid_ops. Failures are those of key/nv.h, *why (NULL is fine) among them
 *
 *   HWK_R_EXISTS       keep: there is a key (IDV_E_STATE)
 *   HWK_R_NOT_FOUND    keep without a key: there is none
 *   HWK_R_KEY          activate: the credential is for another EK or key;
 *                      sign, certify: not a key for this
 *   HWK_R_NO_DEVICE    also: the line was lost, and what was loaded with it
 *   HWK_R_UNSUPPORTED  also: outside of enter and leave
 *
 * All between idvi_nv_enter and idvi_nv_leave, which flushes what is loaded.
 */

idv_rc idvi_devid_create(struct idv_device *dev, enum hwk_devid what,
                         const char *type, uint32_t cert_index, uint32_t handle,
                         struct hwk_born *out, int *why) IDV_CHECKED;

/* ECDSA as DER, RSA PKCS#1 v1.5. */
struct idvi_devid_signature {
    uint8_t p[HWK_ATTEST_SIGNATURE_MAX];
    size_t n;
};
idv_rc idvi_devid_sign(struct idv_device *dev, const struct hwk_born *key,
                       struct idv_bytes digest,
                       struct idvi_devid_signature *out, int *why) IDV_CHECKED;

/* out->pub is by->pub. */
idv_rc idvi_devid_certify(struct idv_device *dev, const struct hwk_born *what,
                          const struct hwk_born *by, struct idv_bytes nonce,
                          struct idvi_nv_proof *out, int *why) IDV_CHECKED;
idv_rc
idvi_devid_certify_creation(struct idv_device *dev, const struct hwk_born *what,
                            const struct hwk_born *by, struct idv_bytes nonce,
                            struct idvi_nv_proof *out, int *why) IDV_CHECKED;

/* The secret, wiped by the caller. */
struct idvi_devid_secret {
    uint8_t p[64];
    size_t n;
};
idv_rc idvi_devid_activate(struct idv_device *dev, const struct hwk_born *what,
                           const struct hwk_born *ek,
                           struct idv_bytes credential, struct idv_bytes secret,
                           struct idvi_devid_secret *out, int *why) IDV_CHECKED;

idv_rc idvi_devid_keep(struct idv_device *dev, const struct hwk_born *key,
                       uint32_t handle, int *why) IDV_CHECKED;
idv_rc idvi_devid_drop(struct idv_device *dev, struct hwk_born *key,
                       int *why) IDV_CHECKED;
idv_rc idvi_devid_set_auth(struct idv_device *dev, uint32_t hierarchy,
                           struct idv_bytes value, int *why) IDV_CHECKED;
/* value.p NULL: the configured one, else empty. */
idv_rc idvi_devid_set_lockout(struct idv_device *dev,
                              const struct hwk_lockout *to,
                              struct idv_bytes value, int *why) IDV_CHECKED;
/* *n: the room of out, then how many there are. */
idv_rc idvi_devid_indices(struct idv_device *dev, uint32_t from, uint32_t to,
                          uint32_t *out, size_t *n, int *why) IDV_CHECKED;

#endif
