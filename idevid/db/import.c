/* SPDX-License-Identifier: Apache-2.0 */
/* Devices from lines of a factory's export, JSON or CSV. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/db/db.h"
#include "idevid/db/rows.h"

enum field { SERIAL, ISSUER, CERT, MAKER, OWNER, FIELDS };
static const char *const names[FIELDS] = {"serial-number", "idevid-issuer",
                                          "certificate", "maker", "owner"};

/* --- a line into five texts, absent ones empty ---------------------------- */

static idv_rc fields_from_json(struct idv_bytes line,
                               struct idv_buf f[static FIELDS])
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idv_json_parse(line, 0, &root));
    if (idv_json_type(root) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "device: not a JSON object");
    for (int i = 0; i < FIELDS; i++) {
        const struct idv_json *v = idv_json_get(root, names[i]);
        const char *text = idv_json_text(v);
        if (v && !text)
            return idv_fail(IDV_E_FORMAT, "device: %s is not a text", names[i]);
        IDV_TRY(idv_buf_puts(&f[i], text));
    }
    return IDV_OK;
}

static idv_rc fields_from_csv(struct idv_bytes line,
                              struct idv_buf f[static FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        bool more;
        IDV_TRY(idv_csv_next(&line, &f[i], &more));
        if (!more)
            return IDV_OK;
    }
    return idv_fail(IDV_E_FORMAT, "device: more than %d fields", FIELDS);
}

/* --- five texts into a device --------------------------------------------- */

static idv_rc keyid_from(const struct idv_buf *text, struct idv_masa_device *d)
{
    IDV_AUTO(buf) raw = {.max = IDV_MAX_CERT};
    IDV_AUTO(buf) keyid = {0};
    IDV_TRY(idv_base64_to_bytes(idv_view(text), IDV_BASE64_LAX, &raw));
    IDV_TRY(idv_idevid_issuer_keyid(idv_view(&raw), &keyid));
    if (keyid.n == 0 || keyid.n > IDV_MAX_KEYID)
        return idv_fail(IDV_E_FORMAT, "device: idevid-issuer of %zu bytes",
                        keyid.n);
    memcpy(d->keyid, keyid.p, keyid.n);
    d->keyid_n = keyid.n;
    return IDV_OK;
}

/* The certificate must be that of this serial number and issuer. */
static idv_rc cert_from(const struct idv_buf *text, struct idv_masa_device *d)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    struct idv_devid id;
    if (text->n == 0)
        return IDV_OK;
    IDV_TRY(idv_base64_to_bytes(idv_view(text), IDV_BASE64_LAX, &d->cert));
    IDV_TRY(idv_cert_from_der(idv_view(&d->cert), &cert));
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

static idv_rc device_from(const struct idv_buf f[static FIELDS],
                          struct idv_masa_device *d)
{
    for (int i = SERIAL; i <= ISSUER; i++) {
        if (f[i].n == 0)
            return idv_fail(IDV_E_FORMAT, "device: no %s", names[i]);
    }
    IDV_TRY(idv_text_copy(d->serial_number, sizeof(d->serial_number),
                          idv_view(&f[SERIAL]), "device: serial-number"));
    IDV_TRY(idv_text_copy(d->maker, sizeof(d->maker), idv_view(&f[MAKER]),
                          "device: maker"));
    IDV_TRY(idv_text_copy(d->owner, sizeof(d->owner), idv_view(&f[OWNER]),
                          "device: owner"));
    if (!idv_text_printable(idv_view(&f[SERIAL])))
        return idv_fail(IDV_E_FORMAT, "device: serial-number is not text");
    IDV_TRY(keyid_from(&f[ISSUER], d));
    return cert_from(&f[CERT], d);
}

/* The factory's own word on whether it is to be trusted any more; a line may
 * be silent on that. */
static idv_rc retire(struct idv_db *db, struct idv_bytes line,
                     const struct idv_masa_device *d)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    bool retired = false;
    IDV_TRY(idv_json_parse(line, 0, &root));
    const struct idv_json *v = idv_json_get(root, "retired");
    if (!v)
        return IDV_OK;
    IDV_TRY(idv_json_bool(v, "device: retired", &retired));
    return idvi_device_retire(db, idv_bytes(d->keyid, d->keyid_n),
                              d->serial_number, retired);
}

static idv_rc import(struct idv_db *db, struct idv_bytes line,
                     struct idv_buf f[static FIELDS], bool *fresh)
{
    struct idv_masa_device d = {0};
    line = idv_text_trim(line);
    bool json = line.n && *line.p == '{';
    IDV_TRY(json ? fields_from_json(line, f) : fields_from_csv(line, f));
    idv_rc rc = device_from(f, &d);
    if (rc == IDV_OK)
        rc = idv_db_device_add(db, &d, fresh);
    if (rc == IDV_OK && json)
        rc = retire(db, line, &d);
    idv_masa_device_free(&d);
    return rc;
}

idv_rc idv_db_device_import(struct idv_db *db, struct idv_bytes line,
                            bool *fresh)
{
    struct idv_buf f[FIELDS] = {0};
    idv_rc rc = import(db, line, f, fresh);
    for (int i = 0; i < FIELDS; i++)
        idv_buf_free(&f[i]);
    return rc;
}
