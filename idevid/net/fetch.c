/* SPDX-License-Identifier: Apache-2.0 */
/* One document from a server that is not ours, by libcurl. */
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <idevid/auto.h>
#include <idevid/limits.h>

#include "net/fetch.h"
#include "net/http.h"

#define REDIRECTIONS 3L
#define TIMEOUT_MS 30000

struct fetch {
    const struct idv_fetch *what;
    CURL *easy;
    struct idv_buf body;
    bool too_long, inside;
    char error[CURL_ERROR_SIZE];
};

static size_t body_part(char *p, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    if (idv_buf_put(&f->body, idv_bytes(p, size * n)) == IDV_OK)
        return size * n;
    f->too_long = true;
    return 0;
}

static bool is_https(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0;
}

/* curl's options are typed by macros: one call per kind of value */
static bool set_long(CURL *e, CURLoption o, long v)
{
    return curl_easy_setopt(e, o, v) == CURLE_OK;
}

static bool set_ptr(CURL *e, CURLoption o, const void *v)
{
    return curl_easy_setopt(e, o, v) == CURLE_OK;
}

/* --- whose addresses ------------------------------------------------------ */

static bool in_block4(uint32_t a, uint32_t net, int bits)
{
    return (a ^ net) >> (32 - bits) == 0;
}

/* RFC 6890: those that are not global, multicast, and what is not yet */
static bool is_public4(uint32_t a)
{
    static const struct {
        uint32_t net;
        int bits;
    } ours[] = {
        {0, 8},           {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},
        {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24},
        {0xc0a80000, 16}, {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24},
        {0xe0000000, 3},
    };
    bool public = true;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
    public = public && !in_block4(a, ours[i].net, ours[i].bits);
    return public;
}

/* 2000::/3, without what leads to an IPv4 address by a tunnel, and examples */
static bool is_public6(const uint8_t a[static 16])
{
    const bool teredo = a[0] == 0x20 && a[1] == 1 && !a[2] && !a[3];
    const bool to4 = a[0] == 0x20 && a[1] == 2;
    const bool example =
        a[0] == 0x20 && a[1] == 1 && a[2] == 0x0d && a[3] == 0xb8;
    return (a[0] & 0xe0) == 0x20 && !teredo && !to4 && !example;
}

bool idvi_fetch_public(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return is_public4(ntohl(
            ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr));
    return a->sa_family == AF_INET6 &&
           is_public6(((const struct sockaddr_in6 *)(const void *)a)
                          ->sin6_addr.s6_addr);
}

static curl_socket_t public_socket(void *arg, curlsocktype purpose,
                                   struct curl_sockaddr *a)
{
    struct fetch *f = arg;
    (void)purpose;
    f->inside = f->inside || !idvi_fetch_public(&a->addr);
    return idvi_fetch_public(&a->addr)
               ? socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol)
               : CURL_SOCKET_BAD;
}

static bool set_public(struct fetch *f)
{
    return !f->what->public_only ||
           (curl_easy_setopt(f->easy, CURLOPT_OPENSOCKETFUNCTION,
                             public_socket) == CURLE_OK &&
            set_ptr(f->easy, CURLOPT_OPENSOCKETDATA, f));
}

/* --- what is asked -------------------------------------------------------- */

static bool set_bounds(struct fetch *f)
{
    CURL *e = f->easy;
    const int ms = f->what->timeout_ms ? f->what->timeout_ms : TIMEOUT_MS;
    const char *to = f->what->insecure_http && !is_https(f->what->url)
                         ? "http,https"
                         : "https";
    return set_ptr(e, CURLOPT_PROTOCOLS_STR, to) &&
           set_ptr(e, CURLOPT_REDIR_PROTOCOLS_STR, to) &&
           set_long(e, CURLOPT_FOLLOWLOCATION, 1) &&
           set_long(e, CURLOPT_MAXREDIRS, REDIRECTIONS) &&
           set_long(e, CURLOPT_TIMEOUT_MS, ms) &&
           set_long(e, CURLOPT_CONNECTTIMEOUT_MS, ms) &&
           set_long(e, CURLOPT_NOSIGNAL, 1) && set_ptr(e, CURLOPT_PROXY, "") &&
           set_ptr(e, CURLOPT_NOPROXY, "*") &&
           set_long(e, CURLOPT_NETRC, CURL_NETRC_IGNORED);
}

static bool set_tls(struct fetch *f)
{
    CURL *e = f->easy;
    const char *anchors = f->what->anchors;
    const struct idv_bytes pem = f->what->anchors_pem;
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem.p, .len = pem.n};
    if (pem.n && (curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &blob) != CURLE_OK ||
                  !set_ptr(e, CURLOPT_CAPATH, NULL)))
        return false;
    return set_long(e, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           set_long(e, CURLOPT_SSL_VERIFYPEER, 1) &&
           set_long(e, CURLOPT_SSL_VERIFYHOST, 2) &&
           (!anchors || (set_ptr(e, CURLOPT_CAINFO, anchors) &&
                         set_ptr(e, CURLOPT_CAPATH, NULL)));
}

static bool set_all(struct fetch *f)
{
    CURL *e = f->easy;
    return set_ptr(e, CURLOPT_URL, f->what->url) &&
           set_ptr(e, CURLOPT_ERRORBUFFER, f->error) &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, body_part) == CURLE_OK &&
           set_ptr(e, CURLOPT_WRITEDATA, f) && set_bounds(f) && set_public(f) &&
           set_tls(f);
}

static idv_rc ended(struct fetch *f, CURLcode code)
{
    const char *url = f->what->url;
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (f->too_long)
        return idv_fail(IDV_E_LIMIT, "%s: more than %zu bytes", url,
                        f->body.max);
    if (f->inside && code != CURLE_OK)
        return idv_fail(IDV_E_NET, "%s: at an address that is not public", url);
    if (code == CURLE_TOO_MANY_REDIRECTS)
        return idv_fail(IDV_E_NET, "%s: more than %ld redirections", url,
                        REDIRECTIONS);
    if (code == CURLE_UNSUPPORTED_PROTOCOL && status / 100 == 3)
        return idv_fail(IDV_E_REJECT, "%s: leads to another protocol", url);
    if (code == CURLE_SSL_CACERT_BADFILE)
        return idv_fail(IDV_E_ARG, "%s: no certificates in it",
                        f->what->anchors ? f->what->anchors
                                         : "the system's trust anchors");
    if (code != CURLE_OK)
        return idvi_http_failed(url, f->easy, code, f->error);
    if (status != 200)
        return idv_fail(IDV_E_REJECT, "%s: the server says %ld%s", url, status,
                        status == 404 ? " (it has none)" : "");
    return IDV_OK;
}

static idv_rc check_url(const struct idv_fetch *what)
{
    if (is_https(what->url))
        return IDV_OK;
    if (strncasecmp(what->url, "http://", 7) != 0)
        return idv_fail(IDV_E_ARG, "'%s' is no https: URL", what->url);
    return what->insecure_http
               ? IDV_OK
               : idv_fail(IDV_E_ARG,
                          "%s: anybody on the way could answer; "
                          "only https: is fetched",
                          what->url);
}

idv_rc idv_fetch(const struct idv_fetch *what, struct idv_buf *out)
{
    struct fetch f = {.what = what, .body.max = what->max};
    idv_rc rc = check_url(what);
    if (rc != IDV_OK)
        return rc;
    if (!what->max)
        f.body.max = IDV_MAX_BODY;
    f.easy = curl_easy_init();
    if (!f.easy || !set_all(&f))
        rc = idv_fail(IDV_E_STATE, "%s: curl cannot be set up", what->url);
    else
        rc = ended(&f, curl_easy_perform(f.easy));
    curl_easy_cleanup(f.easy);
    if (rc == IDV_OK)
        rc = idv_buf_put(out, idv_view(&f.body));
    idv_buf_free(&f.body);
    return rc;
}
