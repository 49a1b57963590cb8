/* SPDX-License-Identifier: Apache-2.0 */
/* The file that stands for a key: SEQUENCE { version, uri }. */
#include <string.h>

#include <openssl/asn1.h>

#include "provider/op.h"

#define DER_MAX 65536

/* one UTF8String off *p; its text, NULL when there is none */
static const uint8_t *utf8(const uint8_t **p, size_t *n, size_t *len)
{
    const uint8_t *text;
    long size;
    int tag, class;
    const unsigned char *at = *p;

    if (*n == 0 ||
        (ASN1_get_object(&at, &size, &tag, &class, (long)*n) & 0x81) != 0 ||
        tag != V_ASN1_UTF8STRING || class != V_ASN1_UNIVERSAL)
        return NULL;
    text = at;
    *len = (size_t)size;
    *n -= (size_t)(at - *p) + *len;
    *p = at + *len;
    return text;
}

int hwk_wrapper_parse(const uint8_t *der, size_t n,
                      char out[static HWK_URI_MAX + 1])
{
    const unsigned char *p = der;
    const uint8_t *version, *uri;
    size_t left, version_n, uri_n;
    long size;
    int tag, class;

    if (n == 0 || n > DER_MAX ||
        ASN1_get_object(&p, &size, &tag, &class, (long)n) !=
            V_ASN1_CONSTRUCTED ||
        tag != V_ASN1_SEQUENCE || class != V_ASN1_UNIVERSAL ||
        (size_t)(p - der) + (size_t)size != n)
        return hwk_raise(HWK_R_FORMAT, "HWKEY URI: not a SEQUENCE");
    left = (size_t)size;
    version = utf8(&p, &left, &version_n);
    uri = version != NULL ? utf8(&p, &left, &uri_n) : NULL;
    if (uri == NULL || left != 0)
        return hwk_raise(HWK_R_FORMAT, "HWKEY URI: not two UTF8Strings");
    if (version_n != strlen(HWK_WRAPPER_VERSION) ||
        memcmp(version, HWK_WRAPPER_VERSION, version_n) != 0)
        return hwk_raise(HWK_R_FORMAT, "HWKEY URI: version %.*s is not known",
                         version_n < 16 ? (int)version_n : 16, version);
    if (uri_n == 0 || uri_n > HWK_URI_MAX || memchr(uri, 0, uri_n) != NULL)
        return hwk_raise(HWK_R_FORMAT, "HWKEY URI: no URI in it");
    memcpy(out, uri, uri_n);
    out[uri_n] = 0;
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
