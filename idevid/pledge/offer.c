/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates that come and go while the pledge is at work. */
#include <stdio.h>
#include <string.h>

#include <idevid/text.h>

#include "pledge/pledge_priv.h"

#define CONFIGURED (1u << IDV_FROM_CONFIG)
#define CLOUD (1u << IDV_FROM_CLOUD)

static bool printable(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            return false;
    }
    return true;
}

static idv_rc read_offer(const struct idv_offer *o, struct idv_url *url)
{
    const bool cloud = o->origin == IDV_FROM_CLOUD;
    if ((unsigned)o->origin > IDV_FROM_CLOUD || !o->port ||
        !memchr(o->host, 0, sizeof(o->host)) || !o->host[0] ||
        !printable(o->host) || strpbrk(o->host, "/@?#[]\\\"") != NULL)
        return idv_fail(IDV_E_ARG, "pledge: an offer without a host or port");
    if (!memchr(o->path, 0, sizeof(o->path)) || !printable(o->path) ||
        (o->path[0] && (!cloud || o->path[0] != '/')))
        return idv_fail(IDV_E_ARG, "pledge: an offer with a path");
    memset(url, 0, sizeof(*url));
    memcpy(url->host, o->host, sizeof(url->host));
    url->port = o->port;
    strcpy(url->path, o->path);
    return IDV_OK;
}

/* One that is verified otherwise is another one, though it be the same. */
static struct idvi_candidate *find(struct idv_pledge *p,
                                   const struct idv_url *url, bool cloud)
{
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        struct idvi_candidate *c = &p->candidates[i];
        if (c->origins && !c->address[0] && !(c->origins & CLOUD) == !cloud &&
            idv_url_same_origin(&c->url, url) &&
            strcmp(c->url.path, url->path) == 0)
            return c;
    }
    return NULL;
}

static void withdraw(struct idv_pledge *p, struct idvi_candidate *c,
                     enum idv_origin origin)
{
    const unsigned left = c->origins & ~(1u << origin);
    if (origin == IDV_FROM_CONFIG || left == c->origins)
        return;
    if (left) {
        c->origins = left;
        return;
    }
    idvi_address_forget(p, c);
    if (c->busy)
        c->gone = true;
    else
        idvi_candidate_forget(c);
}

static void again(struct idvi_candidate *c, enum idv_origin origin)
{
    c->origins |= 1u << origin;
    if (!c->gone)
        return;
    c->gone = false;
    c->tries = 0;
}

/* --- a table that is full ------------------------------------------------- */

static bool worse(const struct idvi_candidate *a,
                  const struct idvi_candidate *b)
{
    const enum idv_origin from_a = idvi_candidate_origin(a),
                          from_b = idvi_candidate_origin(b);
    return from_a != from_b ? from_a > from_b : a->tries > b->tries;
}

/* Whoever floods displaces what failed before, and nobody's untried offer. */
static struct idvi_candidate *displaced(struct idv_pledge *p,
                                        enum idv_origin origin)
{
    struct idvi_candidate *worst = NULL;
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        struct idvi_candidate *c = &p->candidates[i];
        if (c->busy || c->parked || (c->origins & CONFIGURED))
            continue;
        if (!worst || worse(c, worst))
            worst = c;
    }
    if (!worst)
        return NULL;
    const enum idv_origin from = idvi_candidate_origin(worst);
    return from > origin || (from == origin && worst->tries) ? worst : NULL;
}

static bool full(const struct idv_pledge *p)
{
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        if (!p->candidates[i].origins)
            return false;
    }
    return true;
}

static idv_rc come(struct idv_pledge *p, const struct idv_url *url,
                   enum idv_origin origin)
{
    if (full(p)) {
        struct idvi_candidate *c = displaced(p, origin);
        if (!c)
            return IDV_OK;
        idvi_candidate_forget(c);
    }
    idv_log(p->env, IDV_LOG_INFO, "offer", "registrar=%s:%u origin=%s",
            url->host, (unsigned)url->port, idv_origin_name(origin));
    return idvi_candidate_add(p, url, origin);
}

idv_rc idv_pledge_offer(struct idv_pledge *p, const struct idv_offer *o)
{
    struct idv_url url;
    IDV_TRY(read_offer(o, &url));
    struct idvi_candidate *c = find(p, &url, o->origin == IDV_FROM_CLOUD);
    if (c && o->gone)
        withdraw(p, c, o->origin);
    else if (c)
        again(c, o->origin);
    else if (!o->gone)
        return come(p, &url, o->origin);
    return IDV_OK;
}

void idv_pledge_link_up(struct idv_pledge *p)
{
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        p->candidates[i].tries = 0;
        p->candidates[i].due = 0;
    }
}
