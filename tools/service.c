/* SPDX-License-Identifier: Apache-2.0 */
/* What the two services do the same way: listen, say so, stop. */
#include <grp.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <idevid/text.h>

#include "notify.h"
#include "service.h"

/* (in the order of enum idv_front_form) */
const char *const service_front_forms[] = {"client-cert", "escaped-pem", NULL};

static const char *event_of(const struct idv_server_bound *b)
{
    if (b->monitor)
        return "monitoring";
    if (b->public)
        return "public";
    return b->front ? "fronted" : "listening";
}

static idv_rc print_bound(const struct idv_server_bound *b)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc =
        idv_json_set(o, "event", idv_json_new_text(idv_str(event_of(b))));
    if (rc == IDV_OK)
        rc = idv_json_set(o, "address", idv_json_new_text(idv_str(b->host)));
    if (rc == IDV_OK)
        rc = idv_json_set(o, "port", idv_json_new_int(b->port));
    if (rc != IDV_OK) {
        idv_json_free(o);
        return rc;
    }
    return tool_print_json(o);
}

static void ready(void *arg, const struct idv_server_bound *bound, size_t n)
{
    const struct service *s = arg;
    for (size_t i = 0; i < n; i++) {
        if (print_bound(&bound[i]) != IDV_OK)
            idv_log_failure(s->tool->env, "ready", IDV_E_IO);
    }
    tool_notify("READY=1");
}

/* (supervising process) */
static idv_rc begin_reload(void *arg)
{
    tool_notify_reloading();
    return service_reload(arg);
}

static void reloaded(void *arg)
{
    (void)arg;
    tool_notify("READY=1");
}

struct worker {
    const struct service *s;
    struct service_monitor monitor;
    struct service_part whole; /* of one that has no parts */
    max_align_t own[];         /* the program's */
};

static void worker_free(void *self)
{
    struct worker *w = self;
    w->s->clear(w->own);
    free(w);
}

idv_rc service_part_commit(void *part)
{
    const struct service_part *p = part;
    return p->db ? idv_db_commit(p->db) : IDV_OK;
}

/* each, also when one cannot */
static idv_rc worker_commit(void *self)
{
    struct worker *w = self;
    idv_rc all = IDV_OK;
    for (size_t i = 0; i < w->monitor.parts; i++) {
        idv_rc rc = service_part_commit(&w->monitor.part[i]);
        all = all == IDV_OK ? rc : all;
    }
    return all;
}

static idv_rc worker_gather(void *self)
{
    struct worker *w = self;
    for (size_t i = 0; i < w->monitor.parts; i++)
        IDV_TRY(idv_db_gather(w->monitor.part[i].db));
    return IDV_OK;
}

static idv_rc batch_all(const struct service_monitor *m)
{
    for (size_t i = 0; i < m->parts; i++) {
        if (m->part[i].db)
            IDV_TRY(idv_db_batch(m->part[i].db));
    }
    return IDV_OK;
}

static void worker_device_failed(void *self)
{
    struct worker *w = self;
    service_token_again(&w->monitor);
    idv_note_clear();
}

static idv_rc worker_tick(void *self)
{
    struct worker *w = self;
    return w->s->tick(w->own);
}

static void take_parts(struct worker *w, const struct idv_server_worker *out)
{
    w->whole = (struct service_part){.key = out->key};
    w->monitor.part = &w->whole;
    w->monitor.parts = 1;
    if (w->s->parts)
        w->monitor.parts = w->s->parts(w->own, &w->monitor.part);
}

static const struct service *running;

const struct service *service_running(void)
{
    return running;
}

unsigned service_asked(void *unused, const uint8_t client[32])
{
    (void)unused;
    return running && running->board
               ? idvi_board_asked(running->board, client, idv_ticks_ms())
               : 0;
}

static idv_rc make(void *arg, struct idv_server_worker *out)
{
    const struct service *s = running = arg;
    struct worker *w = calloc(1, sizeof(*w) + s->size);
    if (!w)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    w->s = s;
    idv_rc rc = s->setup(s->tool, w->own, out);
    w->monitor.service = s;
    if (rc == IDV_OK)
        take_parts(w, out);
    if (rc == IDV_OK && s->begin && !s->tried)
        rc = s->begin(s->tool, w->own);
    if (rc == IDV_OK)
        rc = batch_all(&w->monitor);
    if (rc != IDV_OK) {
        worker_free(w);
        return rc;
    }
    if (w->monitor.part[0].db) {
        out->commit = worker_commit;
        out->gather = worker_gather;
    }
    if (s->tick)
        out->tick = worker_tick;
    out->tick_ms = s->tick_ms;
    out->monitor = service_monitor(&w->monitor);
    out->device_failed = worker_device_failed;
    out->free = worker_free;
    out->self = w;
    return IDV_OK;
}

idv_rc service_probe(const struct service *s)
{
    struct idv_server_worker out = {0};
    struct service copy = *s;
    copy.tried = true;
    IDV_TRY(make(&copy, &out));
    out.free(out.self);
    return IDV_OK;
}

/* Sockets handed in by systemd begin at descriptor 3. */
static size_t inherited(int fds[static 16])
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
    if (!pid || !n || strtol(pid, NULL, 10) != (long)getpid())
        return 0;
    long count = strtol(n, NULL, 10);
    if (count < 0 || count > 16)
        return 0;
    for (long i = 0; i < count; i++)
        fds[i] = 3 + (int)i;
    return (size_t)count;
}

static idv_rc group_of(const char *name, const char *key, gid_t *out)
{
    const struct group *g = name ? getgrnam(name) : NULL;
    if (name && !g)
        return idv_fail(IDV_E_ARG, "%s: no group '%s'", key, name);
    *out = g ? g->gr_gid : 0;
    return IDV_OK;
}

static struct idv_server_front front_of(const struct service_conf *c)
{
    return (struct idv_server_front){
        .listen = (const char *const *)c->front_listen,
        .proxies = (const char *const *)c->front_proxies,
        .form = (enum idv_front_form)c->front_form,
    };
}

idv_rc service_check_front(const struct service_conf *c)
{
    const struct idv_server_front front = front_of(c);
    gid_t gid;
    IDV_TRY(idv_server_front_check(&front));
    return group_of(c->front_group, "front.group", &gid);
}

static idv_rc admin_of(const struct service_conf *c,
                       struct idv_server_conf *out)
{
    if (idv_list_count(c->admin) > 1)
        return idv_fail(IDV_E_ARG, "server.admin: more than one");
    out->admin_path = c->admin ? c->admin[0] : NULL;
    return group_of(c->admin_group, "server.admin-group", &out->admin_gid);
}

static struct idv_server_conf server_conf(struct service *s)
{
    const struct service_conf *c = s->conf;
    return (struct idv_server_conf){
        .name = strchr(s->tool->name, '-') + 1,
        .env = s->tool->env,
        .listen = (const char *const *)c->listen,
        .monitor = (const char *const *)c->metrics,
        .front = front_of(c),
        .public = s->public,
        .board = s->board,
        .ask_client_cert = true,
        .max_connections = (unsigned)c->max_connections,
        .max_per_address = (unsigned)c->per_address,
        .max_per_minute = c->per_minute ? (unsigned)c->per_minute : UINT_MAX,
        .workers = (unsigned)c->workers,
        .make = make,
        .reload = s->conf_size ? begin_reload : NULL,
        .reloaded = s->conf_size ? reloaded : NULL,
        .ready = ready,
        .asides = s->asides,
        .asides_n = s->asides_n,
        .arg = s,
    };
}

static idv_rc run(struct service *s)
{
    int fds[16];
    struct idv_server_conf conf = server_conf(s);
    conf.inherited = fds;
    conf.inherited_n = inherited(fds);
    if (conf.inherited_n)
        conf.listen = NULL;
    IDV_TRY(admin_of(s->conf, &conf));
    IDV_TRY(group_of(s->conf->front_group, "front.group", &conf.front.gid));
    idv_rc rc = idv_server_run(&conf);
    tool_notify("STOPPING=1");
    return rc;
}

idv_rc service_backup(struct tool *t, const char *database, const char *path)
{
    AUTO_DB struct idv_db *db = NULL;
    IDV_TRY(idv_db_open(database, &db));
    IDV_TRY(idv_db_backup(db, path));
    tool_say(t, "%s", path);
    return IDV_OK;
}

/* what is logged is counted, too */
static idv_rc run_metered(struct service *s)
{
    const struct idv_env *env = s->tool->env;
    struct idv_meter meter = {.counts = NULL};
    IDV_TRY(idv_meter_open(&meter, env));
    s->meter = &meter;
    s->started = idv_now(env);
    s->started_ms = tool_ms();
    s->tool->env = &meter.env;
    idv_rc rc = idv_board_new(env, &s->board);
    if (rc == IDV_OK)
        rc = run(s);
    s->tool->env = env;
    idv_board_free(s->board);
    idv_meter_close(&meter);
    return rc;
}

idv_rc service_run(const struct service *s)
{
    struct service copy = *s;
    if (!s->tool->quiet && !s->tool->verbose)
        s->tool->sys.level = IDV_LOG_INFO;
    idv_rc rc = run_metered(&copy);
    if (copy.kept)
        idv_conf_free(s->tool->conf_table, copy.kept);
    free(copy.kept);
    return rc;
}
