/* SPDX-License-Identifier: Apache-2.0 */
/* S1: a name of many addresses, each a registrar to be tried on its own. */
#include <stdio.h>
#include <string.h>

#include "pledge/pledge_priv.h"

#define CLOUD (1u << IDV_FROM_CLOUD)

bool idvi_is_name(const char *host)
{
    return !strchr(host, ':') && strspn(host, "0123456789.") != strlen(host);
}

static bool same_name(const struct idvi_candidate *a,
                      const struct idvi_candidate *b)
{
    return a->origins && b->origins && idv_url_same_origin(&a->url, &b->url) &&
           (a->origins & CLOUD) == (b->origins & CLOUD) &&
           strcmp(a->url.path, b->url.path) == 0;
}

/* --- whether -------------------------------------------------------------- */

bool idvi_address_wanted(const struct idv_pledge *p,
                         const struct idvi_candidate *c)
{
    return p->conf.addresses && c->origins && !c->address[0] && !c->gone &&
           idvi_is_name(c->url.host);
}

static bool answers(const struct idv_pledge *p, const struct idvi_attempt *b)
{
    const bool stalled =
        b->stalled_told && p->now - b->stalled_told < STALL_HEARD_MS;
    return b->stage != STAGE_IDENTIFY && b->stage != STAGE_LOOKUP && !stalled;
}

bool idvi_address_answered(const struct idv_pledge *p,
                           const struct idvi_candidate *c)
{
    for (size_t i = 0; p->conf.addresses && i < p->lanes; i++) {
        const struct idvi_attempt *b = &p->lane[i];
        if (b->candidate && b->candidate != c && same_name(b->candidate, c) &&
            answers(p, b))
            return true;
    }
    for (size_t i = 0; p->conf.addresses && i < IDV_MAX_CANDIDATES; i++) {
        const struct idvi_candidate *o = &p->candidates[i];
        if (o != c && o->parked && same_name(o, c))
            return true;
    }
    return false;
}

/* --- looking up ----------------------------------------------------------- */

/* The candidate stays busy: nobody gives up while it is looked for. */
idv_rc idvi_address_lookup(struct idvi_attempt *a, struct idvi_candidate *c,
                           struct idv_ask *ask)
{
    a->candidate = c;
    a->at = c->url;
    c->busy = true;
    idvi_stage(a, STAGE_LOOKUP);
    ask->kind = IDV_ASK_LOOKUP;
    memcpy(ask->connect.host, c->url.host, sizeof(ask->connect.host));
    ask->connect.port = c->url.port;
    return IDV_OK;
}

static idv_rc go_on(struct idvi_attempt *a, struct idv_told *told,
                    struct idv_ask *ask)
{
    struct idvi_candidate *c = a->candidate;
    c->busy = false;
    if (c->gone)
        idvi_candidate_forget(c);
    idvi_attempt_clear(a);
    ask->stir = true;
    return idvi_look(a, told, ask);
}

/* It stays a name, to be tried as one. */
idv_rc idvi_address_lost(struct idvi_attempt *a, struct idv_told *told,
                         struct idv_ask *ask)
{
    return go_on(a, told, ask);
}

/* --- many of them --------------------------------------------------------- */

static bool in_list(const struct idv_told *told, const char *address)
{
    for (size_t i = 0; i < told->addresses.n; i++) {
        if (strcmp(told->addresses.list[i], address) == 0)
            return true;
    }
    return false;
}

static bool is_many(const struct idv_told *told)
{
    size_t v6 = 0;
    for (size_t i = 0; i < told->addresses.n; i++)
        v6 += strchr(told->addresses.list[i], ':') != NULL;
    return v6 > 1 || told->addresses.n - v6 > 1;
}

static bool known(const struct idv_pledge *p, const struct idvi_candidate *name,
                  const char *address)
{
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        const struct idvi_candidate *c = &p->candidates[i];
        if (same_name(c, name) && strcmp(c->address, address) == 0)
            return true;
    }
    return false;
}

/* NULL: no room, and nobody is displaced by a name server's word */
static struct idvi_candidate *room(struct idv_pledge *p)
{
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        if (!p->candidates[i].origins)
            return &p->candidates[i];
    }
    return NULL;
}

static void add(struct idv_pledge *p, const struct idvi_candidate *name,
                const char *address)
{
    struct idvi_candidate *c = known(p, name, address) ? NULL : room(p);
    if (!c)
        return;
    *c = (struct idvi_candidate){.url = name->url, .origins = name->origins};
    snprintf(c->address, sizeof(c->address), "%s", address);
}

/* of name, those that are not in told; told NULL: all */
static void drop(struct idv_pledge *p, const struct idvi_candidate *name,
                 const struct idv_told *told)
{
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        struct idvi_candidate *c = &p->candidates[i];
        if (c == name || !c->address[0] || !same_name(c, name) ||
            (told && in_list(told, c->address)))
            continue;
        if (c->busy)
            c->gone = true;
        else
            idvi_candidate_forget(c);
    }
}

void idvi_address_forget(struct idv_pledge *p, const struct idvi_candidate *c)
{
    if (!c->address[0])
        drop(p, c, NULL);
}

idv_rc idvi_address_told(struct idvi_attempt *a, struct idv_told *told,
                         struct idv_ask *ask)
{
    const struct idvi_candidate *name = a->candidate;
    const bool many = is_many(told) && !name->gone;
    drop(a->p, name, many ? told : NULL);
    for (size_t i = 0; many && i < told->addresses.n; i++)
        add(a->p, name, told->addresses.list[i]);
    return go_on(a, told, ask);
}
