/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the pledge may try: registrars and proxies, each with its back-off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "pledge/pledge_priv.h"

/* RFC 8995 section 4.1 */
#define FIRST_PAUSE 5 /* before the same one again, doubled each time */
#define LONGEST_PAUSE 3600

/* --- those of the configuration ------------------------------------------- */

/* "[fe80::1%eth0]:8443": a zone is no part of a URL, so it is cut out of text
 * and put behind the host again. */
static idv_rc read_zoned(const char *text, const char *zone,
                         struct idv_url *url)
{
    char plain[IDV_MAX_URL];
    const char *end = strchr(zone, ']');
    if (!end || end - zone < 2 || end - zone > 32 ||
        strlen(text) >= sizeof(plain))
        return idv_fail(IDV_E_ARG, "pledge: registrar '%.100s'", text);
    snprintf(plain, sizeof(plain), "%.*s%s", (int)(zone - text), text, end);
    IDV_TRY(idv_url_from_text(idv_str(plain), url));
    const size_t n = strlen(url->host);
    if (n + (size_t)(end - zone) >= sizeof(url->host))
        return idv_fail(IDV_E_ARG, "pledge: registrar '%.100s'", text);
    snprintf(url->host + n, sizeof(url->host) - n, "%.*s", (int)(end - zone),
             zone);
    return IDV_OK;
}

idv_rc idvi_registrar_read(const char *text, struct idv_url *url)
{
    const char *v6 = strchr(text, '[');
    const char *zone = v6 ? strchr(v6, '%') : NULL;
    idv_rc rc = zone ? read_zoned(text, zone, url)
                     : idv_url_from_text(idv_str(text), url);
    if (rc == IDV_OK && url->path[0])
        return idv_fail(IDV_E_ARG, "pledge: registrar '%.100s' has a path",
                        text);
    return rc;
}

idv_rc idvi_candidate_add(struct idv_pledge *p, const struct idv_url *url,
                          enum idv_origin origin)
{
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        struct idvi_candidate *c = &p->candidates[i];
        if (c->origins)
            continue;
        *c = (struct idvi_candidate){.url = *url, .origins = 1u << origin};
        return IDV_OK;
    }
    return idv_fail(IDV_E_LIMIT, "pledge: more than %d registrars",
                    IDV_MAX_CANDIDATES);
}

idv_rc idvi_registrar_write(const struct idv_url *url,
                            char out[static IDV_MAX_URL])
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_URL - 1};
    IDV_TRY(idv_url_to_text(url, &text));
    snprintf(out, IDV_MAX_URL, "%s", (const char *)text.p);
    return IDV_OK;
}

/* the maker's, in full: https is the scheme, its path that of the request */
static idv_rc cloud_new(struct idv_pledge *p)
{
    struct idv_url url;
    const char *text = p->conf.cloud;
    if (!text)
        return IDV_OK;
    if (sk_X509_num(p->conf.cloud_anchors) < 1)
        return idv_fail(IDV_E_ARG, "pledge: no trust anchor for the cloud "
                                   "registrar");
    p->conf.cloud = NULL;
    IDV_TRY(idv_url_from_text(idv_str(text), &url));
    if (strlen(url.path) >= sizeof(p->lane[0].path))
        return idv_fail(IDV_E_LIMIT, "pledge: path of '%.100s'", text);
    return idvi_candidate_add(p, &url, IDV_FROM_CLOUD);
}

idv_rc idvi_candidates_new(struct idv_pledge *p)
{
    const char *const *text = p->conf.registrars;
    for (; text && *text; text++) {
        struct idv_url url;
        IDV_TRY(idvi_registrar_read(*text, &url));
        IDV_TRY(idvi_candidate_add(p, &url, IDV_FROM_CONFIG));
    }
    p->conf.registrars = NULL;
    return cloud_new(p);
}

void idvi_candidate_forget(struct idvi_candidate *c)
{
    if (c->parked) {
        idvi_attempt_clear(c->parked);
        free(c->parked);
    }
    *c = (struct idvi_candidate){0};
}

enum idv_origin idvi_candidate_origin(const struct idvi_candidate *c)
{
    enum idv_origin o = IDV_FROM_CONFIG;
    while (o < IDV_FROM_CLOUD && !(c->origins & 1u << o))
        o++;
    return o;
}

/* --- choosing ------------------------------------------------------------- */

bool idvi_candidate_free(const struct idv_pledge *p,
                         const struct idvi_candidate *c)
{
    /* the cloud renews nothing: it is no part of the domain */
    if (p->renewing && idvi_candidate_origin(c) == IDV_FROM_CLOUD)
        return false;
    return c->origins && !c->busy && !c->gone && !idvi_address_answered(p, c) &&
           (p->conf.attempts <= 0 || c->tries < p->conf.attempts);
}

static int64_t earliest(const struct idv_pledge *p,
                        const struct idvi_candidate *c)
{
    return c != p->begun && c->due < p->spacing ? p->spacing : c->due;
}

/* The one that waits for the longest; among the new ones the better origin,
 * then the order in which they came. */
static bool before(const struct idv_pledge *p, const struct idvi_candidate *a,
                   const struct idvi_candidate *b)
{
    const int64_t at_a = earliest(p, a), at_b = earliest(p, b);
    if (at_a != at_b && (at_a > p->now || at_b > p->now))
        return at_a < at_b;
    if (a->due != b->due)
        return a->due < b->due;
    return idvi_candidate_origin(a) < idvi_candidate_origin(b);
}

struct idvi_candidate *idvi_candidate_first(struct idv_pledge *p, int64_t *when)
{
    struct idvi_candidate *best = NULL;
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        struct idvi_candidate *c = &p->candidates[i];
        if (idvi_candidate_free(p, c) && (!best || before(p, c, best)))
            best = c;
    }
    if (best)
        *when = earliest(p, best);
    return best;
}

/* --- back-off ------------------------------------------------------------- */

static int64_t pause_of(const struct idv_pledge *p, int tries)
{
    const int first = p->conf.pace.first_s;
    int64_t s = first < 0 ? 0 : first ? first : FIRST_PAUSE;
    for (int i = 0; i < tries && s < LONGEST_PAUSE; i++)
        s *= 2;
    return s < LONGEST_PAUSE ? s : LONGEST_PAUSE;
}

void idvi_candidate_failed(struct idv_pledge *p, struct idvi_candidate *c,
                           int64_t rest_s, idv_rc rc, const char *note)
{
    const int64_t pause = pause_of(p, c->tries);
    c->busy = false;
    c->due = p->now + (pause > rest_s ? pause : rest_s) * 1000;
    if (c->tries < INT32_MAX)
        c->tries++;
    c->last = rc;
    snprintf(c->reason, sizeof(c->reason), "%s", note);
    if (c->gone)
        idvi_candidate_forget(c);
}
