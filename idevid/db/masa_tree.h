/* SPDX-License-Identifier: Apache-2.0 */
/* The tree over the MASA's log, as its store keeps it. */
#ifndef IDEVID_DB_MASA_TREE_H
#define IDEVID_DB_MASA_TREE_H

#include "idevid/db/db.h"
#include "idevid/db/sql.h"

#define IDVI_TREE_BATCH 256

/*
 * Makes leaves of the oldest events that wait for it, IDVI_TREE_BATCH at most.
 * Called where other writers wait (idvi_begin), so that leaves are without gaps
 * and in one order for everybody; what comes of it is the transaction's. The
 * salts come from seed, random bytes that are not used again; *n tells how many
 * it were.
 */
idv_rc idvi_tree_grow(struct idv_db *db, const uint8_t seed[static 32],
                      size_t *n) IDV_CHECKED;

/* The part of the store table that is in masa_tree.c. */
void idvi_tree_store(struct idv_masa_store *s);

#endif
