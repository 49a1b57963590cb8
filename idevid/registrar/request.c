/* SPDX-License-Identifier: Apache-2.0 */
/* requestvoucher: the pledge's request judged (RFC 8995 section 5.3). */
#include <string.h>

#include <openssl/evp.h>

#include "idevid/registrar/registrar_call.h"

idv_rc idvi_reg_check_types(struct idvi_reg_call *c)
{
    const struct idv_msg *req = &c->call->req;
    if (!idv_envelope_known(req->media))
        return idvi_refuse(&c->no, 415, "media", "unsupported media type");
    if (!idv_accepts(req->accept, req->media))
        return idvi_refuse(&c->no, 406, "accept", "not acceptable");
    return IDV_OK;
}

/* R-R-14: by the key that holds the other end of this connection; whatever
 * certificates are inside do not count. */
static idv_rc open_request(struct idvi_reg_call *c)
{
    const struct idv_msg *req = &c->call->req;
    int malformed = c->reg->conf.cloud ? 400 : 406; /* R-C-2 */
    IDV_TRY(idv_sha256(idv_bytes(req->body.p, req->body.n), c->pvr_sha256));
    IDV_TRY(idvi_reg_take_body(c));
    idv_rc rc = idv_envelope_open(req->media, c->request.bytes, &c->opened);
    IDV_TRY(
        idvi_judge(&c->no, rc, malformed, "container", "malformed request"));
    rc = idv_envelope_verify_key(&c->opened, X509_get0_pubkey(c->leaf));
    IDV_TRY(idvi_judge(&c->no, rc, 403, "signature", "bad signature"));
    rc = idv_voucher_from(c->opened.media, idv_view(&c->opened.payload),
                          IDV_VOUCHER_REQUEST, &c->pvr);
    return idvi_judge(&c->no, rc, malformed, "content", "malformed request");
}

/* R-R-11 */
static idv_rc check_serial(struct idvi_reg_call *c)
{
    if (strcmp(c->pvr.serial_number, c->id.serial_number) != 0)
        return idvi_refuse(&c->no, 403, "serial", "serial numbers differ");
    return IDV_OK;
}

idv_rc idvi_reg_open_request(struct idvi_reg_call *c)
{
    IDV_TRY(idvi_reg_check_types(c));
    IDV_TRY(open_request(c));
    return check_serial(c);
}

const X509 *idvi_reg_shown(const struct idvi_reg_call *c)
{
    const struct idv_registrar_conf *conf = &c->reg->conf;
    return c->call->peer->fronted && conf->front_cert ? conf->front_cert
                                                      : conf->cert;
}

/* R-R-13: does the pledge see us, or somebody between? */
static idv_rc check_proximity(struct idvi_reg_call *c)
{
    if (c->pvr.assertion == IDV_ASSERT_PROXIMITY &&
        idv_request_saw(&c->pvr, idvi_reg_shown(c), false))
        return IDV_OK;
    c->call->close = true;
    return idvi_refuse(&c->no, 401, "proximity", "proximity check failed");
}

static idv_rc refuse_again(struct idvi_reg_call *c)
{
    char text[sizeof(c->session.reason) + 2];
    size_t n = strlen(c->session.reason);
    memcpy(text, c->session.reason, n);
    text[n] = '\n';
    idv_log(c->reg->env, IDV_LOG_INFO, "refused-again",
            "role=registrar status=%d device=%s reason=%s", c->session.status,
            idv_log_value(c->session.serial_number),
            idv_log_value(c->session.reason));
    return idv_msg_reply(&c->call->reply, c->session.status, "text/plain",
                         idv_bytes(text, n + 1));
}

/* What this very request led to before, once more (R-R-31). */
static idv_rc repeat(struct idvi_reg_call *c)
{
    if (c->session.state == IDV_SESSION_REFUSED)
        return refuse_again(c);
    return idvi_reg_answer_voucher(c);
}

idv_rc idvi_reg_requestvoucher(struct idvi_reg_call *c)
{
    IDV_TRY(idvi_reg_claim(c));
    IDV_TRY(idvi_reg_identify(c));
    IDV_TRY(idvi_reg_open_request(c));
    IDV_TRY(check_proximity(c));
    IDV_TRY(idvi_reg_session_load(c));
    IDV_TRY(idvi_reg_policy(c));
    if (c->session.voucher.n || c->session.state == IDV_SESSION_REFUSED)
        return repeat(c);
    return idvi_reg_ask_masa(c);
}
