/* SPDX-License-Identifier: Apache-2.0 */
/* RSA paddings made in software before, and taken off after, a device raises a
 * number to its power. */
#ifndef HWK_RSAPAD_H
#define HWK_RSAPAD_H

#include "provider/core.h"
#include "provider/mech.h"

#define HWK_PREMASTER 48 /* bytes */

/* What is to be signed, in[n] as backend.h has it, padded as mech says (PKCS#1
 * v1.5 or PSS) into em, as long as pub's modulus. 1, or 0 with a reason. */
int hwk_rsa_pad(struct hwk_core *core, const struct hwk_mech *mech,
                const struct hwk_pub *pub, const uint8_t *in, size_t n,
                uint8_t em[static HWK_RSA_MAX]);

/* em[k], as long as the modulus, without PKCS#1 v1.5 or OAEP padding as mech
 * says, to out[room]. 1 with *n, or 0: neither its time nor what it does tells
 * where the padding is wrong. */
int hwk_rsa_unpad(struct hwk_core *core, const struct hwk_mech *mech,
                  const uint8_t *em, size_t k, uint8_t *out, size_t room,
                  size_t *n);

/* The premaster secret of TLS 1.2 and older in em[k] (RFC 5246 7.4.7.1): its
 * own version, or alt (0: none) of clients that got that wrong; whatever is not
 * right gives random bytes instead, in the same time. 0 only when there is no
 * randomness. */
int hwk_rsa_premaster(struct hwk_core *core, const uint8_t *em, size_t k,
                      unsigned version, unsigned alt,
                      uint8_t out[static HWK_PREMASTER]);

/* The same where the device has taken the padding off: ok says whether it did,
 * pt[n] what was there, in room for HWK_RSA_MAX. */
int hwk_rsa_premaster_of(struct hwk_core *core, bool ok, const uint8_t *pt,
                         size_t n, unsigned version, unsigned alt,
                         uint8_t out[static HWK_PREMASTER]);

#endif
