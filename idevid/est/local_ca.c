/* SPDX-License-Identifier: Apache-2.0 */
/* The CA that signs in this process, with a key wherever that lives. */
#include "idevid/est/server.h"

#define LIFETIME_S (365 * (int64_t)24 * 3600)
#define BACKDATE_S 300

static idv_rc issue(void *self, const struct idv_est_grant *grant,
                    const EVP_PKEY *key, X509 **out)
{
    static const char *const server[] = {IDV_OID_SERVER_AUTH, NULL};
    const struct idv_est_local_ca *ca = self;
    int64_t now = idv_now(ca->env);
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .subject = grant->subject,
        .extra = grant->extensions,
        .purposes = ca->servers ? server : NULL,
        .not_before = now - (ca->backdate_s ? ca->backdate_s : BACKDATE_S),
        .not_after = now + (ca->lifetime_s ? ca->lifetime_s : LIFETIME_S),
    };
    return idv_cert_issue(&spec, key, ca->cert, ca->key, ca->env, out);
}

static idv_rc cacerts(void *self, const STACK_OF(X509) * *out)
{
    const struct idv_est_local_ca *ca = self;
    *out = ca->chain;
    return IDV_OK;
}

struct idv_est_ca idv_est_local_ca(struct idv_est_local_ca *conf)
{
    return (struct idv_est_ca){conf, issue, cacerts};
}
