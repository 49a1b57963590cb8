/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's structures as bytes: big-endian numbers, TPM2B_ with two bytes of
 * size in front (TPM 2.0 Library, Part 2). */
#ifndef IDEVID_TPM_WIRE_H
#define IDEVID_TPM_WIRE_H

#include <idevid/buf.h>

/* What is left to read. Once something is missing everything reads as zero or
 * empty. */
struct idvi_wire {
    struct idv_bytes left;
    bool bad;
};
struct idv_bytes idvi_wire_take(struct idvi_wire *r, size_t n);
uint8_t idvi_wire_u8(struct idvi_wire *r);
uint16_t idvi_wire_u16(struct idvi_wire *r);
uint32_t idvi_wire_u32(struct idvi_wire *r);
uint64_t idvi_wire_u64(struct idvi_wire *r);
struct idv_bytes idvi_wire_sized(struct idvi_wire *r); /* TPM2B_ */
/* IDV_E_FORMAT "WHAT: cut off" or "WHAT: bytes after it" unless all was read
 * and nothing is left. */
idv_rc idvi_wire_end(const struct idvi_wire *r, const char *what) IDV_CHECKED;

idv_rc idvi_wire_put16(struct idv_buf *b, uint16_t v) IDV_CHECKED;
idv_rc idvi_wire_put32(struct idv_buf *b, uint32_t v) IDV_CHECKED;
/* IDV_E_LIMIT: more than 65535 bytes */
idv_rc idvi_wire_put_sized(struct idv_buf *b, struct idv_bytes v) IDV_CHECKED;

#endif
