/* SPDX-License-Identifier: Apache-2.0 */
/* Which instances there are. avahi asks by the rules of RFC 6762, and what
 * others announce unasked it tells as well. */
#include <stdio.h>
#include <string.h>

#include <net/if.h>

#include <avahi-common/error.h>

#include "net/mdns_int.h"

static const char *const types[] = {"_brski-proxy._tcp",
                                    "_brski-registrar._tcp"};

static bool is_wanted(const struct idvi_mdns *m, AvahiIfIndex interface)
{
    char name[IF_NAMESIZE];
    if (!m->interfaces)
        return true;
    if (!if_indextoname((unsigned)interface, name))
        return false;
    for (char *const *i = m->interfaces; *i; i++) {
        if (strcmp(*i, name) == 0)
            return true;
    }
    return false;
}

static struct mdns_item *find(struct idvi_mdns *m, AvahiIfIndex interface,
                              AvahiProtocol protocol, const char *name,
                              const char *type)
{
    for (size_t i = 0; i < MDNS_ITEMS; i++) {
        struct mdns_item *it = &m->items[i];
        if (it->m && it->interface == interface && it->protocol == protocol &&
            strcmp(it->name, name) == 0 && strcmp(it->type, type) == 0)
            return it;
    }
    return NULL;
}

static void add(struct idvi_mdns *m, AvahiIfIndex interface,
                AvahiProtocol protocol, const char *name, const char *type)
{
    struct mdns_item *it = m->items;
    if (!is_wanted(m, interface) || find(m, interface, protocol, name, type))
        return;
    while (it < m->items + MDNS_ITEMS && it->m)
        it++;
    if (it == m->items + MDNS_ITEMS)
        return;
    *it = (struct mdns_item){
        .m = m, .interface = interface, .protocol = protocol};
    snprintf(it->name, sizeof(it->name), "%s", name);
    snprintf(it->type, sizeof(it->type), "%s", type);
    idvi_mdns_resolve(it);
}

static void browsed(AvahiServiceBrowser *b, AvahiIfIndex interface,
                    AvahiProtocol protocol, AvahiBrowserEvent event,
                    const char *name, const char *type, const char *domain,
                    AvahiLookupResultFlags flags, void *arg)
{
    struct idvi_mdns *m = arg;
    struct mdns_item *it;
    (void)b, (void)domain, (void)flags;
    switch (event) {
    case AVAHI_BROWSER_NEW:
        add(m, interface, protocol, name, type);
        return;
    case AVAHI_BROWSER_REMOVE:
        it = find(m, interface, protocol, name, type);
        if (it)
            idvi_mdns_drop(it);
        break;
    case AVAHI_BROWSER_ALL_FOR_NOW:
        if (m->unsettled > 0)
            m->unsettled--;
        break;
    case AVAHI_BROWSER_FAILURE:
        m->broken = true;
        return;
    default:
        return;
    }
    idvi_mdns_publish(m);
}

void idvi_mdns_browse(struct idvi_mdns *m, AvahiClient *client)
{
    size_t n = m->registrars ? 2 : 1;
    m->client = client;
    m->unsettled = (unsigned)n;
    for (size_t i = 0; i < n && !m->browsers[i]; i++) {
        m->browsers[i] = avahi_service_browser_new(client, AVAHI_IF_UNSPEC,
                                                   AVAHI_PROTO_UNSPEC, types[i],
                                                   MDNS_DOMAIN, 0, browsed, m);
        if (!m->browsers[i])
            m->broken = true;
    }
}

void idvi_mdns_forget(struct idvi_mdns *m)
{
    for (size_t i = 0; i < MDNS_ITEMS; i++) {
        if (m->items[i].m)
            idvi_mdns_drop(&m->items[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        if (m->browsers[i])
            avahi_service_browser_free(m->browsers[i]);
        m->browsers[i] = NULL;
    }
}
