/* SPDX-License-Identifier: Apache-2.0 */
/* A work order as a whole: one id, its devices, nothing in it twice. */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "factory/order_int.h"

void idv_order_free(struct idv_order *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n; i++) {
        struct idv_order_device *d = &o->devices[i];
        free(d->serial_number);
        free(d->model);
        free(d->sku);
        free(d->owner);
        idv_list_free(d->macs);
    }
    free(o->devices);
    free(o->by_serial);
    free(o->model);
    free(o->sku);
    free(o->customer);
    free(o);
}

struct idv_order_device *idvi_order_add(struct idv_order *o)
{
    if (o->n == IDV_ORDER_DEVICES) {
        (void)idv_fail(IDV_E_LIMIT, "order: more than %d devices",
                       IDV_ORDER_DEVICES);
        return NULL;
    }
    if ((o->n & (o->n - 1)) == 0) { /* full at each power of two */
        const size_t room = o->n ? 2 * o->n : 1;
        void *p = reallocarray(o->devices, room, sizeof(*o->devices));
        if (!p) {
            (void)idv_fail(IDV_E_NOMEM, "order");
            return NULL;
        }
        o->devices = p;
    }
    struct idv_order_device *d = &o->devices[o->n++];
    memset(d, 0, sizeof(*d));
    return d;
}

/* --- nothing twice -------------------------------------------------------- */

struct mac {
    const char *text;
    size_t device;
};

static int by_serial(const void *a, const void *b)
{
    return strcmp((*(const struct idv_order_device *const *)a)->serial_number,
                  (*(const struct idv_order_device *const *)b)->serial_number);
}

static int by_mac(const void *a, const void *b)
{
    return strcmp(((const struct mac *)a)->text, ((const struct mac *)b)->text);
}

static idv_rc index_serials(struct idv_order *o)
{
    o->by_serial = reallocarray(NULL, o->n, sizeof(*o->by_serial));
    if (!o->by_serial)
        return idv_fail(IDV_E_NOMEM, "order");
    for (size_t i = 0; i < o->n; i++)
        o->by_serial[i] = &o->devices[i];
    qsort(o->by_serial, o->n, sizeof(*o->by_serial), by_serial);
    for (size_t i = 1; i < o->n; i++) {
        const struct idv_order_device *a = o->by_serial[i - 1];
        const struct idv_order_device *b = o->by_serial[i];
        if (strcmp(a->serial_number, b->serial_number) == 0)
            return idv_fail(IDV_E_REJECT,
                            "order %s: serial number %s twice, devices %zu "
                            "and %zu",
                            o->id, a->serial_number,
                            (size_t)((a < b ? a : b) - o->devices) + 1,
                            (size_t)((a < b ? b : a) - o->devices) + 1);
    }
    return IDV_OK;
}

static idv_rc one_mac_each(const struct idv_order *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++)
        n += idv_list_count(o->devices[i].macs);
    if (!n)
        return IDV_OK;
    struct mac *all = reallocarray(NULL, n, sizeof(*all));
    if (!all)
        return idv_fail(IDV_E_NOMEM, "order");
    n = 0;
    for (size_t i = 0; i < o->n; i++) {
        for (char **m = o->devices[i].macs; m && *m; m++)
            all[n++] = (struct mac){*m, i};
    }
    qsort(all, n, sizeof(*all), by_mac);
    idv_rc rc = IDV_OK;
    for (size_t i = 1; rc == IDV_OK && i < n; i++) {
        if (by_mac(&all[i - 1], &all[i]) == 0)
            rc = idv_fail(
                IDV_E_REJECT, "order %s: MAC address %s twice, %s and %s",
                o->id, all[i].text, o->devices[all[i - 1].device].serial_number,
                o->devices[all[i].device].serial_number);
    }
    free(all);
    return rc;
}

static idv_rc whole(struct idv_order *o)
{
    if (!*o->id)
        return idv_fail(IDV_E_FORMAT, "order: it has no id");
    if (!o->n)
        return idv_fail(IDV_E_FORMAT, "order %s: no devices", o->id);
    for (size_t i = 0; i < o->n; i++) {
        if (!o->devices[i].serial_number)
            return idv_fail(IDV_E_FORMAT,
                            "order %s: device %zu has no serial-number", o->id,
                            i + 1);
    }
    IDV_TRY(index_serials(o));
    return one_mac_each(o);
}

idv_rc idv_order_parse(struct idv_bytes text, struct idv_order **out)
{
    static const uint8_t bom[] = {0xef, 0xbb, 0xbf};
    if (text.n > IDVI_ORDER_TEXT)
        return idv_fail(IDV_E_LIMIT, "order: %zu bytes, more than %zu", text.n,
                        IDVI_ORDER_TEXT);
    if (text.n >= 3 && memcmp(text.p, bom, 3) == 0)
        text = idv_bytes(text.p + 3, text.n - 3);
    struct idv_order *o = calloc(1, sizeof(*o));
    if (!o)
        return idv_fail(IDV_E_NOMEM, "order");
    const struct idv_bytes body = idv_text_trim(text);
    idv_rc rc = body.n && *body.p == '{' ? idvi_order_from_json(body, o)
                                         : idvi_order_from_csv(text, o);
    if (rc == IDV_OK)
        rc = whole(o);
    if (rc == IDV_OK)
        *out = o;
    else
        idv_order_free(o);
    return rc;
}

const struct idv_order_device *idv_order_find(const struct idv_order *o,
                                              const char *serial_number)
{
    size_t low = 0, high = o->n;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const struct idv_order_device *d = o->by_serial[mid];
        const int order = strcmp(serial_number, d->serial_number);
        if (order == 0)
            return d;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}
