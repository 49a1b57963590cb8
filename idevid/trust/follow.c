/* SPDX-License-Identifier: Apache-2.0 */
/* Who belongs to the domain: its trust anchors, its servers. */
#include <string.h>

#include <idevid/auto.h>

#include "trust/trust_priv.h"

static bool leads_to(X509 *cert, const STACK_OF(X509) * anchors,
                     const STACK_OF(X509) * extra)
{
    const struct idv_chain_policy policy = {
        .anchors = anchors,
        .extra = extra,
        .partial = true,
    };
    bool good = idv_chain_verify(cert, &policy) == IDV_OK;
    idv_note_clear();
    return good;
}

/* one of them, or validates one of them */
static bool vouches(X509 *pin, const STACK_OF(X509) * anchors)
{
    IDV_AUTO_PTR(idv_certs) alone = sk_X509_new_null();
    if (!alone || !sk_X509_push(alone, pin))
        return false;
    X509_up_ref(pin);
    for (int i = 0; i < sk_X509_num(anchors); i++) {
        X509 *anchor = sk_X509_value(anchors, i);
        if (idv_cert_same_key(anchor, pin) || leads_to(anchor, alone, anchors))
            return true;
    }
    return false;
}

idv_rc idv_trust_anchors_follow(const STACK_OF(X509) * anchors,
                                const STACK_OF(X509) * others, const X509 *pin)
{
    if (!pin)
        return IDV_OK;
    IDV_AUTO_PTR(X509) cert = X509_dup(pin);
    if (!cert)
        return idv_fail(IDV_E_NOMEM, "trust anchors");
    if (vouches(cert, anchors) || leads_to(cert, anchors, others))
        return IDV_OK;
    if (!idv_cert_is_ca(cert) && X509_self_signed(cert, 1) == 1)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "trust anchors: not of the pinned domain");
}

static idv_rc leads_home(const struct idv_trust *t,
                         const STACK_OF(X509) * chain)
{
    const bool check = idv_clock_trusted(t->env);
    const int64_t now = idv_now(t->env);
    const uint8_t *key = t->pin ? NULL : t->record.pin_sha256;
    idv_rc rc = idv_pin_verify(chain, t->pin, key, check, now);
    if (rc != IDV_E_REJECT || t->state != IDV_TRUST_ENROLLED)
        return rc;
    const struct idv_chain_policy policy = {
        .anchors = t->enrollment.anchors,
        .extra = chain,
        .partial = true,
        .check_time = check,
        .now = now,
    };
    idv_note_clear();
    return idv_chain_verify(sk_X509_value(chain, 0), &policy);
}

static bool has_pinned_key(const struct idv_trust *t, const X509 *leaf)
{
    uint8_t hash[32];
    if (t->pin)
        return idv_cert_same_key(leaf, t->pin);
    EVP_PKEY *key = X509_get0_pubkey(leaf);
    bool same = key && idv_key_fingerprint(key, hash) == IDV_OK &&
                memcmp(hash, t->record.pin_sha256, sizeof(hash)) == 0;
    idv_note_clear();
    return same;
}

idv_rc idv_trust_verify_server(void *trust, const STACK_OF(X509) * chain)
{
    const struct idv_trust *t = trust;
    if (t->state == IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "server: nothing is pinned");
    if (sk_X509_num(chain) < 1)
        return idv_fail(IDV_E_REJECT, "server: showed no certificate");
    IDV_TRY(leads_home(t, chain));
    const X509 *leaf = sk_X509_value(chain, 0);
    if (!idv_cert_has_eku(leaf, IDV_OID_CMC_RA) && !has_pinned_key(t, leaf))
        return idv_fail(IDV_E_REJECT,
                        "server: %s is no registration authority "
                        "(id-kp-cmcRA)",
                        idv_cert_subject(leaf));
    return IDV_OK;
}
