/* SPDX-License-Identifier: Apache-2.0 */
/* A server of ours in a thread, and a machine that makes exchanges. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/nettest_int.h"

void nt_must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "nettest: %s failed\n", what);
    abort();
}

/* --- a server of ours --------------------------------------------------- */

static idv_rc make(void *arg, struct idv_server_worker *w)
{
    struct nt_server *s = arg;
    w->key = s->id->key;
    w->chain = s->chain;
    w->service = s->service;
    w->admin = s->admin;
    w->turned_away = s->turned_away;
    w->device_failed = s->device_failed;
    w->public = s->public;
    w->tick = s->tick;
    w->tick_ms = s->tick_ms;
    w->commit = s->commit;
    w->gather = s->gather;
    w->hosts = s->hosts;
    w->hosts_n = s->hosts_n;
    w->names = s->names;
    w->names_only = s->names_only;
    w->self = s->service.self;
    return IDV_OK;
}

static void ready(void *arg, const struct idv_server_bound *bound, size_t n)
{
    struct nt_server *s = arg;
    nt_must(n >= 1, "listening");
    s->port = bound[0].port;
    if (bound[n - 1].front)
        s->front_port = bound[n - 1].port;
    for (size_t i = 0; i < n; i++) {
        if (bound[i].public)
            s->public_port = bound[i].port;
    }
    nt_must(write(s->news[1], "", 1) == 1, "write");
}

static void *run(void *arg)
{
    struct nt_server *s = arg;
    s->rc = idv_server_run(&s->conf);
    snprintf(s->note, sizeof(s->note), "%s", idv_note());
    close(s->news[1]);
    return NULL;
}

void nt_server_start(struct nt_server *s, struct pki *p,
                     const struct idv_service *service)
{
    static const char *const anywhere[] = {"127.0.0.1:0", NULL};
    char c;
    s->pki = p;
    s->service = *service;
    if (!s->id) {
        s->id = &p->registrar;
        s->chain = p->tls_chain;
    }
    nt_must(pipe(s->stop) == 0 && pipe(s->news) == 0, "pipe");
    s->conf.name = "server";
    s->conf.env = &p->env.env;
    if (!s->conf.listen)
        s->conf.listen = anywhere;
    s->conf.ask_client_cert = true;
    s->conf.in_process = true;
    s->conf.stop_fd = s->stop[0];
    s->conf.make = make;
    s->conf.ready = ready;
    s->conf.arg = s;
    nt_must(pthread_create(&s->thread, NULL, run, s) == 0, "thread");
    if (read(s->news[0], &c, 1) != 1)
        s->port = 0; /* did not start: rc, note after the join */
}

void nt_server_stop(struct nt_server *s)
{
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
    close(s->stop[0]);
    close(s->news[0]);
}

/* --- the machine -------------------------------------------------------- */

void nt_machine_init(struct nt_machine *m, uint16_t port)
{
    memset(m, 0, sizeof(*m));
    strcpy(m->connect.host, "127.0.0.1");
    m->connect.port = port;
    idv_msg_init(&m->connect.first);
    for (size_t i = 0; i < NT_MOVES; i++)
        idv_msg_init(&m->reply[i]);
}

void nt_machine_add(struct nt_machine *m, enum idv_verb verb, const char *path,
                    const char *body)
{
    nt_must(m->n < NT_MOVES, "moves");
    m->move[m->n++] = (struct nt_move){verb, path, body};
}

static void message(const struct nt_move *v, struct idv_msg *m, bool body)
{
    idv_msg_init(m);
    m->verb = v->verb;
    strcpy(m->path, v->path);
    strcpy(m->accept, "text/plain");
    if (v->verb == IDV_POST)
        strcpy(m->media, "text/plain");
    if (body && v->body)
        nt_must(idv_buf_puts(&m->body, v->body) == IDV_OK, "body");
}

static void exchange_or_done(struct nt_machine *m, struct idv_ask *ask)
{
    ask->kind = IDV_ASK_DONE;
    if (m->at == m->n)
        return;
    ask->kind = IDV_ASK_EXCHANGE;
    message(&m->move[m->at], &ask->msg, true);
}

static idv_rc step(void *self, struct idv_told *told, struct idv_ask *ask)
{
    struct nt_machine *m = self;
    switch (told->kind) {
    case IDV_TOLD_START:
        ask->kind = IDV_ASK_CONNECT;
        ask->connect = m->connect;
        message(&m->move[0], &ask->connect.first, false);
        break;
    case IDV_TOLD_CONNECTED:
        idv_peer_free(&m->peer);
        m->peer = told->peer;
        told->peer.chain = NULL;
        told->peer.staple = (struct idv_buf){0};
        ask->kind = IDV_ASK_DONE;
        if (!m->refuse)
            exchange_or_done(m, ask);
        break;
    case IDV_TOLD_REPLY:
        idv_msg_move(&m->reply[m->at++], &told->msg);
        exchange_or_done(m, ask);
        break;
    default:
        m->lost = ask->rc = told->rc;
        strcpy(m->note, told->note);
        strcpy(ask->note, told->note);
        ask->kind = IDV_ASK_DONE;
    }
    return IDV_OK;
}

struct idv_machine nt_machine(struct nt_machine *m)
{
    return (struct idv_machine){step, m};
}

void nt_machine_free(struct nt_machine *m)
{
    idv_peer_free(&m->peer);
    for (size_t i = 0; i < NT_MOVES; i++)
        idv_msg_free(&m->reply[i]);
}
