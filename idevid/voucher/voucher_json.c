/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers and voucher-requests as JSON (RFC 7951): one table, read and
 * written. */
#include <stddef.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/json.h>
#include <idevid/voucher.h>

#define V 1u /* in a voucher */
#define R 2u /* in a voucher-request; elsewhere a leaf is an unknown one */

struct leaf {
    const char *name;
    unsigned where;
    enum leaf_type { TEXT, BINARY, OPAQUE, TIME, ASSERTION, BOOLEAN } type;
    size_t at;
    size_t max; /* TEXT: characters; BINARY, OPAQUE: bytes */
};

#define PROPRIETARY "manufacturer-proprietary"
#define AT(member) offsetof(struct idv_voucher, member)

/* in the order they are written */
static const struct leaf leaves[] = {
    {"created-on", V | R, TIME, AT(created_on), 0},
    {"assertion", V | R, ASSERTION, AT(assertion), 0},
    {"serial-number", V | R, TEXT, AT(serial_number), IDV_MAX_SERIAL},
    {"idevid-issuer", V | R, BINARY, AT(idevid_issuer), 1024},
    {"nonce", V | R, TEXT, AT(nonce), IDV_MAX_NONCE_TEXT},
    {"expires-on", V | R, TIME, AT(expires_on), 0},
    {"last-renewal-date", V, TIME, AT(last_renewal_date), 0},
    {"pinned-domain-cert", V, BINARY, AT(pinned_domain_cert), IDV_MAX_CERT},
    {"pinned-domain-pubk", V, BINARY, AT(pinned_domain_pubk), 4096},
    {"pinned-domain-pubk-sha256", V, BINARY, AT(pinned_domain_pubk_sha256), 64},
    {"proximity-registrar-cert", R, BINARY, AT(proximity_registrar_cert),
     IDV_MAX_CERT},
    {"proximity-registrar-pubk", R, BINARY, AT(proximity_registrar_pubk), 4096},
    {"proximity-registrar-pubk-sha256", R, BINARY,
     AT(proximity_registrar_pubk_sha256), 64},
    {"prior-signed-voucher-request", R, BINARY, AT(prior_signed), IDV_MAX_BODY},
    {"domain-cert-revocation-checks", V, BOOLEAN, AT(revocation_checks), 0},
    {"est-domain", V, TEXT, AT(est_domain), IDV_MAX_URL - 1},
    {"additional-configuration-url", V, TEXT, AT(additional_configuration_url),
     IDV_MAX_URL - 1},
    {PROPRIETARY, V | R, OPAQUE, AT(manufacturer_proprietary),
     IDV_MAX_PROPRIETARY},
};
#define LEAVES (sizeof(leaves) / sizeof(*leaves))

static const char *root_of(enum idv_voucher_kind kind)
{
    return kind == IDV_VOUCHER ? "ietf-voucher:voucher"
                               : "ietf-voucher-request:voucher";
}

static bool applies(const struct leaf *leaf, enum idv_voucher_kind kind)
{
    return leaf->where & (kind == IDV_VOUCHER ? V : R);
}

static idv_rc check_text(const struct leaf *leaf, const char *text, idv_rc rc)
{
    size_t n = strlen(text);
    if (n == 0 || n > leaf->max)
        return idv_fail(rc, "voucher: %s has %zu characters, 1 to %zu allowed",
                        leaf->name, n, leaf->max);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return idv_fail(rc, "voucher: control character in %s", leaf->name);
    return IDV_OK;
}

/* --- writing -------------------------------------------------------------- */

static idv_rc text_to_json(const struct leaf *leaf, const char *text,
                           struct idv_json **out)
{
    *out = NULL;
    if (!*text)
        return IDV_OK;
    IDV_TRY(check_text(leaf, text, IDV_E_ARG));
    *out = idv_json_new_text(idv_str(text));
    return *out ? IDV_OK : IDV_E_NOMEM;
}

static idv_rc binary_to_json(const struct leaf *leaf, const struct idv_buf *b,
                             struct idv_json **out)
{
    *out = NULL;
    if (b->n == 0)
        return IDV_OK;
    if (b->n > leaf->max)
        return idv_fail(IDV_E_ARG, "voucher: %s has %zu bytes, at most %zu",
                        leaf->name, b->n, leaf->max);
    *out = idv_json_new_base64(idv_view(b));
    return *out ? IDV_OK : IDV_E_NOMEM;
}

static idv_rc time_to_json(int64_t t, struct idv_json **out)
{
    char text[IDV_TIME_TEXT];
    *out = NULL;
    if (t == IDV_TIME_ABSENT)
        return IDV_OK;
    IDV_TRY(idv_time_to_text(t, text));
    *out = idv_json_new_text(idv_str(text));
    return *out ? IDV_OK : IDV_E_NOMEM;
}

/* *out NULL: the leaf is absent */
static idv_rc leaf_to_json(const struct leaf *leaf, const void *member,
                           struct idv_json **out)
{
    switch (leaf->type) {
    case TEXT:
        return text_to_json(leaf, member, out);
    case BINARY:
    case OPAQUE:
        return binary_to_json(leaf, member, out);
    case TIME:
        return time_to_json(*(const int64_t *)member, out);
    case ASSERTION:
        return text_to_json(
            &(struct leaf){.name = leaf->name, .max = 32},
            idv_assertion_to_text(*(const enum idv_assertion *)member), out);
    case BOOLEAN:
        break;
    }
    int flag = *(const int *)member;
    *out = flag < 0 ? NULL : idv_json_new_bool(flag);
    return flag < 0 || *out ? IDV_OK : IDV_E_NOMEM;
}

static idv_rc put_leaf(const struct leaf *leaf, const struct idv_voucher *v,
                       struct idv_json *to)
{
    struct idv_json *value = NULL;
    if (!applies(leaf, v->kind))
        return IDV_OK;
    IDV_TRY(leaf_to_json(leaf, (const char *)v + leaf->at, &value));
    return value ? idv_json_set(to, leaf->name, value) : IDV_OK;
}

static idv_rc leaves_to_json(const struct idv_voucher *v, struct idv_json *to)
{
    for (size_t i = 0; i < LEAVES; i++)
        IDV_TRY(put_leaf(&leaves[i], v, to));
    return IDV_OK;
}

/* the leaf that follows after in the order of names; NULL at the end */
static const struct leaf *next_by_name(const char *after)
{
    const struct leaf *next = NULL;
    for (size_t i = 0; i < LEAVES; i++)
        if (strcmp(leaves[i].name, after) > 0 &&
            (!next || strcmp(leaves[i].name, next->name) < 0))
            next = &leaves[i];
    return next;
}

static idv_rc sorted_to_json(const struct idv_voucher *v, struct idv_json *to)
{
    for (const struct leaf *l = next_by_name(""); l; l = next_by_name(l->name))
        if (strcmp(l->name, PROPRIETARY) != 0)
            IDV_TRY(put_leaf(l, v, to));
    return IDV_OK;
}

static idv_rc write_json(const struct idv_voucher *v,
                         idv_rc (*put)(const struct idv_voucher *v,
                                       struct idv_json *to),
                         struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    IDV_AUTO_PTR(idv_json) body = idv_json_new_object();
    if (!root || !body)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put(v, body));
    IDV_TRY(idv_json_set(root, root_of(v->kind), idv_steal(&body)));
    return idv_json_dump(root, false, out);
}

idv_rc idv_voucher_to_json(const struct idv_voucher *v, struct idv_buf *out)
{
    if (!v->serial_number[0])
        return idv_fail(IDV_E_ARG, "voucher: no serial-number");
    if (v->nonce[0] && v->expires_on != IDV_TIME_ABSENT)
        return idv_fail(IDV_E_ARG, "voucher: both nonce and expires-on");
    if (v->last_renewal_date != IDV_TIME_ABSENT &&
        v->expires_on == IDV_TIME_ABSENT)
        return idv_fail(IDV_E_ARG,
                        "voucher: last-renewal-date without expires-on");
    return write_json(v, leaves_to_json, out);
}

idv_rc idv_voucher_content(const struct idv_voucher *v, struct idv_buf *out)
{
    return write_json(v, sorted_to_json, out);
}

/* --- reading -------------------------------------------------------------- */

static idv_rc need_text(const struct leaf *leaf, const struct idv_json *value,
                        const char **out)
{
    *out = idv_json_text(value);
    if (!*out)
        return idv_fail(IDV_E_FORMAT, "voucher: %s is not a string",
                        leaf->name);
    return IDV_OK;
}

static idv_rc text_from_json(const struct leaf *leaf,
                             const struct idv_json *value, char *out)
{
    const char *text;
    IDV_TRY(need_text(leaf, value, &text));
    IDV_TRY(check_text(leaf, text, IDV_E_FORMAT));
    memcpy(out, text, strlen(text) + 1);
    return IDV_OK;
}

static idv_rc binary_from_json(const struct leaf *leaf,
                               const struct idv_json *value,
                               struct idv_buf *out)
{
    const char *text;
    IDV_TRY(need_text(leaf, value, &text));
    if (idv_base64_to_bytes(idv_str(text), IDV_BASE64_LAX, out) != IDV_OK ||
        out->n == 0)
        return idv_fail(IDV_E_FORMAT, "voucher: %s is not base64", leaf->name);
    if (out->n > leaf->max)
        return idv_fail(IDV_E_FORMAT, "voucher: %s has %zu bytes, at most %zu",
                        leaf->name, out->n, leaf->max);
    return IDV_OK;
}

/* Others may put there what they like: what is not in our form is not for us,
 * and no reason to refuse the rest. */
static idv_rc opaque_from_json(const struct leaf *leaf,
                               const struct idv_json *value,
                               struct idv_buf *out)
{
    idv_rc rc = binary_from_json(leaf, value, out);
    if (rc != IDV_E_FORMAT)
        return rc;
    idv_buf_free(out);
    idv_note_clear();
    return IDV_OK;
}

static idv_rc leaf_from_json(const struct leaf *leaf,
                             const struct idv_json *value, void *member)
{
    const char *text;
    bool flag;
    switch (leaf->type) {
    case TEXT:
        return text_from_json(leaf, value, member);
    case BINARY:
        return binary_from_json(leaf, value, member);
    case OPAQUE:
        return opaque_from_json(leaf, value, member);
    case TIME:
        IDV_TRY(need_text(leaf, value, &text));
        return idv_time_from_text(idv_str(text), member);
    case ASSERTION:
        IDV_TRY(need_text(leaf, value, &text));
        return idv_assertion_from_text(text, member);
    case BOOLEAN:
        break;
    }
    IDV_TRY(idv_json_bool(value, leaf->name, &flag));
    *(int *)member = flag;
    return IDV_OK;
}

static idv_rc leaves_from_json(const struct idv_json *body,
                               struct idv_voucher *out)
{
    for (size_t i = 0; i < LEAVES; i++) {
        const struct idv_json *value = idv_json_get(body, leaves[i].name);
        if (value && applies(&leaves[i], out->kind))
            IDV_TRY(
                leaf_from_json(&leaves[i], value, (char *)out + leaves[i].at));
    }
    if (!out->serial_number[0])
        return idv_fail(IDV_E_FORMAT, "voucher: no serial-number");
    return IDV_OK;
}

/* The first pledges sent requests under a voucher's name. One that pins is a
 * voucher, and never taken for a request. */
static const struct idv_json *older_request(const struct idv_json *root)
{
    const struct idv_json *body = idv_json_get(root, root_of(IDV_VOUCHER));
    return idv_json_get(body, "pinned-domain-cert") ||
                   idv_json_get(body, "pinned-domain-pubk") ||
                   idv_json_get(body, "pinned-domain-pubk-sha256")
               ? NULL
               : body;
}

idv_rc idv_voucher_from_json(struct idv_bytes json, enum idv_voucher_kind kind,
                             struct idv_voucher *out)
{
    idv_voucher_init(out, kind);
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idv_json_parse(json, 0, &root));
    const struct idv_json *body = idv_json_get(root, root_of(kind));
    if (!body && kind == IDV_VOUCHER_REQUEST)
        body = older_request(root);
    if (idv_json_count(root) != 1 || idv_json_type(root) != IDV_JSON_OBJECT ||
        !body || idv_json_type(body) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "voucher: not one object \"%s\"",
                        root_of(kind));
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, kind);
    IDV_TRY(leaves_from_json(body, &v));
    *out = v;
    idv_voucher_init(&v, kind);
    return IDV_OK;
}
