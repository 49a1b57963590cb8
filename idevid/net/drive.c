/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a client machine: asks become connections, exchanges and waiting. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>

#include "net/http_client.h"

struct drive {
    const struct idv_machine *machine;
    const struct idv_drive_conf *conf;
    struct idvi_client *client;
    struct idv_ask ask;
    idv_rc fatal;    /* step failed while connecting */
    int64_t skipped; /* ms that conf.wait did not take */
};

/* fills d->ask with what the machine wants next; told is used up */
static idv_rc step(struct drive *d, struct idv_told *told)
{
    idv_ask_free(&d->ask);
    idv_note_clear();
    told->at_ms = idv_ticks_ms() + d->skipped;
    idv_rc rc = d->machine->step(d->machine->self, told, &d->ask);
    idv_told_free(told);
    return rc;
}

static idv_rc tell(struct drive *d, enum idv_told_kind kind)
{
    struct idv_told told = {0};
    idv_msg_init(&told.msg);
    told.kind = kind;
    return step(d, &told);
}

static idv_rc tell_lost(struct drive *d, idv_rc rc)
{
    struct idv_told told = {0};
    idv_msg_init(&told.msg);
    told.kind = IDV_TOLD_LOST;
    told.rc = rc;
    snprintf(told.note, sizeof(told.note), "%s", idv_note());
    idvi_client_free(idv_steal(&d->client));
    idv_log(d->conf->env, IDV_LOG_DEBUG, "lost", "reason=%s",
            idv_log_value(told.note));
    return step(d, &told);
}

static bool stopped(const struct drive *d)
{
    return d->conf->stop && __atomic_load_n(d->conf->stop, __ATOMIC_RELAXED);
}

/* an exchange ended: what the machine is told of it */
static idv_rc tell_outcome(struct drive *d, idv_rc rc, struct idv_msg *reply)
{
    struct idv_told told = {0};
    if (rc != IDV_OK) {
        idv_msg_free(reply);
        return stopped(d) ? rc : tell_lost(d, rc);
    }
    idv_msg_init(&told.msg);
    told.kind = IDV_TOLD_REPLY;
    idv_msg_move(&told.msg, reply);
    return step(d, &told);
}

static bool as_announced(const struct idv_msg *first, const struct idv_msg *m)
{
    return first->verb == m->verb && strcmp(first->path, m->path) == 0 &&
           strcmp(first->media, m->media) == 0 &&
           strcmp(first->accept, m->accept) == 0;
}

struct connecting {
    struct drive *d;
    struct idv_msg first; /* texts only */
    bool other;           /* the machine wants something else than to send */
};

static idv_rc connected(void *arg, struct idv_peer *peer, struct idv_buf *body)
{
    struct connecting *k = arg;
    struct drive *d = k->d;
    struct idv_told told = {0};
    idv_msg_init(&told.msg);
    told.kind = IDV_TOLD_CONNECTED;
    told.peer = *peer;
    peer->chain = NULL;
    d->fatal = step(d, &told);
    if (d->fatal != IDV_OK)
        return d->fatal;
    if (d->ask.kind != IDV_ASK_EXCHANGE) {
        k->other = true;
        return IDV_E_STATE;
    }
    if (!as_announced(&k->first, &d->ask.msg))
        return d->fatal = idv_fail(IDV_E_ARG,
                                   "drive: first exchange is not as announced");
    idv_buf_move(body, &d->ask.msg.body);
    return IDV_OK;
}

static idv_rc do_connect(struct drive *d)
{
    struct connecting k = {.d = d, .first = d->ask.connect.first};
    struct idv_msg reply;
    idv_msg_init(&reply);
    k.first.body = (struct idv_buf){0};
    idvi_client_free(idv_steal(&d->client));
    idv_rc rc = idvi_client_new(&d->ask.connect, d->conf, &d->client);
    if (rc == IDV_OK)
        rc = idvi_client_first(d->client, connected, &k, &reply);
    if (d->fatal != IDV_OK)
        return d->fatal;
    if (k.other) { /* d->ask is already the next one */
        idvi_client_free(idv_steal(&d->client));
        idv_note_clear();
        return IDV_OK;
    }
    return tell_outcome(d, rc, &reply);
}

static idv_rc do_exchange(struct drive *d)
{
    struct idv_msg req, reply;
    idv_msg_init(&req);
    idv_msg_init(&reply);
    idv_msg_move(&req, &d->ask.msg);
    idv_rc rc = d->client
                    ? idvi_client_exchange(d->client, &req, &reply)
                    : idv_fail(IDV_E_NET, "no connection to the registrar");
    idv_msg_free(&req);
    return tell_outcome(d, rc, &reply);
}

static idv_rc do_wait(struct drive *d)
{
    const struct idv_drive_conf *f = d->conf;
    int64_t end = idv_ticks_ms() + (int64_t)d->ask.seconds * 1000;
    if (d->ask.close)
        idvi_client_free(idv_steal(&d->client));
    if (f->wait) {
        IDV_TRY(f->wait(f->wait_arg, d->ask.seconds));
        d->skipped += (int64_t)d->ask.seconds * 1000;
        return tell(d, IDV_TOLD_ELAPSED);
    }
    for (int64_t left; (left = end - idv_ticks_ms()) > 0;) {
        if (stopped(d))
            return idv_fail(IDV_E_STATE, "stopped");
        poll(NULL, 0, left < 250 ? (int)left : 250);
    }
    return tell(d, IDV_TOLD_ELAPSED);
}

static idv_rc done(const struct idv_ask *ask)
{
    idv_note_clear();
    if (ask->rc == IDV_OK)
        return IDV_OK;
    return idv_fail(ask->rc, "%s", ask->note);
}

static idv_rc run(struct drive *d)
{
    IDV_TRY(tell(d, IDV_TOLD_START));
    for (;;) {
        if (stopped(d) && d->ask.kind != IDV_ASK_DONE)
            return idv_fail(IDV_E_STATE, "stopped");
        switch (d->ask.kind) {
        case IDV_ASK_CONNECT:
            IDV_TRY(do_connect(d));
            break;
        case IDV_ASK_EXCHANGE:
            IDV_TRY(do_exchange(d));
            break;
        case IDV_ASK_WAIT:
            IDV_TRY(do_wait(d));
            break;
        case IDV_ASK_DONE:
            return done(&d->ask);
        default:
            return idv_fail(IDV_E_STATE, "drive: the machine asks nothing");
        }
    }
}

idv_rc idv_drive(const struct idv_machine *machine,
                 const struct idv_drive_conf *conf)
{
    struct drive d = {.machine = machine, .conf = conf};
    idv_ask_free(&d.ask);
    idv_rc rc = run(&d);
    idvi_client_free(d.client);
    idv_ask_free(&d.ask);
    return rc;
}

struct first_lane {
    const struct idv_crew *crew;
};

static idv_rc first_step(void *self, struct idv_told *told, struct idv_ask *ask)
{
    const struct first_lane *f = self;
    return f->crew->step(f->crew->self, 0, told, ask);
}

idv_rc idv_drive_crew(const struct idv_crew *crew,
                      const struct idv_drive_conf *conf)
{
    struct first_lane f = {.crew = crew};
    const struct idv_machine machine = {.step = first_step, .self = &f};
    return idv_drive(&machine, conf);
}
