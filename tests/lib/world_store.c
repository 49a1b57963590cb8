/* SPDX-License-Identifier: Apache-2.0 */
/* The stores of a world: the real ones, each call of which may fail. */
#include "tests/lib/world.h"

#define FAULTY(call)                                                           \
    do {                                                                       \
        bool mine = ++w->calls == w->fail;                                     \
        if (mine && !w->after)                                                 \
            return idv_fail(IDV_E_IO, "store: out of order");                  \
        idv_rc rc_ = (call);                                                   \
        if (rc_ == IDV_OK && mine)                                             \
            return idv_fail(IDV_E_IO, "store: out of order afterwards");       \
        return rc_;                                                            \
    } while (0)

static struct idv_masa_store masa_real(struct world *w)
{
    return idv_db_masa_store(w->masa_db);
}

static idv_rc m_device_find(void *self, struct idv_bytes keyid,
                            const char *serial, bool *found,
                            struct idv_masa_device *out)
{
    struct world *w = self;
    FAULTY(masa_real(w).device_find(w->masa_db, keyid, serial, found, out));
}

static idv_rc
m_policy_each(void *self, const struct idv_masa_device *d,
              bool (*each)(void *arg, const struct idv_masa_term *t), void *arg)
{
    struct world *w = self;
    FAULTY(masa_real(w).policy_each(w->masa_db, d, each, arg));
}

static idv_rc m_registrar_find(void *self, const uint8_t cert[32], bool *found,
                               struct idv_masa_registrar *out)
{
    struct world *w = self;
    FAULTY(masa_real(w).registrar_find(w->masa_db, cert, found, out));
}

static idv_rc m_status_find(void *self, const uint8_t cert[32], bool *found,
                            struct idv_cert_status *out)
{
    struct world *w = self;
    FAULTY(masa_real(w).status_find(w->masa_db, cert, found, out));
}

static idv_rc m_status_want(void *self, const X509 *cert, const X509 *issuer,
                            int64_t now, bool *taken)
{
    struct world *w = self;
    FAULTY(masa_real(w).status_want(w->masa_db, cert, issuer, now, taken));
}

static idv_rc m_origins(void *self, const uint8_t key[32],
                        bool (*each)(void *arg, int64_t first_seen,
                                     const char *network),
                        void *arg)
{
    struct world *w = self;
    FAULTY(masa_real(w).origins(w->masa_db, key, each, arg));
}

static idv_rc m_issue_find(void *self, const uint8_t rvr[32], int64_t now,
                           bool *found, struct idv_masa_issue *out)
{
    struct world *w = self;
    FAULTY(masa_real(w).issue_find(w->masa_db, rvr, now, found, out));
}

static idv_rc m_issue_add(void *self, const struct idv_masa_issue *issue,
                          bool *fresh)
{
    struct world *w = self;
    FAULTY(masa_real(w).issue_add(w->masa_db, issue, fresh));
}

static idv_rc m_quota_used(void *self, const struct idv_masa_quota *q,
                           int64_t *n)
{
    struct world *w = self;
    FAULTY(masa_real(w).quota_used(w->masa_db, q, n));
}

static idv_rc m_generation_highest(void *self, int64_t id, uint64_t *generation)
{
    struct world *w = self;
    FAULTY(masa_real(w).generation_highest(w->masa_db, id, generation));
}

static idv_rc m_event_count(void *self, int64_t id,
                            enum idv_assertion assertion, int64_t since,
                            unsigned *n)
{
    struct world *w = self;
    FAULTY(masa_real(w).event_count(w->masa_db, id, assertion, since, n));
}

static idv_rc m_owner_known(void *self, int64_t id, const char *domain,
                            bool *known)
{
    struct world *w = self;
    FAULTY(masa_real(w).owner_known(w->masa_db, id, domain, known));
}

static idv_rc m_nonceless_since(void *self, int64_t id, const char *domain,
                                int64_t *date)
{
    struct world *w = self;
    FAULTY(masa_real(w).nonceless_since(w->masa_db, id, domain, date));
}

static idv_rc m_log_latest(void *self, int64_t *date)
{
    struct world *w = self;
    FAULTY(masa_real(w).log_latest(w->masa_db, date));
}

static idv_rc m_log_read(void *self, int64_t id, struct idv_audit_log *out)
{
    struct world *w = self;
    FAULTY(masa_real(w).log_read(w->masa_db, id, out));
}

static idv_rc m_tree_size(void *self, uint64_t *size)
{
    struct world *w = self;
    FAULTY(masa_real(w).tree_size(w->masa_db, size));
}

static idv_rc m_tree_read(void *self, const struct idv_tree_node *which,
                          size_t n, struct idv_hash *out)
{
    struct world *w = self;
    FAULTY(masa_real(w).tree_read(w->masa_db, which, n, out));
}

static idv_rc m_tree_find(void *self, const struct idv_hash *leaf, bool *found,
                          uint64_t *index)
{
    struct world *w = self;
    FAULTY(masa_real(w).tree_find(w->masa_db, leaf, found, index));
}

static idv_rc m_tree_entries(void *self, uint64_t first, unsigned n,
                             bool (*each)(void *arg, uint64_t index,
                                          const struct idv_log_entry *e),
                             void *arg)
{
    struct world *w = self;
    FAULTY(masa_real(w).tree_entries(w->masa_db, first, n, each, arg));
}

static idv_rc m_head_last(void *self, bool *found, struct idv_buf *out)
{
    struct world *w = self;
    FAULTY(masa_real(w).head_last(w->masa_db, found, out));
}

static idv_rc m_head_add(void *self, const struct idv_tree_head *h,
                         struct idv_bytes item)
{
    struct world *w = self;
    FAULTY(masa_real(w).head_add(w->masa_db, h, item));
}

static struct idv_masa_store masa_faulty(struct world *w)
{
    return (struct idv_masa_store){
        .self = w,
        .device_find = m_device_find,
        .policy_each = m_policy_each,
        .registrar_find = m_registrar_find,
        .status_find = m_status_find,
        .status_want = m_status_want,
        .origins = m_origins,
        .issue_find = m_issue_find,
        .issue_add = m_issue_add,
        .quota_used = m_quota_used,
        .generation_highest = m_generation_highest,
        .event_count = m_event_count,
        .owner_known = m_owner_known,
        .nonceless_since = m_nonceless_since,
        .log_latest = m_log_latest,
        .log_read = m_log_read,
        .tree_size = m_tree_size,
        .tree_read = m_tree_read,
        .tree_find = m_tree_find,
        .tree_entries = m_tree_entries,
        .head_last = m_head_last,
        .head_add = m_head_add,
    };
}

static struct idv_registrar_store reg_real(struct world *w)
{
    return idv_db_registrar_store(w->reg_db);
}

static idv_rc r_get(void *self, const uint8_t pvr[32], bool *found,
                    struct idv_session *out)
{
    struct world *w = self;
    FAULTY(reg_real(w).session_get(w->reg_db, pvr, found, out));
}

static idv_rc r_last(void *self, const uint8_t idevid[32], bool *found,
                     struct idv_session *out)
{
    struct world *w = self;
    FAULTY(reg_real(w).session_last(w->reg_db, idevid, found, out));
}

static idv_rc r_state(void *self, const uint8_t idevid[32], bool *found,
                      enum idv_session_state *out)
{
    struct world *w = self;
    FAULTY(reg_real(w).session_state(w->reg_db, idevid, found, out));
}

static idv_rc r_count(void *self, const uint8_t idevid[32], int64_t since,
                      unsigned *n)
{
    struct world *w = self;
    FAULTY(reg_real(w).session_count(w->reg_db, idevid, since, n));
}

static idv_rc r_add(void *self, const struct idv_session *s, bool *fresh)
{
    struct world *w = self;
    FAULTY(reg_real(w).session_add(w->reg_db, s, fresh));
}

static idv_rc r_update(void *self, const struct idv_session *s,
                       enum idv_session_state from, bool *done)
{
    struct world *w = self;
    FAULTY(reg_real(w).session_update(w->reg_db, s, from, done));
}

static idv_rc r_claim(void *self, const uint8_t pvr[32], int64_t now,
                      int64_t stale, bool own, bool *claimed)
{
    struct world *w = self;
    FAULTY(reg_real(w).session_claim(w->reg_db, pvr, now, stale, own, claimed));
}

static idv_rc r_decision(void *self, const char *maker, const char *serial,
                         bool ask, int64_t now, enum idv_decision *out)
{
    struct world *w = self;
    FAULTY(reg_real(w).decision(w->reg_db, maker, serial, ask, now, out));
}

static idv_rc r_status(void *self, const struct idv_status_event *e)
{
    struct world *w = self;
    FAULTY(reg_real(w).status_add(w->reg_db, e));
}

static idv_rc r_rules(void *self,
                      bool (*each)(void *arg, const struct idv_rule *r),
                      void *arg)
{
    struct world *w = self;
    FAULTY(reg_real(w).rules(w->reg_db, each, arg));
}

static idv_rc r_finding(void *self, const struct idv_finding *f)
{
    struct world *w = self;
    FAULTY(reg_real(w).finding_add(w->reg_db, f));
}

static idv_rc r_own(void *self, const char *maker, const char *serial,
                    bool (*each)(void *arg, const char *nonce), void *arg,
                    unsigned *stored)
{
    struct world *w = self;
    FAULTY(
        reg_real(w).own_requests(w->reg_db, maker, serial, each, arg, stored));
}

static idv_rc r_forgotten(void *self, const char *maker, const char *serial,
                          const char *nonce, bool *known)
{
    struct world *w = self;
    FAULTY(reg_real(w).own_forgotten(w->reg_db, maker, serial, nonce, known));
}

static idv_rc r_stored(void *self, const char *maker, const char *serial,
                       const char *media, int64_t now, bool *found,
                       struct idv_stored_voucher *out)
{
    struct world *w = self;
    FAULTY(reg_real(w).stored_get(w->reg_db, maker, serial, media, now, found,
                                  out));
}

static idv_rc r_imprinted(void *self, const char *maker, const char *serial,
                          bool *allowed)
{
    struct world *w = self;
    FAULTY(reg_real(w).imprinted(w->reg_db, maker, serial, allowed));
}

static idv_rc r_log_head(void *self, const char *maker, bool *found,
                         struct idv_buf *item)
{
    struct world *w = self;
    FAULTY(reg_real(w).log_head(w->reg_db, maker, found, item));
}

static idv_rc r_log_keep(void *self, const char *maker, uint64_t size,
                         struct idv_bytes item)
{
    struct world *w = self;
    FAULTY(reg_real(w).log_head_keep(w->reg_db, maker, size, item));
}

static idv_rc r_evidence(void *self, const struct idv_kept_evidence *e)
{
    struct world *w = self;
    FAULTY(reg_real(w).evidence_put(w->reg_db, e));
}

static struct idv_registrar_store reg_faulty(struct world *w)
{
    return (struct idv_registrar_store){
        .self = w,
        .session_get = r_get,
        .session_last = r_last,
        .session_state = r_state,
        .session_count = r_count,
        .session_add = r_add,
        .session_update = r_update,
        .session_claim = r_claim,
        .decision = r_decision,
        .status_add = r_status,
        .rules = r_rules,
        .finding_add = r_finding,
        .own_requests = r_own,
        .own_forgotten = r_forgotten,
        .stored_get = r_stored,
        .imprinted = r_imprinted,
        .evidence_put = r_evidence,
        .log_head = r_log_head,
        .log_head_keep = r_log_keep,
    };
}

static struct idv_est_store est_real(struct world *w)
{
    return idv_db_est_store(w->reg_db);
}

static idv_rc e_csr(void *self, const uint8_t client[32], const uint8_t csr[32],
                    bool *found, struct idv_issued *out)
{
    struct world *w = self;
    FAULTY(est_real(w).find_csr(w->reg_db, client, csr, found, out));
}

static idv_rc e_cert(void *self, const uint8_t cert[32], bool *found,
                     struct idv_issued *out)
{
    struct world *w = self;
    FAULTY(est_real(w).find_cert(w->reg_db, cert, found, out));
}

static idv_rc e_subject(void *self, const uint8_t subject[32], bool *found,
                        struct idv_issued *out)
{
    struct world *w = self;
    FAULTY(est_real(w).find_subject(w->reg_db, subject, found, out));
}

static idv_rc e_client(void *self, const uint8_t client[32], bool *found,
                       struct idv_issued *out)
{
    struct world *w = self;
    FAULTY(est_real(w).find_client(w->reg_db, client, found, out));
}

static idv_rc e_revoke(void *self, const uint8_t cert[32], int reason,
                       int64_t now, bool *done)
{
    struct world *w = self;
    FAULTY(est_real(w).revoke(w->reg_db, cert, reason, now, done));
}

static idv_rc e_order(void *self, const uint8_t client[32],
                      const uint8_t csr[32], int64_t now, int64_t stale,
                      bool *claimed)
{
    struct world *w = self;
    FAULTY(est_real(w).order(w->reg_db, client, csr, now, stale, claimed));
}

static idv_rc e_order_end(void *self, const uint8_t client[32],
                          const uint8_t csr[32])
{
    struct world *w = self;
    FAULTY(est_real(w).order_end(w->reg_db, client, csr));
}

static idv_rc e_number(void *self, const char *client, int64_t *number)
{
    struct world *w = self;
    FAULTY(est_real(w).number(w->reg_db, client, number));
}

static idv_rc e_add(void *self, const struct idv_issued *issued, bool *fresh)
{
    struct world *w = self;
    FAULTY(est_real(w).add(w->reg_db, issued, fresh));
}

static struct idv_est_store est_faulty(struct world *w)
{
    return (struct idv_est_store){
        .self = w,
        .find_csr = e_csr,
        .find_cert = e_cert,
        .find_subject = e_subject,
        .find_client = e_client,
        .revoke = e_revoke,
        .order = e_order,
        .order_end = e_order_end,
        .number = e_number,
        .add = e_add,
    };
}

void world_stores(struct world *w)
{
    w->masa_store = masa_faulty(w);
    w->reg_store = reg_faulty(w);
    w->reg_conf.ca.est.store = est_faulty(w);
}
