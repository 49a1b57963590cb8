/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-pledge: brings this device into its owner's domain. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/drive.h>
#include <idevid/fs.h>
#include <idevid/pledge.h>
#include <idevid/text.h>

#include "ca.h"
#include "ldevid.h"
#include "makers.h"
#include "pledge_conf.h"
#include "state.h"
#include "tool.h"

static struct pledge_conf conf;

static struct {
    const char *registrars[TOOL_LIST_MAX + 1];
    bool pem, anchors;
} opt;

/* --- the device and what it holds --------------------------------------- */

struct pledge {
    struct tool *t;
    struct state s;
    EVP_PKEY *idevid_key;
    STACK_OF(X509) * chain;
    STACK_OF(X509) * anchors;
    /* progress */
    struct idv_device_stats last;
    int64_t start_ms, last_ms;
    struct idv_json *steps;
};
#define PLEDGE_INIT                                                            \
    {                                                                          \
        .s = STATE_INIT                                                        \
    }

static void pledge_close(struct pledge *p)
{
    state_close(&p->s);
    EVP_PKEY_free(p->idevid_key);
    idv_certs_free(p->chain);
    idv_certs_free(p->anchors);
    idv_json_free(p->steps);
}
#define AUTO_PLEDGE __attribute__((cleanup(pledge_close)))

static idv_rc open_identity(struct pledge *p)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(tool_makers(&p->s, &p->anchors));
    IDV_TRY(idv_cert_open(p->s.cert, &tool_pin, &cert));
    IDV_TRY(state_idevid(&p->s, &p->idevid_key));
    if (EVP_PKEY_eq(X509_get0_pubkey(cert), p->idevid_key) != 1)
        return idv_fail(IDV_E_REJECT,
                        "%s: the certificate is for another key than %s",
                        p->s.cert, p->s.key);
    if (conf.chain)
        IDV_TRY(idv_certs_open(conf.chain, NULL, &p->chain));
    else
        p->chain = sk_X509_new_null();
    if (!p->chain || sk_X509_unshift(p->chain, cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    cert = NULL;
    return IDV_OK;
}

/* --- progress ----------------------------------------------------------- */

static idv_rc add_step(struct pledge *p, const char *event, const char *detail,
                       int64_t ms, const struct idv_device_stats *d)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return IDV_E_NOMEM;
    idv_rc rc = tool_put_text(o, "step", event);
    if (rc == IDV_OK && detail && *detail)
        rc = tool_put_text(o, "detail", detail);
    if (rc == IDV_OK)
        rc = tool_put_int(o, "ms", (uint64_t)ms);
    if (rc == IDV_OK)
        rc = tool_put_int(o, "tpm-commands", d->tpm_commands);
    if (rc == IDV_OK)
        rc = tool_put_int(o, "pkcs11-calls", d->pkcs11_calls);
    if (rc != IDV_OK) {
        idv_json_free(o);
        return rc;
    }
    return idv_json_append(p->steps, o);
}

static void say_step(const struct pledge *p, const char *event,
                     const char *detail, int64_t ms,
                     const struct idv_device_stats *d)
{
    uint64_t calls = d->tpm_commands + d->pkcs11_calls;
    tool_say(p->t, "%-15s %-52.52s %5lld ms %3llu device calls", event,
             detail ? detail : "", (long long)ms, (unsigned long long)calls);
    fflush(stdout);
}

static void progress(void *arg, const char *event, const char *detail)
{
    struct pledge *p = arg;
    struct idv_device_stats now, d;
    int64_t ms = tool_ms();
    idv_device_stats(&now);
    d.tpm_commands = now.tpm_commands - p->last.tpm_commands;
    d.pkcs11_calls = now.pkcs11_calls - p->last.pkcs11_calls;
    d.signatures = now.signatures - p->last.signatures;
    if (p->steps)
        (void)!add_step(p, event, detail, ms - p->last_ms, &d);
    say_step(p, event, detail, ms - p->last_ms, &d);
    p->last = now;
    p->last_ms = ms;
}

static idv_rc print_summary(struct pledge *p, idv_rc rc, const char *note,
                            enum idv_verdict verdict)
{
    struct idv_device_stats s;
    struct rusage u;
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_device_stats(&s);
    getrusage(RUSAGE_SELF, &u);
    const char *state = idv_trust_state_to_text(idv_trust_state(p->s.trust));
    idv_rc put = tool_put_text(o, "state", state);
    if (put == IDV_OK)
        put = tool_put_text(o, "result", idv_rc_name(rc));
    if (put == IDV_OK && rc != IDV_OK)
        put = tool_put_text(o, "reason", note);
    if (put == IDV_OK && verdict != IDV_VERDICT_OK)
        put = idv_json_set(
            o, "verdict",
            idv_json_new_text(idv_str(idv_verdict_to_text(verdict))));
    if (put == IDV_OK)
        put = tool_put_int(o, "ms", (uint64_t)(tool_ms() - p->start_ms));
    if (put == IDV_OK)
        put = tool_put_int(o, "tpm-commands", s.tpm_commands);
    if (put == IDV_OK)
        put = tool_put_int(o, "pkcs11-calls", s.pkcs11_calls);
    if (put == IDV_OK)
        put = tool_put_int(o, "signatures", s.signatures);
    if (put == IDV_OK)
        put = tool_put_int(o, "peak-kib", (uint64_t)u.ru_maxrss);
    if (put == IDV_OK)
        put = idv_json_set(o, "steps", idv_steal(&p->steps));
    return tool_print_put(o, put);
}

/* --- join --------------------------------------------------------------- */

static volatile int stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
}

static idv_rc drive(struct pledge *p, const struct idv_pledge_conf *pc,
                    struct idv_machine (*machine)(struct idv_pledge *))
{
    struct idv_pledge *pledge = NULL;
    struct idv_drive_conf dc = {.env = p->t->env, .stop = &stop};
    char note[IDV_NOTE_MAX];
    IDV_TRY(idv_pledge_new(pc, p->t->env, &pledge));
    struct idv_machine m = machine(pledge);
    idv_rc rc = idv_drive(&m, &dc);
    enum idv_verdict verdict = idv_pledge_verdict(pledge);
    idv_pledge_free(pledge);
    snprintf(note, sizeof(note), "%s", idv_note());
    if (p->t->json) {
        idv_note_clear();
        IDV_TRY(print_summary(p, rc, note, verdict));
        return rc == IDV_OK ? rc : idv_fail(rc, "%s", note);
    }
    return rc;
}

static idv_rc start(struct pledge *p, struct tool *t, enum state_use use)
{
    p->t = t;
    p->start_ms = p->last_ms = tool_ms();
    if (t->json && !(p->steps = idv_json_new_array()))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return state_open(t, &conf, use, &p->s);
}

/* renewal finds the registrar that enrolled us by itself */
static idv_rc find_registrars(const struct pledge *p,
                              const char *const **registrars)
{
    static const char *const none[] = {NULL};
    *registrars = opt.registrars[0] ? opt.registrars
                                    : (const char *const *)conf.registrars;
    if (*registrars && (*registrars)[0])
        return IDV_OK;
    if (idv_trust_state(p->s.trust) != IDV_TRUST_ENROLLED)
        return idv_fail(IDV_E_ARG,
                        "no registrar: --registrar HOST:PORT, or "
                        "network.registrar in %s",
                        p->t->conf_path);
    *registrars = none;
    return IDV_OK;
}

static idv_rc run(struct pledge *p,
                  struct idv_machine (*machine)(struct idv_pledge *))
{
    struct idv_pledge_conf pc = {
        .policy = {.refuse_nonceless = conf.refuse_nonceless},
        .trust = p->s.trust,
        .make_key = ldevid_make,
        .open_key = ldevid_open,
        .key_type = (enum idv_key_type)conf.key_type,
        .key_arg = &p->s,
        .progress = progress,
        .progress_arg = p,
        .attempts = (int)conf.attempts,
    };
    const struct idv_enrollment *e = idv_trust_enrollment(p->s.trust);
    char before[512];
    snprintf(before, sizeof(before), "%s", e ? e->key_uri : "");
    IDV_TRY(find_registrars(p, &pc.registrars));
    IDV_TRY(ldevid_bound(&p->s, &pc.renew_key));
    IDV_TRY(open_identity(p));
    pc.idevid_key = p->idevid_key;
    pc.idevid_chain = p->chain;
    pc.policy.maker_anchors = p->anchors;
    catch_signals();
    progress(p, "identity", idv_cert_subject(sk_X509_value(p->chain, 0)));
    IDV_TRY(drive(p, &pc, machine));
    return ldevid_retire(&p->s, before);
}

static idv_rc join(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    (void)argc;
    (void)argv;
    IDV_TRY(start(&p, t, STATE_CHANGE));
    if (idv_trust_state(p.s.trust) == IDV_TRUST_ENROLLED) {
        tool_say(t, "enrolled already, nothing to do");
        return t->json ? print_summary(&p, IDV_OK, "", IDV_VERDICT_OK) : IDV_OK;
    }
    return run(&p, idv_pledge_join);
}

static idv_rc renew(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    (void)argc;
    (void)argv;
    IDV_TRY(start(&p, t, STATE_CHANGE));
    if (idv_trust_state(p.s.trust) != IDV_TRUST_ENROLLED)
        return idv_fail(IDV_E_STATE, "not enrolled: join first");
    return run(&p, idv_pledge_renew);
}

/* --- status, reset ------------------------------------------------------ */

static idv_rc put(struct tool *t, struct idv_json *o, const char *name,
                  const char *text)
{
    if (o)
        return idv_json_set(o, name, idv_json_new_text(idv_str(text)));
    tool_say(t, "%-12s %s", name, text);
    return IDV_OK;
}

static idv_rc put_pin(struct tool *t, struct idv_json *o,
                      const struct idv_trust *trust)
{
    IDV_AUTO(buf) hex = {0};
    char time[IDV_TIME_TEXT];
    const struct idv_record *r = idv_trust_record(trust);
    if (!r)
        return IDV_OK;
    if (idv_trust_pin(trust))
        IDV_TRY(put(t, o, "pin", idv_cert_subject(idv_trust_pin(trust))));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(r->pin_sha256, 32), &hex));
    IDV_TRY(put(t, o, "pin-sha256", (const char *)hex.p));
    if (!r->time)
        return IDV_OK;
    IDV_TRY(idv_time_to_text((int64_t)r->time, time));
    return put(t, o, "imprinted", time);
}

static idv_rc put_ldevid(struct tool *t, struct idv_json *o,
                         const struct idv_enrollment *e)
{
    int64_t from, to;
    char time[IDV_TIME_TEXT];
    if (!e)
        return IDV_OK;
    const X509 *leaf = sk_X509_value(e->ldevid, 0);
    IDV_TRY(put(t, o, "ldevid", idv_cert_subject(leaf)));
    IDV_TRY(put(t, o, "ldevid-key", e->key_uri));
    IDV_TRY(idv_cert_times(leaf, &from, &to));
    IDV_TRY(idv_time_to_text(to, time));
    IDV_TRY(put(t, o, "valid-until", time));
    return put(t, o, "registrar", e->registrar);
}

static idv_rc status_lines(struct tool *t, struct idv_json *o,
                           const struct idv_trust *trust)
{
    IDV_TRY(
        put(t, o, "state", idv_trust_state_to_text(idv_trust_state(trust))));
    IDV_TRY(put(t, o, "assurance", idv_trust_assurance(trust)));
    IDV_TRY(put_pin(t, o, trust));
    return put_ldevid(t, o, idv_trust_enrollment(trust));
}

static idv_rc print_certs(const struct idv_trust *trust)
{
    IDV_AUTO(buf) pem = {0};
    const struct idv_enrollment *e = idv_trust_enrollment(trust);
    if (!e)
        return idv_fail(IDV_E_STATE, "not enrolled");
    IDV_TRY(idv_certs_to_pem(opt.pem ? e->ldevid : e->anchors, &pem));
    return tool_print(idv_view(&pem));
}

static idv_rc status(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    struct idv_json *o = NULL;
    (void)argc;
    (void)argv;
    IDV_TRY(start(&p, t, STATE_LOOK));
    if (opt.pem || opt.anchors)
        return print_certs(p.s.trust);
    if (t->json && !(o = idv_json_new_object()))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = status_lines(t, o, p.s.trust);
    if (rc == IDV_OK && o)
        return tool_print_json(o);
    idv_json_free(o);
    return rc;
}

static idv_rc reset(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    (void)argc;
    (void)argv;
    idv_rc rc = start(&p, t, STATE_CHANGE);
    if (rc != IDV_OK && !state_tampered(&p.s, rc))
        return rc;
    IDV_TRY(state_reset(&p.s));
    tool_say(t, "back to factory default; the IDevID is kept");
    return IDV_OK;
}

/* --- tables ------------------------------------------------------------- */

static const struct tool_option join_options[] = {{"registrar", 0, "HOST:PORT",
                                                   "try this one (repeatable)",
                                                   NULL, NULL, opt.registrars},
                                                  {0}};

static const struct tool_option status_options[] = {
    {"pem", 0, NULL, "print the LDevID and its chain instead (PEM)", NULL,
     &opt.pem, NULL},
    {"anchors", 0, NULL, "print the domain's trust anchors instead (PEM)", NULL,
     &opt.anchors, NULL},
    {0}};

static const struct tool_verb verbs[] = {
    {"join", "", "get a voucher, imprint and enroll; nothing if enrolled", 0, 0,
     join_options, join, true},
    {"renew", "", "get a new certificate, before the present one ends", 0, 0,
     join_options, renew, true},
    {"status", "", "what this device belongs to", 0, 0, status_options, status,
     true},
    {"reset", "", "leave the domain: back to factory default", 0, 0, NULL,
     reset, true},
    {0}};

static idv_rc configure(struct tool *t)
{
    return tool_use_device_conf(t, &conf.device);
}

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-pledge",
        .about = "Brings this device into its owner's domain (BRSKI, RFC "
                 "8995).",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
        .conf_table = &pledge_table,
        .conf_path = "/etc/idevid/pledge.ini",
        .conf = &conf,
        .configure = configure,
    };
    return tool_main(&t, argc, argv);
}
