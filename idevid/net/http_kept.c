/* SPDX-License-Identifier: Apache-2.0 */
/* What others may keep, and are not sent again (RFC 9110 section 13, RFC 9111).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "net/server_int.h"

#define TAG 16 /* bytes of a hash */
#define TAG_TEXT (2 * TAG + 3)

/* --- what is said of it --------------------------------------------------- */

static void put(struct evhttp_request *req, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

/* by its bytes: the same of all workers and machines */
static idv_rc tag_of(const struct idv_msg *m, char out[static TAG_TEXT])
{
    uint8_t hash[32];
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_sha256(idv_view(&m->body), hash));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(hash, TAG), &hex));
    snprintf(out, TAG_TEXT, "\"%s\"", (const char *)hex.p);
    return IDV_OK;
}

static void put_age(struct evhttp_request *req, const struct idv_msg *m)
{
    char text[80];
    int n = snprintf(text, sizeof(text), "max-age=%d", m->max_age);
    if (m->stale > 0)
        snprintf(text + n, sizeof(text) - (size_t)n, ", stale-if-error=%d",
                 m->stale);
    put(req, "Cache-Control", text);
}

static void put_modified(struct evhttp_request *req, const struct idv_msg *m)
{
    char text[64];
    struct tm tm;
    const time_t at = (time_t)m->modified;
    if (m->modified < 0 || !gmtime_r(&at, &tm))
        return;
    const int n = evutil_date_rfc1123(text, sizeof(text), &tm);
    if (n > 0 && (size_t)n < sizeof(text))
        put(req, "Last-Modified", text);
}

/* --- what is there already ------------------------------------------------ */

/* If-None-Match: "*", or a list of "tag" and W/"tag". What cannot be read names
 * nothing. */
static bool names(const char *list, const char *tag)
{
    const size_t n = strlen(tag);
    for (const char *p = list + strspn(list, " \t,"); *p;
         p += strspn(p, " \t,")) {
        if (*p == '*')
            return true;
        if (strncmp(p, "W/", 2) == 0)
            p += 2;
        const char *end = *p == '"' ? strchr(p + 1, '"') : NULL;
        if (!end)
            return false;
        if ((size_t)(++end - p) == n && memcmp(p, tag, n) == 0)
            return true;
        p = end;
    }
    return false;
}

static bool not_since(const struct idv_msg *m, const char *date)
{
    const time_t since = curl_getdate(date, NULL);
    return m->modified >= 0 && since != (time_t)-1 && m->modified <= since;
}

/* a tag is asked first, and a date counts only where there is none */
static bool is_there(struct evhttp_request *req, const struct idv_msg *m,
                     const char *tag)
{
    const struct evkeyval *h;
    const char *date = NULL;
    bool asked = false, is = false;
    TAILQ_FOREACH(h, evhttp_request_get_input_headers(req), next)
    {
        const struct idv_bytes name = idv_str(h->key);
        if (idv_text_eq_nocase(name, "If-None-Match")) {
            asked = true;
            is = is || names(h->value, tag);
        } else if (idv_text_eq_nocase(name, "If-Modified-Since"))
            date = h->value;
    }
    return asked ? is : date && not_since(m, date);
}

void idvi_http_kept(struct evhttp_request *req, bool got, struct idv_msg *m)
{
    char tag[TAG_TEXT];
    if (m->max_age < 0)
        return;
    put_age(req, m);
    if (!got || m->status != 200)
        return;
    if (tag_of(m, tag) != IDV_OK) {
        idv_note_clear();
        return;
    }
    put(req, "ETag", tag);
    put_modified(req, m);
    if (!is_there(req, m, tag))
        return;
    m->status = 304;
    m->media[0] = 0;
}
