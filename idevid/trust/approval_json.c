/* SPDX-License-Identifier: Apache-2.0 */
/* What device and maker say to each other of an anchor, as JSON. */
#include <string.h>

#include <idevid/approval.h>
#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/json.h>
#include <idevid/limits.h>

#define PROFILE "platform"
#define NV_FIRST 0x01000000u
#define NV_LAST 0x01ffffffu

/* --- both ----------------------------------------------------------------- */

static idv_rc new_object(uint64_t generation, struct idv_json **out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (generation < 1 || generation > IDV_MAX_GENERATION)
        return idv_fail(IDV_E_ARG, "approval: generation %llu is out of range",
                        (unsigned long long)generation);
    IDV_TRY(idv_json_set(o, "profile", idv_json_new_text(idv_str(PROFILE))));
    IDV_TRY(
        idv_json_set(o, "generation", idv_json_new_int((int64_t)generation)));
    *out = idv_steal(&o);
    return IDV_OK;
}

/* *root NULL: it is not of this profile, or no JSON at all */
static idv_rc open_object(struct idv_bytes json, struct idv_json **root)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    *root = NULL;
    idv_rc rc = idv_json_parse(json, IDV_MAX_PROPRIETARY, &o);
    if (rc == IDV_E_NOMEM)
        return rc;
    if (rc != IDV_OK)
        idv_note_clear();
    const char *profile = idv_json_text(idv_json_get(o, "profile"));
    if (profile && strcmp(profile, PROFILE) == 0)
        *root = idv_steal(&o);
    return IDV_OK;
}

static idv_rc get_generation(const struct idv_json *o, uint64_t *out)
{
    int64_t v;
    IDV_TRY(idv_json_int(idv_json_get(o, "generation"), "approval: generation",
                         &v));
    if (v < 1 || (uint64_t)v > IDV_MAX_GENERATION)
        return idv_fail(IDV_E_FORMAT,
                        "approval: generation %lld is out of range",
                        (long long)v);
    *out = (uint64_t)v;
    return IDV_OK;
}

static idv_rc need_text(const struct idv_json *o, const char *of,
                        const char *name, struct idv_bytes *out)
{
    const char *text = idv_json_text(idv_json_get(o, name));
    if (!text)
        return idv_fail(IDV_E_FORMAT, "approval: %s%s is not a string", of,
                        name);
    *out = idv_str(text);
    return IDV_OK;
}

/* --- the request ---------------------------------------------------------- */

static struct idv_json *hex_value(struct idv_bytes raw)
{
    IDV_AUTO(buf) hex = {0};
    if (idv_hex_from_bytes(raw, &hex) != IDV_OK)
        return NULL;
    return idv_json_new_text(idv_view(&hex));
}

static idv_rc put_index(struct idv_json *to, const char *name,
                        const struct idv_anchor_index *i)
{
    const uint8_t handle[4] = {(uint8_t)(i->index >> 24),
                               (uint8_t)(i->index >> 16),
                               (uint8_t)(i->index >> 8), (uint8_t)i->index};
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(o, "index", hex_value(idv_bytes(handle, 4))));
    IDV_TRY(idv_json_set(o, "name",
                         hex_value(idv_bytes(i->name, sizeof(i->name)))));
    return idv_json_set(to, name, idv_steal(&o));
}

idv_rc idv_approval_request_to_json(const struct idv_approval_request *r,
                                    struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_TRY(new_object(r->generation, &o));
    IDV_TRY(put_index(o, "anchor", &r->anchor));
    IDV_TRY(put_index(o, "counter", &r->counter));
    return idv_json_dump(o, false, out);
}

static idv_rc get_hex(const struct idv_json *o, const char *of,
                      const char *name, uint8_t *out, size_t n)
{
    IDV_AUTO(buf) raw = {.max = IDV_NV_NAME_SIZE};
    struct idv_bytes text;
    IDV_TRY(need_text(o, of, name, &text));
    idv_rc rc = idv_hex_to_bytes(text, &raw);
    if (rc == IDV_E_NOMEM)
        return rc;
    if (rc != IDV_OK || raw.n != n) {
        idv_note_clear();
        return idv_fail(IDV_E_FORMAT, "approval: %s%s is not %zu bytes in hex",
                        of, name, n);
    }
    memcpy(out, raw.p, n);
    return IDV_OK;
}

static idv_rc get_index(const struct idv_json *root, const char *member,
                        struct idv_anchor_index *out)
{
    const struct idv_json *o = idv_json_get(root, member);
    char of[16];
    uint8_t h[4];
    snprintf(of, sizeof(of), "%s's ", member);
    IDV_TRY(get_hex(o, of, "index", h, sizeof(h)));
    IDV_TRY(get_hex(o, of, "name", out->name, sizeof(out->name)));
    out->index = (uint32_t)h[0] << 24 | (uint32_t)h[1] << 16 |
                 (uint32_t)h[2] << 8 | h[3];
    if (out->index < NV_FIRST || out->index > NV_LAST)
        return idv_fail(IDV_E_FORMAT, "approval: %sindex 0x%08x is none of NV",
                        of, (unsigned)out->index);
    if (out->name[0] != 0x00 || out->name[1] != 0x0b)
        return idv_fail(IDV_E_FORMAT, "approval: %sname is not of SHA-256", of);
    return IDV_OK;
}

idv_rc idv_approval_request_from_json(struct idv_bytes json, bool *mine,
                                      struct idv_approval_request *out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    struct idv_approval_request r;
    IDV_TRY(open_object(json, &o));
    *mine = o != NULL;
    if (!o)
        return IDV_OK;
    IDV_TRY(get_generation(o, &r.generation));
    IDV_TRY(get_index(o, "anchor", &r.anchor));
    IDV_TRY(get_index(o, "counter", &r.counter));
    if (r.anchor.index == r.counter.index)
        return idv_fail(IDV_E_FORMAT,
                        "approval: anchor and counter are one index");
    *out = r;
    return IDV_OK;
}

/* --- the approval --------------------------------------------------------- */

static idv_rc put_signature(struct idv_json *to, const char *name,
                            const struct idv_approval_signature *s)
{
    if (s->n < 1 || s->n > sizeof(s->p))
        return idv_fail(IDV_E_ARG, "approval: %s has %zu bytes", name, s->n);
    return idv_json_set(to, name, idv_json_new_base64(idv_bytes(s->p, s->n)));
}

idv_rc idv_approval_to_json(const struct idv_approval *a, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_TRY(new_object(a->generation, &o));
    IDV_TRY(put_signature(o, "write", &a->write));
    IDV_TRY(put_signature(o, "fuse", &a->fuse));
    IDV_TRY(put_signature(o, "reset", &a->reset));
    return idv_json_dump(o, false, out);
}

static idv_rc get_signature(const struct idv_json *o, const char *name,
                            struct idv_approval_signature *out)
{
    IDV_AUTO(buf) raw = {.max = sizeof(out->p)};
    struct idv_bytes text;
    IDV_TRY(need_text(o, "", name, &text));
    idv_rc rc = idv_base64_to_bytes(text, IDV_BASE64_STRICT, &raw);
    if (rc == IDV_E_NOMEM)
        return rc;
    if (rc != IDV_OK || raw.n == 0) {
        idv_note_clear();
        return idv_fail(IDV_E_FORMAT,
                        "approval: %s is not base64 of 1 to %zu bytes", name,
                        sizeof(out->p));
    }
    memcpy(out->p, raw.p, raw.n);
    out->n = raw.n;
    return IDV_OK;
}

idv_rc idv_approval_from_json(struct idv_bytes json, bool *mine,
                              struct idv_approval *out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    struct idv_approval a = {0};
    IDV_TRY(open_object(json, &o));
    *mine = o != NULL;
    if (!o)
        return IDV_OK;
    IDV_TRY(get_generation(o, &a.generation));
    IDV_TRY(get_signature(o, "write", &a.write));
    IDV_TRY(get_signature(o, "fuse", &a.fuse));
    IDV_TRY(get_signature(o, "reset", &a.reset));
    *out = a;
    return IDV_OK;
}
