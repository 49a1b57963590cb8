/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that both a store table and its administration read. */
#ifndef IDEVID_DB_ROWS_H
#define IDEVID_DB_ROWS_H

#include <idevid/auto.h>

#include "idevid/db/db.h"
#include "idevid/db/sql.h"

#define IDVI_DEVICE_SELECT                                                     \
    "SELECT d.id, d.keyid, d.serial_number, d.maker, d.model, d.customer,"     \
    " d.owner, d.blocked, d.state, d.reason, (SELECT count(*) FROM device e "  \
    "WHERE"                                                                    \
    " e.serial_number = d.serial_number) > 1, d.cert FROM device d"
idv_rc idvi_device_row(struct idvi_query *q,
                       struct idv_masa_device *out) IDV_CHECKED;
idv_rc idvi_device_find(void *self, struct idv_bytes keyid, const char *serial,
                        bool *found, struct idv_masa_device *out) IDV_CHECKED;

/* device_change.c */
idv_rc idvi_device_changes(void *self, int64_t device_id, unsigned limit,
                           bool (*each)(void *arg,
                                        const struct idv_masa_change *c),
                           void *arg) IDV_CHECKED;

/* rows of date, who, what, detail */
idv_rc idvi_change_rows(struct idvi_query *q,
                        bool (*each)(void *arg,
                                     const struct idv_masa_change *c),
                        void *arg) IDV_CHECKED;

/* masa_quota.c; the second within a transaction: IDV_E_LIMIT */
idv_rc idvi_quota_used(void *self, const struct idv_masa_quota *q,
                       int64_t *n) IDV_CHECKED;
idv_rc idvi_quota_take(struct idv_db *db,
                       const struct idv_masa_quota *q) IDV_CHECKED;

/* masa_status.c */
idv_rc idvi_status_find(void *self, const uint8_t cert_sha256[32], bool *found,
                        struct idv_cert_status *out) IDV_CHECKED;
idv_rc idvi_status_want(void *self, const X509 *cert, const X509 *issuer,
                        int64_t now, bool *taken) IDV_CHECKED;

/* masa_origin.c; put within a transaction */
idv_rc idvi_origins(void *self, const uint8_t key_sha256[32],
                    bool (*each)(void *arg, int64_t first_seen,
                                 const char *network),
                    void *arg) IDV_CHECKED;
idv_rc idvi_origin_put(struct idv_db *db,
                       const struct idv_masa_issue *i) IDV_CHECKED;
idv_rc idvi_origins_forget(void *self,
                           const uint8_t key_sha256[32]) IDV_CHECKED;

/* masa_imprint.c; the first within a transaction */
idv_rc idvi_imprint_put(struct idv_db *db,
                        const struct idv_masa_issue *i) IDV_CHECKED;
idv_rc idvi_imprint_highest(void *self, int64_t device_id,
                            uint64_t *generation) IDV_CHECKED;
idv_rc idvi_imprints(void *self, int64_t device_id, unsigned limit,
                     bool (*each)(void *arg, const struct idv_masa_imprint *i),
                     void *arg) IDV_CHECKED;

/* masa_policy.c */
idv_rc idvi_policy_each(void *self, const struct idv_masa_device *d,
                        bool (*each)(void *arg, const struct idv_masa_term *t),
                        void *arg) IDV_CHECKED;
void idvi_policy_people(struct idv_masa_people *p);

/* Those that are left of q, until each returns false. */
idv_rc idvi_device_rows(struct idvi_query *q,
                        bool (*each)(void *arg,
                                     const struct idv_masa_device *d),
                        void *arg) IDV_CHECKED;
idv_rc idvi_registrar_rows(struct idvi_query *q,
                           bool (*each)(void *arg, const uint8_t sha256[32],
                                        const struct idv_masa_registrar *r),
                           void *arg) IDV_CHECKED;

#define IDVI_SESSION_SELECT                                                    \
    "SELECT pvr_sha256, idevid_sha256, maker, serial_number, nonce, address,"  \
    " state, status, reason, created, changed, not_before, media, rvr,"        \
    " voucher, audit_log, judged_on FROM session"
idv_rc idvi_session_row(struct idvi_query *q,
                        struct idv_session *out) IDV_CHECKED;

#define IDVI_DECISION_SELECT                                                   \
    "SELECT maker, serial_number, decision, asked, decided FROM decision"
idv_rc idvi_decision_row(struct idvi_query *q,
                         struct idv_db_decision *out) IDV_CHECKED;

#define IDVI_STATUS_SELECT                                                     \
    "SELECT pvr_sha256, date, kind, status, cert_matches, reason, detail"      \
    " FROM status_event"
struct idvi_status {
    struct idv_status_event event; /* its texts are those below */
    char kind[32], reason[IDV_MAX_REASON], detail[IDV_MAX_REASON];
};
idv_rc idvi_status_row(struct idvi_query *q,
                       struct idvi_status *out) IDV_CHECKED;

#define IDVI_STORED_SELECT                                                     \
    "SELECT id, maker, serial_number, media, fetched, expires_on"

/* The registrar's gate: the part of the store table that is in
 * registrar_gate.c. */
void idvi_gate_store(struct idv_registrar_store *s);
void idvi_gate_people(struct idv_registrar_people *p);
idv_rc idvi_rules_each(void *self,
                       bool (*each)(void *arg, const struct idv_rule *r),
                       void *arg) IDV_CHECKED;

#define IDVI_ISSUED_SELECT                                                     \
    "SELECT client_sha256, csr_sha256, cert_sha256, subject_sha256,"           \
    " serial_number, issued, not_after, state, revoked, reason, cert FROM "    \
    "issued"
idv_rc idvi_issued_row(struct idvi_query *q,
                       struct idv_issued *out) IDV_CHECKED;
/* Those that are left of q, until each returns false. */
idv_rc idvi_issued_rows(struct idvi_query *q,
                        bool (*each)(void *arg, const struct idv_issued *i),
                        void *arg) IDV_CHECKED;

#endif
