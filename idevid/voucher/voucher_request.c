/* SPDX-License-Identifier: Apache-2.0 */
/* What a pledge asks for (RFC 8995 section 5.2). */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/voucher.h>

#define NONCE_BYTES 16

static idv_rc fresh_nonce(const struct idv_env *env, char *out, size_t max)
{
    uint8_t raw[NONCE_BYTES];
    IDV_AUTO(buf) text = {.max = max - 1};
    IDV_TRY(idv_random(env, raw, sizeof(raw)));
    IDV_TRY(idv_base64_from_bytes(idv_bytes(raw, sizeof(raw)), 0, &text));
    memcpy(out, text.p, text.n + 1);
    return IDV_OK;
}

static idv_rc fill(const X509 *idevid, const X509 *registrar,
                   const struct idv_env *env, struct idv_voucher *v)
{
    struct idv_devid devid;
    IDV_TRY(idv_devid_from_cert(idevid, &devid));
    memcpy(v->serial_number, devid.serial_number, sizeof(v->serial_number));
    v->assertion = IDV_ASSERT_PROXIMITY;
    IDV_TRY(fresh_nonce(env, v->nonce, sizeof(v->nonce)));
    if (idv_clock_trusted(env))
        v->created_on = idv_now(env);
    return idv_cert_to_der(registrar, &v->proximity_registrar_cert);
}

idv_rc idv_request_build(const X509 *idevid, const X509 *registrar,
                         const struct idv_env *env, struct idv_voucher *out)
{
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER_REQUEST);
    idv_voucher_init(out, IDV_VOUCHER_REQUEST);
    IDV_TRY(fill(idevid, registrar, env, &v));
    *out = v;
    idv_voucher_init(&v, IDV_VOUCHER_REQUEST);
    return IDV_OK;
}
