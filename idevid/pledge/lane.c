/* SPDX-License-Identifier: Apache-2.0 */
/* S1: which registrar a lane tries next, and when; and how attempts end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

#define SPACING 3 /* seconds, RFC 8995 section 4.1 */

/* --- one lane, or many ---------------------------------------------------- */

void idvi_attempt_clear(struct idvi_attempt *a)
{
    struct idv_pledge *p = a->p;
    idvi_request_forget(a);
    idvi_domain_forget(a);
    idvi_cloud_forget(a);
    *a = (struct idvi_attempt){.p = p, .stage = a->stage};
}

void idvi_go_alone(struct idvi_attempt *a, struct idv_ask *ask)
{
    struct idv_pledge *p = a->p;
    ask->alone = true;
    if (p->alone)
        return;
    p->alone = a;
    for (size_t i = 0; i < p->lanes; i++) {
        struct idvi_attempt *other = &p->lane[i];
        if (other == a)
            continue;
        if (other->candidate) {
            other->candidate->busy = false;
            if (other->candidate->gone)
                idvi_candidate_forget(other->candidate);
        }
        idvi_attempt_clear(other);
        other->stage = STAGE_IDLE;
    }
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++) {
        struct idvi_attempt *parked = idv_steal(&p->candidates[i].parked);
        if (parked)
            idvi_attempt_clear(parked);
        free(parked);
    }
}

static bool idle(const struct idvi_attempt *a)
{
    return !a->candidate && a->stage == STAGE_BACKOFF;
}

/* another lane that may take what is due */
static bool somebody_idle(const struct idv_pledge *p)
{
    for (size_t i = 0; i < p->lanes; i++) {
        if (idle(&p->lane[i]))
            return true;
    }
    return false;
}

static bool somebody_busy(const struct idv_pledge *p)
{
    for (size_t i = 0; i < p->lanes; i++) {
        if (p->lane[i].candidate)
            return true;
    }
    return false;
}

/* --- parking -------------------------------------------------------------- */

/* The attempt goes to its candidate, the lane is free. */
static idv_rc park(struct idvi_attempt *a)
{
    struct idvi_candidate *c = a->candidate;
    struct idvi_attempt *kept = malloc(sizeof(*kept));
    if (!kept)
        return idv_fail(IDV_E_NOMEM, "pledge");
    idvi_say(a, "parked",
             "another registrar's turn, until it may be asked "
             "again");
    *kept = *a;
    *a = (struct idvi_attempt){.p = kept->p};
    c->parked = kept;
    c->due = kept->until;
    c->busy = false;
    return IDV_OK;
}

static idv_rc unpark(struct idvi_attempt *a, struct idvi_candidate *c,
                     struct idv_ask *ask)
{
    struct idvi_attempt *kept = idv_steal(&c->parked);
    *a = *kept;
    free(kept);
    return idvi_request_connect(a, ask);
}

/* --- departing ------------------------------------------------------------ */

static void begin(struct idvi_attempt *a, struct idvi_candidate *c)
{
    const int spacing = a->p->conf.pace.spacing_s;
    a->candidate = c;
    a->at = c->url;
    a->at.path[0] = 0;
    memcpy(a->address, c->address, sizeof(a->address));
    a->cloud.on = idvi_candidate_origin(c) == IDV_FROM_CLOUD;
    snprintf(a->path, sizeof(a->path), "%.255s", c->url.path);
    idvi_say(a, "connect", a->at.host);
    a->p->begun = c;
    a->p->spacing = a->p->now;
    if (spacing >= 0)
        a->p->spacing += (spacing ? spacing : SPACING) * 1000;
}

static idv_rc depart(struct idvi_attempt *a, struct idvi_candidate *c,
                     struct idv_ask *ask)
{
    struct idv_pledge *p = a->p;
    c->busy = true;
    ask->stir = true;
    if (c->parked)
        return unpark(a, c, ask);
    a->candidate = c;
    a->at = c->url;
    idv_rc rc = idv_trust_settle(p->conf.trust);
    if (rc != IDV_OK)
        return idvi_attempt_failed(a, rc, ask);
    begin(a, c);
    if (idv_trust_state(p->conf.trust) == IDV_TRUST_NONE)
        return idvi_request_connect(a, ask);
    idvi_go_alone(a, ask);
    rc = idvi_cloud_resume(a);
    if (rc != IDV_OK)
        return idvi_attempt_failed(a, rc, ask);
    return idvi_domain_connect(a, ask);
}

/* --- looking for one ------------------------------------------------------ */

static int seconds_until(const struct idv_pledge *p, int64_t when)
{
    return (int)((when - p->now + 999) / 1000);
}

static idv_rc rest(struct idvi_attempt *a, int seconds, struct idv_ask *ask)
{
    idv_rc rc = idvi_wait(a, STAGE_BACKOFF, seconds, ask);
    ask->close = ask->news = true;
    return rc;
}

/* nobody to go to, and nobody on the way */
static idv_rc nobody(struct idvi_attempt *a, struct idv_ask *ask)
{
    struct idv_pledge *p = a->p;
    if (p->conf.attempts <= 0)
        return rest(a, IDV_FOREVER, ask);
    const int64_t end = p->started + p->conf.patience_s * (int64_t)1000;
    if (end > p->now)
        return rest(a, seconds_until(p, end), ask);
    return idvi_done(a, p->last, p->note, ask);
}

static idv_rc next(struct idvi_attempt *a, struct idv_ask *ask)
{
    struct idv_pledge *p = a->p;
    int64_t when;
    struct idvi_candidate *c = idvi_candidate_first(p, &when);
    if (!c)
        return somebody_busy(p) ? rest(a, IDV_FOREVER, ask) : nobody(a, ask);
    if (when <= p->now)
        return depart(a, c, ask);
    return rest(a, seconds_until(p, when), ask);
}

/* Imprinted by an earlier run, perhaps by one whom we were redirected to. */
static void offer_owner(struct idv_pledge *p)
{
    struct idv_offer o = {.origin = IDV_FROM_CONFIG};
    struct idv_url url;
    if (idv_trust_state(p->conf.trust) != IDV_TRUST_IMPRINTED)
        return;
    const char *text = idv_trust_memo(p->conf.trust)->registrar;
    if (text[0] && idvi_registrar_read(text, &url) == IDV_OK) {
        memcpy(o.host, url.host, sizeof(o.host));
        o.port = url.port;
        idv_rc rc = idv_pledge_offer(p, &o);
        (void)rc; /* one place to go to less */
    }
    idv_note_clear();
}

static idv_rc first_start(struct idvi_attempt *a)
{
    struct idv_pledge *p = a->p;
    p->started = p->now;
    p->last = IDV_E_ARG;
    snprintf(p->note, sizeof(p->note), "pledge: no registrar to go to");
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++)
        p->candidates[i].tries = 0;
    offer_owner(p);
    return p->renewing || p->again ? idvi_renew_start(a) : IDV_OK;
}

idv_rc idvi_start(struct idvi_attempt *a, struct idv_told *told,
                  struct idv_ask *ask)
{
    struct idv_pledge *p = a->p;
    (void)told;
    if (!p->renewing && !p->again &&
        idv_trust_state(p->conf.trust) == IDV_TRUST_ENROLLED)
        return idvi_done(a, IDV_OK, "", ask);
    idv_rc rc = a == &p->lane[0] ? first_start(a) : IDV_OK;
    if (rc != IDV_OK) {
        idvi_remember(a, rc);
        return idvi_done(a, rc, a->note, ask);
    }
    return next(a, ask);
}

idv_rc idvi_look(struct idvi_attempt *a, struct idv_told *told,
                 struct idv_ask *ask)
{
    (void)told; /* where nothing is open nothing is lost */
    return next(a, ask);
}

/* --- told to wait (202) --------------------------------------------------- */

/* somebody else might be tried before the wait is over, and only here */
static bool wanted_elsewhere(struct idvi_attempt *a)
{
    int64_t when;
    return !somebody_idle(a->p) && idvi_candidate_first(a->p, &when) &&
           when < a->until;
}

static idv_rc hold_or_park(struct idvi_attempt *a, struct idv_ask *ask)
{
    if (!wanted_elsewhere(a)) {
        ask->news = true;
        return IDV_OK;
    }
    IDV_TRY(park(a));
    idv_ask_free(ask);
    idv_msg_init(&ask->connect.first);
    return next(a, ask);
}

idv_rc idvi_pending_hold(struct idvi_attempt *a, int seconds,
                         struct idv_ask *ask)
{
    IDV_TRY(idvi_wait(a, STAGE_PENDING, seconds, ask));
    return hold_or_park(a, ask);
}

idv_rc idvi_pending_news(struct idvi_attempt *a, struct idv_told *told,
                         struct idv_ask *ask)
{
    const int64_t until = a->until;
    const int left = seconds_until(a->p, until);
    (void)told;
    IDV_TRY(idvi_wait(a, STAGE_PENDING, left > 0 ? left : 1, ask));
    a->until = until;
    return hold_or_park(a, ask);
}

/* --- no progress ---------------------------------------------------------- */

static bool longest(const struct idvi_attempt *a)
{
    const struct idv_pledge *p = a->p;
    for (size_t i = 0; i < p->lanes; i++) {
        const struct idvi_attempt *b = &p->lane[i];
        if (b != a && b->candidate && b->stalled_told &&
            p->now - b->stalled_told < STALL_HEARD_MS &&
            b->stalled < a->stalled)
            return false;
    }
    return true;
}

/* somebody is due, has no lane, and this is the one to make room */
static bool give_up(struct idvi_attempt *a)
{
    int64_t when;
    return !somebody_idle(a->p) && idvi_candidate_first(a->p, &when) &&
           when <= a->p->now && longest(a);
}

idv_rc idvi_stalled(struct idvi_attempt *a, const struct idv_told *told,
                    struct idv_ask *ask)
{
    a->stalled = a->p->now - told->stalled_ms;
    a->stalled_told = a->p->now;
    if (!give_up(a)) {
        ask->kind = IDV_ASK_NOTHING;
        return IDV_OK;
    }
    idv_rc rc = idv_fail(IDV_E_TIMEOUT, "%s; another one is due",
                         told->note[0] ? told->note : "no progress");
    return idvi_attempt_failed(a, rc, ask);
}

/* --- ending an attempt ---------------------------------------------------- */

idv_rc idvi_attempt_over(struct idvi_attempt *a, struct idv_told *told,
                         struct idv_ask *ask)
{
    struct idv_pledge *p = a->p;
    (void)told;
    idv_log(p->env, IDV_LOG_WARN, "attempt-failed",
            "registrar=%s:%u class=%s reason=%s", a->at.host,
            (unsigned)a->at.port, idv_rc_name(a->last), idv_log_value(a->note));
    if (p->conf.progress)
        p->conf.progress(p->conf.progress_arg, "failed", a->note);
    p->last = a->last;
    memcpy(p->note, a->note, sizeof(p->note));
    struct idvi_candidate *c = a->candidate;
    if (c)
        idvi_candidate_failed(p, c, a->rest_s, a->last, a->note);
    idvi_attempt_clear(a);
    if (c && idvi_address_wanted(p, c))
        return idvi_address_lookup(a, c, ask);
    ask->stir = true;
    return next(a, ask);
}

idv_rc idvi_attempt_failed(struct idvi_attempt *a, idv_rc rc,
                           struct idv_ask *ask)
{
    idvi_remember(a, rc);
    return idvi_attempt_over(a, NULL, ask);
}

idv_rc idvi_attempt_lost(struct idvi_attempt *a, struct idv_told *told,
                         struct idv_ask *ask)
{
    (void)a;
    (void)ask;
    return idv_fail(told->rc == IDV_OK ? IDV_E_NET : told->rc, "%s",
                    told->note[0] ? told->note : "connection lost");
}
