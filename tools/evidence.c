/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's proof of what this device is imprinted with. */
#include <idevid/auto.h>

#include "evidence.h"

idv_rc tool_evidence(const struct state *s, const char *iak,
                     const char *certificate, struct idv_bytes nonce,
                     struct idv_evidence *out)
{
    const struct anchor_conf *c = &s->conf->anchor;
    const char *from = certificate ? certificate : c->iak_certificate;
    IDV_AUTO_PTR(idv_certs) chain = NULL;
    struct idv_evidence_request request;
    IDV_TRY(idv_evidence_request_of(s->trust, &request));
    if (from)
        IDV_TRY(idv_certs_open(from, &tool_pin, &chain));
    request.key_uri = iak ? iak : c->iak;
    request.chain = chain;
    request.nonce = nonce;
    return idv_evidence_make(s->dev, &request, out);
}

idv_rc tool_evidence_der(void *state, struct idv_bytes nonce,
                         struct idv_buf *out)
{
    struct idv_evidence e = {0};
    IDV_TRY(tool_evidence(state, NULL, NULL, nonce, &e));
    idv_rc rc = idv_evidence_to_der(&e, out);
    idv_evidence_free(&e);
    return rc;
}
