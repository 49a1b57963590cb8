/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa export: all devices, as import takes them. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

#include "masa.h"

#define PAGE 1000

/* the last one that was printed, and how many of this page */
struct page {
    char serial[IDV_MAX_SERIAL + 1];
    uint8_t keyid[IDV_MAX_KEYID];
    size_t keyid_n;
    unsigned n;
    idv_rc rc;
};

static idv_rc put_text(struct idv_json *o, const char *name, const char *text)
{
    return *text ? tool_put_text(o, name, text) : IDV_OK;
}

static idv_rc put_bytes(struct idv_json *o, const char *name,
                        struct idv_bytes raw)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    if (!raw.n)
        return IDV_OK;
    IDV_TRY(idv_base64_from_bytes(raw, 0, &text));
    return tool_put_text(o, name, (const char *)text.p);
}

static idv_rc put_standing(struct idv_json *o, const struct idv_masa_device *d)
{
    if (d->standing == IDV_STANDING_NORMAL)
        return IDV_OK;
    IDV_TRY(put_text(o, "standing", idv_standing_to_text(d->standing)));
    return put_text(o, "reason", d->reason);
}

static idv_rc print(const struct idv_masa_device *d)
{
    IDV_AUTO(buf) issuer = {0};
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_masa_device_issuer(d, false, &issuer));
    IDV_TRY(put_text(o, "serial-number", d->serial_number));
    IDV_TRY(put_bytes(o, "idevid-issuer", idv_view(&issuer)));
    IDV_TRY(put_bytes(o, "certificate", idv_view(&d->cert)));
    IDV_TRY(put_text(o, "maker", d->maker));
    IDV_TRY(put_text(o, "model", d->model));
    IDV_TRY(put_text(o, "customer", d->customer));
    IDV_TRY(put_text(o, "owner", d->owner));
    IDV_TRY(put_standing(o, d));
    return service_print(NULL, o);
}

static bool each(void *arg, const struct idv_masa_device *d)
{
    struct page *p = arg;
    p->rc = print(d);
    memcpy(p->serial, d->serial_number, sizeof(p->serial));
    memcpy(p->keyid, d->keyid, sizeof(p->keyid));
    p->keyid_n = d->keyid_n;
    p->n++;
    return p->rc == IDV_OK;
}

idv_rc masa_export(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    struct page p = {.n = PAGE};
    (void)t;
    (void)argc;
    (void)argv;
    IDV_TRY(idv_db_open(masa_maker()->service.database, &db));
    const struct idv_masa_people people = idv_db_masa_people(db);
    while (p.n == PAGE) {
        struct page from = p;
        p.n = 0;
        IDV_TRY(people.devices(people.self, from.serial,
                               idv_bytes(from.keyid, from.keyid_n), PAGE, each,
                               &p));
        IDV_TRY(p.rc);
    }
    return IDV_OK;
}
