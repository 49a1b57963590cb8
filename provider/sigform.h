/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA signatures: r || s as devices give them, DER as everybody reads them.
 */
#ifndef HWK_SIGFORM_H
#define HWK_SIGFORM_H

#include <stddef.h>
#include <stdint.h>

/* raw[2 * field] -> ECDSA-Sig-Value. *n is the room on entry, the length on
 * success. r and s must not be zero. field, here the bytes of the curve's
 * order, is at most 72. */
int hwk_sig_to_der(const uint8_t *raw, size_t field, uint8_t *der, size_t *n);

/* The inverse; exactly DER, nothing after it, both numbers within field. */
int hwk_sig_from_der(const uint8_t *der, size_t n, size_t field, uint8_t *raw);

#endif
