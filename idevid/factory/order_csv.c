/* SPDX-License-Identifier: Apache-2.0 */
/* Orders as spreadsheets write them. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "factory/order_int.h"

#define COLUMNS 64

struct csv {
    struct idv_order *o;
    char **columns; /* of the header line; NULL before it */
    bool pattern;
};

/* "#order: WO-1" */
static idv_rc own_member(struct csv *c, struct idv_bytes line)
{
    struct idv_bytes rest = idv_bytes(line.p + 1, line.n - 1), name;
    char text[32];
    if (!memchr(line.p, ':', line.n) || !idv_text_next(&rest, ":", &name))
        return idv_fail(IDV_E_FORMAT, "order: not '#name: value'");
    IDV_TRY(idv_text_copy(text, sizeof(text), idv_text_trim(name),
                          "order: a name"));
    rest = idv_text_trim(rest);
    if (strcmp(text, "pattern") != 0)
        return idvi_order_member(c->o, text, rest);
    c->pattern = true;
    return idvi_order_pattern(c->o, rest);
}

static idv_rc header(struct csv *c, struct idv_bytes line)
{
    bool more = true, serial = false;
    while (more) {
        IDV_AUTO(buf) name = {.max = 64};
        IDV_TRY(idv_csv_next(&line, &name, &more));
        if (idv_list_count(c->columns) == COLUMNS)
            return idv_fail(IDV_E_LIMIT, "order: more than %d columns",
                            COLUMNS);
        const bool mac = idv_text_eq(idv_view(&name), "mac");
        for (char **k = c->columns; k && *k && !mac; k++) {
            if (idv_text_eq(idv_view(&name), *k))
                return idv_fail(IDV_E_FORMAT, "order: column %s twice", *k);
        }
        IDV_TRY(idv_list_add(&c->columns, idv_view(&name)));
        serial |= idv_text_eq(idv_view(&name), "serial-number");
    }
    return serial ? IDV_OK
                  : idv_fail(IDV_E_FORMAT, "order: no column serial-number");
}

static idv_rc device(struct csv *c, struct idv_bytes line)
{
    struct idv_order_device *d = idvi_order_add(c->o);
    bool more = true;
    if (!d)
        return IDV_E_LIMIT;
    for (char **k = c->columns; *k; k++) {
        IDV_AUTO(buf) field = {.max = 1024};
        if (!more)
            return idv_fail(IDV_E_FORMAT, "order: fields end before column %s",
                            *k);
        IDV_TRY(idv_csv_next(&line, &field, &more));
        IDV_TRY(idvi_order_set(d, *k, idv_view(&field)));
    }
    if (more)
        return idv_fail(IDV_E_FORMAT, "order: more fields than columns");
    return d->serial_number ? IDV_OK
                            : idv_fail(IDV_E_FORMAT, "order: no serial-number");
}

static idv_rc take(struct csv *c, struct idv_bytes line)
{
    if (idv_text_trim(line).n == 0)
        return IDV_OK;
    if (*line.p == '#' && !c->columns)
        return own_member(c, line);
    if (c->pattern)
        return idv_fail(IDV_E_FORMAT, "order: devices beside a pattern");
    return c->columns ? device(c, line) : header(c, line);
}

idv_rc idvi_order_from_csv(struct idv_bytes text, struct idv_order *o)
{
    struct csv c = {.o = o};
    struct idv_bytes line;
    idv_rc rc = IDV_OK;
    unsigned at = 0;
    while (rc == IDV_OK && idv_text_next(&text, "\n", &line)) {
        at++;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        rc = take(&c, line);
        if (rc != IDV_OK)
            rc = idv_fail_within(rc, "line %u", at);
    }
    idv_list_free(c.columns);
    return rc;
}
