/* SPDX-License-Identifier: Apache-2.0 */
/* struct hwk_nv_ops of device.h, of a TPM. */
#ifndef HWK_TPM2_DOOR_H
#define HWK_TPM2_DOOR_H

#include "provider/device/tpm2_conn.h"

extern const struct hwk_backend_nv hwk_tpm_door;

/* Its parts in other files; state is the struct hwk_tpm. */
int hwk_tpm_door_certify(void *state, const struct hwk_uri *key,
                         const struct hwk_pin_ask *pin, const struct hwk_nv *nv,
                         struct hwk_view nonce, struct hwk_attested *out);
int hwk_tpm_door_peek(void *state, const struct hwk_nv *nv, uint8_t *out);
int hwk_tpm_door_pcr_read(void *state, uint32_t pcrs, uint8_t out[32]);
int hwk_tpm_door_pcr_extend(void *state, unsigned pcr,
                            const uint8_t digest[32]);
int hwk_tpm_door_facts(void *state, unsigned what, struct hwk_tpm_facts *out);

#endif
