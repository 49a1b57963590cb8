/* SPDX-License-Identifier: Apache-2.0 */
/* Status, the three header fields that matter, and a bounded body. */
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include <idevid/text.h>

#include "net/http_reply.h"

void idvi_reply_init(struct idvi_reply *r, const struct idv_env *env)
{
    memset(r, 0, sizeof(*r));
    idv_msg_init(&r->msg);
    r->env = env;
    r->length = -1;
}

void idvi_reply_free(struct idvi_reply *r)
{
    idv_msg_free(&r->msg);
}

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK"; 0 when line is not a status line */
static int status_of(struct idv_bytes line)
{
    if (line.n < 12 || strncmp((const char *)line.p, "HTTP/", 5) != 0)
        return 0;
    const uint8_t *blank = memchr(line.p, ' ', line.n);
    if (!blank || (size_t)(line.p + line.n - blank) < 4)
        return 0;
    if (!digit(blank[1]) || !digit(blank[2]) || !digit(blank[3]))
        return 0;
    return (blank[1] - '0') * 100 + (blank[2] - '0') * 10 + blank[3] - '0';
}

static int retry_date(const struct idv_env *env, struct idv_bytes value)
{
    char text[64];
    if (value.n >= sizeof(text) || memchr(value.p, 0, value.n))
        return -1;
    memcpy(text, value.p, value.n);
    text[value.n] = 0;
    time_t at = curl_getdate(text, NULL);
    if (at == (time_t)-1)
        return -1;
    if (!env || !idv_clock_trusted(env))
        return IDVI_RETRY_DATE;
    int64_t now = idv_now(env);
    if (at <= now)
        return 0;
    return at - now > IDVI_RETRY_MAX ? IDVI_RETRY_MAX : (int)(at - now);
}

int idvi_retry_after(const struct idv_env *env, struct idv_bytes value)
{
    int seconds = 0;
    value = idv_text_trim(value);
    if (!value.n)
        return -1;
    for (size_t i = 0; i < value.n; i++) {
        if (!digit(value.p[i]))
            return digit(value.p[0]) ? -1 : retry_date(env, value);
        seconds = seconds * 10 + value.p[i] - '0';
        if (seconds > IDVI_RETRY_MAX)
            seconds = IDVI_RETRY_MAX;
    }
    return seconds;
}

static idv_rc put_once(char *to, size_t room, bool *seen, const char *name,
                       struct idv_bytes value)
{
    if (value.n >= room)
        return idv_fail(IDV_E_LIMIT, "reply: %s longer than %zu", name,
                        room - 1);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < 0x20 || value.p[i] > 0x7e)
            return idv_fail(IDV_E_FORMAT, "reply: %s is not plain text", name);
    }
    if (*seen && (strlen(to) != value.n || memcmp(to, value.p, value.n) != 0))
        return idv_fail(IDV_E_FORMAT, "reply: two of %s that differ", name);
    *seen = true;
    memcpy(to, value.p, value.n);
    to[value.n] = 0;
    return IDV_OK;
}

static idv_rc get_length(struct idvi_reply *r, struct idv_bytes value)
{
    int64_t n = 0;
    for (size_t i = 0; i < value.n; i++) {
        if (!digit(value.p[i]) || value.n > 18)
            return idv_fail(IDV_E_FORMAT,
                            "reply: Content-Length is not a number");
        n = n * 10 + value.p[i] - '0';
    }
    if (value.n == 0 || (r->length >= 0 && r->length != n))
        return idv_fail(IDV_E_FORMAT, "reply: no or another Content-Length");
    r->length = n;
    return IDV_OK;
}

static idv_rc field(struct idvi_reply *r, struct idv_bytes name,
                    struct idv_bytes value)
{
    struct idv_msg *m = &r->msg;
    if (idv_text_eq_nocase(name, "Content-Type"))
        return put_once(m->media, sizeof(m->media), &r->media, "Content-Type",
                        value);
    if (idv_text_eq_nocase(name, "Location"))
        return put_once(m->location, sizeof(m->location), &r->location,
                        "Location", value);
    if (idv_text_eq_nocase(name, "Content-Length"))
        return get_length(r, value);
    if (idv_text_eq_nocase(name, "Transfer-Encoding")) {
        r->coded |= r->chunked || !idv_text_eq_nocase(value, "chunked");
        r->chunked = true;
    }
    if (idv_text_eq_nocase(name, "Retry-After"))
        m->retry_after = idvi_retry_after(r->env, value);
    return IDV_OK;
}

idv_rc idvi_reply_header(struct idvi_reply *r, struct idv_bytes line)
{
    if (line.n > IDVI_MAX_HEADER - r->header_n)
        return idv_fail(IDV_E_LIMIT, "reply: header over %d bytes",
                        IDVI_MAX_HEADER);
    r->header_n += line.n;
    int status = status_of(line);
    if (status) {
        size_t n = r->header_n;
        idv_msg_free(&r->msg);
        idvi_reply_init(r, r->env);
        r->header_n = n;
        r->msg.status = status;
        return IDV_OK;
    }
    if (idv_text_trim(line).n == 0)
        r->ended = r->msg.status >= 200;
    const uint8_t *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
    if (!colon)
        return IDV_OK;
    size_t n = (size_t)(colon - line.p);
    return field(r, idv_bytes(line.p, n),
                 idv_text_trim(idv_bytes(colon + 1, line.n - n - 1)));
}

bool idvi_reply_whole(const struct idvi_reply *r, bool goodbye)
{
    if (!r->ended || r->msg.status == 204 || r->msg.status == 304)
        return r->ended;
    if (r->chunked)
        return !r->coded || goodbye;
    return r->length >= 0 ? (uint64_t)r->length == r->msg.body.n : goodbye;
}

idv_rc idvi_reply_body(struct idvi_reply *r, struct idv_bytes add)
{
    if (add.n > IDV_MAX_BODY - r->msg.body.n)
        return idv_fail(IDV_E_LIMIT, "reply: body over %d bytes", IDV_MAX_BODY);
    return idv_buf_put(&r->msg.body, add);
}
