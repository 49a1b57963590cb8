/* SPDX-License-Identifier: Apache-2.0 */
/* Sales of devices: whose domain they go to, and which customer's that is. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/db/import.h"

enum { SERIAL, OWNER, CUSTOMER, ISSUER, CERT, FIELDS };
static const char *const names[FIELDS] = {"serial-number", "owner", "customer",
                                          "idevid-issuer",
                                          "domain-certificate"};

#define DOMAIN_ID_MIN 20 /* a SHA-1 */

static idv_rc check_domain_id(const char *text)
{
    IDV_AUTO(buf) raw = {.max = IDV_MAX_DOMAIN_ID};
    IDV_TRY(idv_base64_to_bytes(idv_str(text), 0, &raw));
    if (raw.n < DOMAIN_ID_MIN)
        return idv_fail(IDV_E_FORMAT, "a domainID of %zu bytes", raw.n);
    return IDV_OK;
}

static idv_rc domain_of(struct idv_bytes text, struct idv_buf *out)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(idv_base64_to_bytes(text, IDV_BASE64_LAX, &der));
    IDV_TRY(idv_cert_from_der(idv_view(&der), &cert));
    return idv_domain_id_proven(cert, out);
}

/* by its domainID, or by the certificate that this is made of */
static idv_rc owner_from(const struct idvi_fields *f, struct idv_masa_device *d)
{
    IDV_AUTO(buf) id = {0};
    IDV_TRY(idv_text_copy(d->owner, sizeof(d->owner), idv_view(&f->text[OWNER]),
                          names[OWNER]));
    if (d->owner[0])
        IDV_TRY(check_domain_id(d->owner));
    if (!f->text[CERT].n)
        return IDV_OK;
    IDV_TRY(domain_of(idv_view(&f->text[CERT]), &id));
    if (d->owner[0] && strcmp(d->owner, (const char *)id.p) != 0)
        return idv_fail(IDV_E_FORMAT, "not that of its certificate");
    return idv_text_copy(d->owner, sizeof(d->owner), idv_view(&id),
                         names[OWNER]);
}

static idv_rc sale_from(const struct idvi_fields *f, struct idv_masa_device *d)
{
    IDV_TRY(idv_text_copy(d->serial_number, sizeof(d->serial_number),
                          idv_view(&f->text[SERIAL]), "sale: serial-number"));
    IDV_TRY(idv_text_copy(d->customer, sizeof(d->customer),
                          idv_view(&f->text[CUSTOMER]), "sale: customer"));
    if (f->text[ISSUER].n)
        IDV_TRY(idvi_keyid_from(idv_view(&f->text[ISSUER]), d));
    idv_rc rc = owner_from(f, d);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "sale of '%s': owner", d->serial_number);
    if (!d->owner[0] && !d->customer[0])
        return idv_fail(IDV_E_FORMAT,
                        "sale of '%s': neither owner nor customer",
                        d->serial_number);
    return IDV_OK;
}

static idv_rc read_line(struct idv_bytes text, struct idvi_line *out)
{
    IDVI_FIELDS_AUTO struct idvi_fields f = {.names = names, .n = FIELDS};
    IDV_TRY(idvi_fields_read(&f, text, "sale", SERIAL + 1));
    return sale_from(&f, &out->device);
}

static bool differs(const char *said, const char *known)
{
    return said[0] && strcmp(said, known) != 0;
}

/* A sale is not how a device is taken from somebody. */
static idv_rc put_sale(struct idv_db *db, const struct idv_masa_device *known,
                       const struct idv_masa_device *said,
                       const struct idv_masa_by *by, bool *fresh)
{
    const bool owner = differs(said->owner, known->owner);
    *fresh = owner || differs(said->customer, known->customer);
    if (!*fresh)
        return IDV_OK;
    if (owner && known->owner[0])
        return idv_fail(IDV_E_STATE,
                        "sale of '%s': it is another domain's, and was not "
                        "transferred",
                        said->serial_number);
    return idvi_device_sold(db, known, owner ? said->owner : known->owner,
                            said->customer, by);
}

static idv_rc put_line(struct idv_db *db, const struct idvi_line *line,
                       const struct idv_masa_by *by, bool *fresh)
{
    const struct idv_masa_device *d = &line->device;
    struct idv_masa_device known = {0};
    IDV_TRY(idvi_device_meant(db, idv_bytes(d->keyid, d->keyid_n),
                              d->serial_number, &known));
    idv_rc rc = put_sale(db, &known, d, by, fresh);
    idv_masa_device_free(&known);
    return rc;
}

const struct idvi_import idvi_import_sales = {read_line, put_line};
