/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded proofs, taken apart for verifiers of other make. */
#include <idevid/auto.h>
#include <idevid/envelope.h>

#include "factory/export_int.h"

static idv_rc set_parts(const struct idv_factory_request *r, struct idv_json *o)
{
    uint8_t nonce[32];
    idv_factory_nonce(r->challenge, r->order, r->serial_number, nonce);
    IDV_TRY(idvi_member_hash(o, "challenge", r->challenge));
    IDV_TRY(idvi_member_hash(o, "nonce", nonce));
    IDV_TRY(idvi_member_base64(o, "tcg-csr", &r->tcg_csr));
    IDV_TRY(idvi_member_base64(o, "csr", &r->csr));
    IDV_TRY(idvi_member_base64(o, "ek-certificate", &r->ek_cert));
    return idvi_member_base64(o, "ek-public", &r->ek_public);
}

/* The signature was judged when it came; here it is only handed on. */
static idv_rc take_apart(struct idv_bytes cms, struct idv_json *o)
{
    __attribute__((cleanup(idv_auto_opened))) struct idv_opened in = {0};
    struct idv_factory_request r = {0};
    IDV_TRY(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, cms, &in));
    idv_rc rc = idv_factory_request_from_json(idv_view(&in.payload), &r);
    if (rc == IDV_OK)
        rc = set_parts(&r, o);
    idv_factory_request_free(&r);
    return rc;
}

static idv_rc set_request(const struct idv_factory_device *d,
                          struct idv_json *o)
{
    if (d->request.n == 0)
        return IDV_OK;
    IDV_TRY(idvi_member_base64(o, "request", &d->request));
    idv_rc rc = take_apart(idv_view(&d->request), o);
    return rc == IDV_OK ? rc
                        : idv_fail_within(IDV_E_FORMAT, "device '%s': request",
                                          d->serial_number);
}

static idv_rc attestation_line(const struct idvi_export *x,
                               const struct idv_factory_device *d,
                               struct idv_buf *line)
{
    if (!idvi_has_identity(d))
        return IDV_OK;
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_feed_members(x, d, o));
    IDV_TRY(idvi_member_base64(o, "iak-certificate", &d->iak_cert));
    IDV_TRY(idvi_member_text(o, "profile",
                             idv_factory_profile_to_text(d->profile)));
    IDV_TRY(set_request(d, o));
    return idvi_json_line(o, line);
}

idv_rc idv_export_attestations(const struct idv_factory_store *store,
                               const char *order, const struct idv_export *to)
{
    struct idvi_export x = {store, to, NULL, attestation_line};
    return idvi_export_devices(&x, "", order);
}
