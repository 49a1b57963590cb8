/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-pledge discover: who is there, as it is found. */
#include "config.h" /* ppoll */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/discover.h>
#include <idevid/text.h>

#include "pledge.h"
#include "pledge_conf.h"

#define MAX_FDS 32

static struct {
    const char *seconds, *name_servers;
    const char *interfaces[TOOL_LIST_MAX + 1];
    const char *domains[TOOL_LIST_MAX + 1];
    const char *methods[TOOL_LIST_MAX + 1];
    bool registrars;
} opt;

const struct tool_option pledge_discover_options[] = {
    {"seconds", 0, "N", "end after N seconds (default: go on)", &opt.seconds,
     NULL, NULL},
    {"method", 0, "METHOD", "only grasp, mdns or dns-sd (repeatable)", NULL,
     NULL, opt.methods},
    {"interface", 0, "NAME", "listen on this one only (repeatable)", NULL, NULL,
     opt.interfaces},
    {"domain", 0, "NAME",
     "ask the name server about this domain, not those of resolv.conf "
     "(repeatable)",
     NULL, NULL, opt.domains},
    {"name-servers", 0, "LIST", "ask these, not those of resolv.conf",
     &opt.name_servers, NULL, NULL},
    {"registrars", 0, NULL, "registrars of the link too, not proxies only",
     NULL, &opt.registrars, NULL},
    {0}};

struct seen {
    struct tool *t;
    idv_rc rc;        /* of standard output */
    sigset_t waiting; /* signals that are blocked except while it waits */
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static void catch_signals(sigset_t *waiting)
{
    const struct sigaction sa = {.sa_handler = on_signal};
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigprocmask(SIG_BLOCK, &ours, waiting);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
}

static idv_rc print_json(const char *event, const struct idv_offer *o,
                         const char *interface)
{
    struct idv_json *j = idv_json_new_object();
    if (!j)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(j, "event", event);
    if (rc == IDV_OK && interface)
        rc = tool_put_text(j, "interface", interface);
    if (rc == IDV_OK && o)
        rc = tool_put_text(j, "origin", idv_origin_name(o->origin));
    if (rc == IDV_OK && o)
        rc = tool_put_text(j, "host", o->host);
    if (rc == IDV_OK && o)
        rc = tool_put_int(j, "port", o->port);
    return tool_print_put(j, rc);
}

static void on_offer(void *arg, const struct idv_offer *o)
{
    struct seen *s = arg;
    const char *event = o->gone ? "gone" : "offer";
    bool v6 = strchr(o->host, ':');
    if (s->rc != IDV_OK)
        return;
    if (s->t->json) {
        s->rc = print_json(event, o, NULL);
        return;
    }
    tool_say(s->t, "%-7s %-6s %s%s%s:%u", event, idv_origin_name(o->origin),
             v6 ? "[" : "", o->host, v6 ? "]" : "", o->port);
    fflush(stdout);
}

static void on_link(void *arg, const char *interface)
{
    struct seen *s = arg;
    if (s->rc != IDV_OK)
        return;
    if (s->t->json) {
        s->rc = print_json("link-up", NULL, interface);
        return;
    }
    tool_say(s->t, "%-7s %s", "link-up", interface);
    fflush(stdout);
}

static idv_rc turn(const struct seen *s, const struct idv_watch *w,
                   int64_t left_ms)
{
    struct pollfd fds[MAX_FDS];
    size_t n = w->fds(w->self, fds, MAX_FDS);
    int ms = w->timeout_ms(w->self);
    if (left_ms >= 0 && (ms < 0 || ms > left_ms))
        ms = (int)left_ms;
    const struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};
    if (ppoll(fds, n, ms < 0 ? NULL : &ts, &s->waiting) < 0)
        n = 0; /* a signal */
    IDV_TRY(w->ready(w->self, fds, n));
    return s->rc;
}

static idv_rc look(struct seen *s, struct idv_discovery *d, int64_t seconds)
{
    int64_t end = tool_ms() + seconds * 1000;
    do {
        int64_t left = seconds ? end - tool_ms() : -1;
        if (seconds && left <= 0)
            return IDV_OK;
        IDV_TRY(turn(s, idv_discovery_watch(d), left));
    } while (!stop);
    return IDV_OK;
}

static idv_rc methods(unsigned *out)
{
    for (const char **m = opt.methods; *m; m++)
        IDV_TRY(find_method(*m, out));
    return IDV_OK;
}

idv_rc pledge_discover(struct tool *t, int argc, char **argv)
{
    struct seen s = {.t = t};
    struct idv_discovery *d = NULL;
    struct idv_discovery_conf conf = {
        .env = t->env,
        .interfaces = opt.interfaces[0] ? opt.interfaces : NULL,
        .domains = opt.domains[0] ? opt.domains : NULL,
        .name_servers = opt.name_servers,
        .registrars = opt.registrars,
        .offer = on_offer,
        .link_up = on_link,
        .arg = &s,
    };
    int64_t seconds = 0;
    (void)argc;
    (void)argv;
    if (opt.seconds)
        IDV_TRY(idv_text_to_int(idv_str(opt.seconds), 1, 1000000, "--seconds",
                                &seconds));
    IDV_TRY(methods(&conf.methods));
    catch_signals(&s.waiting);
    IDV_TRY(idv_discovery_new(&conf, &d));
    idv_rc rc = look(&s, d, seconds);
    idv_discovery_free(d);
    return rc;
}
