/* SPDX-License-Identifier: Apache-2.0 */
/* All ways to find somebody, side by side. */
#include <idevid/discover.h>

#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "net/dnssd.h"
#include "net/grasp_listen.h"
#include "net/links.h"
#include "net/mdns.h"

struct idv_discovery {
    struct idv_discovery_conf conf; /* its texts are the ones below */
    char **interfaces, **domains, *name_servers;
    struct idv_watch watch;
    struct idvi_book book;
    struct idvi_links links;
    struct idvi_grasp grasp;
    struct idvi_mdns *mdns;
    struct idvi_dnssd dnssd;
    bool asks; /* dnssd is initialised */
    bool look; /* links have not been looked at */
};

unsigned idv_discovery_methods(void)
{
    return (idvi_grasp_built() ? IDV_DISCOVER_GRASP : 0U) |
           (idvi_mdns_built() ? IDV_DISCOVER_MDNS : 0U) |
           (idvi_dnssd_built() ? IDV_DISCOVER_DNSSD : 0U);
}

static bool does(const struct idv_discovery *d, enum idv_discover_method m)
{
    return d->conf.methods & m;
}

/* --- links -------------------------------------------------------------- */

static bool is_wanted(const struct idv_discovery *d, const char *interface)
{
    if (!d->interfaces)
        return true;
    for (char *const *i = d->interfaces; *i; i++) {
        if (strcmp(*i, interface) == 0)
            return true;
    }
    return false;
}

static bool hears(const struct idvi_link *l)
{
    return l && l->running && l->local6;
}

static bool reaches(const struct idvi_link *l)
{
    return l && l->running && l->other;
}

/* RFC 8995 section 4.1: first a link-local address, then discovery; a link
 * that comes up is new hope */
static void link_changed(void *arg, const struct idvi_link *was,
                         const struct idvi_link *is)
{
    struct idv_discovery *d = arg;
    if (!is_wanted(d, is ? is->name : was->name))
        return;
    if (does(d, IDV_DISCOVER_GRASP) && hears(was) &&
        (!hears(is) || strcmp(was->name, is->name) != 0))
        idvi_grasp_leave(&d->grasp, was->index);
    if (does(d, IDV_DISCOVER_GRASP) && hears(is) &&
        (!hears(was) || strcmp(was->name, is->name) != 0))
        idvi_grasp_join(&d->grasp, is);
    if ((hears(was) || !hears(is)) && (reaches(was) || !reaches(is)))
        return;
    idv_log(d->conf.env, IDV_LOG_DEBUG, "link-up", "interface=%s", is->name);
    if (d->mdns)
        idvi_mdns_anew(d->mdns);
    if (d->asks)
        idvi_dnssd_anew(&d->dnssd, idv_ticks_ms());
    if (d->conf.link_up)
        d->conf.link_up(d->conf.arg, is->name);
}

/* --- waiting ------------------------------------------------------------ */

static size_t fds(void *self, struct pollfd *out, size_t max)
{
    const struct idv_discovery *d = self;
    const int ours[] = {d->links.fd, d->grasp.fd,
                        d->mdns ? idvi_mdns_fd(d->mdns) : -1};
    size_t n = 0;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours) && n < max; i++) {
        if (ours[i] >= 0)
            out[n++] = (struct pollfd){.fd = ours[i], .events = POLLIN};
    }
    return d->asks ? n + idvi_dnssd_fds(&d->dnssd, out + n, max - n) : n;
}

static int timeout_ms(void *self)
{
    const struct idv_discovery *d = self;
    int64_t now = idv_ticks_ms();
    int64_t due = idvi_book_due(&d->book, IDV_FROM_GRASP);
    int64_t asks = d->asks ? idvi_dnssd_due(&d->dnssd, now) : IDVI_NEVER;
    if (d->look)
        return 0;
    if (asks < due)
        due = asks;
    if (due == IDVI_NEVER)
        return -1;
    return due <= now              ? 0
           : due - now > INT32_MAX ? INT32_MAX
                                   : (int)(due - now);
}

static bool is_ready(const struct pollfd *p, size_t n, int fd)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i].fd == fd && p[i].revents)
            return true;
    }
    return false;
}

static idv_rc ready(void *self, const struct pollfd *p, size_t n)
{
    struct idv_discovery *d = self;
    idv_rc rc = IDV_OK;
    if (d->look)
        rc = idvi_links_look(&d->links, link_changed, d);
    else if (is_ready(p, n, d->links.fd))
        rc = idvi_links_ready(&d->links, link_changed, d);
    d->look = false;
    if (rc != IDV_OK) /* the next event has it looked at again */
        idv_log_failure(d->conf.env, "links", rc);
    idvi_grasp_ready(&d->grasp, idv_ticks_ms());
    if (d->mdns && is_ready(p, n, idvi_mdns_fd(d->mdns)))
        idvi_mdns_ready(d->mdns, d->conf.env, &d->book);
    if (d->asks)
        idvi_dnssd_ready(&d->dnssd, p, n, idv_ticks_ms());
    return IDV_OK;
}

/* --- life --------------------------------------------------------------- */

static idv_rc copy(const char *const *from, char ***to)
{
    for (; from && *from; from++)
        IDV_TRY(idv_list_add(to, idv_str(*from)));
    return IDV_OK;
}

static idv_rc check(const struct idv_discovery_conf *conf, unsigned *methods)
{
    unsigned built = idv_discovery_methods();
    if (!conf->offer)
        return idv_fail(IDV_E_ARG, "discovery: nobody to tell");
    *methods = conf->methods ? conf->methods : built;
    if (*methods & ~(unsigned)IDV_DISCOVER_ALL)
        return idv_fail(IDV_E_ARG, "discovery: no such method");
    if (*methods & ~built)
        return idv_fail(IDV_E_ARG, "discovery: built without %s",
                        *methods & ~built & IDV_DISCOVER_GRASP  ? "GRASP"
                        : *methods & ~built & IDV_DISCOVER_MDNS ? "mDNS"
                                                                : "DNS-SD");
    return IDV_OK;
}

static idv_rc start(struct idv_discovery *d)
{
    d->look = true;
    IDV_TRY(idvi_links_open(&d->links));
    if (does(d, IDV_DISCOVER_DNSSD)) {
        d->dnssd = (struct idvi_dnssd){
            .env = d->conf.env,
            .book = &d->book,
            .domains = d->domains,
            .name_servers = d->name_servers,
        };
        IDV_TRY(idvi_dnssd_init(&d->dnssd));
        d->asks = true;
    }
    return does(d, IDV_DISCOVER_MDNS)
               ? idvi_mdns_new(d->interfaces, d->conf.registrars, &d->mdns)
               : IDV_OK;
}

static idv_rc build(struct idv_discovery *d,
                    const struct idv_discovery_conf *conf)
{
    d->conf = *conf;
    d->watch = (struct idv_watch){fds, timeout_ms, ready, d};
    d->book.tell = conf->offer;
    d->book.arg = conf->arg;
    d->links.fd = -1;
    idvi_grasp_init(&d->grasp, conf->env, &d->book);
    IDV_TRY(check(conf, &d->conf.methods));
    IDV_TRY(copy(conf->interfaces, &d->interfaces));
    IDV_TRY(copy(conf->domains, &d->domains));
    if (conf->name_servers)
        IDV_TRY(idv_text_dup(idv_str(conf->name_servers), &d->name_servers));
    return start(d);
}

idv_rc idv_discovery_new(const struct idv_discovery_conf *conf,
                         struct idv_discovery **out)
{
    struct idv_discovery *d = calloc(1, sizeof(*d));
    if (!d)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = build(d, conf);
    if (rc == IDV_OK)
        *out = d;
    else
        idv_discovery_free(d);
    return rc;
}

void idv_discovery_free(struct idv_discovery *d)
{
    if (!d)
        return;
    idvi_mdns_free(d->mdns);
    if (d->asks)
        idvi_dnssd_free(&d->dnssd);
    idvi_grasp_free(&d->grasp);
    idvi_links_close(&d->links);
    idv_list_free(d->interfaces);
    idv_list_free(d->domains);
    free(d->name_servers);
    free(d);
}

const struct idv_watch *idv_discovery_watch(struct idv_discovery *d)
{
    return &d->watch;
}
