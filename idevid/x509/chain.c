/* SPDX-License-Identifier: Apache-2.0 */
/* A path whose signatures verify, from a leaf to an anchor. */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "x509/x509.h"

/* as SSL's default security level: no SHA-1 signatures, no RSA below 2048 */
#define AUTH_LEVEL 2

static int forgive_leaf_expiry(int ok, X509_STORE_CTX *ctx)
{
    if (!ok && X509_STORE_CTX_get_error_depth(ctx) == 0 &&
        X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CERT_HAS_EXPIRED) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    }
    return ok;
}

static idv_rc make_store(const STACK_OF(X509) * anchors, X509_STORE **out)
{
    IDV_AUTO_PTR(X509_STORE) store = X509_STORE_new();
    if (!store)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (int i = 0; i < sk_X509_num(anchors); i++) {
        if (X509_STORE_add_cert(store, sk_X509_value(anchors, i)) != 1)
            return idv_fail(IDV_E_CRYPTO, "chain: trust anchor not taken");
    }
    *out = idv_steal(&store);
    return IDV_OK;
}

static void set_policy(X509_STORE_CTX *ctx, const struct idv_chain_policy *p)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    unsigned long flags = p->partial ? X509_V_FLAG_PARTIAL_CHAIN : 0;
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    X509_VERIFY_PARAM_set_depth(param, IDV_MAX_CHAIN);
    if (p->check_time)
        X509_VERIFY_PARAM_set_time(param, (time_t)p->now);
    else
        flags |= X509_V_FLAG_NO_CHECK_TIME;
    X509_VERIFY_PARAM_set_flags(param, flags);
    if (p->ignore_leaf_expiry)
        X509_STORE_CTX_set_verify_cb(ctx, forgive_leaf_expiry);
}

static idv_rc refuse(X509_STORE_CTX *ctx, X509 *leaf)
{
    X509 *at = X509_STORE_CTX_get_current_cert(ctx);
    int err = X509_STORE_CTX_get_error(ctx);
    ERR_clear_error();
    if (err == X509_V_ERR_OUT_OF_MEM)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return idv_fail(IDV_E_REJECT, "chain: '%s': %s",
                    idv_cert_subject(at ? at : leaf),
                    X509_verify_cert_error_string(err));
}

static idv_rc look(X509 *leaf, const struct idv_chain_policy *policy,
                   STACK_OF(X509) * *path)
{
    IDV_AUTO_PTR(X509_STORE) store = NULL;
    IDV_AUTO_PTR(X509_STORE_CTX) ctx = X509_STORE_CTX_new();
    if (sk_X509_num(policy->anchors) <= 0)
        return idv_fail(IDV_E_REJECT, "chain: no trust anchor is configured");
    if (!leaf)
        return idv_fail(IDV_E_REJECT, "chain: no certificate was shown");
    IDV_TRY(make_store(policy->anchors, &store));
    /* libcrypto copies the list of untrusted ones, and takes it writable */
    STACK_OF(X509) *extra = (STACK_OF(X509) *)(uintptr_t)policy->extra;
    if (!ctx || X509_STORE_CTX_init(ctx, store, leaf, extra) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    set_policy(ctx, policy);
    if (X509_verify_cert(ctx) != 1)
        return refuse(ctx, leaf);
    if (policy->eku && !idv_cert_has_eku(leaf, policy->eku))
        return idv_fail(IDV_E_REJECT, "chain: '%s': lacks the key usage %s",
                        idv_cert_subject(leaf), policy->eku);
    if (path)
        *path = X509_STORE_CTX_get1_chain(ctx);
    return !path || *path ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
}

static bool issued_by_one(const X509 *cert, const STACK_OF(X509) * anchors)
{
    const X509_NAME *by = X509_get_issuer_name(cert);
    for (int i = 0; i < sk_X509_num(anchors); i++) {
        const X509 *anchor = sk_X509_value(anchors, i);
        if (X509_NAME_cmp(by, X509_get_subject_name(anchor)) == 0 ||
            X509_cmp(cert, anchor) == 0)
            return true;
    }
    return false;
}

bool idv_chain_may_lead(const X509 *leaf, const struct idv_chain_policy *policy)
{
    bool may = issued_by_one(leaf, policy->anchors);
    for (int i = 0; i < sk_X509_num(policy->extra) && !may; i++)
        may = issued_by_one(sk_X509_value(policy->extra, i), policy->anchors);
    return may;
}

idv_rc idv_chain_verify(X509 *leaf, const struct idv_chain_policy *policy)
{
    return look(leaf, policy, NULL);
}

idv_rc idv_chain_path(X509 *leaf, const struct idv_chain_policy *policy,
                      STACK_OF(X509) * *path)
{
    *path = NULL;
    return look(leaf, policy, path);
}
