/* SPDX-License-Identifier: Apache-2.0 */
/* The voucher value itself: its life, and its assertions as words. */
#include <string.h>

#include <idevid/voucher.h>

static const char *const assertions[] = {
    [IDV_ASSERT_VERIFIED] = "verified",
    [IDV_ASSERT_LOGGED] = "logged",
    [IDV_ASSERT_PROXIMITY] = "proximity",
    [IDV_ASSERT_AGENT_PROXIMITY] = "agent-proximity",
};
#define ASSERTIONS ((int)(sizeof(assertions) / sizeof(*assertions)))

const char *idv_assertion_to_text(enum idv_assertion a)
{
    return (int)a >= 0 && (int)a < ASSERTIONS ? assertions[a] : "";
}

idv_rc idv_assertion_from_text(const char *text, enum idv_assertion *out)
{
    for (int i = 0; text && i < ASSERTIONS; i++) {
        if (strcmp(assertions[i], text) == 0) {
            *out = (enum idv_assertion)i;
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_FORMAT, "assertion: unknown '%.32s'",
                    text ? text : "");
}

void idv_voucher_init(struct idv_voucher *v, enum idv_voucher_kind kind)
{
    memset(v, 0, sizeof(*v));
    v->kind = kind;
    v->assertion = IDV_ASSERT_NONE;
    v->created_on = v->expires_on = v->last_renewal_date = IDV_TIME_ABSENT;
    v->revocation_checks = -1;
}

void idv_voucher_free(struct idv_voucher *v)
{
    idv_buf_free(&v->idevid_issuer);
    idv_buf_free(&v->pinned_domain_cert);
    idv_buf_free(&v->pinned_domain_pubk);
    idv_buf_free(&v->pinned_domain_pubk_sha256);
    idv_buf_free(&v->proximity_registrar_cert);
    idv_buf_free(&v->proximity_registrar_pubk);
    idv_buf_free(&v->proximity_registrar_pubk_sha256);
    idv_buf_free(&v->prior_signed);
    idv_buf_free(&v->manufacturer_proprietary);
    idv_voucher_init(v, v->kind);
}

static idv_rc json_only(const char *media)
{
    enum idv_encoding encoding;
    IDV_TRY(idv_envelope_encoding(media, &encoding));
    if (encoding != IDV_ENC_JSON)
        return idv_fail(IDV_E_ARG, "voucher: encoding of '%.80s'", media);
    return IDV_OK;
}

idv_rc idv_voucher_from(const char *media, struct idv_bytes payload,
                        enum idv_voucher_kind kind, struct idv_voucher *out)
{
    IDV_TRY(json_only(media));
    return idv_voucher_from_json(payload, kind, out);
}

idv_rc idv_voucher_to(const char *media, const struct idv_voucher *v,
                      struct idv_buf *out)
{
    IDV_TRY(json_only(media));
    return idv_voucher_to_json(v, out);
}
