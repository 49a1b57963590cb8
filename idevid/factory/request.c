/* SPDX-License-Identifier: Apache-2.0 */
/* A request as JSON, and as the CMS that the station signs. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/envelope.h>
#include <idevid/factory.h>

#include "factory/fields.h"
#include "factory/request.h"

#define WHAT "request"
#define TEXT(member, name, needed)                                             \
    {                                                                          \
        name, IDVI_FIELD_TEXT, offsetof(struct idv_factory_request, member),   \
            sizeof(((struct idv_factory_request *)0)->member) - 1, needed      \
    }
#define FIXED(member, name, needed)                                            \
    {                                                                          \
        name, IDVI_FIELD_FIXED, offsetof(struct idv_factory_request, member),  \
            sizeof(((struct idv_factory_request *)0)->member), needed          \
    }
#define BYTES(member, name, max)                                               \
    {                                                                          \
        name, IDVI_FIELD_BYTES, offsetof(struct idv_factory_request, member),  \
            max, false                                                         \
    }

#define MAX_PUBLIC 1024 /* TPMT_PUBLIC: RSA-4096 has 620 bytes at most */

static const struct idvi_field fields[] = {
    TEXT(order, "order", true),
    TEXT(serial_number, "serial-number", true),
    TEXT(station, "station", true),
    TEXT(operator_, "operator", false),
    TEXT(hw_serial, "hw-serial", false),
    TEXT(device, "device", false),
    FIXED(challenge, "challenge", true),
    FIXED(device_id, "device-id", false),
    FIXED(rework, "rework", false),
    BYTES(tcg_csr, "tcg-csr", IDV_MAX_TCG_CSR),
    BYTES(csr, "csr", IDV_MAX_CERT),
    BYTES(ek_cert, "ek-cert", IDV_MAX_CERT),
    BYTES(ek_public, "ek-public", MAX_PUBLIC),
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

void idv_factory_request_free(struct idv_factory_request *r)
{
    idv_buf_free(&r->tcg_csr);
    idv_buf_free(&r->csr);
    idv_buf_free(&r->ek_cert);
    idv_buf_free(&r->ek_public);
    memset(r, 0, sizeof(*r));
}

/* --- JSON ----------------------------------------------------------------- */

static idv_rc put_head(const struct idv_factory_request *r,
                       struct idv_json *object)
{
    char time[IDV_TIME_TEXT];
    const char *profile = idv_factory_profile_to_text(r->profile);
    const char *type = idv_key_type_to_text(r->type);
    IDV_TRY(idv_time_to_text(r->created_on, time));
    IDV_TRY(
        idv_json_set(object, "profile", idv_json_new_text(idv_str(profile))));
    IDV_TRY(idv_json_set(object, "type", idv_json_new_text(idv_str(type))));
    return idv_json_set(object, "created-on", idv_json_new_text(idv_str(time)));
}

idv_rc idv_factory_request_to_json(const struct idv_factory_request *r,
                                   struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_head(r, o));
    IDV_TRY(idvi_fields_put(fields, FIELDS, r, WHAT, o));
    return idv_json_dump(o, false, out);
}

static idv_rc malformed(idv_rc rc, const char *name)
{
    if (rc == IDV_OK || rc == IDV_E_NOMEM)
        return rc;
    return idv_fail_within(IDV_E_FORMAT, WHAT ": %s", name);
}

static idv_rc get_head(const struct idv_json *o, struct idv_factory_request *r)
{
    const char *profile = idv_json_text(idv_json_get(o, "profile"));
    const char *type = idv_json_text(idv_json_get(o, "type"));
    const char *time = idv_json_text(idv_json_get(o, "created-on"));
    IDV_TRY(malformed(idv_factory_profile_from_text(profile, &r->profile),
                      "profile"));
    IDV_TRY(
        malformed(idv_key_type_from_text(type ? type : "", &r->type), "type"));
    return malformed(idv_time_from_text(idv_str(time), &r->created_on),
                     "created-on");
}

static idv_rc read_all(struct idv_bytes json, struct idv_factory_request *r)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_TRY(idvi_object_parse(json, WHAT, &o));
    IDV_TRY(get_head(o, r));
    return idvi_fields_get(fields, FIELDS, o, WHAT, r);
}

idv_rc idv_factory_request_from_json(struct idv_bytes json,
                                     struct idv_factory_request *out)
{
    struct idv_factory_request r = {0};
    idv_rc rc = read_all(json, &r);
    if (rc == IDV_OK)
        *out = r;
    else
        idv_factory_request_free(&r);
    return rc;
}

/* --- CMS ------------------------------------------------------------------ */

idv_rc idv_factory_request_seal(const struct idv_factory_request *r,
                                EVP_PKEY *key, X509 *cert,
                                const STACK_OF(X509) * chain,
                                struct idv_buf *out)
{
    IDV_AUTO(buf) json = {.max = IDV_MAX_BODY};
    const struct idv_signer signer = {
        .key = key,
        .cert = cert,
        .chain = chain,
        .signing_time = r->created_on,
        .id_data = true,
    };
    IDV_TRY(idv_factory_request_to_json(r, &json));
    return idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_view(&json), &signer,
                             out);
}

static bool is_named(const X509 *cert, const char *name)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (i < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, i) >= 0)
        return false;
    const ASN1_STRING *cn =
        X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
    return idv_bytes_eq(
        idv_bytes(ASN1_STRING_get0_data(cn), (size_t)ASN1_STRING_length(cn)),
        idv_str(name));
}

static idv_rc judge_signer(const struct idv_opened *o,
                           const STACK_OF(X509) * anchors, bool check_time,
                           int64_t now)
{
    const struct idv_chain_policy policy = {
        .anchors = anchors,
        .partial = true, /* one station's own certificate will do */
        .check_time = check_time,
        .now = now,
    };
    if (!o->signer)
        return idv_fail(IDV_E_REJECT,
                        WHAT ": the station's certificate is not in it");
    idv_rc rc = idv_envelope_verify(o, &policy);
    return rc == IDV_OK ? rc : idv_fail_within(rc, WHAT);
}

idv_rc idv_factory_request_open(struct idv_bytes cms,
                                const STACK_OF(X509) * anchors, bool check_time,
                                int64_t now, struct idv_factory_request *out,
                                X509 **signer)
{
    IDV_AUTO(opened) o = {0};
    struct idv_factory_request r = {0};
    idv_rc rc = idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, cms, &o);
    if (rc != IDV_OK)
        return idv_fail_within(rc, WHAT);
    IDV_TRY(judge_signer(&o, anchors, check_time, now));
    IDV_TRY(idv_factory_request_from_json(idv_view(&o.payload), &r));
    if (!is_named(o.signer, r.station)) {
        rc = idv_fail(IDV_E_REJECT, WHAT ": says station '%s', signed by '%s'",
                      r.station, idv_cert_subject(o.signer));
        idv_factory_request_free(&r);
        return rc;
    }
    if (signer) {
        X509_up_ref(o.signer);
        *signer = o.signer;
    }
    *out = r;
    return IDV_OK;
}

void idvi_request_rework(struct idv_bytes cms, uint8_t out[IDV_FACTORY_REWORK])
{
    IDV_AUTO(opened) o = {0};
    struct idv_factory_request r = {0};
    const bool older = *idv_note();
    memset(out, 0, IDV_FACTORY_REWORK);
    if (cms.n && idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, cms, &o) == IDV_OK &&
        idv_factory_request_from_json(idv_view(&o.payload), &r) == IDV_OK)
        memcpy(out, r.rework, IDV_FACTORY_REWORK);
    idv_factory_request_free(&r);
    if (!older)
        idv_note_clear();
}
