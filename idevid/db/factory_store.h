/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables of a line's book share. */
#ifndef IDEVID_DB_FACTORY_STORE_H
#define IDEVID_DB_FACTORY_STORE_H

#include <idevid/auto.h>

#include "idevid/db/db.h"
#include "idevid/db/sql.h"

enum idvi_claim { IDVI_CLAIM_EK = 1, IDVI_CLAIM_KEY = 2 };

static inline bool idvi_hash_there(const uint8_t hash[32])
{
    static const uint8_t none[32];
    return !idv_bytes_eq(idv_bytes(hash, 32), idv_bytes(none, 32));
}

/* Whose it is; *found false: nobody's. */
idv_rc idvi_claim_owner(struct idv_db *db, enum idvi_claim kind,
                        const uint8_t hash[32], bool *found,
                        char serial[IDV_MAX_SERIAL + 1]) IDV_CHECKED;
/* A row without its documents. */
idv_rc idvi_factory_row(struct idv_db *db, const char *serial, bool *found,
                        struct idv_factory_device *out) IDV_CHECKED;

/* The next entry, within the caller's transaction; *seq may be NULL. */
idv_rc idvi_entry_add(struct idv_db *db, const char *kind, const char *serial,
                      struct idv_bytes body, int64_t now,
                      uint64_t *seq) IDV_CHECKED;

/* the table's functions, by noun */
idv_rc idvi_factory_find(void *self, enum idv_factory_by by,
                         struct idv_bytes what, bool *found,
                         struct idv_factory_device *out) IDV_CHECKED;
idv_rc idvi_factory_each_device(void *self, const char *order,
                                bool (*each)(void *arg,
                                             const struct idv_factory_device *),
                                void *arg) IDV_CHECKED;
idv_rc idvi_factory_put(void *self, const struct idv_factory_device *d,
                        enum idv_factory_state from, const char *kind,
                        struct idv_bytes body, int64_t now,
                        enum idv_factory_why *why) IDV_CHECKED;
idv_rc idvi_factory_note(void *self, const char *kind, const char *serial,
                         struct idv_bytes body, int64_t now) IDV_CHECKED;
idv_rc idvi_factory_each_entry(void *self, uint64_t from,
                               bool (*each)(void *arg,
                                            const struct idv_journal_entry *),
                               void *arg) IDV_CHECKED;
idv_rc idvi_factory_seq_since(void *self, int64_t time,
                              uint64_t *seq) IDV_CHECKED;
idv_rc idvi_factory_head(void *self, uint64_t *seq,
                         uint8_t hash[32]) IDV_CHECKED;
idv_rc idvi_factory_batch_add(void *self,
                              const struct idv_journal_batch *b) IDV_CHECKED;
idv_rc idvi_factory_batch_last(void *self, bool *found,
                               struct idv_journal_batch *out) IDV_CHECKED;
idv_rc idvi_factory_each_batch(void *self,
                               bool (*each)(void *arg,
                                            const struct idv_journal_batch *),
                               void *arg) IDV_CHECKED;
idv_rc idvi_factory_order_add(void *self, const struct idv_order *o,
                              int64_t now) IDV_CHECKED;
idv_rc idvi_factory_order_device(void *self, const char *order,
                                 const char *serial, bool *order_found,
                                 bool *found,
                                 struct idv_buf *device_json) IDV_CHECKED;
idv_rc idvi_factory_each_order(void *self,
                               bool (*each)(void *arg, const char *order,
                                            uint64_t n,
                                            const uint8_t sha256[32]),
                               void *arg) IDV_CHECKED;
idv_rc idvi_factory_order_next(void *self, const char *order,
                               const char *holder, int64_t now, int64_t until,
                               char serial[IDV_MAX_SERIAL + 1]) IDV_CHECKED;
idv_rc
idvi_factory_challenge_add(void *self, const char *order,
                           const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                           int64_t now) IDV_CHECKED;
idv_rc
idvi_factory_challenge_find(void *self, const char *order,
                            const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                            bool *found, int64_t *made) IDV_CHECKED;

#endif
