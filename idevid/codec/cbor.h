/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR from outside, read strictly (RFC 8949). */
#ifndef IDEVID_CODEC_CBOR_H
#define IDEVID_CODEC_CBOR_H

#include <idevid/buf.h>

#define IDVI_CBOR_DEPTH 8   /* nested arrays, maps and tags */
#define IDVI_CBOR_ITEMS 512 /* data items of all levels together */

typedef struct cbor_item_t idvi_cbor;

/*
 * Reads exactly one data item; the caller frees it. IDV_E_FORMAT: not well
 * formed, something follows, a map has a key twice or one that is neither
 * integer nor string, a string comes in chunks. IDV_E_LIMIT: deeper or of more
 * items than the bounds above; nothing is allocated for what is only announced.
 */
idv_rc idvi_cbor_from_bytes(struct idv_bytes in, idvi_cbor **out) IDV_CHECKED;
void idvi_cbor_free(idvi_cbor *item);

/* True when item, which may be NULL, is of that kind; then the outputs are set.
 * What they point to lives as long as the item does. */
bool idvi_cbor_uint(const idvi_cbor *item, uint64_t max, uint64_t *value);
bool idvi_cbor_bytes(const idvi_cbor *item, struct idv_bytes *value);
bool idvi_cbor_text(const idvi_cbor *item, struct idv_bytes *value);
bool idvi_cbor_array(const idvi_cbor *item, size_t *n);
/* Element i of an array, borrowed; NULL for what is no array or has it not. */
const idvi_cbor *idvi_cbor_at(const idvi_cbor *item, size_t i);

#endif
