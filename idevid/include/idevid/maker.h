/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's trust anchors, which vouchers are checked with, as the device
 * remembers them from the factory. */
#ifndef IDEVID_MAKER_H
#define IDEVID_MAKER_H

#include <idevid/key.h>

/*
 * What stands for a set of certificates: their number and the SHA-256 over
 * their DER, one after the other, each once, in ascending order of their bytes
 * (as memcmp has it; of two that begin alike, the shorter one first). Comments,
 * order and repetition in a file do not matter. DER says where it ends, so that
 * no two sets have the same bytes; of one certificate it is the fingerprint.
 *
 * In the device, 40 bytes, big-endian:
 *   0 "IDMA"  4 version u16 (1)  6 number of certificates u16  8 SHA-256
 */
#define IDV_MAKER_SIZE 40
struct idv_maker {
    uint16_t count;
    uint8_t sha256[32];
};
/* IDV_E_ARG: none, or more than IDV_MAX_CHAIN. */
idv_rc idv_maker_from_certs(const STACK_OF(X509) * certs,
                            struct idv_maker *out) IDV_CHECKED;
void idv_maker_to_bytes(const struct idv_maker *m,
                        uint8_t out[static IDV_MAKER_SIZE]);
/* IDV_E_FORMAT: size, magic, version, no certificates. */
idv_rc idv_maker_from_bytes(struct idv_bytes raw,
                            struct idv_maker *out) IDV_CHECKED;

/*
 * Where it is. A TPM: an NV index that is written, locked for ever, and whose
 * authPolicy is the SHA-256 of its content, so that its Name is a commitment:
 * one of the platform, 0x01400A02 (only who has the platform hierarchy can take
 * it away), and if there is none, one of the owner, 0x01800A02 (who has the
 * owner's authorization can remove it, and define another). A token: a public
 * data object that can be neither modified nor, where the token has such a
 * thing, erased. SoftHSM's tokens are files, whose owner does with them what he
 * likes.
 */
#define IDV_MAKER_PLATFORM_INDEX 0x01400A02u
#define IDV_MAKER_OWNER_INDEX 0x01800A02u
#define IDV_MAKER_P11_URI "pkcs11:object=idevid-maker-anchors;type=data"

#define IDV_MAKER_BY_PLATFORM 1u /* of a TPM: by the platform hierarchy */
#define IDV_MAKER_BY_SO 2u       /* of a token: by its security officer */
/*
 * Writes certs' into the device, once and for all: the same again is IDV_OK,
 * whatever is cut is completed by the next call. index: of a TPM; 0: as above.
 * IDV_E_STATE: the device has another one, both are named. IDV_E_ARG: a flag
 * of the other kind of device.
 */
idv_rc idv_maker_seal(struct idv_device *dev, uint32_t index,
                      const STACK_OF(X509) * certs, unsigned flags) IDV_CHECKED;
/*
 * Is it certs' that the device has? *sealed false: the device has none;
 * otherwise where says where it is. IDV_E_REJECT: another one, and both are
 * named, or what is there is not what idv_maker_seal leaves.
 */
idv_rc idv_maker_check(struct idv_device *dev, uint32_t index,
                       const STACK_OF(X509) * certs, bool *sealed,
                       char where[static 96]) IDV_CHECKED;

#endif
