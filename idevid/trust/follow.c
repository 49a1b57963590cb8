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

/* Has the key of a CA of the domain, or a certificate that one of them signed:
 * what the pin answers for, whatever the files beside it say. */
static bool of_domain(X509 *anchor, const X509 *pin,
                      const struct idvi_rollover *r,
                      const STACK_OF(X509) * extra)
{
    IDV_AUTO_PTR(idv_certs) ours = idvi_rollover_all(r, pin);
    return idvi_rollover_knows(r, pin, anchor) ||
           (ours && leads_to(anchor, ours, extra));
}

static bool one_of_domain(const STACK_OF(X509) * anchors, const X509 *pin,
                          const struct idvi_rollover *r)
{
    for (int i = 0; i < sk_X509_num(anchors); i++) {
        if (of_domain(sk_X509_value(anchors, i), pin, r, anchors))
            return true;
    }
    return false;
}

idv_rc idvi_anchors_follow(const STACK_OF(X509) * anchors,
                           const STACK_OF(X509) * others, const X509 *pin,
                           const struct idvi_rollover *r)
{
    if (!pin)
        return IDV_OK;
    IDV_AUTO_PTR(X509) cert = X509_dup(pin);
    if (!cert)
        return idv_fail(IDV_E_NOMEM, "trust anchors");
    if (one_of_domain(anchors, pin, r) || leads_to(cert, anchors, others))
        return IDV_OK;
    if (!idv_cert_is_ca(cert) && X509_self_signed(cert, 1) == 1)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "trust anchors: not of the pinned domain");
}

idv_rc idv_trust_anchors_follow(const STACK_OF(X509) * anchors,
                                const STACK_OF(X509) * others, const X509 *pin)
{
    const struct idvi_rollover none = {0};
    return idvi_anchors_follow(anchors, others, pin, &none);
}

/* --- what cacerts delivered ----------------------------------------------- */

static bool among(const STACK_OF(X509) * certs, const X509 *cert)
{
    for (int i = 0; i < sk_X509_num(certs); i++) {
        if (idv_cert_same_key(sk_X509_value(certs, i), cert))
            return true;
    }
    return false;
}

/* A pin that is no CA answers for nobody: what it brought along when it was
 * new is what there is. */
static bool is_ours(const struct idv_trust *t, X509 *anchor,
                    const STACK_OF(X509) * anchors,
                    const STACK_OF(X509) * others)
{
    if (!idvi_rollover_possible(t->pin))
        return t->state != IDV_TRUST_ENROLLED ||
               among(t->enrollment.anchors, anchor);
    if (of_domain(anchor, t->pin, &t->rollover, anchors))
        return true;
    IDV_AUTO_PTR(X509) pin = X509_dup(t->pin);
    IDV_AUTO_PTR(idv_certs) alone = sk_X509_new_null();
    if (!pin || !alone || !sk_X509_push(alone, anchor))
        return false;
    X509_up_ref(anchor);
    return leads_to(pin, alone, others);
}

static idv_rc learn(struct idv_trust *t, const STACK_OF(X509) * anchors,
                    const STACK_OF(X509) * others, int *added)
{
    struct idvi_rollover next = {0};
    IDV_TRY(idvi_rollover_dup(&t->rollover, &next));
    idv_rc rc =
        idvi_rollover_learn(&next, t->pin, anchors, others,
                            idv_clock_trusted(t->env), idv_now(t->env), added);
    if (rc == IDV_OK && *added > 0)
        rc = idvi_rollover_store(t, &next);
    idvi_rollover_free(&next);
    return rc;
}

static idv_rc nobody_left(const struct idv_trust *t)
{
    if (idvi_rollover_possible(t->pin))
        return idv_fail(IDV_E_REJECT,
                        "trust anchors: not of the pinned domain; a new domain "
                        "CA has to be signed over by the last");
    return idv_fail(IDV_E_REJECT,
                    "trust anchors: the domain has another CA, and what is "
                    "pinned is %s, which cannot sign over to it: reset, and "
                    "imprint again",
                    t->pin ? "an end entity" : "a key");
}

idv_rc idv_trust_cacerts(struct idv_trust *t, STACK_OF(X509) * anchors,
                         const STACK_OF(X509) * others, int *rollovers)
{
    int added = 0;
    if (t->state == IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "trust: not imprinted");
    if (t->observe)
        return idv_fail(IDV_E_STATE, "trust: opened to be looked at only");
    IDV_TRY(learn(t, anchors, others, &added));
    IDV_TRY(idvi_anchors_follow(anchors, others, t->pin, &t->rollover));
    for (int i = sk_X509_num(anchors) - 1; i >= 0; i--) {
        if (!is_ours(t, sk_X509_value(anchors, i), anchors, others))
            X509_free(sk_X509_delete(anchors, i));
    }
    if (sk_X509_num(anchors) == 0)
        return nobody_left(t);
    *rollovers = added;
    return IDV_OK;
}

/* --- servers -------------------------------------------------------------- */

/* The CAs whose servers are the domain's. Of the enrollment's anchors, where a
 * CA is pinned, those that the pin answers for. */
static STACK_OF(X509) * authorities(const struct idv_trust *t)
{
    const STACK_OF(X509) *anchors = t->enrollment.anchors;
    const bool ca = idvi_rollover_possible(t->pin);
    IDV_AUTO_PTR(idv_certs) all = idvi_rollover_all(&t->rollover, NULL);
    for (int i = 0; all && anchors && i < sk_X509_num(anchors); i++) {
        X509 *anchor = sk_X509_value(anchors, i);
        if (ca && !of_domain(anchor, t->pin, &t->rollover, anchors))
            continue;
        if (!sk_X509_push(all, anchor))
            return NULL;
        X509_up_ref(anchor);
    }
    return idv_steal(&all);
}

static idv_rc leads_home(const struct idv_trust *t,
                         const STACK_OF(X509) * chain)
{
    const bool check = idv_clock_trusted(t->env);
    const int64_t now = idv_now(t->env);
    const uint8_t *key = t->pin ? NULL : t->record.pin_sha256;
    idv_rc rc = idv_pin_verify(chain, t->pin, key, check, now);
    if (rc != IDV_E_REJECT)
        return rc;
    IDV_AUTO_PTR(idv_certs) all = authorities(t);
    if (!all)
        return idv_fail(IDV_E_NOMEM, "server");
    if (sk_X509_num(all) == 0)
        return rc;
    const struct idv_chain_policy policy = {
        .anchors = all,
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
