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
    world_stores(w);
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
    pki_must(idv_db_registrar_store(w->reg_db).session_last(w->reg_db, hash,
                                                            &found, &s),
             "session");
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
