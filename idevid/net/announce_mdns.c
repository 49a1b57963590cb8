/* SPDX-License-Identifier: Apache-2.0 */
/* The process that has services announced by avahi. It is alone, so that a
 * D-Bus that hangs holds up nothing else; avahi drops what was its when it is
 * gone, however it went. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avahi-client/client.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/domain.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/simple-watch.h>

#include "net/announce_int.h"

#define PAUSE_MS 1000 /* before avahi is tried again; it doubles */
#define PAUSE_MOST_MS (300 * 1000)

struct publisher {
    const struct idv_announce *a;
    const struct idv_server_bound *bound;
    size_t n;
    struct idvi_links links;
    AvahiSimplePoll *poll;
    AvahiWatch *watch; /* of links */
    AvahiClient *client;
    AvahiEntryGroup *group;
    struct idvi_notices now;
    char name[2][AVAHI_LABEL_MAX]; /* as registrar, as proxy */
    bool running, broken, told, said;
    int pause_ms;
    idv_rc rc; /* what makes going on impossible */
};

bool idv_announce_mdns_built(void)
{
    return true;
}

/* --- services ---------------------------------------------------------------
 */

static const char *type_of(unsigned as)
{
    return as == IDV_ANNOUNCE_PROXY ? "_brski-proxy._tcp"
                                    : "_brski-registrar._tcp";
}

static void first_names(struct publisher *p)
{
    const char *host = avahi_client_get_host_name(p->client);
    snprintf(p->name[0], sizeof(p->name[0]), "registrar on %s", host);
    snprintf(p->name[1], sizeof(p->name[1]), "join proxy on %s", host);
}

static int add_one(struct publisher *p, const struct idvi_notice *n)
{
    AvahiProtocol family =
        IN6_IS_ADDR_V4MAPPED(&n->at) ? AVAHI_PROTO_INET : AVAHI_PROTO_INET6;
    return avahi_entry_group_add_service(
        p->group, (AvahiIfIndex)n->link, family, 0, p->name[n->as - 1],
        type_of(n->as), NULL, NULL, n->port, NULL);
}

static void trouble(struct publisher *p, const char *what, int error)
{
    idv_log(p->a->env, IDV_LOG_WARN, "announce-failed", "by=mdns %s=%s", what,
            idv_log_value(avahi_strerror(error)));
}

static void publish(struct publisher *p)
{
    int e = avahi_entry_group_reset(p->group);
    for (size_t i = 0; i < p->now.n && e >= 0; i++)
        e = add_one(p, &p->now.at[i]);
    if (e >= 0 && p->now.n)
        e = avahi_entry_group_commit(p->group);
    if (e < 0)
        trouble(p, "reason", e);
}

/* somebody else has a name of ours: another one, for both */
static void rename_all(struct publisher *p)
{
    for (int i = 0; i < 2; i++) {
        char *other = avahi_alternative_service_name(p->name[i]);
        if (other)
            snprintf(p->name[i], sizeof(p->name[i]), "%s", other);
        avahi_free(other);
    }
}

static void log_notices(const struct publisher *p)
{
    for (size_t i = 0; i < p->now.n; i++)
        idv_log(p->a->env, IDV_LOG_INFO, "announce",
                "by=mdns as=%s interface=%s name=%s port=%u",
                p->now.at[i].as == IDV_ANNOUNCE_PROXY ? "proxy" : "registrar",
                p->now.at[i].interface,
                idv_log_value(p->name[p->now.at[i].as - 1]), p->now.at[i].port);
}

static void on_group(AvahiEntryGroup *group, AvahiEntryGroupState state,
                     void *arg)
{
    struct publisher *p = arg;
    p->group = group;
    if (state == AVAHI_ENTRY_GROUP_ESTABLISHED)
        log_notices(p);
    else if (state == AVAHI_ENTRY_GROUP_COLLISION) {
        rename_all(p);
        publish(p);
    } else if (state == AVAHI_ENTRY_GROUP_FAILURE)
        trouble(p, "reason", avahi_client_errno(p->client));
}

/* --- links ------------------------------------------------------------------
 */

static void renew(struct publisher *p)
{
    struct idvi_notices is;
    idvi_announce_plan_mdns(p->a, &p->links.now, p->bound, p->n, &is);
    bool same = idvi_notices_same(&is, &p->now);
    p->now = is;
    if (is.n == 0 && (!same || !p->told))
        idv_log(p->a->env, IDV_LOG_WARN, "announce-nothing",
                "by=mdns reason=%s",
                idv_log_value("no address of these interfaces is served"));
    p->told = true;
    if (!same && p->running)
        publish(p);
}

static void changed(void *arg, const struct idvi_link *was,
                    const struct idvi_link *is)
{
    (void)arg, (void)was, (void)is;
}

static void on_links(AvahiWatch *w, int fd, AvahiWatchEvent event, void *arg)
{
    struct publisher *p = arg;
    (void)w, (void)fd, (void)event;
    p->rc = idvi_links_ready(&p->links, changed, p);
    if (p->rc == IDV_OK)
        renew(p);
    else
        avahi_simple_poll_quit(p->poll);
}

/* --- avahi ------------------------------------------------------------------
 */

static void log_state(struct publisher *p, bool running, const char *why)
{
    if (running != p->running || !p->said)
        idv_log(p->a->env, IDV_LOG_INFO, running ? "avahi" : "no-avahi",
                "reason=%s", idv_log_value(why));
    p->running = running;
    p->said = true;
}

static void begin(struct publisher *p)
{
    log_state(p, true, "found");
    p->pause_ms = PAUSE_MS;
    if (!p->group)
        p->group = avahi_entry_group_new(p->client, on_group, p);
    if (!p->group)
        trouble(p, "reason", avahi_client_errno(p->client));
    else
        publish(p);
}

static void on_client(AvahiClient *client, AvahiClientState state, void *arg)
{
    struct publisher *p = arg;
    p->client = client;
    switch (state) {
    case AVAHI_CLIENT_S_RUNNING:
        if (!*p->name[0])
            first_names(p);
        begin(p);
        return;
    case AVAHI_CLIENT_S_COLLISION:   /* of the host's name: its records come */
    case AVAHI_CLIENT_S_REGISTERING: /* anew, and ours after them */
        if (p->group)
            avahi_entry_group_reset(p->group);
        return;
    case AVAHI_CLIENT_CONNECTING: /* it waits for the daemon by itself */
        if (p->group)
            avahi_entry_group_free(p->group);
        p->group = NULL;
        log_state(p, false, "the daemon does not run");
        return;
    default:
        log_state(p, false, avahi_strerror(avahi_client_errno(client)));
        p->broken = true;
    }
}

static void rest(struct publisher *p)
{
    int64_t end = idv_ticks_ms() + p->pause_ms;
    p->pause_ms =
        p->pause_ms < PAUSE_MOST_MS / 2 ? 2 * p->pause_ms : PAUSE_MOST_MS;
    for (int64_t left; (left = end - idv_ticks_ms()) > 0;) {
        if (avahi_simple_poll_iterate(p->poll, (int)left) != 0)
            return;
    }
}

static void talk(struct publisher *p)
{
    int error = 0;
    p->broken = false;
    p->group = NULL;
    p->client = avahi_client_new(avahi_simple_poll_get(p->poll),
                                 AVAHI_CLIENT_NO_FAIL, on_client, p, &error);
    if (!p->client) {
        idv_log(p->a->env, IDV_LOG_INFO, "no-avahi", "reason=%s",
                idv_log_value(avahi_strerror(error)));
        return;
    }
    while (!p->broken && avahi_simple_poll_iterate(p->poll, -1) == 0)
        ;
    avahi_client_free(p->client); /* and its group */
    p->client = NULL;
    p->group = NULL;
    p->running = false;
}

static idv_rc open_all(struct publisher *p)
{
    p->poll = avahi_simple_poll_new();
    if (!p->poll)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_links_open(&p->links));
    const AvahiPoll *api = avahi_simple_poll_get(p->poll);
    p->watch = api->watch_new(api, p->links.fd, AVAHI_WATCH_IN, on_links, p);
    if (!p->watch)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_links_look(&p->links, changed, p));
    renew(p);
    return IDV_OK;
}

idv_rc idv_announce_mdns(void *announce, const struct idv_server_bound *bound,
                         size_t n)
{
    struct publisher p = {.a = announce,
                          .bound = bound,
                          .n = n,
                          .links.fd = -1,
                          .pause_ms = PAUSE_MS};
    p.rc = open_all(&p);
    while (p.rc == IDV_OK) { /* SIGTERM ends it, as any process */
        talk(&p);
        if (p.rc == IDV_OK)
            rest(&p);
    }
    if (p.poll)
        avahi_simple_poll_free(p.poll);
    idvi_links_close(&p.links);
    return p.rc;
}
