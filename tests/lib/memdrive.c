/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a client machine without a network, as a real driver would. */
#include "tests/unit/codec.h"

#include "tests/lib/memdrive.h"

struct run {
    struct memdrive *d;
    struct idv_machine machine;
    struct idv_ask ask;
    struct idv_connect announced;
    bool open;  /* a connection was made and not closed */
    bool alive; /* and works */
    bool first; /* nothing was sent over it */
};

static void step(struct run *r, struct idv_told *told)
{
    if (++r->d->steps > (r->d->max_steps ? r->d->max_steps : 10000))
        fail_msg("the machine never ends");
    idv_ask_free(&r->ask);
    told->at_ms = r->d->now_ms;
    OK(r->machine.step(r->machine.self, told, &r->ask));
    assert_string_equal(idv_note(), "");
    idv_told_free(told);
}

static void tell_lost(struct run *r, idv_rc rc)
{
    struct idv_told told = {.kind = IDV_TOLD_LOST, .rc = rc};
    idv_msg_init(&told.msg);
    strcpy(told.note, idv_note());
    idv_note_clear();
    r->alive = false;
    step(r, &told);
}

static void do_connect(struct run *r)
{
    struct idv_told told = {.kind = IDV_TOLD_CONNECTED};
    struct idv_connect *c = &r->ask.connect;
    idv_msg_init(&told.msg);
    assert_true(c->host[0] && c->port);
    assert_int_equal(c->first.body.n, 0);
    r->announced = *c;
    r->open = r->alive = r->first = true;
    idv_rc rc = r->d->connect(r->d->arg, c, &told.peer);
    if (rc == IDV_OK && c->verify)
        rc = c->verify(c->verify_ctx, told.peer.chain);
    if (rc == IDV_OK) {
        step(r, &told);
        return;
    }
    idv_told_free(&told);
    tell_lost(r, rc);
}

static void check_first(struct run *r)
{
    const struct idv_msg *a = &r->announced.first, *m = &r->ask.msg;
    assert_true(r->open);
    if (!r->first)
        return;
    assert_int_equal(m->verb, a->verb);
    assert_string_equal(m->path, a->path);
    assert_string_equal(m->media, a->media);
    assert_string_equal(m->accept, a->accept);
    r->first = false;
}

static void do_exchange(struct run *r)
{
    struct idv_told told = {.kind = IDV_TOLD_REPLY};
    struct idv_msg req;
    idv_msg_init(&told.msg);
    idv_msg_init(&req);
    check_first(r);
    idv_msg_move(&req, &r->ask.msg);
    idv_rc rc = r->alive ? r->d->exchange(r->d->arg, &req, &told.msg)
                         : idv_fail(IDV_E_NET, "connection is gone");
    idv_msg_free(&req);
    if (rc == IDV_OK) {
        step(r, &told);
        return;
    }
    idv_told_free(&told);
    tell_lost(r, rc);
}

static void do_wait(struct run *r)
{
    struct idv_told told = {.kind = IDV_TOLD_ELAPSED};
    idv_msg_init(&told.msg);
    assert_true(r->ask.seconds > 0);
    if (r->ask.close)
        r->open = r->alive = false;
    r->d->now_ms += (int64_t)r->ask.seconds * 1000;
    if (r->d->wait)
        r->d->wait(r->d->arg, r->ask.seconds, r->ask.close);
    step(r, &told);
}

void memdrive_run(struct memdrive *d, struct idv_machine machine)
{
    struct run r = {.d = d, .machine = machine};
    struct idv_told told = {.kind = IDV_TOLD_START};
    idv_msg_init(&told.msg);
    d->steps = 0;
    step(&r, &told);
    while (r.ask.kind != IDV_ASK_DONE) {
        if (r.ask.kind == IDV_ASK_CONNECT)
            do_connect(&r);
        else if (r.ask.kind == IDV_ASK_EXCHANGE)
            do_exchange(&r);
        else if (r.ask.kind == IDV_ASK_WAIT)
            do_wait(&r);
        else
            fail_msg("the machine asks nothing");
    }
    d->rc = r.ask.rc;
    strcpy(d->note, r.ask.note);
    assert_int_equal(d->rc == IDV_OK, d->note[0] == 0);
    idv_ask_free(&r.ask);
}
