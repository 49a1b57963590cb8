/* SPDX-License-Identifier: Apache-2.0 */
/* struct hwk_devid_ops of device.h, of a TPM. */
#ifndef HWK_TPM2_DOOR_DEVID_H
#define HWK_TPM2_DOOR_DEVID_H

#include "provider/device/tpm2_born.h"

extern const struct hwk_backend_devid hwk_tpm_door_devid;

/* Its parts in other files; state is the struct hwk_tpm. */
int hwk_tpm_devid_create(void *state, enum hwk_devid what, const char *type,
                         uint32_t cert_index, uint32_t handle,
                         struct hwk_born *out);
int hwk_tpm_devid_sign(void *state, const struct hwk_born *key,
                       struct hwk_view digest, struct hwk_attested *out);
int hwk_tpm_devid_certify(void *state, const struct hwk_born *what,
                          const struct hwk_born *by, struct hwk_view nonce,
                          struct hwk_attested *out);
int hwk_tpm_devid_certify_creation(void *state, const struct hwk_born *what,
                                   const struct hwk_born *by,
                                   struct hwk_view nonce,
                                   struct hwk_attested *out);
int hwk_tpm_devid_activate(void *state, const struct hwk_born *what,
                           const struct hwk_born *ek,
                           struct hwk_view credential, struct hwk_view secret,
                           uint8_t *out, size_t *n);
int hwk_tpm_devid_keep(void *state, const struct hwk_born *key,
                       uint32_t handle);
int hwk_tpm_devid_set_auth(void *state, uint32_t hierarchy,
                           struct hwk_view value);
int hwk_tpm_devid_set_lockout(void *state, const struct hwk_lockout *to,
                              const struct hwk_view *value);
int hwk_tpm_devid_indices(void *state, uint32_t from, uint32_t to,
                          uint32_t *out, size_t *n);

/* The branch of b's policy for command (of an EK: what lets it be used, command
 * 0), satisfied in a policy session of its nameAlg: *session is not handed out
 * yet. salted: where that costs no command and is not forbidden. 1, or 0 with
 * HWK_R_POLICY, HWK_R_AUTH (the endorsement hierarchy's value). */
int hwk_tpm_devid_policy(struct hwk_tpm *tpm, const struct hwk_tpm_born *b,
                         ESYS_TR tr, TPM2_CC command, bool salted,
                         ESYS_TR *session);

#endif
