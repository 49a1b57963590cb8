/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of certificates beside the record have in common. */
#include <openssl/sha.h>

#include <idevid/auto.h>
#include <idevid/json.h>
#include <idevid/text.h>

#include "trust/trust_priv.h"

#define MAX_CERTS 64

static idv_rc record_id(const uint8_t record[static IDV_RECORD_SIZE],
                        struct idv_buf *hex)
{
    uint8_t hash[32];
    SHA256(record, IDV_RECORD_SIZE, hash);
    return idv_hex_from_bytes(idv_bytes(hash, sizeof(hash)), hex);
}

idv_rc idvi_json_begin(const uint8_t record[static IDV_RECORD_SIZE],
                       struct idv_json **out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    IDV_AUTO(buf) id = {0};
    if (!root)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(record_id(record, &id));
    IDV_TRY(idv_json_set(root, "version", idv_json_new_int(1)));
    IDV_TRY(idv_json_set(root, "record",
                         idv_json_new_text(idv_str((const char *)id.p))));
    *out = idv_steal(&root);
    return IDV_OK;
}

idv_rc idvi_json_put_certs(struct idv_json *to, const char *name,
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

static idv_rc get_cert(const struct idv_json *v, const char *what,
                       STACK_OF(X509) * to)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO_PTR(X509) cert = NULL;
    const char *text = idv_json_text(v);
    if (!text)
        return idv_fail(IDV_E_FORMAT, "%s: a certificate that is no text",
                        what);
    IDV_TRY(idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, &der));
    IDV_TRY(idv_cert_from_der(idv_view(&der), &cert));
    if (!sk_X509_push(to, cert))
        return idv_fail(IDV_E_NOMEM, "%s", what);
    idv_steal(&cert);
    return IDV_OK;
}

idv_rc idvi_json_certs(const struct idv_json *from, const char *what,
                       const char *name, STACK_OF(X509) * *out)
{
    const struct idv_json *list = idv_json_get(from, name);
    size_t n = idv_json_count(list);
    IDV_AUTO_PTR(idv_certs) certs = sk_X509_new_null();
    if (!certs)
        return idv_fail(IDV_E_NOMEM, "%s", what);
    if (n > MAX_CERTS)
        return idv_fail(IDV_E_LIMIT, "%s: %zu certificates in %s", what, n,
                        name);
    for (size_t i = 0; i < n; i++)
        IDV_TRY(get_cert(idv_json_at(list, i, NULL), what, certs));
    *out = idv_steal(&certs);
    return IDV_OK;
}

idv_rc idvi_json_check(const struct idv_json *root, const char *what,
                       const uint8_t record[static IDV_RECORD_SIZE])
{
    IDV_AUTO(buf) id = {0};
    int64_t version;
    const char *of = idv_json_text(idv_json_get(root, "record"));
    IDV_TRY(idv_json_int(idv_json_get(root, "version"), "version", &version));
    if (version != 1)
        return idv_fail(IDV_E_FORMAT, "%s: unknown version", what);
    IDV_TRY(record_id(record, &id));
    if (!of || !idv_text_eq(idv_view(&id), of))
        return idv_fail(IDV_E_REJECT, "%s: of another imprint", what);
    return IDV_OK;
}
