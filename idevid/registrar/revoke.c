/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation of what a device could not use. */
#include <string.h>

#include "idevid/registrar/registrar_call.h"

/* The CA that issued it says whether; one that is none of ours does not. */
static idv_rc wanted(struct idvi_reg_call *c, const struct idv_issued *i,
                     bool *yes)
{
    const struct idv_registrar_conf *conf = &c->reg->conf;
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(idv_cert_from_der(idv_view(&i->cert), &cert));
    for (size_t n = 0; n <= conf->n_labels; n++) {
        const struct idv_registrar_ca *ca =
            n ? &conf->labels[n - 1] : &conf->ca;
        const STACK_OF(X509) *chain = NULL;
        IDV_TRY(ca->est.ca.cacerts(ca->est.ca.self, &chain));
        for (int k = 0; k < sk_X509_num(chain); k++) {
            if (X509_check_issued(sk_X509_value(chain, k), cert) == X509_V_OK) {
                *yes = ca->revoke_unused;
                return IDV_OK;
            }
        }
    }
    return IDV_OK;
}

static idv_rc revoke(struct idvi_reg_call *c, const struct idv_issued *i)
{
    const struct idv_est_store *store = &c->reg->conf.ca.est.store;
    bool yes = false, done = false;
    IDV_TRY(wanted(c, i, &yes));
    if (!yes)
        return IDV_OK;
    IDV_TRY(store->revoke(store->self, i->cert_sha256,
                          idv_crl_reason_from_text("cessationOfOperation"),
                          c->now, &done));
    if (done)
        idv_log(c->reg->env, IDV_LOG_WARN, "certificate-revoked",
                "device=%s why=not-used", idv_log_value(i->serial_number));
    return IDV_OK;
}

idv_rc idvi_reg_revoke_unused(struct idvi_reg_call *c, bool by_ldevid)
{
    const struct idv_est_store *store = &c->reg->conf.ca.est.store;
    struct idv_issued last = {0};
    bool found = false;
    if (by_ldevid)
        return revoke(c, &c->issued);
    IDV_TRY(store->find_client(store->self, c->leaf_sha256, &found, &last));
    idv_rc rc = found ? revoke(c, &last) : IDV_OK;
    idv_issued_free(&last);
    return rc;
}
