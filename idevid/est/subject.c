/* SPDX-License-Identifier: Apache-2.0 */
/* Names for LDevIDs from the configured pattern. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/est/profile.h"

#define DEFAULT_PATTERN "CN={serial}"
#define SERIAL "{serial}"

/* One RDN's text up to the next comma that is not quoted. */
static idv_rc next_part(const char **at, struct idv_buf *out)
{
    const char *p = *at;
    idv_buf_clear(out);
    for (; *p && *p != ','; p++) {
        if (*p == '\\' && p[1])
            p++;
        IDV_TRY(idv_buf_put(out, idv_bytes(p, 1)));
    }
    *at = *p ? p + 1 : p;
    return IDV_OK;
}

idv_rc idvi_est_fill(const char *pattern, const char *serial,
                     struct idv_buf *out)
{
    const char *hole;
    while ((hole = strstr(pattern, SERIAL)) != NULL) {
        IDV_TRY(idv_buf_put(out, idv_bytes(pattern, (size_t)(hole - pattern))));
        IDV_TRY(idv_buf_puts(out, serial));
        pattern = hole + strlen(SERIAL);
    }
    return idv_buf_puts(out, pattern);
}

static idv_rc cannot_set(const char *type)
{
    ERR_clear_error();
    return idv_fail(IDV_E_ARG, "subject: '%s' cannot be set", type);
}

static idv_rc add_part(X509_NAME *name, struct idv_bytes part,
                       const char *serial)
{
    IDV_AUTO(buf) type = {.max = 64};
    IDV_AUTO(buf) pattern = {0};
    IDV_AUTO(buf) value = {.max = 1024};
    struct idv_bytes left = {0};
    if (!idv_text_next(&part, "=", &left) || part.n == 0)
        return idv_fail(IDV_E_ARG, "subject: not TYPE=value");
    IDV_TRY(idv_buf_put(&type, idv_text_trim(left)));
    IDV_TRY(idv_buf_put(&pattern, idv_text_trim(part)));
    IDV_TRY(idv_buf_puts(&pattern, ""));
    IDV_TRY(idvi_est_fill((const char *)pattern.p, serial, &value));
    if (type.n == 0 || value.n == 0 ||
        X509_NAME_add_entry_by_txt(name, (const char *)type.p, MBSTRING_UTF8,
                                   value.p, (int)value.n, -1, 0) != 1)
        return cannot_set(type.n ? (const char *)type.p : "");
    return IDV_OK;
}

/* PrintableString as X.520 has it, whatever else as UTF-8. */
static idv_rc add_serial(X509_NAME *name, const char *serial)
{
    const unsigned char *text = (const unsigned char *)serial;
    if (X509_NAME_add_entry_by_NID(name, NID_serialNumber, MBSTRING_UTF8, text,
                                   -1, -1, 0) == 1)
        return IDV_OK;
    ERR_clear_error();
    if (X509_NAME_add_entry_by_NID(name, NID_serialNumber, V_ASN1_UTF8STRING,
                                   text, -1, -1, 0) == 1)
        return IDV_OK;
    return cannot_set("serialNumber");
}

idv_rc idv_est_subject(const char *pattern, const char *serial, bool number,
                       X509_NAME **out)
{
    IDV_AUTO_PTR(X509_NAME) name = X509_NAME_new();
    IDV_AUTO(buf) part = {.max = 1024};
    const char *at = pattern ? pattern : DEFAULT_PATTERN;
    if (!name)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    while (*at) {
        IDV_TRY(next_part(&at, &part));
        IDV_TRY(add_part(name, idv_view(&part), serial));
    }
    if (number)
        IDV_TRY(add_serial(name, serial));
    *out = idv_steal(&name);
    return IDV_OK;
}
