/* SPDX-License-Identifier: Apache-2.0 */
/* What an order may say, of itself and of a device, and how. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "factory/order_int.h"

static idv_rc text_of(struct idv_bytes value, const char *name, size_t max,
                      char **out)
{
    if (*out)
        return idv_fail(IDV_E_FORMAT, "order: %s twice", name);
    if (!value.n)
        return IDV_OK;
    if (value.n > max)
        return idv_fail(IDV_E_LIMIT, "order: %s of %zu characters, %zu fit",
                        name, value.n, max);
    if (!idv_text_printable(value))
        return idv_fail(IDV_E_FORMAT, "order: %s has control characters", name);
    return idv_text_dup(value, out);
}

/* PrintableString (X.520 serialNumber), nothing around it */
static idv_rc serial_is_one(struct idv_bytes s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!isalnum(s.p[i]) && !memchr(" '()+,-./:=?", s.p[i], 12))
            return idv_fail(IDV_E_FORMAT,
                            "order: serial-number '%.*s': character %zu cannot "
                            "be in one",
                            s.n > 80 ? 80 : (int)s.n, (const char *)s.p, i + 1);
    }
    if (s.n && s.n != idv_text_trim(s).n)
        return idv_fail(IDV_E_FORMAT,
                        "order: serial-number '%.*s' has blanks "
                        "around it",
                        (int)s.n, (const char *)s.p);
    return IDV_OK;
}

static idv_rc owner_is_one(struct idv_bytes value)
{
    idv_rc rc = value.n ? idv_domain_id_check(value) : IDV_OK;
    return rc == IDV_OK ? rc : idv_fail_within(rc, "order: owner");
}

/* 6 or 8 bytes, with ':' or '-' between all of them or none of them */
static idv_rc add_mac(struct idv_order_device *d, struct idv_bytes text)
{
    IDV_AUTO(buf) hex = {0};
    IDV_AUTO(buf) raw = {0};
    char out[24];
    const char mark =
        text.n > 2 && strchr(":-", text.p[2]) ? (char)text.p[2] : 0;
    bool ok = true;
    for (size_t i = 0; ok && i < text.n; i++) {
        if (mark && i % 3 == 2)
            ok = text.p[i] == mark && i + 1 < text.n;
        else
            IDV_TRY(idv_buf_put(&hex, idv_bytes(text.p + i, 1)));
    }
    ok = ok && idv_hex_to_bytes(idv_view(&hex), &raw) == IDV_OK &&
         (raw.n == 6 || raw.n == 8);
    if (!ok) {
        idv_note_clear();
        return idv_fail(IDV_E_FORMAT, "order: '%.*s' is no MAC address",
                        text.n > 40 ? 40 : (int)text.n, (const char *)text.p);
    }
    if (raw.p[0] & 1)
        return idv_fail(IDV_E_FORMAT, "order: MAC address %.*s is a group's",
                        (int)text.n, (const char *)text.p);
    for (size_t i = 0; i < raw.n; i++)
        snprintf(out + 3 * i, sizeof(out) - 3 * i, "%02x:", raw.p[i]);
    return idv_list_add(&d->macs, idv_bytes(out, 3 * raw.n - 1));
}

static idv_rc add_macs(struct idv_order_device *d, struct idv_bytes value)
{
    struct idv_bytes one;
    while (idv_text_next(&value, " \t;", &one)) {
        if (!one.n)
            continue;
        IDV_TRY(add_mac(d, one));
        if (idv_list_count(d->macs) > IDV_ORDER_MACS)
            return idv_fail(IDV_E_LIMIT,
                            "order: more than %d MAC addresses of one device",
                            IDV_ORDER_MACS);
    }
    return IDV_OK;
}

idv_rc idvi_order_set(struct idv_order_device *d, const char *name,
                      struct idv_bytes value)
{
    if (strcmp(name, "serial-number") == 0) {
        IDV_TRY(serial_is_one(value));
        return text_of(value, name, IDV_MAX_SERIAL, &d->serial_number);
    }
    if (strcmp(name, "model") == 0)
        return text_of(value, name, IDV_FACTORY_NAME_MAX, &d->model);
    if (strcmp(name, "sku") == 0)
        return text_of(value, name, IDV_FACTORY_NAME_MAX, &d->sku);
    if (strcmp(name, "owner") == 0) {
        IDV_TRY(owner_is_one(value));
        return text_of(value, name, 128, &d->owner);
    }
    if (strcmp(name, "mac") == 0)
        return add_macs(d, value);
    return idv_fail(IDV_E_FORMAT, "order: '%.40s' is nothing that a device has",
                    name);
}

/* --- the order's own ------------------------------------------------------ */

static idv_rc set_id(struct idv_order *o, struct idv_bytes value)
{
    if (*o->id)
        return idv_fail(IDV_E_FORMAT, "order: its id twice");
    for (size_t i = 0; i < value.n; i++) { /* it becomes a part of file names */
        if (!isalnum(value.p[i]) && (!i || !strchr("._-", value.p[i])))
            return idv_fail(IDV_E_FORMAT,
                            "order: id '%.*s' has more than letters, digits, "
                            "'.', '_', '-'",
                            value.n > 80 ? 80 : (int)value.n,
                            (const char *)value.p);
    }
    return idv_text_copy(o->id, sizeof(o->id), value, "order: id");
}

static idv_rc set_word(struct idv_order *o, bool type, struct idv_bytes value)
{
    char text[32] = "";
    bool *has = type ? &o->has_type : &o->has_profile;
    if (*has)
        return idv_fail(IDV_E_FORMAT, "order: %s twice",
                        type ? "type" : "profile");
    IDV_TRY(idv_text_copy(text, sizeof(text), value,
                          type ? "order: type" : "order: profile"));
    *has = true;
    if (!type)
        return idv_factory_profile_from_text(text, &o->profile);
    return idv_key_type_from_text(text, &o->type);
}

idv_rc idvi_order_member(struct idv_order *o, const char *name,
                         struct idv_bytes value)
{
    const size_t max = IDV_FACTORY_NAME_MAX;
    if (strcmp(name, "order") == 0)
        return set_id(o, value);
    if (strcmp(name, "model") == 0)
        return text_of(value, name, max, &o->model);
    if (strcmp(name, "sku") == 0)
        return text_of(value, name, max, &o->sku);
    if (strcmp(name, "customer") == 0)
        return text_of(value, name, max, &o->customer);
    if (strcmp(name, "profile") == 0)
        return set_word(o, false, value);
    if (strcmp(name, "type") == 0)
        return set_word(o, true, value);
    return idv_fail(IDV_E_FORMAT, "order: '%.40s' is nothing that it has",
                    name);
}

/* --- a pattern ------------------------------------------------------------ */

struct pattern {
    struct idv_bytes before, after;
    int64_t from, to;
    int width; /* digits; 0: as many as it takes */
};

static idv_rc pattern_range(struct idv_bytes range, struct pattern *out)
{
    const int64_t max = 999999999999;
    size_t n = 0;
    while (n + 2 < range.n && memcmp(range.p + n, "..", 2) != 0)
        n++;
    const struct idv_bytes from = idv_bytes(range.p, n);
    const size_t skip = n + 2 < range.n ? n + 2 : range.n;
    const struct idv_bytes to = idv_bytes(range.p + skip, range.n - skip);
    IDV_TRY(idv_text_to_int(from, 0, max, "order: pattern", &out->from));
    IDV_TRY(idv_text_to_int(to, out->from, max, "order: pattern", &out->to));
    out->width = from.n > 1 && *from.p == '0' ? (int)from.n : 0;
    return out->to - out->from < IDV_ORDER_DEVICES
               ? IDV_OK
               : idv_fail(IDV_E_LIMIT, "order: pattern: more than %d devices",
                          IDV_ORDER_DEVICES);
}

static idv_rc pattern_read(struct idv_bytes text, struct pattern *out)
{
    const uint8_t *open = text.n ? memchr(text.p, '{', text.n) : NULL;
    const uint8_t *end = text.p + text.n;
    const uint8_t *close =
        open ? memchr(open, '}', (size_t)(end - open)) : NULL;
    if (!close)
        return idv_fail(IDV_E_FORMAT,
                        "order: pattern '%.*s' is not TEXT{FROM..TO}TEXT",
                        text.n > 80 ? 80 : (int)text.n, (const char *)text.p);
    out->before = idv_bytes(text.p, (size_t)(open - text.p));
    out->after = idv_bytes(close + 1, (size_t)(end - close - 1));
    return pattern_range(idv_bytes(open + 1, (size_t)(close - open - 1)), out);
}

idv_rc idvi_order_pattern(struct idv_order *o, struct idv_bytes text)
{
    struct pattern p;
    IDV_AUTO(buf) serial = {0};
    IDV_TRY(pattern_read(text, &p));
    for (int64_t i = p.from; i <= p.to; i++) {
        struct idv_order_device *d = idvi_order_add(o);
        if (!d)
            return IDV_E_LIMIT;
        idv_buf_clear(&serial);
        IDV_TRY(idv_buf_put(&serial, p.before));
        IDV_TRY(idv_buf_putf(&serial, "%0*lld", p.width, (long long)i));
        IDV_TRY(idv_buf_put(&serial, p.after));
        IDV_TRY(idvi_order_set(d, "serial-number", idv_view(&serial)));
    }
    return IDV_OK;
}
