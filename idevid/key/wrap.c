/* SPDX-License-Identifier: Apache-2.0 */
/* A key file that holds nothing but the URI of a key in a device. */
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/key.h>

#define LABEL "HWKEY URI"
#define VERSION "1.0"

/* A PIN in the URI would end up in a file that people copy about. */
static idv_rc refuse_pin(const char *uri)
{
    for (const char *p = uri; *p; p++) {
        if (strncasecmp(p, "pin-value", 9) == 0)
            return idv_fail(IDV_E_ARG, "the URI carries a PIN (pin-value): "
                                       "use pin-source, or none");
    }
    return IDV_OK;
}

static idv_rc put_utf8(struct idv_buf *out, const char *text)
{
    int n = (int)strlen(text);
    uint8_t *p;
    IDV_TRY(idv_buf_room(out, (size_t)n + 8, &p));
    const uint8_t *start = p;
    ASN1_put_object(&p, 0, n, V_ASN1_UTF8STRING, V_ASN1_UNIVERSAL);
    memcpy(p, text, (size_t)n);
    out->n += (size_t)(p - start) + (size_t)n;
    return IDV_OK;
}

static idv_rc wrapper_der(const char *uri, struct idv_buf *out)
{
    IDV_AUTO(buf) inner = {0};
    IDV_TRY(put_utf8(&inner, VERSION));
    IDV_TRY(put_utf8(&inner, uri));
    uint8_t *p;
    IDV_TRY(idv_buf_room(out, inner.n + 8, &p));
    const uint8_t *start = p;
    ASN1_put_object(&p, 1, (int)inner.n, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    out->n += (size_t)(p - start);
    return idv_buf_put(out, idv_view(&inner));
}

idv_rc idv_key_wrap(const char *uri, struct idv_buf *out)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    IDV_TRY(refuse_pin(uri)); /* first: notes show the URI */
    if (!idv_uri_is_device(uri) || strlen(uri) > 1000)
        return idv_fail(IDV_E_ARG, "'%s' is not the URI of a key in a device",
                        uri);
    IDV_TRY(wrapper_der(uri, &der));
    if (!bio || PEM_write_bio(bio, LABEL, "", der.p, (long)der.n) <= 0)
        return idv_fail(IDV_E_CRYPTO, "PEM");
    long n = BIO_get_mem_data(bio, &text);
    return idv_buf_put(out, idv_bytes(text, (size_t)n));
}
