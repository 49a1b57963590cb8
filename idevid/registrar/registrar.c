/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar as a service: its configuration and its paths. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

#define RETRY_AFTER_S 30
#define MASA_TIMEOUT_S 20
#define DEVICE_HOURLY 60

/* --- configuration -------------------------------------------------------- */

static idv_rc check_url(const char *text)
{
    struct idv_url url;
    return text ? idv_url_from_text(idv_str(text), &url) : IDV_OK;
}

/* User and password belong together, and Basic has no colon in a user. */
static idv_rc check_login(const struct idv_registrar_maker *m)
{
    if (!m->masa_user && !m->masa_password)
        return IDV_OK;
    if (!m->masa_user || !m->masa_password || strchr(m->masa_user, ':'))
        return idv_fail(IDV_E_ARG,
                        "registrar: maker %s: the MASA's user and password "
                        "belong together, no colon in the user",
                        m->name);
    return IDV_OK;
}

static idv_rc check_makers(const struct idv_registrar_conf *conf)
{
    for (size_t i = 0; i < conf->n_makers; i++) {
        const struct idv_registrar_maker *m = &conf->makers[i];
        if (!m->name || !*m->name || strlen(m->name) > 63 ||
            sk_X509_num(m->anchors) <= 0)
            return idv_fail(IDV_E_ARG,
                            "registrar: a maker without name or anchors");
        IDV_TRY(check_url(m->masa_url));
        IDV_TRY(check_url(m->masa_fallback));
        IDV_TRY(check_login(m));
    }
    return IDV_OK;
}

static idv_rc check_ca(const struct idv_registrar_ca *ca)
{
    if ((!ca->est.ca.issue && !ca->est.ca.forward) || !ca->est.store.add)
        return idv_fail(IDV_E_ARG, "registrar: no CA to enroll with");
    if (ca->users)
        IDV_TRY(idvi_reg_check_users(ca->users));
    return idv_est_profile_check(&ca->profile);
}

static idv_rc check_est(const struct idv_registrar_conf *conf)
{
    IDV_TRY(check_ca(&conf->ca));
    for (size_t i = 0; i < conf->n_labels; i++)
        IDV_TRY(check_ca(&conf->labels[i]));
    return idvi_reg_check_labels(conf);
}

/* Whatever of our chain a MASA pinned, it is us (R-R-37). */
static idv_rc learn_domains(struct idv_registrar *r)
{
    const char *const *known = r->conf.audit_policy.known;
    for (; known && *known; known++)
        IDV_TRY(idv_list_add(&r->known, idv_str(*known)));
    r->own_from = idv_list_count(r->known);
    for (int i = 0; i < sk_X509_num(r->conf.chain); i++) {
        IDV_AUTO(buf) id = {0};
        IDV_AUTO(buf) text = {0};
        IDV_TRY(idv_domain_id(sk_X509_value(r->conf.chain, i), &id));
        IDV_TRY(idv_base64_from_bytes(idv_view(&id), 0, &text));
        IDV_TRY(idv_list_add(&r->known, idv_view(&text)));
    }
    r->conf.audit_policy.known = (const char *const *)r->known;
    return IDV_OK;
}

static idv_rc choose_chain(struct idv_registrar *r)
{
    int n = sk_X509_num(r->conf.chain);
    int most = idvi_reg_pinned(&r->conf) + 1;
    if (most > n)
        return idv_fail(IDV_E_ARG, "registrar: the chain does not have the "
                                   "issuer that shall be pinned");
    r->sent = idv_certs_dup(r->conf.chain);
    if (!r->sent)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    while (sk_X509_num(r->sent) > most)
        X509_free(sk_X509_pop(r->sent));
    return IDV_OK;
}

static void set_defaults(struct idv_registrar_conf *conf)
{
    if (!conf->retry_after_s)
        conf->retry_after_s = RETRY_AFTER_S;
    if (!conf->masa_timeout_s)
        conf->masa_timeout_s = MASA_TIMEOUT_S;
    if (!conf->device_hourly)
        conf->device_hourly = DEVICE_HOURLY;
}

idv_rc idv_registrar_new(const struct idv_registrar_conf *conf,
                         const struct idv_env *env, struct idv_registrar **out)
{
    IDV_TRY(idvi_reg_check_identity(conf));
    IDV_TRY(check_makers(conf));
    if (!conf->cloud)
        IDV_TRY(check_est(conf));
    struct idv_registrar *r = calloc(1, sizeof(*r));
    if (!r)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    r->conf = *conf;
    pthread_mutex_init(&r->tries.lock, NULL);
    pthread_mutex_init(&r->made.lock, NULL);
    pthread_mutex_init(&r->asking.lock, NULL);
    LIST_INIT(&r->asking.calls);
    r->env = env;
    set_defaults(&r->conf);
    idv_rc rc = learn_domains(r);
    if (rc == IDV_OK)
        rc = choose_chain(r);
    if (rc != IDV_OK) {
        idv_registrar_free(r);
        return rc;
    }
    idvi_reg_tell_modes(r);
    idvi_reg_tell_identity(r);
    *out = r;
    return IDV_OK;
}

void idv_registrar_free(struct idv_registrar *r)
{
    if (!r)
        return;
    idv_list_free(r->known);
    pthread_mutex_destroy(&r->tries.lock);
    pthread_mutex_destroy(&r->made.lock);
    pthread_mutex_destroy(&r->asking.lock);
    idv_certs_free(r->sent);
    free(r);
}

/* --- serving -------------------------------------------------------------- */

static idv_rc dispatch(struct idvi_reg_call *c)
{
    static const struct {
        const char *path;
        idv_rc (*answer)(struct idvi_reg_call *c);
    } paths[] = {
        {IDVI_BRSKI "/requestvoucher", idvi_reg_requestvoucher},
        {IDVI_BRSKI "/voucher_status", idvi_reg_voucher_status},
        {IDVI_BRSKI "/enrollstatus", idvi_reg_enrollstatus},
    };
    if (c->reg->conf.cloud)
        return idvi_reg_cloud(c);
    if (idvi_reg_is_crl(c->call->req.path))
        return idvi_reg_crl(c);
    if (idv_est_path(c->call->req.path)) {
        IDV_TRY(idvi_reg_label(c));
        return idvi_reg_est(c);
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        if (strcmp(c->call->req.path, paths[i].path) != 0)
            continue;
        IDV_TRY(idvi_refuse_verb(&c->no, c->call, IDV_POST));
        return paths[i].answer(c);
    }
    return idvi_refuse(&c->no, 404, "path", "not found");
}

static void call_free(void *state)
{
    struct idvi_reg_call *c = state;
    idvi_reg_asks_no_more(c);
    idv_issued_free(&c->issued);
    idv_opened_free(&c->opened);
    idvi_carried_free(&c->request);
    idv_voucher_free(&c->pvr);
    idv_session_free(&c->session);
    free(c);
}

static idv_rc call_state(struct idv_registrar *r, struct idv_call *call,
                         struct idvi_reg_call **out)
{
    if (!call->state) {
        struct idvi_reg_call *c = calloc(1, sizeof(*c));
        if (!c)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        idv_voucher_init(&c->pvr, IDV_VOUCHER_REQUEST);
        c->ca = &r->conf.ca;
        call->state = c;
        call->free_state = call_free;
    }
    *out = call->state;
    (*out)->reg = r;
    (*out)->call = call;
    (*out)->now = idv_now(r->env);
    (*out)->no = (struct idvi_refusal){0};
    (*out)->next = IDV_NEXT_REPLY;
    return IDV_OK;
}

static idv_rc proceed(struct idvi_reg_call *c, struct idv_told *told)
{
    idv_rc (*resume)(struct idvi_reg_call *, struct idv_told *) = c->resume;
    if (!told)
        return dispatch(c);
    if (!resume)
        return idv_fail(IDV_E_STATE, "registrar: nothing was asked upstream");
    c->resume = NULL;
    return resume(c, told);
}

static idv_rc conclude(struct idvi_reg_call *c, idv_rc rc, enum idv_next *next)
{
    const struct idv_registrar *r = c->reg;
    if (rc == IDV_E_REJECT && c->no.status)
        return idvi_refusal_reply(&c->no, r->env, "registrar",
                                  c->id.serial_number, c->call);
    if (rc == IDV_OK && c->resume)
        *next = c->next == IDV_NEXT_STORE ? IDV_NEXT_STORE : IDV_NEXT_UPSTREAM;
    return rc;
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct idvi_reg_call *c = NULL;
    idv_note_clear();
    *next = IDV_NEXT_REPLY;
    IDV_TRY(call_state(self, call, &c));
    return conclude(c, proceed(c, told), next);
}

static idv_rc serve_crls(void *self, struct idv_call *call,
                         struct idv_told *told, enum idv_next *next)
{
    struct idvi_reg_call *c = NULL;
    (void)told;
    idv_note_clear();
    *next = IDV_NEXT_REPLY;
    IDV_TRY(call_state(self, call, &c));
    idv_rc rc = idvi_reg_is_crl(call->req.path)
                    ? idvi_reg_crl(c)
                    : idvi_refuse(&c->no, 404, "path", "not found");
    return conclude(c, rc, next);
}

struct idv_service idv_registrar_service(struct idv_registrar *r)
{
    return (struct idv_service){serve, r};
}

struct idv_service idv_registrar_crls(struct idv_registrar *r)
{
    return (struct idv_service){serve_crls, r};
}
