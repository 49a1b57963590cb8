/* SPDX-License-Identifier: Apache-2.0 */
/* The EST server: its paths, cacerts and csrattrs. */
#include <string.h>

#include "idevid/est/server_call.h"

void idv_est_grant_free(struct idv_est_grant *g)
{
    X509_NAME_free(g->subject);
    sk_X509_EXTENSION_pop_free(g->extensions, X509_EXTENSION_free);
    memset(g, 0, sizeof(*g));
}

void idv_issued_free(struct idv_issued *i)
{
    idv_buf_free(&i->cert);
    memset(i, 0, sizeof(*i));
}

bool idv_est_path(const char *path)
{
    static const char prefix[] = "/.well-known/est/";
    return strncmp(path, prefix, sizeof(prefix) - 1) == 0;
}

idv_rc idv_est_server_new(const struct idv_est_server_conf *conf,
                          const struct idv_env *env,
                          struct idv_est_server **out)
{
    if ((!conf->ca.issue && !conf->ca.forward) || !conf->ca.cacerts ||
        !conf->store.add)
        return idv_fail(IDV_E_ARG, "est: no CA or no store");
    struct idv_est_server *s = calloc(1, sizeof(*s));
    if (!s)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    s->conf = *conf;
    s->env = env;
    *out = s;
    return IDV_OK;
}

void idv_est_server_free(struct idv_est_server *s)
{
    free(s);
}

static idv_rc reply_body(struct idvi_est_call *c, const char *media,
                         const struct idv_buf *der)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    IDV_TRY(idv_est_body_from_der(idv_view(der), &text));
    return idv_msg_reply(&c->call->reply, 200, media, idv_view(&text));
}

static idv_rc check_get(struct idvi_est_call *c, const char *media)
{
    IDV_TRY(idvi_refuse_verb(&c->no, c->call, IDV_GET));
    if (!idv_accepts(c->call->req.accept, media))
        return idvi_refuse(&c->no, 406, "accept", "not acceptable");
    return IDV_OK;
}

static idv_rc cacerts(struct idvi_est_call *c)
{
    const struct idv_est_ca *ca = &c->server->conf.ca;
    const STACK_OF(X509) *certs = NULL;
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    IDV_TRY(check_get(c, IDV_MEDIA_PKCS7));
    IDV_TRY(ca->cacerts(ca->self, &certs));
    IDV_TRY(idv_certbag_to_der(certs, &der));
    return reply_body(c, IDV_MEDIA_CERTS_ONLY, &der);
}

/* what all are asked for, and the names of this one */
static idv_rc collect(struct idvi_est_call *c, struct idv_csrattrs *out)
{
    const struct idv_est_server_conf *conf = &c->server->conf;
    IDV_AUTO_PTR(X509_EXTENSION) san = NULL;
    const STACK_OF(X509_EXTENSION) *list = NULL;
    if (conf->attrs) {
        list = conf->attrs->extensions;
        *out = *conf->attrs;
        out->extensions = NULL;
    }
    for (int i = 0; i < sk_X509_EXTENSION_num(list); i++)
        IDV_TRY(idvi_est_add_extension(&out->extensions,
                                       sk_X509_EXTENSION_value(list, i)));
    if (conf->names)
        IDV_TRY(idvi_judge(&c->no, conf->names(conf->arg, c->call->peer, &san),
                           403, "no-name",
                           "no name can be given to this device"));
    return san ? idvi_est_add_extension(&out->extensions, san) : IDV_OK;
}

static bool asks(const struct idv_csrattrs *a)
{
    return a->has_key_type || a->challenge || a->digest_nid || a->extensions;
}

/* R-R-40 */
static idv_rc csrattrs(struct idvi_est_call *c)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    struct idv_csrattrs a = {0};
    IDV_TRY(check_get(c, IDV_MEDIA_CSRATTRS));
    idv_rc rc = collect(c, &a);
    const bool any = asks(&a);
    if (rc == IDV_OK && any)
        rc = idv_csrattrs_to_der(&a, &der);
    idv_csrattrs_free(&a);
    IDV_TRY(rc);
    return any ? reply_body(c, IDV_MEDIA_CSRATTRS, &der)
               : idv_msg_reply(&c->call->reply, 204, "", idv_str(""));
}

static idv_rc fullcmc(struct idvi_est_call *c)
{
    return idvi_refuse(&c->no, 501, "fullcmc", "Full CMC is not served");
}

static idv_rc dispatch(struct idvi_est_call *c)
{
    static const struct {
        const char *path;
        idv_rc (*answer)(struct idvi_est_call *c);
    } paths[] = {
        {IDV_PATH_CACERTS, cacerts},
        {IDV_PATH_CSRATTRS, csrattrs},
        {IDV_PATH_SIMPLEENROLL, idvi_est_enroll},
        {IDV_PATH_SIMPLEREENROLL, idvi_est_reenroll},
        {"/.well-known/est/serverkeygen", idvi_est_serverkeygen},
        {"/.well-known/est/fullcmc", fullcmc},
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        if (strcmp(c->call->req.path, paths[i].path) == 0)
            return paths[i].answer(c);
    }
    return idvi_refuse(&c->no, 404, "path", "not found");
}

static void call_free(void *call)
{
    struct idvi_est_call *c = call;
    if (!c)
        return;
    X509_REQ_free(c->csr);
    EVP_PKEY_free(c->csr_key);
    EVP_PKEY_free(c->made);
    idv_issued_free(&c->fresh);
    idv_est_grant_free(&c->grant);
    free(c);
}

/* the call as it is to go on, or a new one; the caller's */
static struct idvi_est_call *take_up(struct idv_call *call,
                                     struct idv_told *told)
{
    struct idvi_est_call *c = call->ready;
    if (!told || told->kind != IDV_TOLD_STORE)
        return calloc(1, sizeof(*c));
    call->ready = NULL;
    return c;
}

static idv_rc proceed(struct idvi_est_call *c)
{
    idv_rc rc = c->ready ? idvi_est_keep(c) : dispatch(c);
    if (rc == IDV_E_REJECT && c->no.status)
        rc = idvi_refusal_reply(&c->no, c->server->env, "est",
                                c->grant.serial_number, c->call);
    return rc;
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct idv_est_server *s = self;
    struct idvi_est_call *c = take_up(call, told);
    if (!c)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    const bool goes_on = c->ready;
    c->server = s;
    c->call = call;
    c->now = idv_now(s->env);
    c->told = told;
    idv_note_clear();
    idv_rc rc = proceed(c);
    *next = IDV_NEXT_REPLY;
    if (rc == IDV_OK && c->asked)
        *next = IDV_NEXT_UPSTREAM;
    if (rc == IDV_OK && c->ready && !goes_on) {
        *next = IDV_NEXT_STORE;
        call->ready = c;
        call->free_ready = call_free;
    } else
        call_free(c);
    return rc;
}

struct idv_service idv_est_server_service(struct idv_est_server *s)
{
    return (struct idv_service){serve, s};
}
