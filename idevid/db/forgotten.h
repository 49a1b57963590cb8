/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that were let go and are known again when somebody shows them. */
#ifndef IDEVID_DB_FORGOTTEN_H
#define IDEVID_DB_FORGOTTEN_H

#include "idevid/db/sql.h"

/* Some of the sessions last changed before that time are let go, in one
 * transaction; *n counts them, 0 when none is left. */
idv_rc idvi_sessions_forget(struct idv_db *db, int64_t before,
                            unsigned *n) IDV_CHECKED;

/* Was this one of them, and a MASA asked with it? (the store table's) */
idv_rc idvi_own_forgotten(void *self, const char *maker, const char *serial,
                          const char *nonce, bool *known) IDV_CHECKED;

#endif
