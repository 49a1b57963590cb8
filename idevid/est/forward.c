/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment with another CA: a request passed on, and its answer judged. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/est/server_call.h"

#define EST "/.well-known/est"
#define TIMEOUT_S 20
#define MARGIN_S 10 /* beyond the timeout, who asked is dead */
#define RETRY_S 30

/* --- asking --------------------------------------------------------------- */

static bool has_entry(const X509_NAME *name, const X509_NAME_ENTRY *e)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *o = X509_NAME_get_entry(name, i);
        if (OBJ_cmp(X509_NAME_ENTRY_get_object(o),
                    X509_NAME_ENTRY_get_object(e)) == 0 &&
            ASN1_STRING_cmp(X509_NAME_ENTRY_get_data(o),
                            X509_NAME_ENTRY_get_data(e)) == 0)
            return true;
    }
    return false;
}

/* Another CA may do what a request says: it says nothing but what is granted.
 */
static idv_rc check_request(struct idvi_est_call *c)
{
    const X509_NAME *asked = X509_REQ_get_subject_name(c->csr);
    for (int i = 0; i < X509_NAME_entry_count(asked); i++) {
        if (!has_entry(c->grant.subject, X509_NAME_get_entry(asked, i)))
            return idvi_refuse(&c->no, 403, "csr-subject",
                               "a name that was not granted");
    }
    STACK_OF(X509_EXTENSION) *have = X509_REQ_get_extensions(c->csr);
    const bool same = idvi_est_same_names(idvi_est_san(c->grant.extensions),
                                          idvi_est_san(have));
    const int n = sk_X509_EXTENSION_num(have);
    const bool more = n > (idvi_est_san(have) ? 1 : 0);
    sk_X509_EXTENSION_pop_free(have, X509_EXTENSION_free);
    if (!same)
        return idvi_refuse(&c->no, 403, "csr-names",
                           "names differ from those granted");
    return more ? idvi_refuse(&c->no, 403, "csr-more",
                              "extensions that were not granted")
                : IDV_OK;
}

static idv_rc busy(struct idvi_est_call *c, int status, const char *why,
                   int retry_after)
{
    idv_rc rc = idvi_refuse(&c->no, status, why, "try again later");
    c->no.retry_after = retry_after;
    return rc;
}

/* one question at a time for a request, or there may be two certificates */
static idv_rc claim(struct idvi_est_call *c, int timeout_s)
{
    const struct idv_est_store *s = &c->server->conf.store;
    bool mine = false;
    IDV_TRY(s->order(s->self, c->client_sha256, c->csr_sha256, c->now,
                     c->now - timeout_s - MARGIN_S, &mine));
    return mine ? IDV_OK : busy(c, 202, "ca-asked", RETRY_S);
}

static idv_rc fill(struct idvi_est_call *c, const struct idv_est_forward *f,
                   int timeout_s)
{
    struct idv_upstream *up = &c->call->up;
    IDV_AUTO(buf) path = {.max = sizeof(up->msg.path) - 1};
    idv_msg_free(&up->msg);
    up->url = f->url;
    IDV_TRY(idv_buf_putf(&path, "%s/%s", f->url.path[0] ? f->url.path : EST,
                         c->again ? "simplereenroll" : "simpleenroll"));
    IDV_TRY(idv_text_copy(up->msg.path, sizeof(up->msg.path), idv_view(&path),
                          "CA path"));
    up->msg.verb = IDV_POST;
    strcpy(up->msg.media, IDV_MEDIA_PKCS10);
    strcpy(up->msg.accept, IDV_MEDIA_PKCS7);
    up->anchors = f->anchors;
    up->key = f->key;
    up->chain = f->chain;
    up->timeout_s = timeout_s;
    return idv_buf_put(&up->msg.body, idv_view(&c->call->req.body));
}

idv_rc idvi_est_forward(struct idvi_est_call *c)
{
    const struct idv_est_forward *f = c->server->conf.ca.forward;
    const int timeout_s = f->timeout_s ? f->timeout_s : TIMEOUT_S;
    IDV_TRY(check_request(c));
    IDV_TRY(fill(c, f, timeout_s));
    IDV_TRY(claim(c, timeout_s));
    c->asked = true;
    return IDV_OK;
}

/* --- its answer ----------------------------------------------------------- */

/* Who refuses knows why, and it is not the device's doing if it is about us. */
static idv_rc refused(struct idvi_est_call *c, const struct idv_msg *m)
{
    idv_log(c->server->env, IDV_LOG_WARN, "ca-refused", "status=%d", m->status);
    if (m->status == 202 || m->status == 503)
        return busy(c, m->status, "ca-later",
                    m->retry_after > 0 ? m->retry_after : RETRY_S);
    if (m->status >= 500 || m->status == 401)
        return busy(c, 503, "ca-failed", RETRY_S);
    return idvi_refuse(&c->no, 403, "ca-refused", "refused by the CA");
}

static bool san_granted(struct idvi_est_call *c, const X509 *cert)
{
    X509_EXTENSION *san = idvi_est_san(X509_get0_extensions(cert));
    return !san || idvi_est_same_names(san, idvi_est_san(c->grant.extensions));
}

static idv_rc read_cert(struct idvi_est_call *c, const struct idv_msg *m,
                        X509 **out)
{
    const struct idv_est_ca *ca = &c->server->conf.ca;
    const STACK_OF(X509) *anchors = NULL;
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(ca->cacerts(ca->self, &anchors));
    idv_rc rc =
        idv_est_enroll_read(m, c->csr_key, anchors, NULL,
                            idv_clock_trusted(c->server->env), c->now, &cert);
    IDV_TRY(idvi_judge(&c->no, rc, 503, "ca-certificate",
                       "the CA's answer is not what was asked for"));
    if (!san_granted(c, cert))
        return idvi_refuse(&c->no, 503, "ca-names",
                           "the CA's answer is not what was asked for");
    *out = idv_steal(&cert);
    return IDV_OK;
}

static idv_rc take(struct idvi_est_call *c, X509 **out)
{
    const struct idv_told *told = c->told;
    if (told->kind != IDV_TOLD_REPLY) {
        idv_log(c->server->env, IDV_LOG_WARN, "ca-lost", "detail=%s",
                idv_log_value(told->note));
        return busy(c, 503, "ca-lost", RETRY_S);
    }
    return told->msg.status == 200 ? read_cert(c, &told->msg, out)
                                   : refused(c, &told->msg);
}

idv_rc idvi_est_take(struct idvi_est_call *c, struct idv_buf *cert)
{
    const struct idv_est_store *s = &c->server->conf.store;
    IDV_AUTO_PTR(X509) theirs = NULL;
    idv_rc rc = take(c, &theirs);
    if (rc == IDV_OK)
        rc = idv_cert_to_der(theirs, cert);
    idv_rc end = s->order_end(s->self, c->client_sha256, c->csr_sha256);
    return rc != IDV_OK ? rc : end;
}
