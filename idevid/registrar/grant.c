/* SPDX-License-Identifier: Apache-2.0 */
/* The names that devices and members get into their certificates. */
#include <string.h>

#include "idevid/registrar/registrar_call.h"

static X509_EXTENSION *san_of(const STACK_OF(X509_EXTENSION) * list)
{
    int i = X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1);
    return i < 0 ? NULL : X509v3_get_ext(list, i);
}

/* A member asking again keeps its names. */
static idv_rc grant_member(struct idvi_reg_call *c, struct idv_est_grant *g)
{
    IDV_AUTO_PTR(X509) old = NULL;
    memcpy(g->serial_number, c->issued.serial_number, sizeof(g->serial_number));
    IDV_TRY(idv_cert_from_der(idv_view(&c->issued.cert), &old));
    X509_EXTENSION *san = san_of(X509_get0_extensions(old));
    g->subject = X509_NAME_dup(X509_get_subject_name(old));
    if (!g->subject || (san && !X509v3_add_ext(&g->extensions, san, -1)))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

/* A node's number in the ACP is its own for good. */
static idv_rc node_number(struct idvi_reg_call *c, int64_t *number)
{
    const struct idv_est_store *store = &c->reg->conf.ca.est.store;
    IDV_AUTO(buf) who = {0};
    if (!c->ca->profile.acp_domain)
        return IDV_OK;
    IDV_TRY(idv_buf_putf(&who, "%s/%s", c->maker->name, c->id.serial_number));
    return store->number(store->self, (const char *)who.p, number);
}

idv_rc idvi_reg_grant(struct idvi_reg_call *c, struct idv_est_grant *g)
{
    int64_t number = 0;
    if (c->user[0])
        return idv_est_subject(c->ca->users->subject, c->user, false,
                               &g->subject);
    if (!c->maker)
        return grant_member(c, g);
    memcpy(g->serial_number, c->id.serial_number, sizeof(g->serial_number));
    IDV_TRY(node_number(c, &number));
    return idv_est_profile_grant(&c->ca->profile, c->id.serial_number, number,
                                 g);
}

/* Nobody is told a name, and none is used up, before there is a voucher. */
static idv_rc has_voucher(struct idvi_reg_call *c, bool *yes)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    bool found = false;
    idv_session_free(&c->session);
    IDV_TRY(
        store->session_last(store->self, c->leaf_sha256, &found, &c->session));
    *yes = found && c->session.voucher.n > 0;
    return IDV_OK;
}

idv_rc idvi_reg_names(struct idvi_reg_call *c, X509_EXTENSION **san)
{
    struct idv_est_grant g = {0};
    bool may = c->issued.cert.n > 0;
    if (c->maker)
        IDV_TRY(has_voucher(c, &may));
    if (!may)
        return IDV_OK;
    idv_rc rc = idvi_reg_grant(c, &g);
    X509_EXTENSION *granted = san_of(g.extensions);
    if (rc == IDV_OK && granted && !(*san = X509_EXTENSION_dup(granted)))
        rc = idv_fail(IDV_E_NOMEM, "out of memory");
    idv_est_grant_free(&g);
    return rc;
}
