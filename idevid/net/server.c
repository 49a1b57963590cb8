/* SPDX-License-Identifier: Apache-2.0 */
/* The server as its programs see it: limits, sockets, one process or more. */
#include <unistd.h>

#include "net/server_int.h"

static void fill_in(struct idv_server_conf *c)
{
    if (!c->name)
        c->name = "server";
    if (!c->max_connections)
        c->max_connections = 256;
    if (!c->max_per_address)
        c->max_per_address = 64;
    if (!c->max_per_minute)
        c->max_per_minute = 600;
    if (c->request_s <= 0)
        c->request_s = 10;
    if (c->idle_s <= 0)
        c->idle_s = 15;
    if (!c->max_body || c->max_body > IDV_MAX_BODY)
        c->max_body = IDV_MAX_BODY;
    if (!c->max_upstream)
        c->max_upstream = 64;
    if (c->drain_s <= 0)
        c->drain_s = 3;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (c->in_process)
        c->workers = 1;
    else if (!c->workers)
        c->workers = cores > 0 ? (unsigned)cores : 1;
}

struct announce {
    const struct idv_server_conf *conf;
    const struct idvi_sockets *sockets;
};

static void announce(void *arg)
{
    const struct announce *a = arg;
    if (a->conf->started)
        a->conf->started(a->conf->arg, 0, getpid());
    if (a->conf->ready)
        a->conf->ready(a->conf->arg, a->sockets->bound,
                       a->sockets->n + a->sockets->monitor.n +
                           a->sockets->public.n + a->sockets->front.n);
}

static idv_rc serve(const struct idv_server_conf *conf)
{
    struct idvi_sockets sockets;
    struct announce a = {conf, &sockets};
    IDV_TRY(idvi_sockets_open(conf, conf->workers, &sockets));
    idvi_board_expect(conf->board, conf->workers);
    idv_rc rc = conf->in_process
                    ? idvi_worker_run(conf, &sockets, 0, announce, &a)
                    : idvi_supervise(conf, &sockets);
    idvi_sockets_close(conf, &sockets);
    return rc;
}

/* with a board, the caller's or one of its own */
static idv_rc run(struct idv_server_conf *conf)
{
    struct idv_board *own = NULL;
    if (!conf->board)
        IDV_TRY(idv_board_new(conf->env, &own));
    if (own)
        conf->board = own;
    idv_rc rc = serve(conf);
    idv_board_free(own);
    return rc;
}

idv_rc idv_server_run(const struct idv_server_conf *given)
{
    struct idv_server_conf conf = *given;
    fill_in(&conf);
    if (conf.workers > 256)
        return idv_fail(IDV_E_ARG, "%s: more than 256 workers", conf.name);
    IDV_TRY(idv_server_front_check(&conf.front));
    return run(&conf);
}
