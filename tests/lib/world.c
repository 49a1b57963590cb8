/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar and a MASA with their stores, talked to without a network. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/est.h>

#include "tests/lib/world.h"

/* --- log ---------------------------------------------------------------- */

static struct world *logging; /* env's ctx belongs to the test PKI */

static void keep_line(void *ctx, enum idv_level level, const char *line)
{
    size_t n = strlen(logging->log);
    (void)ctx;
    (void)level;
    snprintf(logging->log + n, sizeof(logging->log) - n, "%s\n", line);
}

bool world_why(const struct world *w, const char *why)
{
    char want[128];
    snprintf(want, sizeof(want), "why=%s ", why);
    return strstr(w->log, want) != NULL;
}

/* --- stores that fail --------------------------------------------------- */

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

/* --- the world ---------------------------------------------------------- */

void world_peer(struct idv_peer *p, X509 *leaf, X509 *next, uint64_t number)
{
    idv_peer_free(p);
    p->chain = pki_stack(leaf, next);
    p->connection = number;
    p->binding_n = 32;
    memset(p->binding, (int)number, 32);
    snprintf(p->address, sizeof(p->address), "192.0.2.%d", (int)number);
}

static char place[256] = ":memory:";

void world_place(const char *url)
{
    snprintf(place, sizeof(place), "%s", url ? url : ":memory:");
}

static void make_stores(struct world *w)
{
    pki_must(idv_db_open(place, &w->reg_db), "registrar's store");
    pki_must(idv_db_open(place, &w->masa_db), "masa's store");
    w->masa_store = (struct idv_masa_store){w,
                                            m_device_find,
                                            m_policy_each,
                                            m_registrar_find,
                                            m_status_find,
                                            m_status_want,
                                            m_origins,
                                            m_issue_find,
                                            m_issue_add,
                                            m_quota_used,
                                            m_generation_highest,
                                            m_event_count,
                                            m_owner_known,
                                            m_nonceless_since,
                                            m_log_latest,
                                            m_log_read,
                                            m_tree_size,
                                            m_tree_read,
                                            m_tree_find,
                                            m_tree_entries,
                                            m_head_last,
                                            m_head_add};
    w->reg_store = (struct idv_registrar_store){
        w,           r_get,      r_last,     r_state,     r_count,
        r_add,       r_update,   r_claim,    r_decision,  r_status,
        r_rules,     r_finding,  r_own,      r_forgotten, r_stored,
        r_imprinted, r_evidence, r_log_head, r_log_keep};
    w->reg_conf.ca.est.store = (struct idv_est_store){
        w,        e_csr,   e_cert,      e_subject, e_client,
        e_revoke, e_order, e_order_end, e_number,  e_add};
}

static void register_device(struct world *w)
{
    struct idv_masa_device d = {.serial_number = PKI_SERIAL};
    IDV_AUTO(buf) issuer = {0};
    IDV_AUTO(buf) keyid = {0};
    bool fresh = false;
    pki_must(idv_idevid_issuer(w->pki.idevid.cert, false, &issuer), "issuer");
    pki_must(idv_idevid_issuer_keyid(idv_view(&issuer), &keyid), "keyid");
    memcpy(d.keyid, keyid.p, keyid.n);
    d.keyid_n = keyid.n;
    pki_must(idv_db_device_add(w->masa_db, &d, &fresh), "device");
}

static void configure_masa(struct world *w)
{
    w->signer = (struct idv_masa_signer){.key = w->pki.masa.key,
                                         .cert = w->pki.masa.cert};
    w->maker = (struct idv_masa_maker){
        .name = "maker",
        .signers = &w->signer,
        .n_signers = 1,
        .idevid_anchors = w->pki.anchors,
    };
    w->masa_conf = (struct idv_masa_conf){
        .makers = &w->maker, .n_makers = 1, .store = &w->masa_store};
}

static void configure_registrar(struct world *w)
{
    struct idv_registrar_conf *conf = &w->reg_conf;
    w->reg_maker = (struct idv_registrar_maker){
        .name = "maker", .anchors = w->pki.anchors, .admit = IDV_ADMIT_ALL};
    w->ca = (struct idv_est_local_ca){
        .key = w->pki.domain_ca.key,
        .cert = w->pki.domain_ca.cert,
        .chain = pki_stack(w->pki.domain_ca.cert, NULL),
        .env = &w->pki.env.env,
    };
    conf->key = w->pki.registrar.key;
    conf->cert = w->pki.registrar.cert;
    conf->chain = w->pki.tls_chain;
    conf->makers = &w->reg_maker;
    conf->n_makers = 1;
    conf->store = &w->reg_store;
    conf->ca.est.ca = idv_est_local_ca(&w->ca);
}

void world_configure(struct world *w)
{
    idv_masa_free(w->masa);
    idv_registrar_free(w->reg);
    w->masa = NULL;
    w->reg = NULL;
    pki_must(idv_masa_new(&w->masa_conf, &w->pki.env.env, &w->masa), "masa");
    pki_must(idv_registrar_new(&w->reg_conf, &w->pki.env.env, &w->reg),
             "registrar");
}

void world_make(struct world *w)
{
    memset(w, 0, sizeof(*w));
    pki_make(&w->pki);
    w->pki.env.env.log = keep_line;
    logging = w;
    idv_msg_init(&w->reply);
    idv_msg_init(&w->upstream);
    idv_msg_init(&w->canned);
    make_stores(w);
    register_device(w);
    configure_masa(w);
    configure_registrar(w);
    world_configure(w);
    world_peer(&w->pledge, w->pki.idevid.cert, w->pki.maker_ca.cert, 1);
}

void world_free(struct world *w)
{
    idv_masa_free(w->masa);
    idv_registrar_free(w->reg);
    idv_db_close(w->reg_db);
    idv_db_close(w->masa_db);
    idv_peer_free(&w->pledge);
    idv_peer_free(&w->member);
    idv_msg_free(&w->reply);
    idv_msg_free(&w->upstream);
    idv_msg_free(&w->canned);
    idv_certs_free((STACK_OF(X509) *)(uintptr_t)w->ca.chain);
    pki_free(&w->pki);
}

void world_can(struct world *w, int status, const char *media, const char *body)
{
    w->link = WORLD_LINK_CANNED;
    pki_must(idv_msg_reply(&w->canned, status, media, idv_str(body)), "canned");
}

/* --- conversation ------------------------------------------------------- */

static void copy_msg(struct idv_msg *to, const struct idv_msg *from)
{
    idv_msg_free(to);
    *to = *from;
    to->body = (struct idv_buf){.max = IDV_MAX_BODY};
    pki_must(idv_buf_put(&to->body, idv_view(&from->body)), "copy");
}

static void ask_masa(struct world *w, struct idv_told *told)
{
    struct idv_service s = idv_masa_service(w->masa);
    struct idv_peer peer = {.address = "192.0.2.99"};
    struct idv_call call;
    enum idv_next next = IDV_NEXT_UPSTREAM;
    idv_call_init(&call, &peer);
    copy_msg(&call.req, &w->upstream);
    idv_rc rc = s.serve(s.self, &call, NULL, &next);
    if (rc == IDV_OK) {
        copy_msg(&told->msg, &call.reply);
    } else {
        idv_note_clear();
        told->msg.status = 500;
    }
    idv_call_free(&call);
}

void world_upstream(struct world *w, const struct idv_upstream *up,
                    struct idv_told *told)
{
    w->upstreams++;
    copy_msg(&w->upstream, &up->msg);
    snprintf(w->upstream_host, sizeof(w->upstream_host), "%s", up->url.host);
    w->upstream_port = up->url.port;
    w->upstream_auth = up->key && up->chain;
    snprintf(w->upstream_user, sizeof(w->upstream_user), "%s",
             up->user ? up->user : "");
    snprintf(w->upstream_password, sizeof(w->upstream_password), "%s",
             up->password ? up->password : "");
    w->upstream_digest = up->digest;
    idv_told_free(told);
    told->kind = IDV_TOLD_REPLY;
    if (w->link == WORLD_LINK_LOST) {
        told->kind = IDV_TOLD_LOST;
        told->rc = IDV_E_NET;
        snprintf(told->note, sizeof(told->note), "nobody there");
    } else if (w->link == WORLD_LINK_CANNED) {
        copy_msg(&told->msg, &w->canned);
    } else {
        ask_masa(w, told);
    }
}

idv_rc world_store(struct world *w, struct idv_service s, struct idv_call *call,
                   enum idv_next *next)
{
    struct idv_told told = {.kind = IDV_TOLD_STORE};
    call->may_store = false;
    pki_must(idv_db_gather(w->reg_db), "gather");
    idv_rc rc = s.serve(s.self, call, &told, next);
    pki_must(idv_db_commit(w->reg_db), "commit");
    return rc;
}

static idv_rc converse(struct world *w, struct idv_service s,
                       struct idv_call *call)
{
    enum idv_next next = IDV_NEXT_REPLY;
    struct idv_told told;
    memset(&told, 0, sizeof(told));
    call->may_store = w->reg_db && !w->at_once;
    idv_rc rc = s.serve(s.self, call, NULL, &next);
    while (rc == IDV_OK && next == IDV_NEXT_UPSTREAM) {
        world_upstream(w, &call->up, &told);
        rc = s.serve(s.self, call, &told, &next);
    }
    if (rc == IDV_OK && next == IDV_NEXT_STORE)
        rc = world_store(w, s, call, &next);
    idv_told_free(&told);
    return rc;
}

int world_ask(struct world *w, struct idv_service s, struct idv_peer *peer,
              enum idv_verb verb, const char *path, const char *media,
              struct idv_bytes body)
{
    struct idv_call call;
    w->log[0] = 0;
    idv_call_init(&call, peer);
    call.req.verb = verb;
    snprintf(call.req.path, sizeof(call.req.path), "%s", path);
    snprintf(call.req.media, sizeof(call.req.media), "%s", media);
    snprintf(call.req.accept, sizeof(call.req.accept), "%s", w->accept);
    pki_must(idv_buf_put(&call.req.body, body), "body");
    idv_rc rc = converse(w, s, &call);
    copy_msg(&w->reply, &call.reply);
    w->closed = call.close;
    idv_call_free(&call);
    if (rc != IDV_OK)
        idv_note_clear();
    return rc == IDV_OK ? w->reply.status : -(int)rc;
}

int world_registrar(struct world *w, const char *path, const char *media,
                    struct idv_bytes body)
{
    return world_ask(w, idv_registrar_service(w->reg), &w->pledge, IDV_POST,
                     path, media, body);
}

int world_masa(struct world *w, const char *path, struct idv_bytes body)
{
    struct idv_peer peer = {.address = "192.0.2.99"};
    return world_ask(w, idv_masa_service(w->masa), &peer, IDV_POST, path,
                     IDV_MEDIA_VOUCHER_CMS, body);
}

/* --- looking ------------------------------------------------------------ */

int world_state(struct world *w)
{
    struct idv_session s = {0};
    uint8_t hash[32];
    bool found = false;
    pki_must(idv_cert_sha256(w->pki.idevid.cert, hash), "hash");
    pki_must(reg_real(w).session_last(w->reg_db, hash, &found, &s), "session");
    int state = found ? (int)s.state : -1;
    idv_session_free(&s);
    return state;
}

static bool count(void *arg, int64_t number, const char *serial,
                  const struct idv_audit_event *e)
{
    (void)number;
    (void)serial;
    (void)e;
    ++*(int *)arg;
    return true;
}

int world_events(struct world *w)
{
    int n = 0;
    struct idv_masa_people p = idv_db_masa_people(w->masa_db);
    pki_must(p.events(p.self, "", 0, UINT_MAX, count, &n), "log");
    return n;
}

void world_csr(EVP_PKEY *key, const X509_NAME *subject, const char *challenge,
               struct idv_buf *out)
{
    IDV_AUTO(buf) der = {0};
    pki_must(idv_csr_make(key, subject, NULL, challenge, &der), "csr");
    idv_buf_clear(out);
    pki_must(idv_est_body_from_der(idv_view(&der), out), "csr body");
}
