/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's trust anchors for vouchers: a file that the device vouches for.
 */
#include <idevid/auto.h>
#include <idevid/maker.h>
#include <idevid/x509.h>

#include "makers.h"

static idv_rc none(const struct state *s)
{
    if (s->conf->anchor.maker_anchors == ANCHOR_MAKERS_REQUIRED)
        return idv_fail(IDV_E_REJECT,
                        "%s: the device does not say whether these are its "
                        "maker's anchors, and maker-anchors = required "
                        "(idevid-factory seal, at the factory)",
                        s->conf->anchors);
    idv_log(s->t->env, IDV_LOG_INFO, "maker-anchors", "device=none file=%s",
            idv_log_value(s->conf->anchors));
    return IDV_OK;
}

idv_rc tool_makers(const struct state *s, STACK_OF(X509) * *out)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    const uint32_t index = anchor_handle(s->conf->anchor.maker_index);
    char where[96];
    bool sealed;
    IDV_TRY(idv_certs_open(s->conf->anchors, NULL, &certs));
    idv_rc rc = idv_maker_check(s->dev, index, certs, &sealed, where);
    if (rc == IDV_E_REJECT)
        return idv_fail_within(rc, "%s", s->conf->anchors);
    IDV_TRY(rc);
    if (!sealed)
        IDV_TRY(none(s));
    else
        idv_log(s->t->env, IDV_LOG_INFO, "maker-anchors", "device=%s file=%s",
                idv_log_value(where), idv_log_value(s->conf->anchors));
    *out = certs;
    certs = NULL;
    return IDV_OK;
}
