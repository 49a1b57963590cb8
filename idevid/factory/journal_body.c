/* SPDX-License-Identifier: Apache-2.0 */
/* An entry's body: one form of a JSON object, and a device's row in it. */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/journal.h>

/* --- canonical form ------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static idv_rc put_value(const struct idv_json *v, struct idv_buf *out);

/* the value's own text, by the codec's writer */
static idv_rc put_leaf(struct idv_json *made, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) v = made;
    return v ? idv_json_dump(v, false, out)
             : idv_fail(IDV_E_NOMEM, "out of memory");
}

static idv_rc put_sorted(const struct idv_json *object, const char **names,
                         size_t n, struct idv_buf *out)
{
    for (size_t i = 0; i < n; i++)
        (void)idv_json_at(object, i, &names[i]);
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        IDV_TRY(idv_buf_puts(out, i ? "," : "{"));
        IDV_TRY(put_leaf(idv_json_new_text(idv_str(names[i])), out));
        IDV_TRY(idv_buf_puts(out, ":"));
        IDV_TRY(put_value(idv_json_get(object, names[i]), out));
    }
    return idv_buf_puts(out, n ? "}" : "{}");
}

static idv_rc put_object(const struct idv_json *v, struct idv_buf *out)
{
    size_t n = idv_json_count(v);
    const char **names = calloc(n + 1, sizeof(*names));
    idv_rc rc = names ? put_sorted(v, names, n, out)
                      : idv_fail(IDV_E_NOMEM, "out of memory");
    free(names);
    return rc;
}

static idv_rc put_array(const struct idv_json *v, struct idv_buf *out)
{
    size_t n = idv_json_count(v);
    IDV_TRY(idv_buf_puts(out, "["));
    for (size_t i = 0; i < n; i++) {
        IDV_TRY(idv_buf_puts(out, i ? "," : ""));
        IDV_TRY(put_value(idv_json_at(v, i, NULL), out));
    }
    return idv_buf_puts(out, "]");
}

static idv_rc put_int(const struct idv_json *v, struct idv_buf *out)
{
    int64_t i = 0;
    IDV_TRY(idv_json_int(v, "journal: body", &i));
    return idv_buf_putf(out, "%lld", (long long)i);
}

static idv_rc put_value(const struct idv_json *v, struct idv_buf *out)
{
    bool b = false;
    switch (idv_json_type(v)) {
    case IDV_JSON_OBJECT:
        return put_object(v, out);
    case IDV_JSON_ARRAY:
        return put_array(v, out);
    case IDV_JSON_STRING:
        return put_leaf(idv_json_new_text(idv_str(idv_json_text(v))), out);
    case IDV_JSON_INT:
        return put_int(v, out);
    case IDV_JSON_BOOL:
        IDV_TRY(idv_json_bool(v, "journal: body", &b));
        return idv_buf_puts(out, b ? "true" : "false");
    case IDV_JSON_NULL:
        return idv_buf_puts(out, "null");
    default:
        return idv_fail(IDV_E_ARG, "journal: body with a number that is no "
                                   "integer");
    }
}

/* --- a device's row ------------------------------------------------------- */

static idv_rc set_text(struct idv_json *o, const char *name, const char *text)
{
    return *text ? idv_json_set(o, name, idv_json_new_text(idv_str(text)))
                 : IDV_OK;
}

static idv_rc set_hash(struct idv_json *o, const char *name,
                       const uint8_t hash[32])
{
    static const uint8_t none[32];
    IDV_AUTO(buf) hex = {0};
    if (memcmp(hash, none, 32) == 0)
        return IDV_OK;
    IDV_TRY(idv_hex_from_bytes(idv_bytes(hash, 32), &hex));
    return idv_json_set(o, name, idv_json_new_text(idv_view(&hex)));
}

static idv_rc set_document(struct idv_json *o, const char *name,
                           const struct idv_buf *data)
{
    uint8_t hash[32];
    if (data->n == 0)
        return IDV_OK;
    if (EVP_Digest(data->p, data->n, hash, NULL, EVP_sha256(), NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "journal: SHA-256 failed");
    return set_hash(o, name, hash);
}

static idv_rc fill(struct idv_json *o, const struct idv_factory_device *d)
{
    const char *profile = idv_factory_profile_to_text(d->profile);
    IDV_TRY(idv_json_set(o, "changed", idv_json_new_int(d->changed)));
    IDV_TRY(idv_json_set(o, "created", idv_json_new_int(d->created)));
    IDV_TRY(idv_json_set(o, "issue", idv_json_new_int(d->issue)));
    IDV_TRY(set_text(o, "model", d->model));
    IDV_TRY(set_text(o, "operator", d->operator_));
    IDV_TRY(set_text(o, "order", d->order));
    IDV_TRY(set_text(o, "profile", profile));
    IDV_TRY(set_text(o, "serial-number", d->serial_number));
    IDV_TRY(set_text(o, "state", idv_factory_state_to_text(d->state)));
    IDV_TRY(set_text(o, "station", d->station));
    IDV_TRY(set_hash(o, "ek", d->ek));
    IDV_TRY(set_hash(o, "key", d->key));
    IDV_TRY(set_document(o, "certificate", &d->cert));
    IDV_TRY(set_document(o, "iak-certificate", &d->iak_cert));
    IDV_TRY(set_document(o, "request", &d->request));
    IDV_TRY(set_document(o, "reply", &d->reply));
    return set_document(o, "escrow", &d->escrow);
}

static idv_rc set_device(struct idv_json *body,
                         const struct idv_factory_device *d)
{
    if (!d)
        return IDV_OK;
    if (idv_json_get(body, "device"))
        return idv_fail(IDV_E_ARG, "journal: body with a device of its own");
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(fill(o, d));
    return idv_json_set(body, "device", idv_steal(&o));
}

static idv_rc parse_members(struct idv_bytes members, struct idv_json **out)
{
    IDV_AUTO_PTR(idv_json) v = NULL;
    if (members.n == 0)
        members = idv_str("{}");
    IDV_TRY(idv_json_parse(members, IDV_JOURNAL_BODY_MAX, &v));
    if (idv_json_type(v) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_ARG, "journal: body is no JSON object");
    *out = idv_steal(&v);
    return IDV_OK;
}

idv_rc idv_journal_body(struct idv_bytes members,
                        const struct idv_factory_device *d, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) body = NULL;
    IDV_AUTO(buf) text = {.max = IDV_JOURNAL_BODY_MAX};
    IDV_TRY(parse_members(members, &body));
    IDV_TRY(set_device(body, d));
    IDV_TRY(put_value(body, &text));
    return idv_buf_put(out, idv_view(&text));
}
