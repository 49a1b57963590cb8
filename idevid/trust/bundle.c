/* SPDX-License-Identifier: Apache-2.0 */
/* What enrollment leaves behind, as one file: all of it or nothing. */
#include <string.h>

#include <openssl/sha.h>

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

#define MAX_CERTS 64

static idv_rc record_id(const uint8_t record[static IDV_RECORD_SIZE],
                        struct idv_buf *hex)
{
    uint8_t hash[32];
    SHA256(record, IDV_RECORD_SIZE, hash);
    return idv_hex_from_bytes(idv_bytes(hash, sizeof(hash)), hex);
}

static idv_rc put_certs(struct idv_json *to, const char *name,
                        const STACK_OF(X509) * certs)
{
    struct idv_json *list = idv_json_new_array();
    for (int i = 0; i < sk_X509_num(certs); i++) {
        IDV_AUTO(buf) der = {0};
        idv_rc rc = idv_cert_to_der(sk_X509_value(certs, i), &der);
        if (rc == IDV_OK)
            rc = idv_json_append(list, idv_json_new_base64(idv_view(&der)));
        if (rc != IDV_OK) {
            idv_json_free(list);
            return rc;
        }
    }
    return idv_json_set(to, name, list);
}

static idv_rc put_text(struct idv_json *to, const char *name, const char *text)
{
    return idv_json_set(to, name, idv_json_new_text(idv_str(text)));
}

idv_rc idvi_bundle_to_json(const struct idv_enrollment *e,
                           const uint8_t record[static IDV_RECORD_SIZE],
                           struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    IDV_AUTO(buf) id = {0};
    if (!root)
        return idv_fail(IDV_E_NOMEM, "enrollment");
    IDV_TRY(record_id(record, &id));
    IDV_TRY(idv_json_set(root, "version", idv_json_new_int(1)));
    IDV_TRY(put_text(root, "record", (const char *)id.p));
    IDV_TRY(put_text(root, "registrar", e->registrar));
    IDV_TRY(put_text(root, "key", e->key_uri));
    IDV_TRY(put_certs(root, "ldevid", e->ldevid));
    IDV_TRY(put_certs(root, "anchors", e->anchors));
    IDV_TRY(put_certs(root, "others", e->others));
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

static idv_rc get_cert(const struct idv_json *v, STACK_OF(X509) * to)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO_PTR(X509) cert = NULL;
    const char *text = idv_json_text(v);
    if (!text)
        return idv_fail(IDV_E_FORMAT, "enrollment: a certificate that is no "
                                      "text");
    IDV_TRY(idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, &der));
    IDV_TRY(idv_cert_from_der(idv_view(&der), &cert));
    if (!sk_X509_push(to, cert))
        return idv_fail(IDV_E_NOMEM, "enrollment");
    idv_steal(&cert);
    return IDV_OK;
}

static idv_rc get_certs(const struct idv_json *from, const char *name,
                        STACK_OF(X509) * *out)
{
    const struct idv_json *list = idv_json_get(from, name);
    size_t n = idv_json_count(list);
    IDV_AUTO_PTR(idv_certs) certs = sk_X509_new_null();
    if (!certs)
        return idv_fail(IDV_E_NOMEM, "enrollment");
    if (n > MAX_CERTS)
        return idv_fail(IDV_E_LIMIT, "enrollment: %zu certificates in %s", n,
                        name);
    for (size_t i = 0; i < n; i++)
        IDV_TRY(get_cert(idv_json_at(list, i, NULL), certs));
    *out = idv_steal(&certs);
    return IDV_OK;
}

static idv_rc check_head(const struct idv_json *root,
                         const uint8_t record[static IDV_RECORD_SIZE])
{
    IDV_AUTO(buf) id = {0};
    int64_t version;
    const char *of = idv_json_text(idv_json_get(root, "record"));
    IDV_TRY(idv_json_int(idv_json_get(root, "version"), "enrollment: version",
                         &version));
    if (version != 1)
        return idv_fail(IDV_E_FORMAT, "enrollment: unknown version");
    IDV_TRY(record_id(record, &id));
    if (!of || !idv_text_eq(idv_view(&id), of))
        return idv_fail(IDV_E_REJECT, "enrollment: of another imprint");
    return IDV_OK;
}

static idv_rc read_all(const struct idv_json *root, struct idv_enrollment *e)
{
    IDV_TRY(get_text(root, "registrar", e->registrar, sizeof(e->registrar)));
    IDV_TRY(get_text(root, "key", e->key_uri, sizeof(e->key_uri)));
    IDV_TRY(get_certs(root, "ldevid", &e->ldevid));
    IDV_TRY(get_certs(root, "anchors", &e->anchors));
    return get_certs(root, "others", &e->others);
}

idv_rc idvi_bundle_from_json(struct idv_bytes json,
                             const uint8_t record[static IDV_RECORD_SIZE],
                             struct idv_enrollment *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    struct idv_enrollment e = {0};
    IDV_TRY(idv_json_parse(json, IDV_MAX_FILE, &root));
    IDV_TRY(check_head(root, record));
    idv_rc rc = read_all(root, &e);
    if (rc != IDV_OK) {
        idv_enrollment_free(&e);
        return rc;
    }
    *out = e;
    return IDV_OK;
}

idv_rc idvi_enrollment_check(const struct idv_enrollment *e, const X509 *pin)
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
    return idv_trust_anchors_follow(e->anchors, e->others, pin);
}
