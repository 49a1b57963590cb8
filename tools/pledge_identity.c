/* SPDX-License-Identifier: Apache-2.0 */
/* What idevid-pledge begins with: the device's state and its IDevID. */
#include <idevid/auto.h>

#include "makers.h"
#include "pledge.h"

void pledge_close(struct pledge *p)
{
    state_close(&p->s);
    EVP_PKEY_free(p->idevid_key);
    idv_certs_free(p->chain);
    idv_certs_free(p->anchors);
    idv_certs_free(p->cloud_anchors);
    idv_json_free(p->steps);
}

idv_rc pledge_start(struct pledge *p, struct tool *t, enum state_use use)
{
    p->t = t;
    p->start_ms = p->last_ms = tool_ms();
    if (t->json && !(p->steps = idv_json_new_array()))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return state_open(t, &pledge_configuration, use, &p->s);
}

idv_rc pledge_identity(struct pledge *p)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    if (p->chain)
        return IDV_OK;
    IDV_TRY(tool_makers(&p->s, &p->anchors));
    IDV_TRY(idv_cert_open(p->s.cert, &tool_pin, &cert));
    IDV_TRY(state_idevid(&p->s, &p->idevid_key));
    if (EVP_PKEY_eq(X509_get0_pubkey(cert), p->idevid_key) != 1)
        return idv_fail(IDV_E_REJECT,
                        "%s: the certificate is for another key than %s",
                        p->s.cert, p->s.key);
    if (pledge_configuration.chain)
        IDV_TRY(idv_certs_open(pledge_configuration.chain, NULL, &p->chain));
    else
        p->chain = sk_X509_new_null();
    if (!p->chain || sk_X509_unshift(p->chain, cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    cert = NULL;
    return IDV_OK;
}
