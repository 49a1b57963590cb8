/* SPDX-License-Identifier: Apache-2.0 */
/* A device that has no certificate to show in TLS, where that is allowed: the
 * one inside of its request stands for it. */
#include "idevid/registrar/registrar_call.h"

static idv_rc add(STACK_OF(X509) * chain, X509 *cert)
{
    if (X509_up_ref(cert) == 1 && sk_X509_push(chain, cert) > 0)
        return IDV_OK;
    return idv_fail(IDV_E_NOMEM, "out of memory");
}

/* ... and what is beside it, which may show whose it is */
static idv_rc take_signer(struct idvi_reg_call *c, STACK_OF(X509) * chain)
{
    IDV_AUTO(opened) o = {0};
    idv_rc rc = idv_envelope_open(c->call->req.media, c->request.bytes, &o);
    IDV_TRY(idvi_judge(&c->no, rc, 406, "container", "malformed request"));
    if (!o.signer)
        return idvi_refuse(&c->no, 403, "no-client-cert",
                           "no certificate in TLS, and none in the request");
    rc = idv_envelope_verify_signature(&o, NULL);
    IDV_TRY(idvi_judge(&c->no, rc, 403, "signature", "bad signature"));
    IDV_TRY(add(chain, o.signer));
    for (int i = 0; i < sk_X509_num(o.certs); i++) {
        if (sk_X509_value(o.certs, i) != o.signer)
            IDV_TRY(add(chain, sk_X509_value(o.certs, i)));
    }
    return IDV_OK;
}

idv_rc idvi_reg_claim(struct idvi_reg_call *c)
{
    struct idv_peer *peer = c->call->peer;
    if (!c->reg->conf.unauthenticated || !peer || peer->fronted ||
        (sk_X509_num(peer->chain) > 0 && !peer->claimed))
        return IDV_OK;
    IDV_AUTO_PTR(idv_certs) chain = sk_X509_new_null();
    if (!chain)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_reg_check_types(c));
    IDV_TRY(idvi_reg_take_body(c));
    IDV_TRY(take_signer(c, chain));
    idv_certs_free(peer->chain);
    peer->chain = idv_steal(&chain);
    peer->claimed = true;
    peer->has_sha256 = false;
    return IDV_OK;
}
