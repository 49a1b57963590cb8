/* SPDX-License-Identifier: Apache-2.0 */
/* The CA that signs in this process, with a key wherever that lives. */
#include <stdio.h>

#include <openssl/err.h>

#include <idevid/auto.h>

#include "idevid/est/server.h"

#define LIFETIME_S (365 * (int64_t)24 * 3600)
#define BACKDATE_S 300

#define PURPOSES_MAX 16

static idv_rc list_purposes(const struct idv_est_local_ca *ca,
                            const char *out[static PURPOSES_MAX + 2])
{
    size_t n = 0;
    if (ca->servers)
        out[n++] = IDV_OID_SERVER_AUTH;
    for (size_t i = 0; ca->purposes && ca->purposes[i]; i++) {
        if (i == PURPOSES_MAX)
            return idv_fail(IDV_E_ARG, "CA: more than %d purposes",
                            PURPOSES_MAX);
        out[n++] = ca->purposes[i];
    }
    out[n] = NULL;
    return IDV_OK;
}

static int64_t lifetime(const struct idv_est_local_ca *ca,
                        const struct idv_est_grant *grant)
{
    int64_t s = ca->lifetime_s ? ca->lifetime_s : LIFETIME_S;
    return grant->lifetime_s && grant->lifetime_s < s ? grant->lifetime_s : s;
}

static idv_rc issue(void *self, const struct idv_est_grant *grant,
                    const EVP_PKEY *key, struct idv_buf *out)
{
    const struct idv_est_local_ca *ca = self;
    const char *purposes[PURPOSES_MAX + 2];
    int64_t now = idv_now(ca->env);
    IDV_TRY(list_purposes(ca, purposes));
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .subject = grant->subject,
        .extra = grant->extensions,
        .purposes = purposes,
        .policies = ca->policies,
        .crl_url = ca->crl_url,
        .aia_url = ca->aia_url,
        .not_before = now - (ca->backdate_s ? ca->backdate_s : BACKDATE_S),
        .not_after = now + lifetime(ca, grant),
    };
    return idv_cert_issue_der(&spec, key, ca->cert, ca->key, ca->env, out);
}

static idv_rc cacerts(void *self, const STACK_OF(X509) * *out)
{
    const struct idv_est_local_ca *ca = self;
    *out = ca->chain;
    return IDV_OK;
}

/* --- is it one? ------------------------------------------------------------
 */

static idv_rc roots_of(const STACK_OF(X509) * chain, idv_certs *roots)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *cert = sk_X509_value(chain, i);
        if (X509_self_signed(cert, 1) == 1 &&
            !X509_add_cert(roots, cert, X509_ADD_FLAG_UP_REF))
            return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    ERR_clear_error();
    return IDV_OK;
}

static idv_rc no_root(const char *why)
{
    return idv_fail(IDV_E_ARG,
                    "ca: its certificates do not lead up to a root, which "
                    "clients are to be told (%s)",
                    why);
}

static idv_rc check_root(const STACK_OF(X509) * chain)
{
    IDV_AUTO_PTR(idv_certs) roots = sk_X509_new_null();
    const struct idv_chain_policy policy = {.anchors = roots, .extra = chain};
    char why[IDV_NOTE_MAX];
    if (!roots)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(roots_of(chain, roots));
    if (sk_X509_num(roots) == 0)
        return no_root("none signed itself");
    idv_rc rc = idv_chain_verify(sk_X509_value(chain, 0), &policy);
    if (rc != IDV_E_REJECT)
        return rc;
    snprintf(why, sizeof(why), "%s", idv_note());
    idv_note_clear();
    return no_root(why);
}

idv_rc idv_est_ca_check(const STACK_OF(X509) * chain, const EVP_PKEY *key)
{
    const X509 *cert = sk_X509_value(chain, 0);
    if (!cert || !idv_cert_is_ca(cert))
        return idv_fail(IDV_E_ARG, "ca: its certificate is no CA's");
    if (key && !idv_cert_has_key(cert, key))
        return idv_fail(IDV_E_ARG, "ca: key and certificate differ");
    return check_root(chain);
}

struct idv_est_ca idv_est_local_ca(struct idv_est_local_ca *conf)
{
    return (struct idv_est_ca){
        .self = conf, .issue = issue, .cacerts = cacerts};
}
