/* SPDX-License-Identifier: Apache-2.0 */
/* A join or a renewal from its beginning to its end, in the foreground. */
#include <signal.h>
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/drive.h>

#include "evidence.h"
#include "ldevid.h"
#include "pledge.h"
#include "pledge_crl.h"
#include "pledge_find.h"

/* --- ending early --------------------------------------------------------- */

static volatile int stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

void pledge_catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
}

/* --- driving -------------------------------------------------------------- */

struct drive {
    struct pledge *p;
    struct idv_pledge *pledge;
    struct idv_crew crew;
    struct pledge_find find;
};

/* One machine is a crew of one lane. */
static idv_rc one_lane(void *machine, size_t lane, struct idv_told *told,
                       struct idv_ask *ask)
{
    const struct idv_machine *m = machine;
    (void)lane;
    return m->step(m->self, told, ask);
}

static idv_rc step(void *self, size_t lane, struct idv_told *told,
                   struct idv_ask *ask)
{
    const struct drive *d = self;
    idv_rc rc = d->crew.step(d->crew.self, lane, told, ask);
    if (rc == IDV_OK && d->p->look)
        d->p->look(d->p->watch_arg, d->pledge);
    return rc;
}

enum way { JOIN, RENEW, RENEW_PREVIOUS, REENROLL };

static idv_rc drive_on(struct drive *d, enum way way, unsigned methods)
{
    struct idv_drive_conf dc = {.env = d->p->t->env, .stop = &stop};
    struct idv_machine m = {0};
    if (way == JOIN) {
        d->crew = idv_pledge_join_crew(d->pledge);
    } else {
        m = way == REENROLL ? idv_pledge_reenroll(d->pledge)
                            : idv_pledge_renew(d->pledge);
        d->crew = (struct idv_crew){one_lane, 1, &m};
    }
    const struct idv_crew seen = {step, d->crew.lanes, d};
    IDV_TRY(pledge_find_start(&d->find, methods));
    dc.watch = pledge_find_watch(&d->find);
    idv_rc rc = idv_drive_crew(&seen, &dc);
    pledge_find_end(&d->find);
    return rc;
}

static idv_rc drive(struct pledge *p, const struct idv_pledge_conf *conf,
                    enum way way, unsigned methods, enum idv_verdict *verdict)
{
    struct drive d = {.p = p};
    struct idv_pledge_conf pc = *conf;
    pc.renew_previous = way == RENEW_PREVIOUS;
    IDV_TRY(idv_pledge_new(&pc, p->t->env, &d.pledge));
    d.find.pledge = d.pledge;
    d.find.env = p->t->env;
    idv_rc rc = drive_on(&d, way, methods);
    *verdict = idv_pledge_verdict(d.pledge);
    idv_pledge_free(d.pledge);
    return rc;
}

/* --- one way after the other ---------------------------------------------- */

static bool expired(const struct pledge *p)
{
    const struct idv_enrollment *e = idv_trust_enrollment(p->s.trust);
    const struct idv_env *env = p->t->env;
    int64_t from, to;
    return e && idv_clock_trusted(env) &&
           idv_cert_times(sk_X509_value(e->ldevid, 0), &from, &to) == IDV_OK &&
           idv_now(env) > to;
}

/* Is this one to be tried, after the ones before it failed? */
static bool applies(const struct pledge *p, enum pledge_job job, enum way way)
{
    switch (way) {
    case JOIN:
        return job == PLEDGE_JOIN;
    case RENEW:
        return job == PLEDGE_RENEW;
    case RENEW_PREVIOUS:
        return job == PLEDGE_RENEW && idv_trust_previous(p->s.trust);
    case REENROLL: /* RFC 8994 section 6.2.5.5: first with what has expired */
        return job == PLEDGE_RENEW && expired(p);
    }
    return false;
}

static idv_rc all_ways(struct pledge *p, const struct idv_pledge_conf *pc,
                       enum pledge_job job, unsigned methods)
{
    enum idv_verdict verdict = IDV_VERDICT_OK;
    char note[IDV_NOTE_MAX] = "";
    idv_rc rc = IDV_E_STATE;
    for (int way = JOIN; way <= REENROLL && rc != IDV_OK && !stop; way++) {
        if (!applies(p, job, (enum way)way))
            continue;
        idv_note_clear();
        rc = drive(p, pc, (enum way)way, methods, &verdict);
        snprintf(note, sizeof(note), "%s", idv_note());
    }
    idv_note_clear();
    if (p->t->json)
        IDV_TRY(pledge_summary(p, rc, note, verdict));
    return rc == IDV_OK ? rc : idv_fail(rc, "%s", note);
}

/* --- whom to go to -------------------------------------------------------- */

/* Those named on the command line are the only ones. Renewal goes to the
 * registrar that enrolled us, and to whoever is discovered besides. */
static idv_rc find_registrars(const struct pledge *p,
                              const struct pledge_work *w,
                              const char *const **registrars, unsigned *methods)
{
    static const char *const none[] = {NULL};
    const struct pledge_conf *conf = &pledge_configuration;
    if (w->registrars && w->registrars[0]) {
        *registrars = w->registrars;
        return IDV_OK;
    }
    const bool named = conf->registrars && conf->registrars[0];
    *registrars = named ? (const char *const *)conf->registrars : none;
    IDV_TRY(pledge_find_methods(named, methods));
    if (named || *methods || conf->cloud ||
        idv_trust_state(p->s.trust) == IDV_TRUST_ENROLLED)
        return IDV_OK;
    return idv_fail(IDV_E_ARG,
                    "no registrar: --registrar HOST:PORT, or "
                    "network.registrar or discovery.method in %s",
                    p->t->conf_path);
}

/* What cannot be had now is no failure. */
idv_rc pledge_fetch_crl(struct pledge *p, bool *changed)
{
    char what[IDV_NOTE_MAX];
    IDV_TRY(pledge_crl_fetch(&p->s, changed, what));
    if (*what)
        pledge_progress(p, "crl", what);
    else if (*changed)
        pledge_progress(p, "crl", "fetched");
    return IDV_OK;
}

idv_rc pledge_work(struct pledge *p, const struct pledge_work *work)
{
    const int when = pledge_configuration.evidence;
    struct idv_pledge_conf pc = {
        .media = idv_envelope_media(
            voucher_forms[pledge_configuration.voucher_form]),
        .policy = {.refuse_nonceless = pledge_configuration.refuse_nonceless,
                   .refused_assertions = policy_assertions(
                       pledge_configuration.refuse_assertions)},
        .trust = p->s.trust,
        .make_key = ldevid_make,
        .open_key = ldevid_open,
        .key_type = (enum idv_key_type)pledge_configuration.key_type,
        .key_arg = &p->s,
        .evidence = when == EVIDENCE_NEVER ? NULL : tool_evidence_der,
        .evidence_arg = &p->s,
        .evidence_unasked = when == EVIDENCE_ALWAYS,
        .progress = pledge_progress,
        .progress_arg = p,
        .attempts = work->attempts,
        .addresses = true,
    };
    unsigned methods = 0;
    bool crl = false;
    struct ldevid_keys before;
    const bool renewal = idv_trust_enrollment(p->s.trust) != NULL;
    ldevid_keys(&p->s, &before);
    IDV_TRY(find_registrars(p, work, &pc.registrars, &methods));
    if (methods)
        pc.patience_s = (int)pledge_configuration.find.patience;
    IDV_TRY(ldevid_renewed(&p->s, &pc.renew_key));
    IDV_TRY(pledge_identity(p));
    pc.idevid_key = p->idevid_key;
    pc.idevid_chain = p->chain;
    pc.policy.maker_anchors = p->anchors;
    if (!work->registrars || !work->registrars[0])
        IDV_TRY(pledge_cloud(p, &pc));
    pledge_catch_signals();
    pledge_progress(p, "identity",
                    idv_cert_subject(sk_X509_value(p->chain, 0)));
    IDV_TRY(all_ways(p, &pc, work->job, methods));
    IDV_TRY(pledge_fetch_crl(p, &crl));
    /* the old key goes when nobody is pointed to it any more */
    IDV_TRY(pledge_event(&p->s, renewal ? "renewed" : "enrolled"));
    return ldevid_retire(&p->s, &before);
}
