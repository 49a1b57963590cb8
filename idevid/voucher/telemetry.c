/* SPDX-License-Identifier: Apache-2.0 */
/* Status reports of a pledge (RFC 8995 section 5.7), written and read. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/json.h>
#include <idevid/voucher.h>

#include "voucher/json_number.h"

static idv_rc put_context(struct idv_json *root, const struct idv_telemetry *t)
{
    if (!t->detail[0] && !t->evidence.n)
        return IDV_OK;
    if (t->evidence.n > IDV_MAX_REPORTED)
        return idv_fail(IDV_E_LIMIT, "status report: evidence of %zu bytes",
                        t->evidence.n);
    IDV_AUTO_PTR(idv_json) context = idv_json_new_object();
    if (!context)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (t->detail[0])
        IDV_TRY(idv_json_set(context, "detail",
                             idv_json_new_text(idv_str(t->detail))));
    if (t->evidence.n)
        IDV_TRY(idv_json_set(context, IDV_MEMBER_EVIDENCE,
                             idv_json_new_base64(t->evidence)));
    return idv_json_set(root, "reason-context", idv_steal(&context));
}

idv_rc idv_telemetry_to_json(const struct idv_telemetry *t, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    if (!root)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(root, "version", idv_json_new_int(t->version)));
    IDV_TRY(idv_json_set(root, "status", idv_json_new_bool(t->status)));
    if (t->reason[0])
        IDV_TRY(idv_json_set(root, "reason",
                             idv_json_new_text(idv_str(t->reason))));
    IDV_TRY(put_context(root, t));
    return idv_json_dump(root, false, out);
}

/* at most max - 1 bytes, whole UTF-8 characters */
static void cut(const char *text, char *out, size_t max)
{
    size_t n = strlen(text);
    if (n > max - 1) {
        n = max - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(out, text, n);
    out[n] = 0;
}

static idv_rc get_text(const struct idv_json *root, const char *name, char *out,
                       size_t max)
{
    const struct idv_json *value = idv_json_get(root, name);
    if (!value)
        return IDV_OK;
    const char *text = idv_json_text(value);
    if (!text)
        return idv_fail(IDV_E_FORMAT, "status report: %s is not a string",
                        name);
    cut(text, out, max);
    return IDV_OK;
}

/* reason-context is free-form: of its members a text "detail" is kept */
static idv_rc get_context(const struct idv_json *root,
                          struct idv_telemetry *out)
{
    const struct idv_json *context = idv_json_get(root, "reason-context");
    if (!context)
        return IDV_OK;
    if (idv_json_type(context) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT,
                        "status report: reason-context is not an object");
    const char *detail = idv_json_text(idv_json_get(context, "detail"));
    if (detail)
        cut(detail, out->detail, sizeof(out->detail));
    return IDV_OK;
}

idv_rc idv_telemetry_from_json(struct idv_bytes json, struct idv_telemetry *out)
{
    struct idv_telemetry t = {0};
    IDV_AUTO_PTR(idv_json) root = NULL;
    memset(out, 0, sizeof(*out));
    IDV_TRY(idv_json_parse(json, 0, &root));
    const struct idv_json *version = idv_json_get(root, "version");
    const struct idv_json *status = idv_json_get(root, "status");
    if (!version || !status)
        return idv_fail(IDV_E_FORMAT, "status report: no version or status");
    IDV_TRY(idvi_json_uint(version, "version", INT32_MAX, &t.version));
    IDV_TRY(idv_json_bool(status, "status", &t.status));
    IDV_TRY(get_text(root, "reason", t.reason, sizeof(t.reason)));
    IDV_TRY(get_context(root, &t));
    *out = t;
    return IDV_OK;
}

idv_rc idv_telemetry_evidence(struct idv_bytes json, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_AUTO(buf) der = {.max = IDV_MAX_REPORTED};
    IDV_TRY(idv_json_parse(json, 0, &root));
    const struct idv_json *value =
        idv_json_get(idv_json_get(root, "reason-context"), IDV_MEMBER_EVIDENCE);
    if (!value)
        return IDV_OK;
    const char *text = idv_json_text(value);
    if (!text)
        return idv_fail(IDV_E_FORMAT, "status report: %s is not a string",
                        IDV_MEMBER_EVIDENCE);
    idv_rc rc = idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, &der);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "status report: %s", IDV_MEMBER_EVIDENCE);
    idv_buf_move(out, &der);
    return IDV_OK;
}

/* --- the answer to a voucher_status --------------------------------------- */

#define ANSWER_MEMBER "evidence"
#define ANSWER_REQUESTED "requested"

idv_rc idv_status_answer_to_json(const struct idv_status_answer *a,
                                 struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    if (!root)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (a->evidence)
        IDV_TRY(idv_json_set(root, ANSWER_MEMBER,
                             idv_json_new_text(idv_str(ANSWER_REQUESTED))));
    return idv_json_dump(root, false, out);
}

idv_rc idv_status_answer_from_json(struct idv_bytes json,
                                   struct idv_status_answer *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idv_json_parse(json, IDV_MAX_STATUS_ANSWER, &root));
    if (idv_json_type(root) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "answer: not an object");
    const char *text = idv_json_text(idv_json_get(root, ANSWER_MEMBER));
    out->evidence = text && strcmp(text, ANSWER_REQUESTED) == 0;
    return IDV_OK;
}
