/* SPDX-License-Identifier: Apache-2.0 */
/* Sales of devices: whose domain they go to, and which customer's that is. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/db/import.h"

enum { SERIAL, OWNER, CUSTOMER, ISSUER, CERT, SOLD, FIELDS };
static const char *const names[FIELDS] = {"serial-number",      "owner",
                                          "customer",           "idevid-issuer",
                                          "domain-certificate", "sold-on"};

#define AHEAD_S (24 * 3600) /* that the clock of who sells may be */

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
        IDV_TRY(idv_domain_id_check(idv_str(d->owner)));
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
    out->sold = IDV_TIME_ABSENT;
    IDV_TRY(sale_from(&f, &out->device));
    if (!f.text[SOLD].n)
        return IDV_OK;
    idv_rc rc = idv_time_from_text(idv_view(&f.text[SOLD]), &out->sold);
    return rc == IDV_OK ? rc
                        : idv_fail_within(rc, "sale of '%s': sold-on",
                                          out->device.serial_number);
}

/* --- one that was given away since ---------------------------------------- */

/* Of the last time: its number among the changes and its date, 0: never. */
static idv_rc last_transfer(struct idv_db *db, int64_t device_id, int64_t *id,
                            int64_t *date)
{
    IDVI_QUERY(q);
    bool row = false;
    *id = *date = 0;
    IDV_TRY(idvi_query(db, &q,
                       "SELECT id, date FROM device_change"
                       " WHERE device_id = $1 AND what = 'transferred'"
                       " ORDER BY id DESC LIMIT 1",
                       "i", device_id));
    IDV_TRY(idvi_query_next(&q, &row));
    return row ? idvi_query_get(&q, "ii", id, date) : IDV_OK;
}

/* It was theirs before. */
static idv_rc was_theirs(struct idv_db *db, int64_t device_id, int64_t transfer,
                         const char *whose, bool *was)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT 1 FROM device_change WHERE device_id = $1"
                       " AND id < $2 AND what IN ('owner', 'customer',"
                       " 'former') AND detail = $3 LIMIT 1",
                       "iit", device_id, transfer, whose));
    return idvi_query_next(&q, was);
}

/* What was given away does not come back by a file of before: a sale that is
 * dated counts from then, another one only to who did not have it yet. */
static idv_rc is_over(struct idv_db *db, const struct idv_masa_device *known,
                      const struct idvi_line *line, bool *over)
{
    const struct idv_masa_device *said = &line->device;
    int64_t id = 0, date = 0;
    bool was = false;
    IDV_TRY(last_transfer(db, known->id, &id, &date));
    *over = id && line->sold != IDV_TIME_ABSENT && line->sold <= date;
    if (!id || line->sold != IDV_TIME_ABSENT)
        return IDV_OK;
    IDV_TRY(was_theirs(db, known->id, id,
                       said->owner[0] ? said->owner : said->customer, &was));
    if (was)
        return idv_fail(IDV_E_STATE,
                        "sale of '%s': they gave it away; sold-on has to say "
                        "that it was sold to them again since",
                        said->serial_number);
    return IDV_OK;
}

/* --- into the store ------------------------------------------------------- */

static bool differs(const char *said, const char *known)
{
    return said[0] && strcmp(said, known) != 0;
}

/* A sale is not how a device is taken from somebody. */
static idv_rc put_sale(struct idv_db *db, const struct idv_masa_device *known,
                       const struct idvi_line *line,
                       const struct idv_masa_by *by, bool *fresh)
{
    const struct idv_masa_device *said = &line->device;
    const bool owner = differs(said->owner, known->owner);
    bool over = false;
    *fresh = owner || differs(said->customer, known->customer);
    if (!*fresh)
        return IDV_OK;
    IDV_TRY(is_over(db, known, line, &over));
    *fresh = !over;
    if (over)
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
    if (line->sold != IDV_TIME_ABSENT && line->sold > by->now + AHEAD_S)
        return idv_fail(IDV_E_FORMAT, "sale of '%s': sold-on is yet to come",
                        d->serial_number);
    IDV_TRY(idvi_device_meant(db, idv_bytes(d->keyid, d->keyid_n),
                              d->serial_number, &known));
    idv_rc rc = put_sale(db, &known, line, by, fresh);
    idv_masa_device_free(&known);
    return rc;
}

const struct idvi_import idvi_import_sales = {read_line, put_line};
