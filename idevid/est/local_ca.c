/* SPDX-License-Identifier: Apache-2.0 */
/* The CA that signs in this process, with a key wherever that lives. */
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

struct idv_est_ca idv_est_local_ca(struct idv_est_local_ca *conf)
{
    return (struct idv_est_ca){
        .self = conf, .issue = issue, .cacerts = cacerts};
}
