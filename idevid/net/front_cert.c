/* SPDX-License-Identifier: Apache-2.0 */
/* A client's certificate as a reverse proxy hands it on: RFC 9440, or PEM with
 * its odd characters escaped. Exactly that, or nothing. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "net/server_int.h"
#include "net/tls.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"
#define TEXT_MAX (IDV_MAX_CERT * 2) /* base64, lines, the two marks */

static idv_rc add_base64(struct idv_bytes text, STACK_OF(X509) * chain)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(idv_base64_to_bytes(text, IDV_BASE64_STRICT, &der));
    IDV_TRY(idv_cert_from_der(idv_view(&der), &cert));
    return idvi_chain_add(chain, cert);
}

/* a byte sequence of RFC 8941 section 3.3.5, without parameters */
static idv_rc add_sequence(struct idv_bytes item, STACK_OF(X509) * chain)
{
    item = idv_text_trim(item);
    if (item.n < 3 || item.p[0] != ':' || item.p[item.n - 1] != ':')
        return idv_fail(IDV_E_FORMAT, "not :base64:");
    return add_base64(idv_bytes(item.p + 1, item.n - 2), chain);
}

/* --- escaped PEM ---------------------------------------------------------- */

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static idv_rc unescape(struct idv_bytes text, struct idv_buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '%') {
            int high = text.n - i > 2 ? digit(text.p[i + 1]) : -1;
            int low = high < 0 ? -1 : digit(text.p[i + 2]);
            if (low < 0)
                return idv_fail(IDV_E_FORMAT, "a broken escape");
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        IDV_TRY(idv_buf_put(out, idv_bytes(&c, 1)));
    }
    return IDV_OK;
}

static idv_rc join_lines(struct idv_bytes lines, struct idv_buf *out)
{
    struct idv_bytes line;
    while (idv_text_next(&lines, "\n", &line))
        IDV_TRY(idv_buf_put(out, line));
    return IDV_OK;
}

static idv_rc add_pem(struct idv_bytes value, STACK_OF(X509) * chain)
{
    IDV_AUTO(buf) pem = {.max = TEXT_MAX};
    IDV_AUTO(buf) base64 = {.max = TEXT_MAX};
    const size_t begin = strlen(BEGIN), end = strlen(END);
    IDV_TRY(unescape(value, &pem));
    if (pem.n < begin + end || memcmp(pem.p, BEGIN, begin) != 0 ||
        memcmp(pem.p + pem.n - end, END, end) != 0)
        return idv_fail(IDV_E_FORMAT, "not one PEM certificate");
    IDV_TRY(join_lines(idv_bytes(pem.p + begin, pem.n - begin - end), &base64));
    return add_base64(idv_view(&base64), chain);
}

/* --- as they are named ---------------------------------------------------- */

/* what is broken in it, named by its field */
static idv_rc within(idv_rc rc, const char *field)
{
    return rc == IDV_OK ? IDV_OK : idv_fail_within(rc, "%s", field);
}

idv_rc idvi_front_cert(enum idv_front_form form, struct idv_bytes value,
                       STACK_OF(X509) * chain)
{
    return form == IDV_FRONT_CLIENT_CERT
               ? within(add_sequence(value, chain), "Client-Cert")
               : within(add_pem(value, chain), "X-SSL-Client-Cert");
}

idv_rc idvi_front_chain(struct idv_bytes value, STACK_OF(X509) * chain)
{
    struct idv_bytes item;
    while (idv_text_next(&value, ",", &item))
        IDV_TRY(within(add_sequence(item, chain), "Client-Cert-Chain"));
    return IDV_OK;
}
