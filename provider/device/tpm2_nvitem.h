/* SPDX-License-Identifier: Apache-2.0 */
/* The objects in the bytes of an NV index: pure. */
#ifndef HWK_TPM2_NVITEM_H
#define HWK_TPM2_NVITEM_H

#include <stddef.h>
#include <stdint.h>

#include "provider/device.h"

/* type is HWK_OBJ_CERT, HWK_OBJ_PUBLIC (a SubjectPublicKeyInfo) or
 * HWK_OBJ_PRIVATE (a TSS2 private key); der[n] is lent for the call. 1: go on;
 * anything else ends it. */
typedef int hwk_tpm_nv_item_fn(void *arg, enum hwk_object_type type,
                               const uint8_t *der, size_t n);

/*
 * Calls each for every object in data[n]: DER, one object after another, until
 * what is no more than padding; or PEM, with whatever text between. What the
 * last call gave, or 1 when all went on. Only the outlines are looked at: no
 * decoder of libcrypto is run. Success leaves the error queue as it was.
 */
int hwk_tpm_nv_items(const uint8_t *data, size_t n, hwk_tpm_nv_item_fn *each,
                     void *arg);

/* The type of the object that data[n] begins with, and its length in DER; 0
 * when it begins with none. */
enum hwk_object_type hwk_tpm_nv_item(const uint8_t *data, size_t n,
                                     size_t *size);

#endif
