/* SPDX-License-Identifier: Apache-2.0 */
/* https URLs and bare authorities, as MASA URLs come. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/limits.h>
#include <idevid/text.h>

#define SCHEME "https://"

static bool is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

static idv_rc fail(const char *why)
{
    return idv_fail(IDV_E_FORMAT, "URL: %s", why);
}

/* takes "https://" off; false in *full when there was none */
static idv_rc take_scheme(struct idv_bytes *t, bool *full)
{
    size_t n = strlen(SCHEME);
    *full = t->n >= n && idv_text_eq_nocase(idv_bytes(t->p, n), SCHEME);
    if (*full) {
        *t = idv_bytes(t->p + n, t->n - n);
        return IDV_OK;
    }
    if (t->n >= 7 && idv_text_eq_nocase(idv_bytes(t->p, 7), "http://"))
        return fail("http is not accepted, only https");
    for (size_t i = 0; i + 2 < t->n; i++) {
        if (memcmp(t->p + i, "://", 3) == 0)
            return fail("its scheme is not https");
    }
    return IDV_OK;
}

/* reasons that deserve a name of their own */
static idv_rc check_characters(struct idv_bytes t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '?')
            return fail("a query is not accepted");
        if (t.p[i] == '#')
            return fail("a fragment is not accepted");
        if (t.p[i] <= 0x20 || t.p[i] >= 0x7f)
            return fail("a character that no URL has");
    }
    return IDV_OK;
}

static bool is_ipv6(const char *host)
{
    if (!strchr(host, ':') ||
        strspn(host, "0123456789abcdefABCDEF:.") != strlen(host))
        return false;
    IDV_AUTO_PTR(ASN1_OCTET_STRING) ip = a2i_IPADDRESS(host);
    ERR_clear_error();
    return ip && ASN1_STRING_length(ip) == 16;
}

static idv_rc check_name(const char *host)
{
    char before = '.';
    for (const char *c = host; *c; before = *c++) {
        if (*c == '.' && before == '.')
            return fail("an empty label in the host");
        if (!is_alnum((uint8_t)*c) && !strchr("-._", *c))
            return fail("a character that no host has");
    }
    return before == '.' ? fail("the host is empty or ends in a dot") : IDV_OK;
}

static idv_rc read_port(struct idv_bytes t, uint16_t *port)
{
    uint32_t v = 0;
    for (size_t i = 0; i < t.n && v <= UINT16_MAX; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return fail("the port is not a number");
        v = v * 10 + (t.p[i] - (uint32_t)'0');
    }
    if (v == 0 || v > UINT16_MAX)
        return fail("the port is not a number from 1 to 65535");
    *port = (uint16_t)v;
    return IDV_OK;
}

static idv_rc read_bracketed(struct idv_bytes t, struct idv_url *url)
{
    const uint8_t *end = memchr(t.p, ']', t.n);
    if (!end)
        return fail("'[' without ']'");
    size_t n = (size_t)(end - t.p);
    IDV_TRY(idv_text_copy(url->host, sizeof(url->host),
                          idv_bytes(t.p + 1, n - 1), "URL: host"));
    if (!is_ipv6(url->host))
        return fail("no IPv6 address between the brackets");
    t = idv_bytes(end + 1, t.n - n - 1);
    if (t.n == 0)
        return IDV_OK;
    if (t.p[0] != ':')
        return fail("something after the brackets");
    return read_port(idv_bytes(t.p + 1, t.n - 1), &url->port);
}

static idv_rc read_authority(struct idv_bytes t, struct idv_url *url)
{
    if (t.n && memchr(t.p, '@', t.n))
        return fail("user information is not accepted");
    if (t.n && t.p[0] == '[')
        return read_bracketed(t, url);
    struct idv_bytes host;
    if (t.n == 0 || !idv_text_next(&t, ":", &host))
        return fail("no host");
    IDV_TRY(idv_text_copy(url->host, sizeof(url->host), host, "URL: host"));
    IDV_TRY(check_name(url->host));
    return t.p ? read_port(t, &url->port) : IDV_OK;
}

static idv_rc read_path(struct idv_bytes t, struct idv_url *url)
{
    while (t.n && t.p[t.n - 1] == '/')
        t.n--;
    for (size_t i = 0; i < t.n; i++) {
        bool escape = t.p[i] == '%' && t.n - i > 2 && is_hex(t.p[i + 1]) &&
                      is_hex(t.p[i + 2]);
        if (!is_alnum(t.p[i]) && !escape &&
            !strchr("-._~!$&'()*+,;=:@/", t.p[i]))
            return fail("a character that no path has");
    }
    return idv_text_copy(url->path, sizeof(url->path), t, "URL: path");
}

idv_rc idv_url_from_text(struct idv_bytes text, struct idv_url *out)
{
    struct idv_url url = {.port = 443};
    struct idv_bytes t = text;
    bool full;
    if (text.n == 0)
        return fail("empty");
    if (text.n > IDV_MAX_URL)
        return idv_fail(IDV_E_LIMIT, "URL: longer than %d bytes", IDV_MAX_URL);
    IDV_TRY(check_characters(text));
    IDV_TRY(take_scheme(&t, &full));
    const uint8_t *slash = t.n ? memchr(t.p, '/', t.n) : NULL;
    size_t n = slash ? (size_t)(slash - t.p) : t.n;
    if (slash && !full)
        return fail("a path without https:// before the host");
    IDV_TRY(read_authority(idv_bytes(t.p, n), &url));
    IDV_TRY(read_path(idv_bytes(t.p + n, t.n - n), &url));
    *out = url;
    return IDV_OK;
}

idv_rc idv_url_to_text(const struct idv_url *url, struct idv_buf *out)
{
    bool v6 = strchr(url->host, ':') != NULL;
    char port[8] = "";
    if (url->port != 443)
        snprintf(port, sizeof(port), ":%u", (unsigned)url->port);
    return idv_buf_putf(out, SCHEME "%s%s%s%s%s", v6 ? "[" : "", url->host,
                        v6 ? "]" : "", port, url->path);
}

bool idv_url_same_origin(const struct idv_url *a, const struct idv_url *b)
{
    return a->port == b->port && idv_text_eq_nocase(idv_str(a->host), b->host);
}
