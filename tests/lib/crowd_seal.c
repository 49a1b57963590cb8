/* SPDX-License-Identifier: Apache-2.0 */
/* Voucher-requests of a device, and of the registrar that it found. */
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/x509.h>

#include "tests/lib/crowd.h"

static void seal(const struct crowd *c, const struct idv_voucher *v,
                 const struct crowd_device *d, struct idv_buf *sealed)
{
    IDV_AUTO(buf) json = {0};
    STACK_OF(X509) *chain = sk_X509_new_null();
    if (!chain || !sk_X509_push(chain, d->ca ? d->ca : c->maker_ca))
        crowd_die("chain");
    const struct idv_signer signer = {.key = d->key,
                                      .cert = d->cert,
                                      .chain = chain,
                                      .signing_time = idv_now(&c->sys.env)};
    crowd_must(idv_voucher_to_json(v, &json), "request");
    crowd_must(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_view(&json),
                                 &signer, sealed),
               "request");
    sk_X509_free(chain);
}

static void build(const struct crowd *c, const struct crowd_device *d,
                  const X509 *registrar, struct idv_voucher *v)
{
    if (!registrar)
        crowd_die("registrar's certificate");
    crowd_must(idv_request_build(d->cert, registrar, &c->sys.env, v),
               "request");
}

void crowd_pvr(const struct crowd *c, const struct crowd_device *d,
               const X509 *registrar, struct idv_buf *sealed)
{
    IDV_AUTO(voucher) v;
    build(c, d, registrar, &v);
    seal(c, &v, d, sealed);
}

void crowd_rvr(const struct crowd *c, const struct crowd_device *d,
               struct idv_buf *sealed)
{
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER_REQUEST);
    build(c, d, c->registrar.cert, &pvr);
    seal(c, &pvr, d, &v.prior_signed);
    v.assertion = pvr.assertion;
    v.created_on = pvr.created_on;
    snprintf(v.serial_number, sizeof(v.serial_number), "%s", pvr.serial_number);
    snprintf(v.nonce, sizeof(v.nonce), "%s", pvr.nonce);
    crowd_must(idv_idevid_issuer(d->cert, false, &v.idevid_issuer), "issuer");
    seal(c, &v, &c->registrar, sealed);
}
