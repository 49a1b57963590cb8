/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a maker's keys signs a voucher. */
#include <openssl/asn1.h>

#include "idevid/masa/masa_call.h"

static idv_rc check(const struct idv_masa_maker *m,
                    const struct idv_masa_signer *s)
{
    if (!s->key || !s->cert)
        return idv_fail(IDV_E_ARG,
                        "masa: %s: a signer without key or certificate",
                        m->name);
    if (!idv_cert_has_key(s->cert, s->key))
        return idv_fail(IDV_E_ARG, "masa: %s: key and certificate differ",
                        m->name);
    if (!idvi_masa_can_sign(s->key))
        return idv_fail(IDV_E_ARG,
                        "masa: %s: a key of this type or size signs no "
                        "vouchers",
                        m->name);
    for (int i = 0; i < sk_X509_num(s->devices); i++) {
        X509 *ca = sk_X509_value(s->devices, i);
        if (!X509_get0_subject_key_id(ca))
            return idv_fail(IDV_E_ARG,
                            "masa: %s: no subject key identifier in %s",
                            m->name, idv_cert_subject(ca));
    }
    return IDV_OK;
}

idv_rc idvi_masa_check_signers(const struct idv_masa_maker *m)
{
    if (!m->n_signers)
        return idv_fail(IDV_E_ARG, "masa: %s: no signer", m->name);
    for (size_t i = 0; i < m->n_signers; i++)
        IDV_TRY(check(m, &m->signers[i]));
    return IDV_OK;
}

/* The device's issuer is one of those. */
static bool is_for(const struct idv_masa_signer *s,
                   const struct idv_masa_device *d)
{
    bool found = false;
    for (int i = 0; i < sk_X509_num(s->devices) && !found; i++) {
        const ASN1_OCTET_STRING *id =
            X509_get0_subject_key_id(sk_X509_value(s->devices, i));
        found = idv_bytes_eq(idv_bytes(ASN1_STRING_get0_data(id),
                                       (size_t)ASN1_STRING_length(id)),
                             idv_bytes(d->keyid, d->keyid_n));
    }
    return found;
}

/* How narrowly it is for such a voucher, 0: not. What kind of voucher it is
 * comes before which devices. */
static int fit(const struct idvi_masa_call *c, const struct idv_masa_signer *s)
{
    const enum idv_masa_use use =
        c->rvr.nonce[0] ? IDV_MASA_NONCED : IDV_MASA_NONCELESS;
    if (s->devices && !is_for(s, &c->device))
        return 0;
    if (s->use != IDV_MASA_ANY && s->use != use)
        return 0;
    return 1 + (s->use == use ? 2 : 0) + (s->devices ? 1 : 0);
}

static bool is_current(const struct idvi_masa_call *c,
                       const struct idv_masa_signer *s)
{
    int64_t from = 0, to = 0;
    if (s->from > c->now || (s->until && s->until <= c->now))
        return false;
    if (!idv_clock_trusted(c->masa->env))
        return true;
    return idv_cert_times(s->cert, &from, &to) == IDV_OK && from <= c->now &&
           to > c->now;
}

/* Where keys are made for such vouchers, no other takes their place when their
 * time is over. */
static int narrowest(const struct idvi_masa_call *c)
{
    int best = 0;
    for (size_t i = 0; i < c->maker->n_signers; i++) {
        int f = fit(c, &c->maker->signers[i]);
        if (f > best)
            best = f;
    }
    return best;
}

idv_rc idvi_masa_choose_signer(struct idvi_masa_call *c)
{
    const int best = narrowest(c);
    for (size_t i = 0; i < c->maker->n_signers && best; i++) {
        const struct idv_masa_signer *s = &c->maker->signers[i];
        if (fit(c, s) == best && is_current(c, s) &&
            (!c->signer || s->from > c->signer->from))
            c->signer = s;
    }
    idv_note_clear();
    if (!c->signer)
        return idvi_refuse(&c->no, 503, "no-signer",
                           "no key for such a voucher at present");
    return IDV_OK;
}
