/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the CRLs of the CAs to whoever asks. */
#include <limits.h>
#include <string.h>

#include "idevid/registrar/registrar_call.h"

#define FOLDER "/crl/"
#define SUFFIX ".crl"
#define RETRY_S 5

bool idvi_reg_is_crl(const char *path)
{
    return strncmp(path, FOLDER, strlen(FOLDER)) == 0;
}

/* FOLDER NAME SUFFIX, where "ca" is the CA without a label */
static bool is_of(const char *path, const struct idv_registrar_ca *ca)
{
    const char *name = ca->label ? ca->label : "ca";
    const size_t n = strlen(name);
    path += strlen(FOLDER);
    return strncmp(path, name, n) == 0 && strcmp(path + n, SUFFIX) == 0;
}

static const struct idv_crl_maker *find(const struct idvi_reg_call *c)
{
    const struct idv_registrar_conf *conf = &c->reg->conf;
    const char *path = c->call->req.path;
    if (is_of(path, &conf->ca))
        return conf->ca.crl;
    for (size_t i = 0; i < conf->n_labels; i++) {
        if (is_of(path, &conf->labels[i]))
            return conf->labels[i].crl;
    }
    return NULL;
}

/* It is good until the next one is due, which is long before nextUpdate; but a
 * revocation should not wait for long. */
static int max_age(const struct idv_crl *crl, int64_t now)
{
    int64_t s = crl->made + (crl->next_update - crl->made) / 2 - now;
    return s < 0 ? 0 : s > 3600 ? 3600 : (int)s;
}

/* A list that nobody can ask for is good until nextUpdate; and one is the last
 * of its second when that is over. */
static void say_age(const struct idv_crl *crl, int64_t now, struct idv_msg *m)
{
    m->max_age = max_age(crl, now);
    const int64_t rest = crl->next_update - now - m->max_age;
    m->stale = rest < 0 ? 0 : rest > INT_MAX ? INT_MAX : (int)rest;
    m->modified = crl->made < now ? crl->made + 1 : -1;
}

static idv_rc answer(struct idvi_reg_call *c, const struct idv_crl *crl)
{
    struct idv_msg *m = &c->call->reply;
    IDV_TRY(idv_msg_reply(m, 200, IDV_MEDIA_CRL, idv_str("")));
    m->body.max = IDV_MAX_CRL;
    say_age(crl, c->now, m);
    return idv_buf_put(&m->body, idv_view(&crl->der));
}

idv_rc idvi_reg_crl(struct idvi_reg_call *c)
{
    const struct idv_crl_maker *maker = find(c);
    struct idv_crl crl = {0};
    bool found = false;
    if (!maker)
        return idvi_refuse(&c->no, 404, "crl", "not found");
    IDV_TRY(idvi_refuse_verb(&c->no, c->call, IDV_GET));
    IDV_TRY(idv_crl_current(maker, c->reg->env, false, &found, &crl));
    if (!found) {
        idv_rc no = idvi_refuse(&c->no, 503, "crl-busy", "being made");
        c->no.retry_after = RETRY_S;
        return no;
    }
    idv_rc rc = answer(c, &crl);
    idv_crl_free(&crl);
    return rc;
}

idv_rc idv_registrar_tick(struct idv_registrar *r)
{
    const struct idv_registrar_conf *conf = &r->conf;
    if (conf->ca.crl)
        IDV_TRY(idv_crl_renew(conf->ca.crl, r->env));
    for (size_t i = 0; i < conf->n_labels; i++) {
        if (conf->labels[i].crl)
            IDV_TRY(idv_crl_renew(conf->labels[i].crl, r->env));
    }
    return IDV_OK;
}
