/* SPDX-License-Identifier: Apache-2.0 */
/* A request for curl: options, URL, Host and header fields. */
#include <arpa/inet.h>
#include <string.h>

#include <idevid/auto.h>

#include "net/http.h"

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

static bool is_v6_address(const char *text, size_t n)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr a;
    if (n >= sizeof(copy))
        return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    return inet_pton(AF_INET6, copy, &a) == 1;
}

/* a name, an IPv4 or IPv6 literal; the zone apart */
static idv_rc check_host(const char *host)
{
    size_t n = strcspn(host, "%");
    bool good = is_v6(host) ? is_v6_address(host, n) : only(host, n, "._-");
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

idv_rc idvi_http_url(const char *host, uint16_t port, const char *path,
                     struct idv_buf *out)
{
    size_t n = strcspn(host, "%");
    IDV_TRY(check_host(host));
    IDV_TRY(check_path(path));
    IDV_TRY(idv_buf_puts(out, is_v6(host) ? "https://[" : "https://"));
    IDV_TRY(idv_buf_put(out, idv_bytes(host, n)));
    if (host[n])
        IDV_TRY(idv_buf_putf(out, "%%25%s", host + n + 1));
    return idv_buf_putf(out, "%s:%u%s", is_v6(host) ? "]" : "", port, path);
}

/* without the zone, which means nothing at the other end */
static idv_rc host_field(const char *host, uint16_t port, struct idv_buf *out)
{
    bool v6 = is_v6(host);
    IDV_TRY(idv_buf_puts(out, v6 ? "Host: [" : "Host: "));
    IDV_TRY(idv_buf_put(out, idv_bytes(host, strcspn(host, "%"))));
    if (v6)
        IDV_TRY(idv_buf_puts(out, "]"));
    return port == 443 ? IDV_OK : idv_buf_putf(out, ":%u", port);
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

static idv_rc fill(const char *host, uint16_t port, const struct idv_msg *req,
                   bool chunked, struct curl_slist **list)
{
    IDV_AUTO(buf) field = {0};
    IDV_TRY(host_field(host, port, &field));
    IDV_TRY(append(list, (const char *)field.p));
    IDV_TRY(append_field(list, "Accept", req->accept));
    IDV_TRY(append_field(list, "Expect", ""));
    if (req->verb != IDV_POST)
        return IDV_OK;
    IDV_TRY(append_field(list, "Content-Type", req->media));
    return chunked ? append(list, "Transfer-Encoding: chunked") : IDV_OK;
}

idv_rc idvi_http_headers(const char *host, uint16_t port,
                         const struct idv_msg *req, bool chunked,
                         struct curl_slist **out)
{
    idv_rc rc = fill(host, port, req, chunked, out);
    if (rc != IDV_OK) {
        curl_slist_free_all(*out);
        *out = NULL;
    }
    return rc;
}

void idvi_http_method(CURL *e, const struct idv_msg *req,
                      const struct idv_buf *body)
{
    if (req->verb == IDV_GET) {
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, body ? (long)body->n : -1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS,
                     !body ? NULL : (body->p ? (char *)body->p : ""));
}

/* curl's options are typed by macros: one call per kind of value */
static idv_rc opt_long(CURL *e, CURLoption o, long v)
{
    if (curl_easy_setopt(e, o, v) != CURLE_OK)
        return idv_fail(IDV_E_STATE, "curl: option %d", (int)o);
    return IDV_OK;
}

static idv_rc opt_ptr(CURL *e, CURLoption o, const void *v)
{
    if (curl_easy_setopt(e, o, v) != CURLE_OK)
        return idv_fail(IDV_E_STATE, "curl: option %d", (int)o);
    return IDV_OK;
}

idv_rc idvi_http_options(CURL *e)
{
    IDV_TRY(opt_ptr(e, CURLOPT_PROTOCOLS_STR, "https"));
    IDV_TRY(opt_ptr(e, CURLOPT_PROXY, ""));
    IDV_TRY(opt_long(e, CURLOPT_NETRC, CURL_NETRC_IGNORED));
    IDV_TRY(opt_long(e, CURLOPT_FOLLOWLOCATION, 0));
    IDV_TRY(opt_long(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1));
    IDV_TRY(opt_long(e, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2));
    IDV_TRY(opt_ptr(e, CURLOPT_CAINFO, NULL));
    IDV_TRY(opt_ptr(e, CURLOPT_CAPATH, NULL));
    IDV_TRY(opt_long(e, CURLOPT_SSL_VERIFYHOST, 0));
    IDV_TRY(opt_long(e, CURLOPT_SSL_VERIFYPEER, 0));
    IDV_TRY(opt_long(e, CURLOPT_SSL_SESSIONID_CACHE, 0));
    IDV_TRY(opt_long(e, CURLOPT_PATH_AS_IS, 1));
    IDV_TRY(opt_long(e, CURLOPT_KEEP_SENDING_ON_ERROR, 1));
    return opt_long(e, CURLOPT_TCP_NODELAY, 1);
}
