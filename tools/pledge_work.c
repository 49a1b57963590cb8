/* SPDX-License-Identifier: Apache-2.0 */
/* A join or a renewal from its beginning to its end, in the foreground. */
#include <signal.h>
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/drive.h>

#include "ldevid.h"
#include "pledge.h"
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

/* in lanes while there may be several to ask, else one after the other */
static idv_rc drive_with(struct pledge_find *find, unsigned methods,
                         const struct pledge_work *w)
{
    IDV_TRY(pledge_find_start(find, methods));
    const struct idv_drive_conf dc = {
        .env = find->env, .stop = &stop, .watch = pledge_find_watch(find)};
    if (w->machine != idv_pledge_join) {
        const struct idv_machine m = w->machine(find->pledge);
        return idv_drive(&m, &dc);
    }
    const struct idv_crew crew = idv_pledge_join_crew(find->pledge);
    return idv_drive_crew(&crew, &dc);
}

static idv_rc drive(struct pledge *p, const struct idv_pledge_conf *pc,
                    unsigned methods, const struct pledge_work *w)
{
    struct idv_pledge *pledge = NULL;
    char note[IDV_NOTE_MAX];
    IDV_TRY(idv_pledge_new(pc, p->t->env, &pledge));
    struct pledge_find find = {.env = p->t->env, .pledge = pledge};
    idv_rc rc = drive_with(&find, methods, w);
    pledge_find_end(&find);
    enum idv_verdict verdict = idv_pledge_verdict(pledge);
    idv_pledge_free(pledge);
    snprintf(note, sizeof(note), "%s", idv_note());
    if (p->t->json) {
        idv_note_clear();
        IDV_TRY(pledge_summary(p, rc, note, verdict));
        return rc == IDV_OK ? rc : idv_fail(rc, "%s", note);
    }
    return rc;
}

/* Those that are named, and how to look for others; renewal finds the
 * registrar that enrolled us by itself. */
static idv_rc find_registrars(const struct pledge *p,
                              const struct pledge_work *w,
                              const char *const **registrars, unsigned *methods)
{
    static const char *const none[] = {NULL};
    *registrars = w->registrars && w->registrars[0]
                      ? w->registrars
                      : (const char *const *)pledge_configuration.registrars;
    const bool named = *registrars && (*registrars)[0];
    *methods = 0;
    if (!named)
        *registrars = none;
    if (idv_trust_state(p->s.trust) == IDV_TRUST_ENROLLED ||
        (w->registrars && w->registrars[0]))
        return IDV_OK;
    IDV_TRY(pledge_find_methods(named, methods));
    return named || *methods || pledge_configuration.cloud
               ? IDV_OK
               : idv_fail(IDV_E_ARG,
                          "no registrar: --registrar HOST:PORT, or "
                          "network.registrar or discovery.method in %s",
                          p->t->conf_path);
}

idv_rc pledge_work(struct pledge *p, const struct pledge_work *work)
{
    struct idv_pledge_conf pc = {
        .media = idv_envelope_media(
            voucher_forms[pledge_configuration.voucher_form]),
        .policy = {.refuse_nonceless = pledge_configuration.refuse_nonceless},
        .trust = p->s.trust,
        .make_key = ldevid_make,
        .open_key = ldevid_open,
        .key_type = (enum idv_key_type)pledge_configuration.key_type,
        .key_arg = &p->s,
        .progress = pledge_progress,
        .progress_arg = p,
        .attempts = work->attempts,
    };
    const struct idv_enrollment *e = idv_trust_enrollment(p->s.trust);
    unsigned methods;
    char before[512];
    snprintf(before, sizeof(before), "%s", e ? e->key_uri : "");
    IDV_TRY(find_registrars(p, work, &pc.registrars, &methods));
    if (methods)
        pc.patience_s = (int)pledge_configuration.find.patience;
    IDV_TRY(ldevid_bound(&p->s, &pc.renew_key));
    IDV_TRY(pledge_identity(p));
    pc.idevid_key = p->idevid_key;
    pc.idevid_chain = p->chain;
    pc.policy.maker_anchors = p->anchors;
    if (!work->registrars || !work->registrars[0])
        IDV_TRY(pledge_cloud(p, &pc));
    pledge_catch_signals();
    pledge_progress(p, "identity",
                    idv_cert_subject(sk_X509_value(p->chain, 0)));
    IDV_TRY(drive(p, &pc, methods, work));
    IDV_TRY(ldevid_retire(&p->s, before));
    return pledge_event(p, before[0] ? "renewed" : "enrolled");
}
