/* SPDX-License-Identifier: Apache-2.0 */
/* What people should look at, and what is done with less security than the
 * protocol has (RFC 8995 section 7.3), which is told each time. */
#include <stdarg.h>
#include <stdio.h>

#include "idevid/registrar/registrar_call.h"

/* The maker is the session's, which a member has too. */
static const char *maker_of(const struct idvi_reg_call *c)
{
    return c->session.maker[0] ? c->session.maker
           : c->maker          ? c->maker->name
                               : "";
}

const char *idvi_reg_serial_of(const struct idvi_reg_call *c)
{
    return c->session.serial_number[0] ? c->session.serial_number
                                       : c->id.serial_number;
}

static idv_rc add(struct idvi_reg_call *c, struct idv_finding *f,
                  const char *serial, const char *kind)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    snprintf(f->maker, sizeof(f->maker), "%s", maker_of(c));
    snprintf(f->serial_number, sizeof(f->serial_number), "%s", serial);
    snprintf(f->kind, sizeof(f->kind), "%s", kind);
    f->last = c->now;
    return store->finding_add(store->self, f);
}

idv_rc idvi_reg_found(struct idvi_reg_call *c, const char *kind,
                      const char *fmt, ...)
{
    struct idv_finding f = {0};
    va_list args;
    va_start(args, fmt);
    vsnprintf(f.detail, sizeof(f.detail), fmt, args);
    va_end(args);
    return add(c, &f, idvi_reg_serial_of(c), kind);
}

idv_rc idvi_reg_found_of_maker(struct idvi_reg_call *c, const char *kind,
                               const char *detail)
{
    struct idv_finding f = {0};
    snprintf(f.detail, sizeof(f.detail), "%s", detail);
    return add(c, &f, "", kind);
}

void idvi_reg_reduced(const struct idvi_reg_call *c, const char *mode)
{
    idv_log(c->reg->env, IDV_LOG_WARN, "reduced-security",
            "mode=%s device=%s maker=%s", mode,
            idv_log_value(idvi_reg_serial_of(c)), idv_log_value(maker_of(c)));
}

static void tell(const struct idv_registrar *r, bool on, const char *mode,
                 const char *maker)
{
    if (on)
        idv_log(r->env, IDV_LOG_WARN, "reduced-security",
                "mode=%s at=start maker=%s", mode, idv_log_value(maker));
}

void idvi_reg_tell_modes(const struct idv_registrar *r)
{
    const struct idv_registrar_conf *conf = &r->conf;
    tell(r, conf->unauthenticated, "unauthenticated-devices", "");
    tell(r, conf->unreadable, "unreadable-vouchers", "");
    tell(r, conf->audit == IDV_AUDIT_OFF, "history-ignored", "");
    tell(r, conf->audit_policy.allow_nonceless, "nonceless-history", "");
    for (size_t i = 0; i < conf->n_makers; i++) {
        const struct idv_registrar_maker *m = &conf->makers[i];
        tell(r, m->admit == IDV_ADMIT_ALL, "admit-all", m->name);
        tell(r, m->stored != IDV_STORED_NEVER, "stored-vouchers", m->name);
        tell(r, m->unauthenticated && conf->unauthenticated,
             "unauthenticated-devices", m->name);
    }
}
