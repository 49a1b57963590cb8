/* SPDX-License-Identifier: Apache-2.0 */
/* From an instance of a service to addresses and a port. */
#include <stdio.h>
#include <string.h>

#include <net/if.h>

#include <avahi-common/address.h>
#include <avahi-common/strlst.h>
#include <avahi-common/timeval.h>

#include "net/mdns_int.h"
#include "net/variation.h"

/* A TXT record's words without a value say which protocol; none: ours. */
static bool is_ours(AvahiStringList *txt)
{
    bool any = false;
    for (; txt; txt = avahi_string_list_get_next(txt)) {
        struct idv_bytes word = idv_bytes(avahi_string_list_get_text(txt),
                                          avahi_string_list_get_size(txt));
        if (word.n == 0 || memchr(word.p, '=', word.n))
            continue;
        if (!idvi_variation_foreign(word))
            return true;
        any = true;
    }
    return !any;
}

/* as text, with its zone if link-local; false: not where a registrar may be */
static bool address(const AvahiAddress *a, AvahiIfIndex interface, char *out,
                    size_t room)
{
    char text[AVAHI_ADDRESS_STR_MAX], zone[IF_NAMESIZE];
    const uint8_t *b = a->data.ipv6.address;
    avahi_address_snprint(text, sizeof(text), a);
    if (a->proto == AVAHI_PROTO_INET) {
        b = (const uint8_t *)&a->data.ipv4.address;
        snprintf(out, room, "%s", text);
        return b[0] != 0 && b[0] < 224;
    }
    if (b[0] == 0xff || strcmp(text, "::") == 0)
        return false;
    if (b[0] != 0xfe || (b[1] & 0xc0) != 0x80) {
        snprintf(out, room, "%s", text);
        return true;
    }
    if (!if_indextoname((unsigned)interface, zone))
        return false;
    snprintf(out, room, "%s%%%s", text, zone);
    return true;
}

static void start(struct mdns_slot *s);

static void again(AvahiTimeout *t, void *arg)
{
    struct mdns_slot *s = arg;
    const AvahiPoll *poll = avahi_simple_poll_get(s->item->m->poll);
    poll->timeout_free(t);
    s->again = NULL;
    start(s);
}

static void retry_later(struct mdns_slot *s)
{
    const AvahiPoll *poll = avahi_simple_poll_get(s->item->m->poll);
    struct timeval when;
    if (s->resolver)
        avahi_service_resolver_free(s->resolver);
    s->resolver = NULL;
    avahi_elapse_time(&when, (unsigned)s->pause_s * 1000, 100);
    s->again = poll->timeout_new(poll, &when, again, s);
    s->pause_s =
        s->pause_s < MDNS_RETRY_MOST_S / 2 ? 2 * s->pause_s : MDNS_RETRY_MOST_S;
}

static void resolved(AvahiServiceResolver *r, AvahiIfIndex interface,
                     AvahiProtocol protocol, AvahiResolverEvent event,
                     const char *name, const char *type, const char *domain,
                     const char *host, const AvahiAddress *a, uint16_t port,
                     AvahiStringList *txt, AvahiLookupResultFlags flags,
                     void *arg)
{
    struct mdns_slot *s = arg;
    (void)protocol, (void)name, (void)type, (void)domain, (void)host;
    (void)flags;
    s->resolver = r;
    s->found = false;
    if (event == AVAHI_RESOLVER_FOUND) {
        s->pause_s = MDNS_RETRY_S;
        s->offer = (struct idv_offer){.origin = IDV_FROM_MDNS, .port = port};
        s->found = port != 0 && is_ours(txt) &&
                   address(a, interface, s->offer.host, sizeof(s->offer.host));
    } else {
        retry_later(s);
    }
    idvi_mdns_publish(s->item->m);
}

static void start(struct mdns_slot *s)
{
    const struct mdns_item *i = s->item;
    s->resolver = avahi_service_resolver_new(
        i->m->client, i->interface, i->protocol, i->name, i->type, MDNS_DOMAIN,
        s->family, 0, resolved, s);
    if (!s->resolver)
        retry_later(s);
}

/* (what came by IPv4 may well be reached by IPv6 only) */
void idvi_mdns_resolve(struct mdns_item *item)
{
    struct mdns_slot *s = item->slots;
    s[0] = (struct mdns_slot){
        .item = item, .family = AVAHI_PROTO_INET6, .pause_s = MDNS_RETRY_S};
    s[1] = s[0];
    start(&s[0]);
    if (item->protocol != AVAHI_PROTO_INET)
        return;
    s[1].family = AVAHI_PROTO_INET;
    start(&s[1]);
}

void idvi_mdns_drop(struct mdns_item *item)
{
    const AvahiPoll *poll = avahi_simple_poll_get(item->m->poll);
    for (int i = 0; i < 2; i++) {
        if (item->slots[i].resolver)
            avahi_service_resolver_free(item->slots[i].resolver);
        if (item->slots[i].again)
            poll->timeout_free(item->slots[i].again);
    }
    item->m = NULL;
}
