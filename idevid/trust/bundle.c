/* SPDX-License-Identifier: Apache-2.0 */
/* What enrollment leaves behind, as one file: all of it or nothing. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/json.h>
#include <idevid/text.h>

#include "trust/trust_priv.h"

/* {"version":1,"record":hex,"registrar":"...","key":uri,
 *  "ldevid":[base64...],"anchors":[base64...],"others":[base64...]} */

void idv_enrollment_free(struct idv_enrollment *e)
{
    idv_certs_free(e->ldevid);
    idv_certs_free(e->anchors);
    idv_certs_free(e->others);
    memset(e, 0, sizeof(*e));
}

static idv_rc put_text(struct idv_json *to, const char *name, const char *text)
{
    return idv_json_set(to, name, idv_json_new_text(idv_str(text)));
}

idv_rc idvi_bundle_to_json(const struct idv_enrollment *e,
                           const uint8_t record[static IDV_RECORD_SIZE],
                           struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idvi_json_begin(record, &root));
    IDV_TRY(put_text(root, "registrar", e->registrar));
    IDV_TRY(put_text(root, "key", e->key_uri));
    IDV_TRY(idvi_json_put_certs(root, "ldevid", e->ldevid));
    IDV_TRY(idvi_json_put_certs(root, "anchors", e->anchors));
    IDV_TRY(idvi_json_put_certs(root, "others", e->others));
    return idv_json_dump(root, true, out);
}

static idv_rc get_text(const struct idv_json *from, const char *name, char *to,
                       size_t room)
{
    const char *text = idv_json_text(idv_json_get(from, name));
    if (!text)
        return idv_fail(IDV_E_FORMAT, "enrollment: no %s", name);
    return idv_text_copy(to, room, idv_str(text), "enrollment");
}

static idv_rc read_all(const struct idv_json *root, struct idv_enrollment *e)
{
    IDV_TRY(get_text(root, "registrar", e->registrar, sizeof(e->registrar)));
    IDV_TRY(get_text(root, "key", e->key_uri, sizeof(e->key_uri)));
    IDV_TRY(idvi_json_certs(root, "enrollment", "ldevid", &e->ldevid));
    IDV_TRY(idvi_json_certs(root, "enrollment", "anchors", &e->anchors));
    return idvi_json_certs(root, "enrollment", "others", &e->others);
}

idv_rc idvi_bundle_from_json(struct idv_bytes json,
                             const uint8_t record[static IDV_RECORD_SIZE],
                             struct idv_enrollment *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    struct idv_enrollment e = {0};
    IDV_TRY(idv_json_parse(json, IDV_MAX_FILE, &root));
    IDV_TRY(idvi_json_check(root, "enrollment", record));
    idv_rc rc = read_all(root, &e);
    if (rc != IDV_OK) {
        idv_enrollment_free(&e);
        return rc;
    }
    *out = e;
    return IDV_OK;
}

idv_rc idvi_enrollment_check(const struct idv_enrollment *e, const X509 *pin,
                             const struct idvi_rollover *r)
{
    if (sk_X509_num(e->ldevid) < 1 || sk_X509_num(e->anchors) < 1)
        return idv_fail(IDV_E_ARG, "enrollment: without a certificate");
    if (!e->key_uri[0])
        return idv_fail(IDV_E_ARG, "enrollment: without a key");
    const struct idv_chain_policy policy = {
        .anchors = e->anchors,
        .extra = e->ldevid,
        .partial = true,
    };
    IDV_TRY(idv_chain_verify(sk_X509_value(e->ldevid, 0), &policy));
    return idvi_anchors_follow(e->anchors, e->others, pin, r);
}
