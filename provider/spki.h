/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys as certificates carry them: SubjectPublicKeyInfo. */
#ifndef HWK_SPKI_H
#define HWK_SPKI_H

#include "provider/pub.h"

/* Where the SubjectPublicKeyInfo of a certificate is, tag and length included;
 * within der. 1, or 0 with HWK_R_FORMAT. Nothing else in it is looked at. */
int hwk_spki_of_cert(const uint8_t *der, size_t n, const uint8_t **spki,
                     size_t *spki_n);

/* Fills out from a SubjectPublicKeyInfo: rsaEncryption, id-RSASSA-PSS with or
 * without parameters, id-ecPublicKey with a named curve of ours, and the keys
 * of RFC 8410. 1, or 0 with HWK_R_FORMAT or HWK_R_KEY. */
int hwk_spki_to_pub(const uint8_t *der, size_t n, struct hwk_pub *out);

#endif
