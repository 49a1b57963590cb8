/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a voucher (RFC 8995 section 5.6), and what it pins. */
#include "idevid/masa/masa_call.h"

static const char *const forms[] = {"cms", "jws"};
#define FORMS (sizeof(forms) / sizeof(*forms))

static idv_rc unacceptable(struct idvi_masa_call *c)
{
    return idvi_refuse(&c->no, 406, "accept", "not acceptable");
}

idv_rc idvi_masa_check_accept(struct idvi_masa_call *c)
{
    if (c->draft)
        return idv_accepts(c->call->req.accept, IDVI_MASA_TOKEN)
                   ? IDV_OK
                   : unacceptable(c);
    for (size_t i = 0; i < FORMS; i++) {
        if (idv_accepts(c->call->req.accept, idv_envelope_media(forms[i])))
            return IDV_OK;
    }
    return unacceptable(c);
}

/* of all such devices, whatever is asked */
static const char *settled(const struct idvi_masa_call *c)
{
    return c->policy.form ? idv_envelope_media(forms[c->policy.form - 1])
                          : NULL;
}

static bool can_be(const struct idvi_masa_call *c, const char *media)
{
    const char *one = settled(c);
    return media && (!one || media == one) &&
           (c->draft || idv_accepts(c->call->req.accept, media)) &&
           idv_envelope_can_seal(media, c->signer->key);
}

/* The device's own, or else the registrar's, or else any that is accepted and
 * the key can sign. */
idv_rc idvi_masa_choose_media(struct idvi_masa_call *c)
{
    const char *known[2 + FORMS] = {
        idv_envelope_guess(idv_view(&c->rvr.prior_signed)), c->opened.media};
    for (size_t i = 0; i < FORMS; i++)
        known[2 + i] = idv_envelope_media(forms[i]);
    const size_t n = c->draft ? 2 : 2 + FORMS; /* a token as its request */
    for (size_t i = 0; i < n && !c->media; i++) {
        if (can_be(c, known[i]))
            c->media = known[i];
    }
    return c->media ? IDV_OK : unacceptable(c);
}

bool idvi_masa_can_sign(const EVP_PKEY *key)
{
    bool can = false;
    for (size_t i = 0; i < FORMS && !can; i++)
        can = idv_envelope_can_seal(idv_envelope_media(forms[i]), key);
    return can;
}

static X509 *last(const struct idvi_masa_call *c, int at)
{
    const int n = sk_X509_num(c->chain);
    return sk_X509_value(c->chain, at < n ? at : n - 1);
}

X509 *idvi_masa_pin_of(const struct idvi_masa_call *c)
{
    switch (c->policy.pin) {
    case IDV_PIN_REGISTRAR:
    case IDV_PIN_REGISTRAR_KEY:
        return c->opened.signer;
    case IDV_PIN_ISSUER:
        return last(c, 1);
    default:
        return last(c, IDV_MAX_CHAIN);
    }
}

idv_rc idvi_masa_put_key(const X509 *cert, struct idv_buf *out)
{
    uint8_t *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (n <= 0)
        return idv_fail(IDV_E_CRYPTO, "public key");
    idv_rc rc = idv_buf_put(out, idv_bytes(der, (size_t)n));
    OPENSSL_free(der);
    return rc;
}

idv_rc idvi_masa_put_pin(struct idvi_masa_call *c, struct idv_voucher *v)
{
    return c->policy.pin == IDV_PIN_REGISTRAR_KEY
               ? idvi_masa_put_key(c->pin, &v->pinned_domain_pubk)
               : idv_cert_to_der(c->pin, &v->pinned_domain_cert);
}
