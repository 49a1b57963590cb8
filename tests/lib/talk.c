/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge, a registrar and a MASA in one process, and what may happen to the
 * messages between them. */
#include "tests/unit/codec.h"

#include <idevid/machine.h>

#include "tests/lib/talk.h"

void talk_init(struct talk *t, struct world *w)
{
    memset(t, 0, sizeof(*t));
    t->world = w;
    fakedev_init(&t->dev, &w->pki);
}

void talk_free(struct talk *t)
{
    for (int i = 0; i < t->taped; i++)
        idv_msg_free(&t->tape[i].msg);
    idv_peer_free(&t->server);
    fakedev_free(&t->dev);
}

/* --- messages on their way ---------------------------------------------- */

static void copy(struct idv_msg *to, const struct idv_msg *from)
{
    idv_buf_free(&to->body);
    *to = *from;
    to->body = (struct idv_buf){.max = IDV_MAX_BODY};
    OK(idv_buf_put(&to->body, idv_view(&from->body)));
}

static void record(struct talk *t, enum talk_leg leg, const char *path,
                   const struct idv_msg *m)
{
    assert_true(t->taped < TALK_HOPS);
    struct talk_tape *tape = &t->tape[t->taped++];
    tape->leg = leg;
    strcpy(tape->path, path);
    idv_msg_init(&tape->msg);
    if (m)
        copy(&tape->msg, m);
}

static void replay(struct talk *t, enum talk_leg leg, const char *path,
                   struct idv_msg *m)
{
    const struct talk_tape *tape = &t->tape[t->at_hop - 1];
    if (t->at_hop > t->taped || tape->leg != leg ||
        strcmp(tape->path, path) != 0)
        return;
    copy(m, &tape->msg);
}

/* what becomes of m; false when it is lost, *twice when it arrives again */
static bool pass(struct talk *t, enum talk_leg leg, const char *path,
                 struct idv_msg *m, bool *twice)
{
    *twice = false;
    if (t->record)
        record(t, leg, path, m);
    if (++t->hops != t->at_hop)
        return true;
    t->struck = true;
    if (t->fault == TALK_LOSE)
        return false;
    *twice = t->fault == TALK_DUPLICATE;
    if (!m)
        return true;
    if (t->fault == TALK_TRUNCATE && t->at < m->body.n)
        m->body.n = t->at;
    if (t->fault == TALK_FLIP && t->at < m->body.n)
        m->body.p[t->at] ^= 1 << t->at % 8;
    if (t->fault == TALK_REPLAY)
        replay(t, leg, path, m);
    return true;
}

static idv_rc gone(struct talk *t)
{
    t->open = false;
    return idv_fail(IDV_E_NET, "the connection broke");
}

/* --- the MASA's side ---------------------------------------------------- */

struct seek {
    const char *nonce;
    bool found;
};

static bool seek(void *arg, int64_t number, const char *serial,
                 const struct idv_audit_event *e)
{
    (void)number;
    struct seek *s = arg;
    assert_string_equal(serial, PKI_SERIAL);
    s->found = s->found || strcmp(e->nonce, s->nonce) == 0;
    return true;
}

/* R-M: what was issued is in the log before anybody sees it */
static void check_logged(struct talk *t, const struct idv_msg *m)
{
    IDV_AUTO(opened) opened = {0};
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER);
    OK(idv_envelope_open(m->media, idv_view(&m->body), &opened));
    OK(idv_voucher_from(m->media, idv_view(&opened.payload), IDV_VOUCHER, &v));
    struct seek s = {.nonce = v.nonce};
    struct idv_masa_people p = idv_db_masa_people(t->world->masa_db);
    OK(p.events(p.self, "", 0, UINT_MAX, seek, &s));
    assert_true(s.found);
}

static void upstream(struct talk *t, struct idv_call *call,
                     struct idv_told *told)
{
    const char *path = call->up.msg.path;
    bool twice, ignored;
    bool arrives = pass(t, TALK_UP, path, &call->up.msg, &twice);
    if (arrives)
        world_upstream(t->world, &call->up, told);
    if (arrives && twice)
        world_upstream(t->world, &call->up, told);
    if (arrives && told->msg.status == 200 &&
        strcmp(path, IDV_PATH_REQUESTVOUCHER) == 0)
        check_logged(t, &told->msg);
    if (arrives && pass(t, TALK_DOWN, path, &told->msg, &ignored))
        return;
    idv_told_free(told);
    told->kind = IDV_TOLD_LOST;
    told->rc = IDV_E_NET;
}

/* --- the registrar's side ----------------------------------------------- */

static void serve(struct talk *t, const struct idv_msg *req,
                  struct idv_msg *reply)
{
    struct idv_service s = idv_registrar_service(t->world->reg);
    enum idv_next next = IDV_NEXT_REPLY;
    struct idv_call call;
    struct idv_told told = {0};
    idv_msg_init(&told.msg);
    idv_call_init(&call, &t->server);
    copy(&call.req, req);
    call.may_store = true;
    idv_rc rc = s.serve(s.self, &call, NULL, &next);
    while (rc == IDV_OK && next == IDV_NEXT_UPSTREAM) {
        upstream(t, &call, &told);
        rc = s.serve(s.self, &call, &told, &next);
    }
    if (rc == IDV_OK && next == IDV_NEXT_STORE)
        rc = world_store(t->world, s, &call, &next);
    if (rc == IDV_OK)
        copy(reply, &call.reply);
    else
        OK((idv_note_clear(), idv_msg_refuse(reply, 500, "failed")));
    t->open = !call.close;
    idv_told_free(&told);
    idv_call_free(&call);
}

static idv_rc on_connect(void *arg, const struct idv_connect *c,
                         struct idv_peer *peer)
{
    struct talk *t = arg;
    const STACK_OF(X509) *chain = c->chain;
    bool ignored;
    if (!pass(t, TALK_CONNECT, "", NULL, &ignored))
        return gone(t);
    t->open = true;
    X509 *next = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : NULL;
    world_peer(&t->server, sk_X509_value(chain, 0), next, ++t->connections);
    peer->chain = idv_certs_dup(t->world->pki.tls_chain);
    peer->connection = t->connections;
    peer->binding_n = t->server.binding_n;
    memcpy(peer->binding, t->server.binding, sizeof(peer->binding));
    return IDV_OK;
}

static idv_rc on_exchange(void *arg, struct idv_msg *req, struct idv_msg *reply)
{
    struct talk *t = arg;
    bool twice, ignored;
    if (!t->open)
        return gone(t);
    if (!pass(t, TALK_REQUEST, req->path, req, &twice))
        return gone(t);
    serve(t, req, reply);
    if (twice)
        serve(t, req, reply);
    if (!pass(t, TALK_REPLY, req->path, reply, &ignored))
        return gone(t);
    return IDV_OK;
}

static void on_wait(void *arg, int seconds, bool close)
{
    struct talk *t = arg;
    t->world->pki.env.now += seconds;
    if (t->masa_away && --t->masa_away == 0)
        t->world->link = WORLD_LINK_MASA;
    if (close)
        t->open = false;
}

/* --- runs --------------------------------------------------------------- */

/* The domain's CA; or what became of its certificate on the way to the MASA
 * where that looks like a CA under another: of the same key, so that whoever
 * it vouches for is the domain's, and the registrar says so. */
static void check_pin(const struct talk *t, const X509 *pin)
{
    const X509 *ca = t->world->pki.domain_ca.cert;
    if (idv_cert_eq(pin, ca))
        return;
    assert_true(idv_cert_same_key(pin, ca));
    assert_non_null(strstr(t->world->log, "voucher-odd what=pin"));
}

static void check_device(struct talk *t)
{
    const enum idv_trust_state before = fakedev_state(&t->dev);
    t->dev.anchor.fail_at = 0;
    fakedev_reopen(&t->dev, &t->world->pki);
    const struct idv_trust *trust = t->dev.trust;
    /* a device that could not say what it holds may hold more */
    if (t->dev.anchor.dead)
        assert_true(idv_trust_state(trust) >= before);
    else
        assert_int_equal(idv_trust_state(trust), before);
    if (idv_trust_state(trust) != IDV_TRUST_NONE)
        check_pin(t, idv_trust_pin(trust));
    if (idv_trust_state(trust) == IDV_TRUST_ENROLLED) {
        X509 *leaf = sk_X509_value(idv_trust_enrollment(trust)->ldevid, 0);
        assert_int_equal(X509_check_private_key(leaf, t->dev.last_key), 1);
    }
}

idv_rc talk_run(struct talk *t)
{
    struct idv_pledge *p = NULL;
    memset(&t->drive, 0, sizeof(t->drive));
    t->drive.connect = on_connect;
    t->drive.exchange = on_exchange;
    t->drive.wait = on_wait;
    t->drive.arg = t;
    t->hops = 0;
    t->struck = t->open = false;
    t->dev.conf.trust = t->dev.trust;
    OK(idv_pledge_new(&t->dev.conf, &t->world->pki.env.env, &p));
    memdrive_run(&t->drive,
                 t->dev.renew ? idv_pledge_renew(p) : idv_pledge_join(p));
    idv_pledge_free(p);
    check_device(t);
    return t->drive.rc;
}

void talk_run_clean(struct talk *t)
{
    t->fault = TALK_FINE;
    t->at_hop = 0;
    t->dev.anchor.fail_at = 0;
    t->dev.keys_fail = false;
    t->world->fail = 0;
    t->world->link = WORLD_LINK_MASA;
    if (talk_run(t) != IDV_OK)
        print_error("%s\n%s\n", t->drive.note, t->world->log);
    assert_int_equal(t->drive.rc, IDV_OK);
    assert_int_equal(fakedev_state(&t->dev), IDV_TRUST_ENROLLED);
}
