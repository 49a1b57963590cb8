/* SPDX-License-Identifier: Apache-2.0 */
/* The device's log beside our own ledger (RFC 8995 section 5.8.3): what was
 * had in our name and not by us is told to people. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

#define COMPARED 256 /* own events with other nonces */

static bool is_own(const struct idvi_reg_call *c,
                   const struct idv_audit_event *e)
{
    for (size_t i = c->reg->own_from; c->reg->known[i]; i++) {
        if (strcmp(e->domain_id, c->reg->known[i]) == 0)
            return true;
    }
    return false;
}

static idv_rc told(struct idvi_reg_call *c, const char *what, const char *nonce)
{
    idv_log(c->reg->env, IDV_LOG_WARN, "audit-log-odd",
            "device=%s what=%s nonce=%s",
            idv_log_value(c->session.serial_number), what,
            idv_log_value(nonce));
    return idvi_reg_found(c, "history", "%s %s", what, nonce);
}

/* Own events with a nonce that were not found in the ledger yet. */
struct strangers {
    const char *nonce[COMPARED];
    size_t n;
};

static bool known(void *arg, const char *nonce)
{
    struct strangers *s = arg;
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->nonce[i], nonce) == 0)
            s->nonce[i--] = s->nonce[--s->n];
    }
    return s->n > 0;
}

static void collect(const struct idvi_reg_call *c,
                    const struct idv_audit_log *log, struct strangers *s,
                    unsigned *nonceless)
{
    for (size_t i = 0; i < log->n; i++) {
        const struct idv_audit_event *e = &log->events[i];
        if (!is_own(c, e))
            continue;
        if (!e->nonce[0])
            ++*nonceless;
        else if (strcmp(e->nonce, c->session.nonce) != 0 && s->n < COMPARED)
            s->nonce[s->n++] = e->nonce;
    }
}

/* What the ledger does not keep any longer was ours all the same. */
static idv_rc judge_stranger(struct idvi_reg_call *c, const char *nonce)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    bool ours = false;
    IDV_TRY(store->own_forgotten(store->self, c->session.maker,
                                 c->session.serial_number, nonce, &ours));
    return ours ? IDV_OK : told(c, "own-event-unknown", nonce);
}

/* One nonceless event looks like another: there may be as many as were had. */
static idv_rc compare(struct idvi_reg_call *c, const struct idv_audit_log *log)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    struct strangers s = {.n = 0};
    unsigned nonceless = 0, had = 0;
    collect(c, log, &s, &nonceless);
    IDV_TRY(store->own_requests(store->self, c->session.maker,
                                c->session.serial_number, known, &s, &had));
    for (size_t i = 0; i < s.n; i++)
        IDV_TRY(judge_stranger(c, s.nonce[i]));
    return nonceless <= had ? IDV_OK : told(c, "own-nonceless-unknown", "");
}

const struct idv_audit_event *
idvi_reg_own_event(const struct idvi_reg_call *c,
                   const struct idv_audit_log *log)
{
    for (size_t i = log->n; i-- > 0;) {
        if (is_own(c, &log->events[i]) &&
            strcmp(log->events[i].nonce, c->session.nonce) == 0)
            return &log->events[i];
    }
    return NULL;
}

idv_rc idvi_reg_compare_history(struct idvi_reg_call *c,
                                const struct idv_audit_log *log)
{
    if (!c->reg->conf.ignore_own)
        IDV_TRY(compare(c, log));
    return idvi_reg_own_event(c, log) ? IDV_OK
                                      : told(c, "own-voucher-missing", "");
}
