/* SPDX-License-Identifier: Apache-2.0 */
/* Devices from lines of a factory's export. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/db/import.h"

enum {
    SERIAL,
    ISSUER,
    CERT,
    MAKER,
    OWNER,
    MODEL,
    CUSTOMER,
    STANDING,
    REASON,
    FIELDS
};
static const char *const names[FIELDS] = {
    "serial-number", "idevid-issuer", "certificate", "maker", "owner",
    "model",         "customer",      "standing",    "reason"};

/* --- a line into a device ------------------------------------------------- */

/* The certificate must be that of this serial number and issuer; its key is
 * looked at by whoever needs it. */
static idv_rc cert_from(struct idv_bytes text, struct idv_masa_device *d)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    struct idv_devid id;
    if (text.n == 0)
        return IDV_OK;
    IDV_TRY(idv_base64_to_bytes(text, IDV_BASE64_LAX, &d->cert));
    IDV_TRY(idv_cert_glance(idv_view(&d->cert), &cert));
    IDV_TRY(idv_devid_from_cert(cert, &id));
    if (strcmp(id.serial_number, d->serial_number) != 0)
        return idv_fail(IDV_E_FORMAT,
                        "device '%s': the certificate is that of '%s'",
                        d->serial_number, id.serial_number);
    if (!idv_idevid_issuer_matches(cert, idv_bytes(d->keyid, d->keyid_n)))
        return idv_fail(IDV_E_FORMAT,
                        "device '%s': the certificate has another issuer",
                        d->serial_number);
    return IDV_OK;
}

static idv_rc copy(char *to, size_t room, const struct idvi_fields *f, int i)
{
    idv_rc rc = idv_text_copy(to, room, idv_view(&f->text[i]), names[i]);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "device");
}

static idv_rc check_owner(const struct idv_masa_device *d)
{
    if (!d->owner[0])
        return IDV_OK;
    idv_rc rc = idv_domain_id_check(idv_str(d->owner));
    return rc == IDV_OK
               ? rc
               : idv_fail_within(rc, "device '%s': owner", d->serial_number);
}

static idv_rc standing_from(const struct idv_buf *text,
                            struct idv_masa_device *d)
{
    if (!text->n)
        return IDV_OK;
    idv_rc rc = idv_standing_from_text((const char *)text->p, &d->standing);
    if (rc != IDV_OK)
        return idv_fail_within(IDV_E_FORMAT, "device '%s'", d->serial_number);
    return IDV_OK;
}

static idv_rc device_from(const struct idvi_fields *f,
                          struct idv_masa_device *d)
{
    IDV_TRY(copy(d->serial_number, sizeof(d->serial_number), f, SERIAL));
    IDV_TRY(copy(d->maker, sizeof(d->maker), f, MAKER));
    IDV_TRY(copy(d->owner, sizeof(d->owner), f, OWNER));
    IDV_TRY(copy(d->model, sizeof(d->model), f, MODEL));
    IDV_TRY(copy(d->customer, sizeof(d->customer), f, CUSTOMER));
    IDV_TRY(copy(d->reason, sizeof(d->reason), f, REASON));
    if (!idv_text_printable(idv_view(&f->text[SERIAL])))
        return idv_fail(IDV_E_FORMAT, "device: serial-number is not text");
    IDV_TRY(idvi_keyid_from(idv_view(&f->text[ISSUER]), d));
    IDV_TRY(check_owner(d));
    IDV_TRY(standing_from(&f->text[STANDING], d));
    return cert_from(idv_view(&f->text[CERT]), d);
}

static idv_rc read_line(struct idv_bytes text, struct idvi_line *out)
{
    IDVI_FIELDS_AUTO struct idvi_fields f = {.names = names, .n = FIELDS};
    IDV_TRY(idvi_fields_read(&f, text, "device", ISSUER + 1));
    out->word = f.word;
    return device_from(&f, &out->device);
}

/* --- a device into the store ---------------------------------------------- */

/* An absent text or certificate does not wipe out what is known; whose it is,
 * people know better as soon as they said so. */
static idv_rc complete(struct idv_db *db, const struct idv_masa_device *d)
{
    return idvi_exec(
        db, NULL,
        "UPDATE device SET"
        " maker = CASE $1 WHEN '' THEN maker ELSE $1 END,"
        " model = CASE $2 WHEN '' THEN model ELSE $2 END,"
        " customer = CASE WHEN customer = '' AND NOT EXISTS (SELECT 1 FROM"
        " device_change c WHERE c.device_id = device.id AND c.what IN"
        " ('customer', 'transferred')) THEN $3 ELSE customer END,"
        " owner = CASE WHEN owner = '' AND NOT EXISTS (SELECT 1 FROM"
        " device_change c WHERE c.device_id = device.id AND c.what IN"
        " ('owner', 'transferred')) THEN $4 ELSE owner END,"
        " cert = CASE length($5) WHEN 0 THEN cert ELSE $5 END"
        " WHERE serial_number = $6 AND keyid = $7"
        " AND (maker <> $1 OR model <> $2 OR customer <> $3 OR owner <> $4"
        " OR cert <> $5)",
        "ttttbtb", d->maker, d->model, d->customer, d->owner,
        idv_view(&d->cert), d->serial_number, idv_bytes(d->keyid, d->keyid_n));
}

static idv_rc put_device(struct idv_db *db, const struct idv_masa_device *d,
                         bool *fresh)
{
    unsigned added = 0;
    IDV_TRY(idvi_exec(
        db, &added,
        "INSERT INTO device (keyid, serial_number, maker, model,"
        " customer, owner, blocked, state, reason, cert) VALUES ($1, $2,"
        " $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (serial_number, keyid) DO NOTHING",
        "btttttiitb", idv_bytes(d->keyid, d->keyid_n), d->serial_number,
        d->maker, d->model, d->customer, d->owner,
        (int64_t)(d->standing != IDV_STANDING_NORMAL), (int64_t)d->standing,
        d->reason, idv_view(&d->cert)));
    *fresh = added > 0;
    return *fresh ? IDV_OK : complete(db, d);
}

static idv_rc put_line(struct idv_db *db, const struct idvi_line *line,
                       const struct idv_masa_by *by, bool *fresh)
{
    const struct idv_masa_device *d = &line->device;
    IDV_TRY(put_device(db, d, fresh));
    if (*fresh && d->standing != IDV_STANDING_NORMAL)
        IDV_TRY(idvi_device_note_standing(db, d, by));
    if (line->word == IDVI_SILENT || (*fresh && line->word == IDVI_TAKEN_BACK))
        return IDV_OK;
    return idvi_device_retire(db, idv_bytes(d->keyid, d->keyid_n),
                              d->serial_number, line->word == IDVI_RETIRED, by);
}

const struct idvi_import idvi_import_devices = {read_line, put_line};

/* --- one alone ------------------------------------------------------------ */

struct adding {
    const struct idv_masa_device *device;
    bool *fresh;
};

static idv_rc add(struct idv_db *db, void *arg)
{
    const struct adding *a = arg;
    return put_device(db, a->device, a->fresh);
}

idv_rc idv_db_device_add(struct idv_db *db, const struct idv_masa_device *d,
                         bool *fresh)
{
    if (!d->serial_number[0] || !d->keyid_n || d->keyid_n > IDV_MAX_KEYID)
        return idv_fail(IDV_E_ARG, "device: no serial number or issuer");
    struct adding a = {d, fresh};
    return idvi_within(db, add, &a);
}
