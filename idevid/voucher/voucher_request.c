/* SPDX-License-Identifier: Apache-2.0 */
/* What a pledge asks for (RFC 8995 section 5.2). */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/voucher.h>

#include "voucher/pin.h"

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

/* --- whom it saw ---------------------------------------------------------- */

static bool is_cert(struct idv_bytes der, const X509 *cert, bool by_key)
{
    IDV_AUTO_PTR(X509) seen = NULL;
    IDV_AUTO(buf) own = {.max = IDV_MAX_CERT};
    if (idv_cert_to_der(cert, &own) == IDV_OK &&
        idv_bytes_eq(idv_view(&own), der))
        return true; /* as a rule, which saves parsing it */
    return by_key && idv_cert_from_der(der, &seen) == IDV_OK &&
           idv_cert_same_key(seen, cert);
}

static bool is_key(struct idv_bytes spki, const X509 *cert)
{
    uint8_t *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool same = n > 0 && idv_bytes_eq(idv_bytes(der, (size_t)n), spki);
    OPENSSL_free(der);
    return same;
}

static bool is_hash(struct idv_bytes sha256, const X509 *cert)
{
    uint8_t own[32];
    return idvi_cert_key_sha256(cert, own) == IDV_OK &&
           idv_bytes_eq(idv_bytes(own, sizeof(own)), sha256);
}

bool idv_request_saw_any(const struct idv_voucher *r)
{
    return r->proximity_registrar_cert.n || r->proximity_registrar_pubk.n ||
           r->proximity_registrar_pubk_sha256.n;
}

bool idv_request_saw(const struct idv_voucher *r, const X509 *cert, bool by_key)
{
    const struct idv_bytes seen = idv_view(&r->proximity_registrar_cert),
                           key = idv_view(&r->proximity_registrar_pubk),
                           hash = idv_view(&r->proximity_registrar_pubk_sha256);
    bool saw =
        idv_request_saw_any(r) && (!seen.n || is_cert(seen, cert, by_key)) &&
        (!key.n || is_key(key, cert)) && (!hash.n || is_hash(hash, cert));
    idv_note_clear();
    return saw;
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
