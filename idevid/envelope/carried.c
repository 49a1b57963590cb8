/* SPDX-License-Identifier: Apache-2.0 */
/* A container in a body as it is or in base64, and the answer in the same form.
 */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/limits.h>

#include "idevid/envelope/carried.h"

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

idv_rc idvi_carried_take(struct idvi_carried *c, const struct idv_buf *body)
{
    c->bytes = idv_view(body);
    c->base64 = is_base64(c->bytes);
    if (!c->base64)
        return IDV_OK;
    idv_buf_clear(&c->decoded);
    c->decoded.max = IDV_MAX_BODY;
    IDV_TRY(idv_base64_to_bytes(c->bytes, IDV_BASE64_LAX, &c->decoded));
    c->bytes = idv_view(&c->decoded);
    return IDV_OK;
}

idv_rc idvi_carried_reply(const struct idvi_carried *c, struct idv_msg *reply,
                          const char *media, struct idv_bytes bytes)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    if (c->base64) {
        IDV_TRY(idv_base64_from_bytes(bytes, COLUMNS, &text));
        bytes = idv_view(&text);
    }
    return idv_msg_reply(reply, 200, media, bytes);
}

void idvi_carried_free(struct idvi_carried *c)
{
    idv_buf_free(&c->decoded);
    c->bytes = idv_bytes(NULL, 0);
}
