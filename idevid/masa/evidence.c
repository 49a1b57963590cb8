/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's own request inside a registrar's: what does it prove? */
#include <string.h>

#include "idevid/masa/masa_call.h"
#include "idevid/masa/people.h"

/* by the certificate that is registered for this very device */
static idv_rc verify_registered(struct idvi_masa_call *c,
                                const struct idv_opened *pvr)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(idv_cert_shared(idv_view(&c->device.cert), &cert));
    idv_rc rc = idv_envelope_verify_key(pvr, X509_get0_pubkey(cert));
    return idvi_judge(&c->no, rc, 403, "prior-signature",
                      "bad signature of the pledge");
}

/* by a certificate of the maker's that names this device (R-M-9, R-S-6) */
static idv_rc verify_issued(struct idvi_masa_call *c,
                            const struct idv_opened *pvr)
{
    struct idv_chain_policy policy = {.anchors = c->maker->idevid_anchors,
                                      .partial = true};
    struct idv_devid id;
    idv_rc rc = idv_envelope_verify(pvr, &policy);
    if (rc == IDV_OK && !pvr->signer)
        rc = idv_fail(IDV_E_REJECT, "pledge request: no signer inside");
    if (rc == IDV_OK)
        rc = idv_devid_from_cert(pvr->signer, &id);
    IDV_TRY(idvi_judge(&c->no, rc, 403, "prior-signature",
                       "bad signature of the pledge"));
    if (strcmp(id.serial_number, c->device.serial_number) != 0 ||
        !idv_idevid_issuer_matches(
            pvr->signer, idv_bytes(c->device.keyid, c->device.keyid_n)))
        return idvi_refuse(&c->no, 403, "prior-signer",
                           "pledge request of another device");
    return IDV_OK;
}

/* *proven false: nothing to verify it with, so it proves nothing */
static idv_rc verify(struct idvi_masa_call *c, const struct idv_opened *pvr,
                     bool *proven)
{
    *proven = true;
    if (c->device.cert.n)
        return verify_registered(c, pvr);
    if (c->maker->idevid_anchors)
        return verify_issued(c, pvr);
    *proven = false;
    return IDV_OK;
}

/* R-S-6, R-S-7: both requests speak of one device and one attempt. A nonceless
 * request may go with a nonced one inside, not the other way round. */
static idv_rc agree(struct idvi_masa_call *c, const struct idv_voucher *pvr)
{
    if (strcmp(pvr->serial_number, c->rvr.serial_number) != 0)
        return idvi_refuse(&c->no, 403, "prior-serial",
                           "serial numbers differ");
    if (c->rvr.nonce[0] && strcmp(pvr->nonce, c->rvr.nonce) != 0)
        return idvi_refuse(&c->no, 403, "prior-nonce", "nonces differ");
    return IDV_OK;
}

/* Did the pledge see a key that is in the registrar's chain? As a rule it is
 * the signer's own. */
static bool is_near(const struct idvi_masa_call *c,
                    const struct idv_voucher *pvr)
{
    if (pvr->assertion != IDV_ASSERT_PROXIMITY)
        return false;
    bool near = idv_request_saw(pvr, c->opened.signer, true);
    for (int i = 0; i < sk_X509_num(c->chain) && !near; i++)
        near = idv_request_saw(pvr, sk_X509_value(c->chain, i), true);
    return near;
}

/* What the device's TPM has, from its own mouth only. */
static idv_rc take_statement(struct idvi_masa_call *c,
                             const struct idv_voucher *pvr)
{
    if (!c->maker->approval_key)
        return IDV_OK;
    idv_rc rc = idv_approval_request_from_json(
        idv_view(&pvr->manufacturer_proprietary), &c->approve, &c->approval);
    return idvi_judge(&c->no, rc, 403, "approval-request",
                      "malformed request for an approval");
}

static idv_rc judge_prior(struct idvi_masa_call *c, struct idv_opened *pvr)
{
    IDV_AUTO(voucher) said;
    bool proven = false;
    struct idv_bytes bytes = idv_view(&c->rvr.prior_signed);
    const char *media = idv_envelope_guess(bytes);
    idv_voucher_init(&said, IDV_VOUCHER_REQUEST);
    if (!media)
        return idvi_refuse(&c->no, 403, "prior-container",
                           "malformed pledge request");
    idv_rc rc = idv_envelope_open(media, bytes, pvr);
    IDV_TRY(idvi_judge(&c->no, rc, 403, "prior-container",
                       "malformed pledge request"));
    IDV_TRY(verify(c, pvr, &proven));
    rc = idv_voucher_from(media, idv_view(&pvr->payload), IDV_VOUCHER_REQUEST,
                          &said);
    IDV_TRY(idvi_judge(&c->no, rc, 403, "prior-content",
                       "malformed pledge request"));
    IDV_TRY(agree(c, &said));
    c->near = proven && is_near(c, &said);
    return proven ? take_statement(c, &said) : IDV_OK;
}

/* by its key: is this certificate the domain's? */
static bool is_domain(X509 *cert, const char *domain_id)
{
    IDV_AUTO(buf) id = {0};
    bool is = idv_domain_id_proven(cert, &id) == IDV_OK &&
              strcmp((const char *)id.p, domain_id) == 0;
    idv_note_clear();
    return is;
}

/* What is pinned is the owner's own certificate or below it: never more than
 * was claimed. */
bool idvi_masa_is_owner(const struct idvi_masa_call *c)
{
    bool pinned = false, is = false;
    for (int i = 0; i < sk_X509_num(c->chain) && !is; i++) {
        X509 *at = sk_X509_value(c->chain, i);
        pinned = pinned || at == c->pin;
        is = pinned && is_domain(at, c->device.owner);
    }
    return is;
}

/* What it takes to have a voucher for such a device (R-M-35). */
static idv_rc demand(struct idvi_masa_call *c)
{
    if (c->policy.claim && !c->device.owner[0])
        return idvi_refuse(&c->no, 403, "unclaimed",
                           "device has to be claimed by its owner");
    if (c->policy.proximity && !c->near)
        return idvi_refuse(&c->no, 403, "no-proximity",
                           "no proof of proximity to the pledge");
    return IDV_OK;
}

static enum idv_assertion assertion(const struct idvi_masa_call *c)
{
    if (c->device.owner[0])
        return IDV_ASSERT_VERIFIED;
    return c->near ? IDV_ASSERT_PROXIMITY : IDV_ASSERT_LOGGED;
}

/* A TPM only counts up: one that is below what it was, or a request of before,
 * is for people to look into. */
static idv_rc check_generation(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    uint64_t highest = 0;
    if (!c->approve)
        return IDV_OK;
    IDV_TRY(store->generation_highest(store->self, c->device.id, &highest));
    if (c->approval.generation < highest)
        idv_log(c->masa->env, IDV_LOG_WARN, "generation-back",
                "device=%s generation=%llu highest=%llu domain=%s",
                idv_log_value(c->device.serial_number),
                (unsigned long long)c->approval.generation,
                (unsigned long long)highest, c->domain_id);
    return IDV_OK;
}

idv_rc idvi_masa_evidence(struct idvi_masa_call *c)
{
    if (c->rvr.prior_signed.n) {
        IDV_AUTO(opened) pvr = {0};
        IDV_TRY(judge_prior(c, &pvr));
    }
    if (c->device.owner[0] && !idvi_masa_is_owner(c))
        return idvi_refuse(&c->no, 403, "other-owner",
                           "device belongs to another domain");
    IDV_TRY(demand(c));
    c->assertion = assertion(c);
    return check_generation(c);
}
