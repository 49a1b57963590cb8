/* SPDX-License-Identifier: Apache-2.0 */
/* One document from a server that is not ours, by libcurl. */
#include <string.h>
#include <strings.h>

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
    bool too_long;
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
           set_ptr(e, CURLOPT_WRITEDATA, f) && set_bounds(f) && set_tls(f);
}

static idv_rc ended(struct fetch *f, CURLcode code)
{
    const char *url = f->what->url;
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (f->too_long)
        return idv_fail(IDV_E_LIMIT, "%s: more than %zu bytes", url,
                        f->body.max);
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
