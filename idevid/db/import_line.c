/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a file, JSON or CSV, into texts by their names. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/db/import.h"

static idv_rc word_from(const struct idv_json *root, const char *what,
                        enum idvi_word *out)
{
    bool retired = false;
    const struct idv_json *v = idv_json_get(root, "retired");
    if (!v)
        return IDV_OK;
    idv_rc rc = idv_json_bool(v, "retired", &retired);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", what);
    *out = retired ? IDVI_RETIRED : IDVI_TAKEN_BACK;
    return IDV_OK;
}

static idv_rc from_json(struct idvi_fields *f, struct idv_bytes line,
                        const char *what)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idv_json_parse(line, 0, &root));
    if (idv_json_type(root) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "%s: not a JSON object", what);
    for (size_t i = 0; i < f->n; i++) {
        const struct idv_json *v = idv_json_get(root, f->names[i]);
        const char *text = idv_json_text(v);
        if (v && !text)
            return idv_fail(IDV_E_FORMAT, "%s: %s is not a text", what,
                            f->names[i]);
        IDV_TRY(idv_buf_puts(&f->text[i], text));
    }
    return word_from(root, what, &f->word);
}

static idv_rc from_csv(struct idvi_fields *f, struct idv_bytes line,
                       const char *what)
{
    for (size_t i = 0; i < f->n; i++) {
        bool more;
        IDV_TRY(idv_csv_next(&line, &f->text[i], &more));
        if (!more)
            return IDV_OK;
    }
    return idv_fail(IDV_E_FORMAT, "%s: more than %zu fields", what, f->n);
}

idv_rc idvi_fields_read(struct idvi_fields *f, struct idv_bytes line,
                        const char *what, size_t needed)
{
    line = idv_text_trim(line);
    bool json = line.n && *line.p == '{';
    IDV_TRY(json ? from_json(f, line, what) : from_csv(f, line, what));
    for (size_t i = 0; i < needed; i++) {
        if (f->text[i].n == 0)
            return idv_fail(IDV_E_FORMAT, "%s: no %s", what, f->names[i]);
    }
    return IDV_OK;
}

void idvi_fields_free(struct idvi_fields *f)
{
    for (size_t i = 0; i < IDVI_FIELDS; i++)
        idv_buf_free(&f->text[i]);
}

idv_rc idvi_keyid_from(struct idv_bytes text, struct idv_masa_device *d)
{
    IDV_AUTO(buf) raw = {.max = IDV_MAX_CERT};
    IDV_AUTO(buf) keyid = {0};
    IDV_TRY(idv_base64_to_bytes(text, IDV_BASE64_LAX, &raw));
    IDV_TRY(idv_idevid_issuer_keyid(idv_view(&raw), &keyid));
    if (keyid.n == 0 || keyid.n > IDV_MAX_KEYID)
        return idv_fail(IDV_E_FORMAT, "device: idevid-issuer of %zu bytes",
                        keyid.n);
    memcpy(d->keyid, keyid.p, keyid.n);
    d->keyid_n = keyid.n;
    return IDV_OK;
}
