/* SPDX-License-Identifier: Apache-2.0 */
/* DER, one element at a time: definite lengths, tags below 31. */
#ifndef IDEVID_X509_TLV_H
#define IDEVID_X509_TLV_H

#include <idevid/buf.h>

#define TLV_INTEGER 0x02
#define TLV_BIT_STRING 0x03
#define TLV_OID 0x06
#define TLV_SEQUENCE 0x30
#define TLV_SET 0x31
#define TLV_CONTEXT(n) (0xa0 + (n))

struct idvi_tlv {
    uint8_t tag;
    struct idv_bytes value; /* content */
    struct idv_bytes whole; /* with tag and length */
};

/* Takes the first element off *in; IDV_E_FORMAT if there is no whole one. */
idv_rc idvi_tlv_next(struct idv_bytes *in, struct idvi_tlv *out) IDV_CHECKED;
/* Exactly one element of that tag, nothing behind it. */
idv_rc idvi_tlv_only(struct idv_bytes in, uint8_t tag,
                     struct idv_bytes *value) IDV_CHECKED;
idv_rc idvi_tlv_put(struct idv_buf *out, uint8_t tag,
                    struct idv_bytes value) IDV_CHECKED;
/* Of an OBJECT IDENTIFIER's content; NID_undef for what libcrypto does not
 * know. */
int idvi_tlv_nid(struct idv_bytes oid);
idv_rc idvi_tlv_put_nid(struct idv_buf *out, int nid) IDV_CHECKED;

#endif
