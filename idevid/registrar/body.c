/* SPDX-License-Identifier: Apache-2.0 */
/* A request's body as it is or in base64, and the answer in the same form. */
#include <string.h>

#include <idevid/codec.h>

#include "idevid/registrar/registrar_call.h"

#define COLUMNS 64

/* Neither a CMS container, whose length bytes are none of these, nor a JWS,
 * which begins with a brace, can be taken for base64. */
static bool is_base64(struct idv_bytes body)
{
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                                "uvwxyz0123456789+/=\r\n";
    for (size_t i = 0; i < body.n; i++) {
        if (!memchr(chars, body.p[i], sizeof(chars) - 1))
            return false;
    }
    return body.n > 0;
}

idv_rc idvi_reg_take_body(struct idvi_reg_call *c)
{
    const struct idv_buf *body = &c->call->req.body;
    c->request = idv_view(body);
    c->base64 = is_base64(c->request);
    if (!c->base64)
        return IDV_OK;
    idv_buf_clear(&c->decoded);
    c->decoded.max = IDV_MAX_BODY;
    idv_rc rc = idv_base64_to_bytes(c->request, IDV_BASE64_LAX, &c->decoded);
    IDV_TRY(idvi_judge(&c->no, rc, 406, "base64", "malformed request"));
    c->request = idv_view(&c->decoded);
    return IDV_OK;
}

idv_rc idvi_reg_answer_voucher(struct idvi_reg_call *c)
{
    const struct idv_session *s = &c->session;
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    struct idv_bytes body = idv_view(&s->voucher);
    if (c->base64) {
        IDV_TRY(idv_base64_from_bytes(body, COLUMNS, &text));
        body = idv_view(&text);
    }
    return idv_msg_reply(&c->call->reply, 200, s->media, body);
}
