/* SPDX-License-Identifier: Apache-2.0 */
/* What check.c asks of pin.c. */
#ifndef IDEVID_PIN_H
#define IDEVID_PIN_H

#include <idevid/voucher.h>

idv_rc idvi_cert_key_sha256(const X509 *cert,
                            uint8_t out[static 32]) IDV_CHECKED;

/*
 * Which leaf pins (draft-ietf-anima-rfc8366bis): a voucher with a nonce
 * answers a request that named a certificate, so only pinned-domain-cert
 * counts; without a nonce the first of pubk-sha256, pubk, cert.
 */
bool idvi_pin_present(const struct idv_voucher *v);
/* kind, cert, spki and spki_sha256 of *out; IDV_E_FORMAT if unreadable */
idv_rc idvi_pin_take(const struct idv_voucher *v,
                     struct idv_pinned *out) IDV_CHECKED;

/* As idv_pin_verify; *path leads from the leaf to what is pinned: the leaf
 * alone when its own key is. */
idv_rc idvi_pin_path(const STACK_OF(X509) * tls_chain, const X509 *pin,
                     const uint8_t *spki_sha256, bool check_time, int64_t now,
                     STACK_OF(X509) * *path) IDV_CHECKED;

#endif
