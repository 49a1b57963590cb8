/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of a book, a line each, all of one moment. */
#include "factory/export_int.h"

#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

struct walk {
    const struct idvi_export *x;
    struct idv_buf line;
    idv_rc rc;
};

static idv_rc hand_on(struct walk *w, const struct idv_factory_device *d)
{
    idv_buf_clear(&w->line);
    IDV_TRY(w->x->device(w->x, d, &w->line));
    return w->line.n ? w->x->to->line(w->x->to->arg, idv_view(&w->line))
                     : IDV_OK;
}

static bool device(void *arg, const struct idv_factory_device *d)
{
    struct walk *w = arg;
    w->rc = hand_on(w, d);
    return w->rc == IDV_OK;
}

idv_rc idvi_export_devices(const struct idvi_export *x, const char *head,
                           const char *order)
{
    const struct idv_factory_store *s = x->store;
    struct walk w = {.x = x};
    if (*head)
        IDV_TRY(x->to->line(x->to->arg, idv_str(head)));
    IDV_TRY(s->view(s->self, true));
    idv_rc rc = s->each_device(s->self, order, device, &w);
    idv_rc closed = s->view(s->self, false);
    idv_buf_free(&w.line);
    rc = rc != IDV_OK ? rc : w.rc;
    return rc != IDV_OK ? rc : closed;
}

idv_rc idvi_member_text(struct idv_json *o, const char *name, const char *text)
{
    return text && *text
               ? idv_json_set(o, name, idv_json_new_text(idv_str(text)))
               : IDV_OK;
}

idv_rc idvi_member_base64(struct idv_json *o, const char *name,
                          const struct idv_buf *bytes)
{
    return bytes->n
               ? idv_json_set(o, name, idv_json_new_base64(idv_view(bytes)))
               : IDV_OK;
}

idv_rc idvi_member_hash(struct idv_json *o, const char *name,
                        const uint8_t hash[static 32])
{
    static const uint8_t none[32];
    IDV_AUTO(buf) hex = {0};
    if (memcmp(hash, none, 32) == 0)
        return IDV_OK;
    IDV_TRY(idv_hex_from_bytes(idv_bytes(hash, 32), &hex));
    return idv_json_set(o, name, idv_json_new_text(idv_view(&hex)));
}

idv_rc idvi_ordered(const struct idvi_export *x,
                    const struct idv_factory_device *d, struct idv_json **out)
{
    IDV_AUTO(buf) json = {0};
    bool order = false, found = false;
    *out = NULL;
    IDV_TRY(x->store->order_device(x->store->self, NULL, d->serial_number,
                                   &order, &found, &json));
    return found ? idv_json_parse(idv_view(&json), 0, out) : IDV_OK;
}

idv_rc idvi_json_line(const struct idv_json *o, struct idv_buf *line)
{
    IDV_TRY(idv_json_dump(o, false, line));
    return idv_buf_puts(line, "\n");
}
