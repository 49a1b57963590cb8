/* SPDX-License-Identifier: Apache-2.0 */
/* Where a registrar is reached, link by link. */
#include <arpa/inet.h>
#include <string.h>

#include <idevid/text.h>

#include "net/announce_int.h"

#define APART_MS 1000 /* between floods because something changed */

/* A bound socket of devices: an address, or any, of one family. */
struct place {
    struct in6_addr at;
    bool any, v4;
    const char *zone; /* or NULL */
    uint16_t port;
};

static bool place_of(const struct idv_server_bound *b, struct place *p)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char host[sizeof(b->host)];
    struct in_addr v4;
    size_t n = strcspn(b->host, "%");
    memcpy(host, b->host, n);
    host[n] = 0;
    if (b->monitor || b->public || b->front)
        return false; /* not for devices */
    *p = (struct place){.port = b->port,
                        .zone = b->host[n] ? b->host + n + 1 : NULL};
    if (inet_pton(AF_INET, host, &v4) == 1) {
        p->v4 = true;
        p->any = v4.s_addr == INADDR_ANY;
        memcpy(p->at.s6_addr, mapped, 12);
        memcpy(p->at.s6_addr + 12, &v4, 4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &p->at) != 1)
        return false;
    p->any = IN6_IS_ADDR_UNSPECIFIED(&p->at);
    return true;
}

static bool reached(const struct place *p, const struct idvi_link *link,
                    const struct in6_addr *at)
{
    if ((bool)IN6_IS_ADDR_V4MAPPED(at) != p->v4)
        return false;
    if (p->zone && strcmp(p->zone, link->name) != 0)
        return false;
    return p->any || IN6_ARE_ADDR_EQUAL(at, &p->at);
}

static void add(struct idvi_notices *out, const struct idvi_link *link,
                unsigned as, const struct in6_addr *at, uint16_t port)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(at);
    for (size_t i = 0; i < out->n; i++) {
        const struct idvi_notice *o = &out->at[i];
        if (o->link == link->index && o->as == as && o->port == port &&
            (bool)IN6_IS_ADDR_V4MAPPED(&o->at) == v4)
            return;
    }
    if (out->n == IDVI_NOTICES_MAX)
        return;
    struct idvi_notice *new = &out->at[out->n++];
    memset(new, 0, sizeof(*new));
    new->link = link->index;
    memcpy(new->interface, link->name, sizeof(new->interface));
    new->as = as;
    new->at = *at;
    new->port = port;
}

/* A proxy is a neighbour, and its address one of the link; a registrar and an
 * EST server are asked from afar. */
static bool will_do(unsigned as, const struct in6_addr *at)
{
    if (IN6_IS_ADDR_V4MAPPED(at))
        return false;
    return (bool)IN6_IS_ADDR_LINKLOCAL(at) == (as == IDV_ANNOUNCE_PROXY);
}

typedef void take(struct idvi_notices *out, const struct idvi_link *link,
                  const struct in6_addr *at, uint16_t port, unsigned as);

static void take_grasp(struct idvi_notices *out, const struct idvi_link *link,
                       const struct in6_addr *at, uint16_t port, unsigned as)
{
    for (unsigned one = 1; one <= IDV_ANNOUNCE_EST; one *= 2) {
        if ((as & one) && will_do(one, at))
            add(out, link, one, at, port);
    }
}

static void take_mdns(struct idvi_notices *out, const struct idvi_link *link,
                      const struct in6_addr *at, uint16_t port, unsigned as)
{
    for (unsigned one = 1; one <= IDV_ANNOUNCE_PROXY; one *= 2) {
        if (as & one)
            add(out, link, one, at, port);
    }
}

static bool is_wanted(const struct idv_announce *a, const struct idvi_link *l)
{
    if (!l->running)
        return false;
    for (char *const *i = a->interfaces; i && *i; i++) {
        if (strcmp(*i, l->name) == 0)
            return true;
    }
    return false;
}

static void plan(const struct idv_announce *a, unsigned as, take *one,
                 const struct idvi_links_table *links,
                 const struct idv_server_bound *bound, size_t n,
                 struct idvi_notices *out)
{
    out->n = 0;
    for (size_t l = 0; l < links->n; l++) {
        const struct idvi_link *link = &links->at[l];
        for (size_t b = 0; is_wanted(a, link) && b < n; b++) {
            struct place p;
            for (size_t i = 0; place_of(&bound[b], &p) && i < link->at_n; i++) {
                if (reached(&p, link, &link->at[i]))
                    one(out, link, &link->at[i], p.port, as);
            }
        }
    }
}

void idvi_announce_plan_grasp(const struct idv_announce *a,
                              const struct idvi_links_table *links,
                              const struct idv_server_bound *bound, size_t n,
                              struct idvi_notices *out)
{
    plan(a, a->grasp, take_grasp, links, bound, n, out);
}

void idvi_announce_plan_mdns(const struct idv_announce *a,
                             const struct idvi_links_table *links,
                             const struct idv_server_bound *bound, size_t n,
                             struct idvi_notices *out)
{
    plan(a, a->mdns, take_mdns, links, bound, n, out);
}

static int period_of(int period_s)
{
    return period_s < IDV_ANNOUNCE_LEAST_S ? IDV_ANNOUNCE_LEAST_S : period_s;
}

uint32_t idvi_announce_ttl_ms(unsigned as, int period_s)
{
    uint32_t period_ms = (uint32_t)period_of(period_s) * 1000;
    return 3 * period_ms + (as == IDV_ANNOUNCE_EST ? period_ms / 2 : 0);
}

int64_t idvi_announce_next_ms(int64_t last_ms, int64_t now_ms, int period_s,
                              bool changed)
{
    if (!changed)
        return last_ms + period_of(period_s) * (int64_t)1000;
    return last_ms + APART_MS > now_ms ? last_ms + APART_MS : now_ms;
}

static bool same(const struct idvi_notice *a, const struct idvi_notice *b)
{
    return a->link == b->link && a->as == b->as && a->port == b->port &&
           strcmp(a->interface, b->interface) == 0 &&
           IN6_ARE_ADDR_EQUAL(&a->at, &b->at);
}

bool idvi_notices_same(const struct idvi_notices *a,
                       const struct idvi_notices *b)
{
    bool all = a->n == b->n;
    for (size_t i = 0; all && i < a->n; i++)
        all = same(&a->at[i], &b->at[i]);
    return all;
}
