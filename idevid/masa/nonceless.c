/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers without nonce: for whom, how often again, until when. */
#include "idevid/masa/masa_call.h"

#define MINUTES 20
#define DAY_S (24 * 3600)

static int64_t renewal_s(const struct idvi_masa_call *c)
{
    return c->policy.renewal_days * DAY_S;
}

/* A domainID that is no hash of the key is anybody's to take. */
static idv_rc find_earlier(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    if (!c->policy.renewal_days || !idv_domain_id_is_proven(c->pin))
        return IDV_OK;
    return store->nonceless_since(store->self, c->device.id, c->domain_id,
                                  &c->nonceless_since);
}

/* R-M-21: who is named in the store is judged by that: a right that was taken
 * away is not renewed (RFC 8995 section 5.5.1). */
static bool may_renew(const struct idvi_masa_call *c)
{
    return !c->registrar_known && c->nonceless_since &&
           c->now <= c->nonceless_since + renewal_s(c);
}

/* Its owner needs no name in the store, but who has one is judged by that. */
static bool may_own(const struct idvi_masa_call *c)
{
    return c->policy.nonceless == IDV_NONCELESS_OWNER && !c->registrar_known &&
           idvi_masa_is_owner(c);
}

static bool is_entitled(const struct idvi_masa_call *c)
{
    return c->policy.nonceless != IDV_NONCELESS_NEVER &&
           (c->registrar.nonceless || may_renew(c) || may_own(c));
}

/* R-M-7: without a nonce the voucher is good for ever again, so only for
 * those we know. */
idv_rc idvi_masa_check_nonceless(struct idvi_masa_call *c)
{
    if (c->rvr.nonce[0])
        return IDV_OK;
    IDV_TRY(find_earlier(c));
    if (!is_entitled(c))
        return idvi_refuse(&c->no, 403, "nonceless",
                           "not entitled to a voucher without nonce");
    return IDV_OK;
}

static idv_rc cap(int64_t *t, const X509 *cert)
{
    int64_t from = 0, to = 0;
    IDV_TRY(idv_cert_times(cert, &from, &to));
    if (*t > to)
        *t = to;
    return IDV_OK;
}

/* The last day of renewals, where there are any to come. */
static void set_renewal(const struct idvi_masa_call *c, struct idv_voucher *v)
{
    const int64_t first = c->nonceless_since ? c->nonceless_since : c->now;
    if (renewal_s(c) && idv_domain_id_is_proven(c->pin) &&
        first + renewal_s(c) > c->now)
        v->last_renewal_date = first + renewal_s(c);
}

/* R-M-16, R-M-17: soon, and never beyond what is pinned, the registrar's
 * certificates, what is known of their revocation, and the signer's. */
idv_rc idvi_masa_set_expiry(struct idvi_masa_call *c, struct idv_voucher *v)
{
    const int64_t life = c->policy.nonceless_minutes;
    v->expires_on = c->now + (life ? life : MINUTES) * 60;
    for (int i = 0; i < sk_X509_num(c->chain); i++)
        IDV_TRY(cap(&v->expires_on, sk_X509_value(c->chain, i)));
    IDV_TRY(cap(&v->expires_on, c->signer->cert));
    if (c->good_until && v->expires_on > c->good_until)
        v->expires_on = c->good_until;
    if (v->expires_on <= c->now)
        return idvi_refuse(&c->no, 403, "pin-expired",
                           "domain certificate has expired");
    set_renewal(c, v);
    return IDV_OK;
}
