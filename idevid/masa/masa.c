/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA as a service: its configuration and its paths. */
#include <string.h>

#include <openssl/crypto.h>

#include "idevid/masa/masa_call.h"

#define REPEAT_S (24 * 3600)
#define MAX_AGE_S (4 * 24 * 3600)
#define HEAD_S 10
#define LOCATION_S 3600

void idv_masa_device_free(struct idv_masa_device *d)
{
    idv_buf_free(&d->cert);
    memset(d, 0, sizeof(*d));
}

void idv_masa_issue_free(struct idv_masa_issue *i)
{
    idv_buf_free(&i->voucher);
    memset(i, 0, sizeof(*i));
}

static idv_rc check_maker(const struct idv_masa_maker *m)
{
    if (!m->name)
        return idv_fail(IDV_E_ARG, "masa: a maker without name");
    return idvi_masa_check_signers(m);
}

idv_rc idv_masa_new(const struct idv_masa_conf *conf, const struct idv_env *env,
                    struct idv_masa **out)
{
    if (!conf->n_makers || !conf->makers || !conf->store)
        return idv_fail(IDV_E_ARG, "masa: no maker or no store");
    for (size_t i = 0; i < conf->n_makers; i++)
        IDV_TRY(check_maker(&conf->makers[i]));
    struct idv_masa *m = calloc(1, sizeof(*m));
    if (!m)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    m->conf = *conf;
    m->env = env;
    pthread_mutex_init(&m->seen.lock, NULL);
    if (!m->conf.repeat_s)
        m->conf.repeat_s = REPEAT_S;
    if (!m->conf.max_age_s)
        m->conf.max_age_s = MAX_AGE_S;
    if (!m->conf.head_s)
        m->conf.head_s = HEAD_S;
    if (!m->conf.location_s)
        m->conf.location_s = LOCATION_S;
    idv_rc rc = m->conf.log_key ? idv_log_id(m->conf.log_key, &m->log) : IDV_OK;
    if (rc == IDV_OK)
        *out = m;
    else
        idv_masa_free(m);
    return rc;
}

void idv_masa_free(struct idv_masa *m)
{
    if (!m)
        return;
    OPENSSL_cleanse(m->conf.location_key, sizeof(m->conf.location_key));
    pthread_mutex_destroy(&m->seen.lock);
    free(m);
}

static idv_rc dispatch(struct idvi_masa_call *c)
{
    static const struct {
        const char *path;
        idv_rc (*answer)(struct idvi_masa_call *c);
        bool draft;
    } paths[] = {
        {"/.well-known/brski/requestvoucher", idvi_masa_voucher, false},
        {"/.well-known/brski/requestauditlog", idvi_masa_auditlog, false},
        {"/.well-known/est/requestaudittoken", idvi_masa_voucher, true},
        {"/.well-known/est/requestMASAlog", idvi_masa_auditlog, true},
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        if (strcmp(c->call->req.path, paths[i].path) != 0)
            continue;
        if (paths[i].draft && !c->masa->conf.draft_era)
            break;
        c->draft = paths[i].draft;
        IDV_TRY(idvi_refuse_verb(&c->no, c->call, IDV_POST));
        return paths[i].answer(c);
    }
    if (idvi_masa_is_location(c))
        return idvi_masa_location(c);
    return idvi_masa_is_log(c) ? idvi_masa_log(c)
                               : idvi_refuse(&c->no, 404, "path", "not found");
}

static void call_free(struct idvi_masa_call *c)
{
    idvi_carried_free(&c->request);
    idv_opened_free(&c->opened);
    idv_certs_free(c->chain);
    idv_voucher_free(&c->rvr);
    idv_masa_device_free(&c->device);
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct idv_masa *m = self;
    struct idvi_masa_call c = {.masa = m, .call = call, .now = idv_now(m->env)};
    (void)told;
    idv_note_clear();
    idv_voucher_init(&c.rvr, IDV_VOUCHER_REQUEST);
    idv_rc rc = dispatch(&c);
    if (rc == IDV_E_REJECT && c.no.status)
        rc = idvi_refusal_reply(&c.no, m->env, "masa", c.rvr.serial_number,
                                call);
    call_free(&c);
    *next = IDV_NEXT_REPLY;
    return rc;
}

struct idv_service idv_masa_service(struct idv_masa *m)
{
    return (struct idv_service){serve, m};
}
