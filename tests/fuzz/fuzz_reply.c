/* SPDX-License-Identifier: Apache-2.0 */
/* A reply's header and body, line by line: bounds hold whatever comes. */
#include <string.h>

#include "net/http_reply.h"
#include "tests/fuzz/fuzz.h"

static int64_t now(void *ctx)
{
    (void)ctx;
    return 1795305600;
}

static bool trusted(void *ctx)
{
    return *(bool *)ctx;
}

static void check(const struct idvi_reply *r)
{
    const struct idv_msg *m = &r->msg;
    PROMISE(strlen(m->media) < sizeof(m->media));
    PROMISE(strlen(m->location) < sizeof(m->location));
    PROMISE(m->retry_after >= -1 && m->retry_after <= IDVI_RETRY_MAX);
    PROMISE(m->status >= 0 && m->status <= 999);
    PROMISE(m->body.n <= IDV_MAX_BODY && r->header_n <= IDVI_MAX_HEADER);
    for (const char *c = m->location; *c; c++)
        PROMISE(*c >= 0x20 && *c <= 0x7e);
}

/* the first byte says whether there is a clock; an empty line begins the body
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bool clock = n && data[0] & 1;
    struct idv_env env = {.now = now, .clock_trusted = trusted, .ctx = &clock};
    struct idvi_reply r;
    idv_rc rc = IDV_OK;
    idv_note_clear();
    idvi_reply_init(&r, &env);
    while (rc == IDV_OK && n && !r.ended) {
        const uint8_t *end = memchr(data, '\n', n);
        size_t line = end ? (size_t)(end - data) + 1 : n;
        rc = idvi_reply_header(&r, idv_bytes(data, line));
        check(&r);
        data += line;
        n -= line;
    }
    if (rc == IDV_OK && n)
        rc = idvi_reply_body(&r, idv_bytes(data, n));
    check(&r);
    PROMISE(rc == IDV_OK || *idv_note());
    idvi_reply_free(&r);
    return 0;
}
