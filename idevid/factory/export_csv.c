/* SPDX-License-Identifier: Apache-2.0 */
/* Devices for the ERP: CSV that no spreadsheet computes. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/x509.h>

#include "factory/export_int.h"

#define HEAD                                                                   \
    "serial-number,order,model,sku,macs,profile,state,issue,ek-sha256,"        \
    "certificate-serial,certificate-sha256,station,operator,created,"          \
    "changed\r\n"

static idv_rc put_field(struct idv_buf *line, struct idv_bytes text)
{
    IDV_AUTO(buf) safe = {0};
    if (text.n && memchr("=+-@\t\r", *text.p, 6))
        IDV_TRY(idv_buf_puts(&safe, "'"));
    IDV_TRY(idv_buf_put(&safe, text));
    if (line->n)
        IDV_TRY(idv_buf_puts(line, ","));
    return idv_csv_put(line, idv_view(&safe));
}

static idv_rc put_text(struct idv_buf *line, const char *text)
{
    return put_field(line, idv_str(text));
}

static idv_rc put_hex(struct idv_buf *line, struct idv_bytes bytes)
{
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_hex_from_bytes(bytes, &hex));
    return put_field(line, idv_view(&hex));
}

static idv_rc put_hash(struct idv_buf *line, const uint8_t hash[static 32])
{
    static const uint8_t none[32];
    bool there = memcmp(hash, none, 32) != 0;
    return put_hex(line, idv_bytes(hash, there ? 32 : 0));
}

static idv_rc put_time(struct idv_buf *line, int64_t t)
{
    char text[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text(t, text));
    return put_text(line, text);
}

/* sku and MAC addresses, which only the order knows */
static idv_rc put_ordered(const struct idvi_export *x,
                          const struct idv_factory_device *d,
                          struct idv_buf *line)
{
    IDV_AUTO_PTR(idv_json) ordered = NULL;
    IDV_AUTO(buf) macs = {0};
    IDV_TRY(idvi_ordered(x, d, &ordered));
    const struct idv_json *list = idv_json_get(ordered, "macs");
    for (size_t i = 0; i < idv_json_count(list); i++) {
        const char *mac = idv_json_text(idv_json_at(list, i, NULL));
        IDV_TRY(idv_buf_putf(&macs, "%s%s", i ? " " : "", mac ? mac : ""));
    }
    IDV_TRY(put_text(line, idv_json_text(idv_json_get(ordered, "sku"))));
    return put_field(line, idv_view(&macs));
}

static idv_rc put_cert(const struct idv_factory_device *d, struct idv_buf *line)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    uint8_t hash[32];
    if (d->cert.n == 0) {
        IDV_TRY(put_text(line, ""));
        return put_text(line, "");
    }
    IDV_TRY(idv_cert_from_der(idv_view(&d->cert), &cert));
    const ASN1_INTEGER *n = X509_get0_serialNumber(cert);
    IDV_TRY(put_hex(line, idv_bytes(ASN1_STRING_get0_data(n),
                                    (size_t)ASN1_STRING_length(n))));
    IDV_TRY(idv_cert_sha256(cert, hash));
    return put_hash(line, hash);
}

static idv_rc csv_line(const struct idvi_export *x,
                       const struct idv_factory_device *d, struct idv_buf *line)
{
    char issue[16];
    (void)snprintf(issue, sizeof(issue), "%u", d->issue);
    IDV_TRY(put_text(line, d->serial_number));
    IDV_TRY(put_text(line, d->order));
    IDV_TRY(put_text(line, d->model));
    IDV_TRY(put_ordered(x, d, line));
    IDV_TRY(put_text(line, idv_factory_profile_to_text(d->profile)));
    IDV_TRY(put_text(line, idv_factory_state_to_text(d->state)));
    IDV_TRY(put_text(line, issue));
    IDV_TRY(put_hash(line, d->ek));
    idv_rc rc = put_cert(d, line);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "device '%s'", d->serial_number);
    IDV_TRY(put_text(line, d->station));
    IDV_TRY(put_text(line, d->operator_));
    IDV_TRY(put_time(line, d->created));
    IDV_TRY(put_time(line, d->changed));
    return idv_buf_puts(line, "\r\n");
}

idv_rc idv_export_csv(const struct idv_factory_store *store, const char *order,
                      const struct idv_export *to)
{
    struct idvi_export x = {store, to, NULL, csv_line};
    return idvi_export_devices(&x, HEAD, order);
}
