/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as evhttp read them: framing that only has one reading, then text.
 */
#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include <idevid/text.h>

#include "net/server_int.h"

static bool is_token(const char *s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    if (!*s)
        return false;
    for (; *s; s++) {
        bool alnum = (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') ||
                     (*s >= 'A' && *s <= 'Z');
        if (!alnum && !strchr(marks, *s))
            return false;
    }
    return true;
}

static bool is_digits(const char *s)
{
    size_t n = strspn(s, "0123456789");
    return n > 0 && n < 19 && !s[n];
}

static bool has_controls(const char *s)
{
    for (; *s; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
            return true;
    }
    return false;
}

struct framing {
    unsigned lengths, codings, hosts;
    const char *bad;
};

static void look_at(struct framing *f, const char *key, const char *value)
{
    if (!is_token(key))
        f->bad = "a header name is not a token";
    else if (has_controls(value))
        f->bad = "a control character in a header";
    else if (idv_text_eq_nocase(idv_str(key), "Content-Length")) {
        f->lengths++;
        if (!is_digits(value))
            f->bad = "Content-Length is not a number";
    } else if (idv_text_eq_nocase(idv_str(key), "Transfer-Encoding")) {
        f->codings++;
        if (!idv_text_eq_nocase(idv_str(value), "chunked"))
            f->bad = "Transfer-Encoding other than chunked";
    } else if (idv_text_eq_nocase(idv_str(key), "Host")) {
        f->hosts++;
        if (strpbrk(value, " \t"))
            f->bad = "a blank in Host"; /* or a folded header */
    }
}

const char *idvi_http_misframed(struct evhttp_request *req)
{
    struct framing f = {0};
    const struct evkeyval *h;
    const bool http10 = req->minor == 0;
    if (req->major != 1)
        return "not HTTP/1.0 or 1.1";
    TAILQ_FOREACH(h, evhttp_request_get_input_headers(req), next)
    {
        look_at(&f, h->key, h->value);
        if (f.bad)
            return f.bad;
    }
    if (f.lengths > 1)
        return "more than one Content-Length";
    if (f.codings > 1)
        return "more than one Transfer-Encoding";
    if (f.lengths && f.codings)
        return "Content-Length and Transfer-Encoding";
    if (http10 && f.codings)
        return "Transfer-Encoding in HTTP/1.0";
    if (f.hosts > 1 || (!http10 && f.hosts == 0))
        return "not exactly one Host";
    return NULL;
}

static idv_rc refuse(int *status, int with, idv_rc rc, const char *why)
{
    *status = with;
    return idv_fail(rc, "request: %s", why);
}

static idv_rc get_path(struct evhttp_request *req, struct idv_msg *m,
                       int *status)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    if (!path || *path != '/')
        return refuse(status, 400, IDV_E_FORMAT, "path is not absolute");
    for (const char *c = path; *c; c++) {
        if (*c <= 0x20 || *c >= 0x7f)
            return refuse(status, 400, IDV_E_FORMAT, "path is not ASCII");
    }
    if (strlen(path) >= sizeof(m->path))
        return refuse(status, 414, IDV_E_LIMIT, "path too long");
    strcpy(m->path, path);
    return IDV_OK;
}

/* one field of which the first counts */
static idv_rc get_media(struct evhttp_request *req, struct idv_msg *m,
                        int *status)
{
    const char *v = evhttp_find_header(evhttp_request_get_input_headers(req),
                                       "Content-Type");
    if (!v)
        return IDV_OK;
    if (strlen(v) >= sizeof(m->media))
        return refuse(status, 415, IDV_E_LIMIT, "Content-Type too long");
    strcpy(m->media, v);
    return IDV_OK;
}

/* a list that may be spread over several fields */
static idv_rc get_accept(struct evhttp_request *req, struct idv_msg *m,
                         int *status)
{
    const struct evkeyval *h;
    size_t n = 0;
    TAILQ_FOREACH(h, evhttp_request_get_input_headers(req), next)
    {
        if (!idv_text_eq_nocase(idv_str(h->key), "Accept"))
            continue;
        size_t more = strlen(h->value), comma = n ? 2 : 0;
        if (more + comma >= sizeof(m->accept) - n)
            return refuse(status, 400, IDV_E_LIMIT, "Accept too long");
        memcpy(m->accept + n, ", ", comma);
        memcpy(m->accept + n + comma, h->value, more + 1);
        n += comma + more;
    }
    return IDV_OK;
}

/* one at most: a proxy and we must not each believe another */
static idv_rc get_authorization(struct evhttp_request *req, struct idv_msg *m,
                                int *status)
{
    const struct evkeyval *h;
    TAILQ_FOREACH(h, evhttp_request_get_input_headers(req), next)
    {
        if (!idv_text_eq_nocase(idv_str(h->key), "Authorization"))
            continue;
        if (m->authorization[0])
            return refuse(status, 400, IDV_E_FORMAT, "two Authorizations");
        if (strlen(h->value) >= sizeof(m->authorization))
            return refuse(status, 400, IDV_E_LIMIT, "Authorization too long");
        strcpy(m->authorization, h->value);
    }
    return IDV_OK;
}

static idv_rc get_body(struct evhttp_request *req, struct idv_msg *m,
                       size_t max_body, int *status)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t n = evbuffer_get_length(in);
    if (n > max_body)
        return refuse(status, 413, IDV_E_LIMIT, "body too long");
    m->body.max = max_body;
    uint8_t *to;
    if (idv_buf_room(&m->body, n, &to) != IDV_OK)
        return refuse(status, 500, IDV_E_NOMEM, "out of memory");
    if (n && evbuffer_remove(in, to, n) != (int)n)
        return refuse(status, 500, IDV_E_IO, "body");
    m->body.n += n;
    to[n] = 0;
    return IDV_OK;
}

idv_rc idvi_http_to_msg(struct evhttp_request *req, struct idv_msg *msg,
                        size_t max_body, int *status)
{
    enum evhttp_cmd_type verb = evhttp_request_get_command(req);
    msg->verb = verb == EVHTTP_REQ_POST ? IDV_POST : IDV_GET;
    IDV_TRY(get_path(req, msg, status));
    IDV_TRY(get_media(req, msg, status));
    IDV_TRY(get_accept(req, msg, status));
    IDV_TRY(get_authorization(req, msg, status));
    return get_body(req, msg, max_body, status);
}
