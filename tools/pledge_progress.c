/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, step by step: a line each, or a report in JSON. */
#include <stdio.h>
#include <sys/resource.h>

#include <idevid/auto.h>
#include <idevid/json.h>

#include "pledge.h"

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

void pledge_progress(void *arg, const char *event, const char *detail)
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
    if (p->watch)
        p->watch(p->watch_arg, event, detail);
    p->last = now;
    p->last_ms = ms;
}

idv_rc pledge_summary(struct pledge *p, idv_rc rc, const char *note,
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
