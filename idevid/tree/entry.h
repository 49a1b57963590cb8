/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A voucher's entry as a leaf of the tree. It is a TransItem of a type for
 * private use, which holds what the audit log says and no more (RFC 8995
 * section 10.1):
 *
 *     voucher_entry(0xF000)
 *     struct {
 *         uint64 timestamp;              milliseconds since 1970
 *         opaque domain_id<0..255>;      domainID, the text of the audit log
 *         opaque nonce<0..255>;          the same; empty: null
 *         opaque assertion<0..255>;      its word, "proximity"; empty: not said
 *         opaque serial_commitment[32];
 *     } VoucherEntry;
 *
 *     serial_commitment = SHA-256(salt[32] ||
 *         opaque idevid_issuer_keyid<1..255> || opaque serial_number<1..255>)
 *
 * The salt is random, of each entry its own, and goes to those only who may
 * read the device's audit log: nobody else can try serial numbers on it.
 */
#ifndef IDEVID_TREE_ENTRY_H
#define IDEVID_TREE_ENTRY_H

#include <idevid/voucher.h>

#include "tree/tree.h"

#define IDV_LOG_ENTRY_MAX 512 /* bytes of one */

struct idv_log_entry {
    struct idv_audit_event event; /* neither salt nor truncated are in it */
    struct idv_hash commitment;
};

idv_rc idv_log_commit(const uint8_t salt[static IDV_AUDIT_SALT],
                      struct idv_bytes keyid, const char *serial,
                      struct idv_hash *out) IDV_CHECKED;
/* IDV_E_ARG: a date before 1970. */
idv_rc idv_log_entry_to_item(const struct idv_log_entry *e,
                             struct idv_buf *out) IDV_CHECKED;
idv_rc idv_log_entry_from_item(struct idv_bytes item,
                               struct idv_log_entry *out) IDV_CHECKED;
/* The hash of an entry's leaf. */
idv_rc idv_log_entry_hash(const struct idv_log_entry *e,
                          struct idv_hash *out) IDV_CHECKED;

#endif
