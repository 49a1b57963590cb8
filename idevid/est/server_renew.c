/* SPDX-License-Identifier: Apache-2.0 */
/* Renewal: which certificate is renewed, and may this client ask for it? */
#include <string.h>

#include "idevid/est/server_call.h"

/* Does the chain lead to a certificate of our CA? *ok false otherwise. */
static idv_rc chains_to_ca(struct idv_est_server *s, X509 *cert,
                           const STACK_OF(X509) * chain, const char *eku,
                           bool late, bool *ok)
{
    const STACK_OF(X509) *anchors = NULL;
    IDV_TRY(s->conf.ca.cacerts(s->conf.ca.self, &anchors));
    struct idv_chain_policy policy = {
        .anchors = anchors,
        .extra = chain,
        .partial = true,
        .check_time = idv_clock_trusted(s->env),
        .now = idv_now(s->env),
        .ignore_leaf_expiry = late,
        .eku = eku,
    };
    *ok = idv_chain_may_lead(cert, &policy);
    if (!*ok) /* most devices that enroll have none of ours yet */
        return IDV_OK;
    idv_rc rc = idv_chain_verify(cert, &policy);
    *ok = rc == IDV_OK;
    if (rc == IDV_E_REJECT || rc == IDV_E_CRYPTO || rc == IDV_E_FORMAT) {
        idv_note_clear();
        rc = IDV_OK;
    }
    return rc;
}

/* not longer ago than is forgiven, and never a user's */
static bool is_forgiven(struct idv_est_server *s, const struct idv_issued *i)
{
    int64_t over = idv_now(s->env) - i->not_after;
    if (over <= 0 || !idv_clock_trusted(s->env))
        return true;
    if (!i->serial_number[0] || over > s->conf.renew_expired_s)
        return false;
    idv_log(s->env, IDV_LOG_INFO, "renewal-late", "device=%s seconds=%lld",
            idv_log_value(i->serial_number), (long long)over);
    return true;
}

idv_rc idv_est_server_ldevid(struct idv_est_server *s, X509 *cert,
                             const STACK_OF(X509) * chain, bool renewal,
                             bool *found, struct idv_issued *out)
{
    uint8_t hash[32];
    bool late = renewal && s->conf.renew_expired_s > 0;
    IDV_TRY(chains_to_ca(s, cert, chain, NULL, late, found));
    if (!*found)
        return IDV_OK;
    IDV_TRY(idv_cert_sha256(cert, hash));
    IDV_TRY(s->conf.store.find_cert(s->conf.store.self, hash, found, out));
    if (*found &&
        (out->state != IDV_ISSUED_VALID || (late && !is_forgiven(s, out)))) {
        idv_issued_free(out);
        *found = false;
    }
    return IDV_OK;
}

/* the newest certificate of the subject that the request names */
static idv_rc find_by_subject(struct idvi_est_call *c, bool *found,
                              struct idv_issued *out)
{
    const struct idv_est_store *store = &c->server->conf.store;
    uint8_t hash[32];
    IDV_TRY(idvi_est_name_sha256(X509_REQ_get_subject_name(c->csr), hash));
    return store->find_subject(store->self, hash, found, out);
}

/* *found false: this client may renew nothing */
static idv_rc find_renewed(struct idvi_est_call *c, bool *found,
                           struct idv_issued *out)
{
    struct idv_est_server *s = c->server;
    const STACK_OF(X509) *chain = c->call->peer->chain;
    IDV_TRY(idv_est_server_ldevid(s, c->client, chain, true, found, out));
    if (*found || !s->conf.renew_by_ra)
        return IDV_OK;
    IDV_TRY(chains_to_ca(s, c->client, chain, IDV_OID_CMC_RA, false, found));
    if (!*found)
        return IDV_OK;
    IDV_TRY(find_by_subject(c, found, out));
    *found = *found && out->state == IDV_ISSUED_VALID;
    return IDV_OK;
}

static bool same_san(const X509 *old, X509_REQ *csr)
{
    STACK_OF(X509_EXTENSION) *asked = X509_REQ_get_extensions(csr);
    bool same = idvi_est_same_names(idvi_est_san(X509_get0_extensions(old)),
                                    idvi_est_san(asked));
    sk_X509_EXTENSION_pop_free(asked, X509_EXTENSION_free);
    return same;
}

static idv_rc check_names(struct idvi_est_call *c, const X509 *old)
{
    if (X509_NAME_cmp(X509_get_subject_name(old),
                      X509_REQ_get_subject_name(c->csr)) != 0)
        return idvi_refuse(&c->no, 400, "renew-subject",
                           "subject differs from the renewed certificate");
    if (!same_san(old, c->csr))
        return idvi_refuse(&c->no, 400, "renew-san",
                           "names differ from the renewed certificate");
    return IDV_OK;
}

static idv_rc grant_names(struct idvi_est_call *c, const X509 *old,
                          const struct idv_issued *issued)
{
    X509_EXTENSION *san = idvi_est_san(X509_get0_extensions(old));
    memcpy(c->grant.serial_number, issued->serial_number,
           sizeof(c->grant.serial_number));
    c->grant.subject = X509_NAME_dup(X509_get_subject_name(old));
    if (!c->grant.subject)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return san ? idvi_est_add_extension(&c->grant.extensions, san) : IDV_OK;
}

static idv_rc renew(struct idvi_est_call *c, struct idv_issued *issued)
{
    IDV_AUTO_PTR(X509) old = NULL;
    bool found = false;
    IDV_TRY(find_renewed(c, &found, issued));
    if (!found)
        return idvi_refuse(&c->no, 403, "renew-stranger",
                           "not a certificate of this domain");
    IDV_TRY(idv_cert_from_der(idv_view(&issued->cert), &old));
    IDV_TRY(check_names(c, old));
    return grant_names(c, old, issued);
}

idv_rc idvi_est_renewal(struct idvi_est_call *c)
{
    struct idv_issued issued = {0};
    idv_rc rc = renew(c, &issued);
    idv_issued_free(&issued);
    return rc;
}
