/* SPDX-License-Identifier: Apache-2.0 */
/* simpleenroll and simplereenroll: from an approved request to its answer. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/est/server_call.h"

const EVP_PKEY *idvi_est_key(const struct idvi_est_call *c)
{
    return c->make_key ? c->made : c->csr_key;
}

/* --- answering ------------------------------------------------------------ */

static idv_rc answer_key(struct idvi_est_call *c, const struct idv_issued *i)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(idv_cert_from_der(idv_view(&i->cert), &cert));
    return idvi_est_answer_key(c, cert);
}

static idv_rc answer(struct idvi_est_call *c, const struct idv_issued *i)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    if (c->make_key)
        return answer_key(c, i);
    IDV_TRY(idv_certbag_wrap(idv_view(&i->cert), &der));
    IDV_TRY(idv_est_body_from_der(idv_view(&der), &text));
    return idv_msg_reply(&c->call->reply, 200, IDV_MEDIA_CERTS_ONLY,
                         idv_view(&text));
}

static idv_rc tell_and_answer(struct idvi_est_call *c,
                              const struct idv_issued *i)
{
    const struct idv_est_server_conf *conf = &c->server->conf;
    if (conf->issued)
        IDV_TRY(conf->issued(conf->arg, c->call->peer, i));
    return answer(c, i);
}

static idv_rc find_again(struct idvi_est_call *c, bool *found)
{
    const struct idv_est_store *store = &c->server->conf.store;
    struct idv_issued old = {0};
    idv_rc rc = store->find_csr(store->self, c->client_sha256, c->csr_sha256,
                                found, &old);
    *found = rc == IDV_OK && *found && old.state == IDV_ISSUED_VALID &&
             old.not_after > c->now;
    if (*found)
        rc = tell_and_answer(c, &old);
    idv_issued_free(&old);
    return rc;
}

/* --- issuing -------------------------------------------------------------- */

idv_rc idvi_est_name_sha256(const X509_NAME *name, uint8_t out[static 32])
{
    const unsigned char *der = NULL;
    size_t n = 0;
    if (X509_NAME_get0_der(name, &der, &n) != 1)
        return idv_fail(IDV_E_CRYPTO, "subject: not written");
    return idv_sha256(idv_bytes(der, n), out);
}

/* A CA must not surprise us: this key, no CA certificate. */
static idv_rc check_issued(struct idvi_est_call *c,
                           const struct idv_cert_outline *cert)
{
    if (!idv_spki_is_of(cert->spki, idvi_est_key(c)) || cert->ca)
        return idv_fail(IDV_E_STATE, "CA: issued something else than asked");
    return IDV_OK;
}

static idv_rc describe(struct idvi_est_call *c,
                       const struct idv_cert_outline *cert,
                       struct idv_issued *i)
{
    memcpy(i->client_sha256, c->client_sha256, 32);
    memcpy(i->csr_sha256, c->csr_sha256, 32);
    IDV_TRY(idv_sha256(idv_view(&i->cert), i->cert_sha256));
    IDV_TRY(idv_sha256(cert->subject, i->subject_sha256));
    IDV_TRY(idv_text_copy(i->serial_number, sizeof(i->serial_number),
                          idv_str(c->grant.serial_number), "issued"));
    i->issued = c->now;
    i->not_after = cert->not_after;
    i->state = IDV_ISSUED_VALID;
    return IDV_OK;
}

static idv_rc make(struct idvi_est_call *c, struct idv_issued *i)
{
    const struct idv_est_ca *ca = &c->server->conf.ca;
    struct idv_cert_outline cert;
    idv_rc rc = ca->forward
                    ? idvi_est_take(c, &i->cert)
                    : ca->issue(ca->self, &c->grant, idvi_est_key(c), &i->cert);
    if (rc == IDV_E_REJECT && c->no.status)
        return rc;
    if (rc == IDV_E_REJECT)
        return idvi_refuse(&c->no, 403, "ca-refused", "refused by the CA");
    IDV_TRY(rc);
    IDV_TRY(idv_cert_outline(idv_view(&i->cert), &cert));
    IDV_TRY(check_issued(c, &cert));
    return describe(c, &cert, i);
}

idv_rc idvi_est_keep(struct idvi_est_call *c)
{
    const struct idv_est_server_conf *conf = &c->server->conf;
    bool fresh = false, found = false;
    IDV_TRY(conf->store.add(conf->store.self, &c->fresh, &fresh));
    if (!fresh) { /* another one came first, and stands */
        IDV_TRY(find_again(c, &found));
        return found ? IDV_OK
                     : idv_fail(IDV_E_STATE, "est: a certificate is lost");
    }
    idv_log(c->server->env, IDV_LOG_INFO, "certificate-issued", "device=%s",
            idv_log_value(c->grant.serial_number));
    return tell_and_answer(c, &c->fresh);
}

idv_rc idvi_est_issue(struct idvi_est_call *c)
{
    bool found = false;
    IDV_TRY(find_again(c, &found));
    if (found)
        return IDV_OK;
    if (c->server->conf.ca.forward && !c->told)
        return idvi_est_forward(c);
    IDV_TRY(make(c, &c->fresh));
    c->ready = c->call->may_store;
    return c->ready ? IDV_OK : idvi_est_keep(c);
}

/* --- admission ------------------------------------------------------------ */

/* A request that names somebody else is no mistake to be corrected. */
static idv_rc check_serial(struct idvi_est_call *c)
{
    const X509_NAME *name = X509_REQ_get_subject_name(c->csr);
    struct idv_bytes due = idv_str(c->grant.serial_number);
    int at = -1;
    if (due.n == 0 && !c->server->conf.user)
        return IDV_OK;
    while ((at = X509_NAME_get_index_by_NID(name, NID_serialNumber, at)) >= 0) {
        const ASN1_STRING *v =
            X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
        if (!idv_bytes_eq(due, idv_bytes(ASN1_STRING_get0_data(v),
                                         (size_t)ASN1_STRING_length(v))))
            return idvi_refuse(&c->no, 403, "csr-serial",
                               "serialNumber of another device");
    }
    return IDV_OK;
}

static idv_rc add_configured(struct idvi_est_call *c)
{
    const struct idv_csrattrs *a = c->server->conf.attrs;
    const STACK_OF(X509_EXTENSION) *list = a ? a->extensions : NULL;
    for (int i = 0; i < sk_X509_EXTENSION_num(list); i++) {
        X509_EXTENSION *e = sk_X509_EXTENSION_value(list, i);
        if (X509v3_get_ext_by_OBJ(c->grant.extensions,
                                  X509_EXTENSION_get_object(e), -1) < 0)
            IDV_TRY(idvi_est_add_extension(&c->grant.extensions, e));
    }
    return IDV_OK;
}

/* R-R-41: the names that csrattrs told this client. */
static idv_rc check_names(struct idvi_est_call *c)
{
    X509_EXTENSION *due = idvi_est_san(c->grant.extensions);
    if (!c->server->conf.names || !due)
        return IDV_OK;
    STACK_OF(X509_EXTENSION) *have = X509_REQ_get_extensions(c->csr);
    bool same = idvi_est_same_names(due, idvi_est_san(have));
    sk_X509_EXTENSION_pop_free(have, X509_EXTENSION_free);
    return same ? IDV_OK
                : idvi_refuse(&c->no, 400, "csr-names",
                              "names differ from those of csrattrs");
}

static void limit(struct idvi_est_call *c)
{
    const int64_t s = c->server->conf.limit_s;
    if (s && (!c->grant.lifetime_s || c->grant.lifetime_s > s))
        c->grant.lifetime_s = s;
}

static idv_rc admit(struct idvi_est_call *c)
{
    const struct idv_est_server_conf *conf = &c->server->conf;
    struct idv_est_verdict v = {.retry_after = -1};
    if (!conf->admit)
        return idvi_refuse(&c->no, 403, "no-admission", "nobody is admitted");
    idv_rc rc = conf->admit(conf->arg, c->call->peer, &v);
    c->grant = v.grant;
    IDV_TRY(rc);
    if (v.status) {
        rc = idvi_refuse(&c->no, v.status, v.reason, v.reason);
        c->no.retry_after = v.retry_after;
        return rc;
    }
    return c->grant.subject
               ? IDV_OK
               : idv_fail(IDV_E_STATE, "est: admitted without a name");
}

idv_rc idvi_est_enroll(struct idvi_est_call *c)
{
    IDV_TRY(idvi_est_read_csr(c));
    IDV_TRY(admit(c));
    IDV_TRY(check_serial(c));
    IDV_TRY(check_names(c));
    IDV_TRY(add_configured(c));
    limit(c);
    return idvi_est_issue(c);
}

/* R-R-43 holds for it as for simpleenroll. */
idv_rc idvi_est_serverkeygen(struct idvi_est_call *c)
{
    const struct idv_est_server_conf *conf = &c->server->conf;
    if (!conf->server_keys || conf->ca.forward)
        return idvi_refuse(&c->no, 404, "path", "not found");
    c->make_key = true;
    IDV_TRY(idvi_est_read_csr(c));
    IDV_TRY(admit(c));
    IDV_TRY(check_serial(c));
    IDV_TRY(check_names(c));
    IDV_TRY(add_configured(c));
    limit(c);
    IDV_TRY(idvi_est_make_key(c));
    return idvi_est_issue(c);
}

idv_rc idvi_est_reenroll(struct idvi_est_call *c)
{
    c->again = true;
    IDV_TRY(idvi_est_read_csr(c));
    IDV_TRY(idvi_est_renewal(c));
    IDV_TRY(add_configured(c));
    limit(c);
    return idvi_est_issue(c);
}
