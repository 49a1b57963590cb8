/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of a request: URL, Host and header fields. */
#include <string.h>

#include <idevid/auto.h>

#include "net/client_int.h"

static bool is_v6(const char *host)
{
    return strchr(host, ':') != NULL;
}

static bool only(const char *text, size_t n, const char *more)
{
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z');
        if (!c || (!plain && !strchr(more, c)))
            return false;
    }
    return n > 0;
}

/* a name, an IPv4 or IPv6 literal; the zone apart */
static idv_rc check_host(const char *host)
{
    size_t n = strcspn(host, "%");
    bool good = is_v6(host) ? only(host, n, ":.") : only(host, n, "._-");
    if (good && host[n])
        good = is_v6(host) && only(host + n + 1, strlen(host + n + 1), "._-@");
    if (!good)
        return idv_fail(IDV_E_ARG, "connect: '%s' is not a host", host);
    return IDV_OK;
}

static idv_rc check_path(const char *path)
{
    bool good = *path == '/';
    for (const char *c = path; *c && good; c++)
        good = *c > 0x20 && *c < 0x7f && *c != '?' && *c != '#';
    if (!good)
        return idv_fail(IDV_E_ARG, "connect: '%s' is not a path", path);
    return IDV_OK;
}

idv_rc idvi_client_url(struct idvi_client *c, const char *path,
                       struct idv_buf *out)
{
    const char *host = c->to.host;
    size_t n = strcspn(host, "%");
    IDV_TRY(check_host(host));
    IDV_TRY(check_path(path));
    IDV_TRY(idv_buf_puts(out, is_v6(host) ? "https://[" : "https://"));
    IDV_TRY(idv_buf_put(out, idv_bytes(host, n)));
    if (host[n])
        IDV_TRY(idv_buf_putf(out, "%%25%s", host + n + 1));
    return idv_buf_putf(out, "%s:%u%s", is_v6(host) ? "]" : "", c->to.port,
                        path);
}

/* without the zone, which means nothing at the other end */
idv_rc idvi_client_host(const struct idvi_client *c, struct idv_buf *out)
{
    const char *host = c->to.host;
    bool v6 = is_v6(host);
    IDV_TRY(idv_buf_puts(out, v6 ? "Host: [" : "Host: "));
    IDV_TRY(idv_buf_put(out, idv_bytes(host, strcspn(host, "%"))));
    if (v6)
        IDV_TRY(idv_buf_puts(out, "]"));
    return c->to.port == 443 ? IDV_OK : idv_buf_putf(out, ":%u", c->to.port);
}

static idv_rc append(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = curl_slist_append(*list, line);
    if (!more)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    *list = more;
    return IDV_OK;
}

/* "Name: value", or "Name:" which keeps curl from adding its own */
static idv_rc append_field(struct curl_slist **list, const char *name,
                           const char *value)
{
    IDV_AUTO(buf) line = {0};
    if (strpbrk(value, "\r\n"))
        return idv_fail(IDV_E_ARG, "request: a line end in %s", name);
    IDV_TRY(idv_buf_putf(&line, "%s:%s%s", name, *value ? " " : "", value));
    return append(list, (const char *)line.p);
}

static idv_rc fill(const struct idvi_client *c, const struct idv_msg *req,
                   bool chunked, struct curl_slist **list)
{
    IDV_AUTO(buf) host = {0};
    IDV_TRY(idvi_client_host(c, &host));
    IDV_TRY(append(list, (const char *)host.p));
    IDV_TRY(append_field(list, "Accept", req->accept));
    IDV_TRY(append_field(list, "Expect", ""));
    if (req->verb != IDV_POST)
        return IDV_OK;
    IDV_TRY(append_field(list, "Content-Type", req->media));
    return chunked ? append(list, "Transfer-Encoding: chunked") : IDV_OK;
}

idv_rc idvi_client_headers(const struct idvi_client *c,
                           const struct idv_msg *req, bool chunked,
                           struct curl_slist **out)
{
    idv_rc rc = fill(c, req, chunked, out);
    if (rc != IDV_OK) {
        curl_slist_free_all(*out);
        *out = NULL;
    }
    return rc;
}
