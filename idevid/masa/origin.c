/* SPDX-License-Identifier: Apache-2.0 */
/* Domains that are believed at first sight, and the networks that they come
 * from (RFC 8995 section 7.4.2). */
#include <stdio.h>
#include <string.h>

#include "idevid/masa/masa_call.h"

#define DAY_S (24 * 3600)
#define LEARNT 8 /* networks, on the first day, of a domain that is bound */
#define KEPT 32  /* at all */

/* 192.0.2.7 to 192.0.2.0/24 */
static void network4(const char *address, char out[static IDV_MAX_NETWORK])
{
    const char *last = strrchr(address, '.');
    snprintf(out, IDV_MAX_NETWORK, "%.*s.0/24", (int)(last - address), address);
}

/* 2001:db8:1:2::7 to 2001:db8:1::/48; what "::" leaves out is 0 */
static void network6(const char *address, char out[static IDV_MAX_NETWORK])
{
    const char *at = address;
    size_t n = 0;
    for (int group = 0; group < 3; group++) {
        const size_t digits = strspn(at, "0123456789abcdefABCDEF");
        n += (size_t)snprintf(out + n, IDV_MAX_NETWORK - n, "%.*s:",
                              digits ? (int)(digits < 4 ? digits : 4) : 1,
                              digits ? at : "0");
        if (digits)
            at += digits + (at[digits] == ':');
    }
    snprintf(out + n, IDV_MAX_NETWORK - n, ":/48");
}

void idv_masa_network(const char *address, char out[static IDV_MAX_NETWORK])
{
    const char *colon = strrchr(address, ':');
    if (strchr(address, '.') && !strchr(address, '%'))
        network4(colon ? colon + 1 : address, out); /* as it is mapped, too */
    else if (colon)
        network6(address, out);
    else
        snprintf(out, IDV_MAX_NETWORK, "%.20s", address);
}

struct origins {
    const char *network;
    int64_t first; /* of all */
    unsigned n;
    bool known;
};

static bool see(void *arg, int64_t first_seen, const char *network)
{
    struct origins *o = arg;
    if (!o->n++ || first_seen < o->first)
        o->first = first_seen;
    o->known = o->known || strcmp(network, o->network) == 0;
    return true;
}

static idv_rc moved(struct idvi_masa_call *c, const struct origins *o)
{
    if (c->policy.origin == IDV_ORIGIN_BIND &&
        (o->n >= LEARNT || c->now >= o->first + DAY_S)) {
        (void)!idv_fail(IDV_E_REJECT, "%s", c->network);
        return idvi_refuse(&c->no, 403, "origin",
                           "this domain is not served at this address");
    }
    idv_log(c->masa->env, IDV_LOG_WARN, "domain-moved",
            "domain=%s network=%s registrar=%s", c->domain_id, c->network,
            idv_log_value(idv_cert_subject(c->opened.signer)));
    if (o->n >= KEPT)
        c->network[0] = 0;
    return IDV_OK;
}

/* Who is named in the store, or owns the device, is not taken on trust. */
idv_rc idvi_masa_check_origin(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    struct origins o = {.network = c->network};
    if (c->policy.origin == IDV_ORIGIN_ANY || c->registrar_known ||
        c->assertion == IDV_ASSERT_VERIFIED || !c->call->peer)
        return IDV_OK;
    idv_masa_network(c->call->peer->address, c->network);
    IDV_TRY(idvi_masa_key_of(c->pin, c->domain_key));
    IDV_TRY(store->origins(store->self, c->domain_key, see, &o));
    return o.known || !o.n ? IDV_OK : moved(c, &o);
}
