/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and vectors in the presentation language of TLS (RFC 8446 section
 * 3), as the items of a log are written. */
#ifndef IDEVID_TREE_WIRE_H
#define IDEVID_TREE_WIRE_H

#include "tree/tree.h"

/* bytes: how many a number takes */
idv_rc idvi_put_uint(struct idv_buf *out, uint64_t v,
                     unsigned bytes) IDV_CHECKED;
/* a vector whose length takes so many */
idv_rc idvi_put_vector(struct idv_buf *out, unsigned bytes,
                       struct idv_bytes v) IDV_CHECKED;
/* NodeHash list<0..2^16-1> */
idv_rc idvi_put_path(struct idv_buf *out,
                     const struct idv_tree_path *path) IDV_CHECKED;

/* The same from the front of *in. IDV_E_FORMAT: it is not there. */
idv_rc idvi_get_uint(struct idv_bytes *in, unsigned bytes,
                     uint64_t *out) IDV_CHECKED;
idv_rc idvi_get_fixed(struct idv_bytes *in, size_t n,
                      struct idv_bytes *out) IDV_CHECKED;
idv_rc idvi_get_vector(struct idv_bytes *in, unsigned bytes, size_t least,
                       struct idv_bytes *out) IDV_CHECKED;
idv_rc idvi_get_hash(struct idv_bytes *in, struct idv_hash *out) IDV_CHECKED;
idv_rc idvi_get_path(struct idv_bytes *in,
                     struct idv_tree_path *out) IDV_CHECKED;
/* IDV_E_FORMAT: something is left */
idv_rc idvi_get_end(struct idv_bytes in) IDV_CHECKED;
/* the two bytes that a TransItem begins with */
idv_rc idvi_get_type(struct idv_bytes *in, uint64_t type,
                     const char *what) IDV_CHECKED;

#endif
