/* SPDX-License-Identifier: Apache-2.0 */
/* The file that stands for a key: SEQUENCE { version, uri }. The other kind
 * has SEQUENCE { VisibleString description, UTF8String uri }. */
#include <string.h>

#include <openssl/asn1.h>

#include "provider/op.h"

#define DER_MAX 65536

#define P11_DESCRIPTION "PKCS#11 Provider URI v1.0"

struct text {
    const uint8_t *p;
    size_t n;
    int tag;
};

/* one string off *p; DER, or longer lengths than that has */
static bool string(const uint8_t **p, size_t *n, struct text *out)
{
    const unsigned char *at = *p;
    long size;
    int class;

    if (*n == 0 ||
        (ASN1_get_object(&at, &size, &out->tag, &class, (long)*n) & 0x81) !=
            0 ||
        class != V_ASN1_UNIVERSAL)
        return false;
    out->p = at;
    out->n = (size_t)size;
    *n -= (size_t)(at - *p) + out->n;
    *p = at + out->n;
    return true;
}

static bool is(const struct text *text, int tag, const char *what)
{
    return text->tag == tag && text->n == strlen(what) &&
           memcmp(text->p, what, text->n) == 0;
}

/* the two strings of the SEQUENCE */
static int open_up(const uint8_t *der, size_t n, struct text *version,
                   struct text *uri)
{
    const unsigned char *p = der;
    long size;
    int tag, class;
    size_t left;

    if (n == 0 || n > DER_MAX ||
        ASN1_get_object(&p, &size, &tag, &class, (long)n) !=
            V_ASN1_CONSTRUCTED ||
        tag != V_ASN1_SEQUENCE || class != V_ASN1_UNIVERSAL ||
        (size_t)(p - der) + (size_t)size != n)
        return hwk_raise(HWK_R_FORMAT, "URI in a file: not a SEQUENCE");
    left = (size_t)size;
    if (!string(&p, &left, version) || !string(&p, &left, uri) || left != 0 ||
        uri->tag != V_ASN1_UTF8STRING)
        return hwk_raise(HWK_R_FORMAT, "URI in a file: not two strings");
    return 1;
}

bool hwk_wrapper_is(const uint8_t *der, size_t n)
{
    static const char *const starts[] = {"\x0c\x03" HWK_WRAPPER_VERSION,
                                         P11_DESCRIPTION};
    size_t i, at;

    if (n == 0 || der[0] != (V_ASN1_CONSTRUCTED | V_ASN1_SEQUENCE))
        return false;
    for (i = 0; i < 2; i++)
        for (at = 2; at <= 8 && at + strlen(starts[i]) <= n; at++)
            if (memcmp(der + at, starts[i], strlen(starts[i])) == 0)
                return true;
    return false;
}

int hwk_wrapper_parse(const uint8_t *der, size_t n,
                      char out[static HWK_URI_MAX + 1])
{
    struct text version, uri;

    if (!open_up(der, n, &version, &uri))
        return 0;
    if (!is(&version, V_ASN1_UTF8STRING, HWK_WRAPPER_VERSION) &&
        !is(&version, V_ASN1_VISIBLESTRING, P11_DESCRIPTION))
        return hwk_raise(HWK_R_FORMAT,
                         "URI in a file: version '%.*s' is not known",
                         version.n < 32 ? (int)version.n : 32, version.p);
    if (uri.n == 0 || memchr(uri.p, 0, uri.n) != NULL)
        return hwk_raise(HWK_R_FORMAT, "URI in a file: there is none");
    if (uri.n > HWK_URI_MAX)
        return hwk_raise(HWK_R_FORMAT, "URI in a file: longer than %d bytes",
                         HWK_URI_MAX);
    memcpy(out, uri.p, uri.n);
    out[uri.n] = 0;
    return 1;
}

/* writes a header before p; DER: the shortest length */
static uint8_t *head(uint8_t *p, uint8_t tag, size_t n)
{
    *--p = (uint8_t)n;
    if (n > 255)
        *--p = (uint8_t)(n >> 8);
    if (n > 127)
        *--p = n > 255 ? 0x82 : 0x81;
    *--p = tag;
    return p;
}

int hwk_wrapper_build(const char *uri, uint8_t *out, size_t *n)
{
    uint8_t der[HWK_WRAPPER_MAX], *end = der + sizeof(der), *p = end;
    size_t len = strlen(uri), version = strlen(HWK_WRAPPER_VERSION);

    if (len == 0 || len > HWK_URI_MAX)
        return hwk_raise(HWK_R_FORMAT, "HWKEY URI: no URI");
    p -= len;
    memcpy(p, uri, len);
    p = head(p, 0x0c, len);
    p -= version;
    memcpy(p, HWK_WRAPPER_VERSION, version);
    p = head(p, 0x0c, version);
    p = head(p, 0x30, (size_t)(end - p));
    len = (size_t)(end - p);
    if (len > *n)
        return hwk_raise(HWK_R_ARGUMENT, "HWKEY URI: no room");
    memcpy(out, p, len);
    *n = len;
    return 1;
}
