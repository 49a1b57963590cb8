/* SPDX-License-Identifier: Apache-2.0 */
/* anchor.json: how the record was sealed. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/json.h>
#include <idevid/limits.h>
#include <idevid/text.h>

#include "trust/trust_priv.h"

/* {"version":1,"profile":"owner","record":hex,"cap":"reboot","reset-count":3,
 *  "pcr-selection":[7],"pcr-digest":hex,"registrar":"https://..."} */

#define PCRS 24

static idv_rc put_text(struct idv_json *to, const char *name, const char *text)
{
    return idv_json_set(to, name, idv_json_new_text(idv_str(text)));
}

static idv_rc put_hex(struct idv_json *to, const char *name, const uint8_t *p,
                      size_t n)
{
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_hex_from_bytes(idv_bytes(p, n), &hex));
    return idv_json_set(to, name, idv_json_new_text(idv_view(&hex)));
}

static idv_rc put_pcrs(struct idv_json *to, uint32_t pcrs)
{
    struct idv_json *list = idv_json_new_array();
    for (int i = 0; i < PCRS; i++) {
        if (!(pcrs >> i & 1))
            continue;
        idv_rc rc = idv_json_append(list, idv_json_new_int(i));
        if (rc != IDV_OK) {
            idv_json_free(list);
            return rc;
        }
    }
    return idv_json_set(to, "pcr-selection", list);
}

idv_rc idvi_memo_to_json(const struct idv_anchor_memo *memo,
                         struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    if (!root)
        return idv_fail(IDV_E_NOMEM, "anchor.json");
    IDV_TRY(idv_json_set(root, "version", idv_json_new_int(1)));
    IDV_TRY(put_text(root, "profile", memo->profile));
    IDV_TRY(put_hex(root, "record", memo->record, sizeof(memo->record)));
    IDV_TRY(put_text(root, "cap", memo->cap));
    IDV_TRY(idv_json_set(root, "reset-count",
                         idv_json_new_int((int64_t)memo->reset_count)));
    IDV_TRY(put_pcrs(root, memo->pcrs));
    if (memo->pcrs)
        IDV_TRY(put_hex(root, "pcr-digest", memo->pcr_digest,
                        sizeof(memo->pcr_digest)));
    if (memo->registrar[0])
        IDV_TRY(put_text(root, "registrar", memo->registrar));
    return idv_json_dump(root, true, out);
}

static idv_rc get_text(const struct idv_json *from, const char *name, char *to,
                       size_t room)
{
    const char *text = idv_json_text(idv_json_get(from, name));
    if (!text)
        return idv_fail(IDV_E_FORMAT, "no %s", name);
    return idv_text_copy(to, room, idv_str(text), name);
}

static idv_rc get_hex(const struct idv_json *from, const char *name,
                      uint8_t *to, size_t n)
{
    IDV_AUTO(buf) raw = {0};
    const char *text = idv_json_text(idv_json_get(from, name));
    if (!text)
        return idv_fail(IDV_E_FORMAT, "no %s", name);
    IDV_TRY(idv_hex_to_bytes(idv_str(text), &raw));
    if (raw.n != n)
        return idv_fail(IDV_E_FORMAT, "%s of %zu bytes", name, raw.n);
    memcpy(to, raw.p, n);
    return IDV_OK;
}

static idv_rc get_number(const struct idv_json *v, const char *name,
                         int64_t max, int64_t *out)
{
    IDV_TRY(idv_json_int(v, name, out));
    if (*out < 0 || *out > max)
        return idv_fail(IDV_E_FORMAT, "%s: %lld", name, (long long)*out);
    return IDV_OK;
}

static idv_rc get_pcrs(const struct idv_json *list, uint32_t *pcrs)
{
    int64_t pcr;
    if (idv_json_type(list) != IDV_JSON_ARRAY || idv_json_count(list) > PCRS)
        return idv_fail(IDV_E_FORMAT, "no pcr-selection");
    for (size_t i = 0; i < idv_json_count(list); i++) {
        IDV_TRY(get_number(idv_json_at(list, i, NULL), "pcr-selection",
                           PCRS - 1, &pcr));
        *pcrs |= UINT32_C(1) << pcr;
    }
    return IDV_OK;
}

/* A place to go on at, and not always known. */
static idv_rc get_registrar(const struct idv_json *root,
                            struct idv_anchor_memo *m)
{
    return idv_json_get(root, "registrar")
               ? get_text(root, "registrar", m->registrar, sizeof(m->registrar))
               : IDV_OK;
}

static idv_rc read_all(const struct idv_json *root, struct idv_anchor_memo *m)
{
    int64_t number;
    struct idv_record record;
    IDV_TRY(get_number(idv_json_get(root, "version"), "version", 1, &number));
    IDV_TRY(get_text(root, "profile", m->profile, sizeof(m->profile)));
    IDV_TRY(get_hex(root, "record", m->record, sizeof(m->record)));
    IDV_TRY(get_text(root, "cap", m->cap, sizeof(m->cap)));
    IDV_TRY(get_number(idv_json_get(root, "reset-count"), "reset-count",
                       UINT32_MAX, &number));
    m->reset_count = (uint32_t)number;
    IDV_TRY(get_pcrs(idv_json_get(root, "pcr-selection"), &m->pcrs));
    if (m->pcrs)
        IDV_TRY(
            get_hex(root, "pcr-digest", m->pcr_digest, sizeof(m->pcr_digest)));
    IDV_TRY(get_registrar(root, m));
    IDV_TRY(idv_record_from_bytes(idv_bytes(m->record, sizeof(m->record)),
                                  &record));
    m->generation = record.generation;
    return IDV_OK;
}

idv_rc idvi_memo_from_json(struct idv_bytes json, struct idv_anchor_memo *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    struct idv_anchor_memo memo = {0};
    idv_rc rc = idv_json_parse(json, IDV_MAX_FILE, &root);
    if (rc == IDV_OK)
        rc = read_all(root, &memo);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", IDVI_FILE_MEMO);
    *out = memo;
    return IDV_OK;
}
