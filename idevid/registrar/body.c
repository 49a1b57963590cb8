/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge's request and the answer to it, as they are in bodies. */
#include "idevid/registrar/registrar_call.h"

idv_rc idvi_reg_take_body(struct idvi_reg_call *c)
{
    idv_rc rc = idvi_carried_take(&c->request, &c->call->req.body);
    return idvi_judge(&c->no, rc, 406, "base64", "malformed request");
}

idv_rc idvi_reg_answer_voucher(struct idvi_reg_call *c)
{
    return idvi_carried_reply(&c->request, &c->call->reply, c->session.media,
                              idv_view(&c->session.voucher));
}
