/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that tell a cloud registrar whose a device is. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/registrar/admin.h"
#include "idevid/admin/page.h"

static const char *const kinds[] = {"nobody", "redirect", "voucher"};

static idv_rc kind_from_word(const char *word, enum idv_owner_kind *out)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcmp(word, kinds[i]) == 0) {
            *out = (enum idv_owner_kind)i;
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_ARG,
                    "kind: '%.32s' is not nobody, redirect or voucher", word);
}

static idv_rc take_text(const struct idv_json *in, const char *name, char *to,
                        size_t size)
{
    const char *text = "";
    IDV_TRY(idv_admin_text(in, name, &text));
    return idv_text_copy(to, size, idv_str(text), name);
}

static idv_rc owner_from(const struct idv_json *in, struct idv_owner *o)
{
    const char *kind = "", *maker = "", *serial = "", *pin = "";
    IDV_TRY(idv_admin_need(in, "maker", &maker));
    IDV_TRY(idv_admin_need(in, "serial-number", &serial));
    IDV_TRY(idv_admin_need(in, "kind", &kind));
    IDV_TRY(kind_from_word(kind, &o->kind));
    IDV_TRY(take_text(in, "maker", o->maker, sizeof(o->maker)));
    IDV_TRY(take_text(in, "serial-number", o->serial_number,
                      sizeof(o->serial_number)));
    IDV_TRY(take_text(in, "to", o->to, sizeof(o->to)));
    IDV_TRY(take_text(in, "more", o->more, sizeof(o->more)));
    IDV_TRY(idv_admin_text(in, "pin", &pin));
    return *pin ? idv_base64_to_bytes(idv_str(pin), IDV_BASE64_STRICT, &o->pin)
                : IDV_OK;
}

/* the note says what is wrong; what asked is the operator's */
static idv_rc asked(idv_rc rc)
{
    return rc == IDV_E_CRYPTO ? IDV_E_ARG : rc;
}

static idv_rc set(const struct idv_registrar_admin *a,
                  const struct idv_admin_call *c, struct idv_owner *o)
{
    IDV_TRY(owner_from(c->in, o));
    IDV_TRY(asked(idv_owner_check(a->cloud, o)));
    o->changed = c->now;
    IDV_TRY(a->owners.set(a->owners.self, o));
    IDV_TRY(idv_admin_put_text(c->out, "serial-number", o->serial_number));
    IDV_TRY(idv_admin_put_text(c->out, "maker", o->maker));
    IDV_TRY(idv_admin_put_text(c->out, "kind", kinds[o->kind]));
    return idv_admin_put_text(c->out, "to", o->to);
}

idv_rc idvi_reg_admin_owner_set(void *self, const struct idv_admin_call *c)
{
    struct idv_owner o = {.pin.max = IDV_MAX_CERT};
    idv_rc rc = set(self, c, &o);
    idv_owner_free(&o);
    return rc;
}

idv_rc idvi_reg_admin_owner_remove(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const char *maker = "", *serial = "";
    bool found = false;
    IDV_TRY(idv_admin_need(c->in, "maker", &maker));
    IDV_TRY(idv_admin_need(c->in, "serial-number", &serial));
    IDV_TRY(a->owners.remove(a->owners.self, maker, serial, &found));
    if (!found)
        return idv_fail(IDV_E_STATE, "owner: nobody has said whose %s of %s is",
                        serial, maker);
    IDV_TRY(idv_admin_put_text(c->out, "serial-number", serial));
    return idv_admin_put_text(c->out, "maker", maker);
}

static idv_rc put_owner(struct idv_json *o, const struct idv_owner *w)
{
    IDV_TRY(idv_admin_put_text(o, "serial-number", w->serial_number));
    IDV_TRY(idv_admin_put_text(o, "maker", w->maker));
    IDV_TRY(idv_admin_put_text(o, "kind", kinds[w->kind]));
    IDV_TRY(idv_admin_put_text(o, "to", w->to));
    IDV_TRY(idv_admin_put_text(o, "more", w->more));
    return idv_admin_put_time(o, "changed", w->changed);
}

static bool owner_each(void *arg, const struct idv_owner *w)
{
    struct idvi_admin_page *p = arg;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? put_owner(o, w) : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = idvi_admin_page_after(p, w->maker, w->serial_number);
    return idvi_admin_page_add(p, o, rc);
}

idv_rc idvi_reg_admin_owners(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const struct idv_json *after = idv_json_get(c->in, "after");
    const char *maker = "", *serial = "";
    struct idvi_admin_page p;
    IDV_TRY(idv_admin_text(after, "maker", &maker));
    IDV_TRY(idv_admin_text(after, "serial-number", &serial));
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->owners.list(a->owners.self, maker, serial, IDV_ADMIN_PAGE,
                               owner_each, &p);
    return idvi_admin_page_end(&p, rc, c->out);
}
