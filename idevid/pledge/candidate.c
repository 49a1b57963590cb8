/* SPDX-License-Identifier: Apache-2.0 */
/* S1: which registrar to try next, and when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/text.h>

#include "pledge/pledge_priv.h"

/* RFC 8995 section 4.1 */
#define SPACING 3     /* seconds between different registrars */
#define FIRST_PAUSE 5 /* before the same one again, doubled each time */
#define LONGEST_PAUSE 3600

/* --- the list ------------------------------------------------------------- */

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

static idv_rc read_registrar(const char *text, struct idv_url *url)
{
    const char *zone = text[0] == '[' ? strchr(text, '%') : NULL;
    idv_rc rc = zone ? read_zoned(text, zone, url)
                     : idv_url_from_text(idv_str(text), url);
    if (rc == IDV_OK && url->path[0])
        return idv_fail(IDV_E_ARG, "pledge: registrar '%.100s' has a path",
                        text);
    return rc;
}

idv_rc idvi_candidates_new(struct idv_pledge *p)
{
    size_t n = 0;
    while (p->conf.registrars && p->conf.registrars[n])
        n++;
    p->candidates = calloc(n ? n : 1, sizeof(*p->candidates));
    if (!p->candidates)
        return idv_fail(IDV_E_NOMEM, "pledge");
    for (p->n = 0; p->n < n; p->n++)
        IDV_TRY(
            read_registrar(p->conf.registrars[p->n], &p->candidates[p->n].url));
    p->conf.registrars = NULL;
    return IDV_OK;
}

/* --- choosing ------------------------------------------------------------- */

static bool exhausted(const struct idv_pledge *p,
                      const struct idvi_candidate *c)
{
    return p->conf.attempts > 0 && c->tries >= p->conf.attempts;
}

/* the one that is due first; NULL when all have had their tries */
static struct idvi_candidate *choose(struct idv_pledge *p)
{
    struct idvi_candidate *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct idvi_candidate *c = &p->candidates[i];
        if (!exhausted(p, c) && (!best || c->due < best->due))
            best = c;
    }
    return best;
}

static idv_rc depart(struct idv_pledge *p, struct idv_ask *ask)
{
    p->at = p->candidates[p->current].url;
    idv_rc rc = idv_trust_settle(p->conf.trust);
    if (rc != IDV_OK)
        return idvi_attempt_failed(p, rc, ask);
    idvi_say(p, "connect", p->at.host);
    if (idv_trust_state(p->conf.trust) == IDV_TRUST_NONE)
        return idvi_request_connect(p, ask);
    return idvi_domain_connect(p, ask);
}

static idv_rc next(struct idv_pledge *p, struct idv_ask *ask)
{
    struct idvi_candidate *c = choose(p);
    if (!c)
        return idvi_done(p, p->last, p->note, ask);
    p->current = (size_t)(c - p->candidates);
    if (c->due <= p->clock)
        return depart(p, ask);
    return idvi_wait(p, STAGE_BACKOFF, (int)(c->due - p->clock), true, ask);
}

idv_rc idvi_start(struct idv_pledge *p, struct idv_told *told,
                  struct idv_ask *ask)
{
    (void)told;
    if (p->renewing) {
        idv_rc rc = idvi_renew_start(p);
        if (rc != IDV_OK) {
            idvi_remember(p, rc);
            return idvi_done(p, rc, p->note, ask);
        }
    } else if (idv_trust_state(p->conf.trust) == IDV_TRUST_ENROLLED) {
        return idvi_done(p, IDV_OK, "", ask);
    }
    p->last = IDV_E_ARG;
    snprintf(p->note, sizeof(p->note), "pledge: no registrar to go to");
    for (size_t i = 0; i < p->n; i++)
        p->candidates[i].tries = 0;
    return next(p, ask);
}

idv_rc idvi_backed_off(struct idv_pledge *p, struct idv_told *told,
                       struct idv_ask *ask)
{
    if (told->kind == IDV_TOLD_LOST) /* nothing was open that matters */
        p->clock += p->waiting;
    return depart(p, ask);
}

/* --- ending an attempt ---------------------------------------------------- */

static void back_off(struct idv_pledge *p)
{
    struct idvi_candidate *c = &p->candidates[p->current];
    int64_t pause = LONGEST_PAUSE;
    if (c->tries < 10)
        pause = (int64_t)FIRST_PAUSE << c->tries;
    c->tries++;
    c->due = p->clock + (pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
    for (size_t i = 0; i < p->n; i++) {
        if (p->candidates[i].due < p->clock + SPACING)
            p->candidates[i].due = p->clock + SPACING;
    }
}

idv_rc idvi_attempt_over(struct idv_pledge *p, struct idv_told *told,
                         struct idv_ask *ask)
{
    (void)told;
    idv_log(p->env, IDV_LOG_WARN, "attempt-failed",
            "registrar=%s:%u class=%s reason=%s", p->at.host,
            (unsigned)p->at.port, idv_rc_name(p->last), idv_log_value(p->note));
    if (p->conf.progress)
        p->conf.progress(p->conf.progress_arg, "failed", p->note);
    idvi_request_forget(p);
    idvi_domain_forget(p);
    back_off(p);
    return next(p, ask);
}

idv_rc idvi_attempt_failed(struct idv_pledge *p, idv_rc rc, struct idv_ask *ask)
{
    idvi_remember(p, rc);
    return idvi_attempt_over(p, NULL, ask);
}

idv_rc idvi_attempt_lost(struct idv_pledge *p, struct idv_told *told,
                         struct idv_ask *ask)
{
    (void)p;
    (void)ask;
    return idv_fail(told->rc == IDV_OK ? IDV_E_NET : told->rc, "%s",
                    told->note[0] ? told->note : "connection lost");
}
