/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the MASA on its way through the steps. */
#ifndef IDEVID_MASA_CALL_H
#define IDEVID_MASA_CALL_H

#include <idevid/approval.h>
#include <idevid/auto.h>

#include "idevid/base/refuse.h"
#include "idevid/masa/masa.h"

struct idv_masa {
    struct idv_masa_conf conf;
    const struct idv_env *env;
};

struct idvi_masa_call {
    struct idv_masa *masa;
    struct idv_call *call;
    struct idvi_refusal no;
    int64_t now;
    uint8_t rvr_sha256[32];
    struct idv_opened opened;
    idv_certs *chain; /* the signer's, verified, leaf first */
    struct idv_masa_registrar registrar; /* zero: not known */
    struct idv_voucher rvr;
    struct idv_masa_device device;
    const struct idv_masa_maker *maker;
    X509 *pin; /* borrowed from chain */
    char domain_id[IDV_MAX_DOMAIN_ID];
    enum idv_assertion assertion;
    bool approve; /* the pledge asks for it, with this: */
    struct idv_approval_request approval;
};

/* Each step: IDV_OK, or IDV_E_REJECT with no filled, or an internal failure. */

/* RFC 8995 sections 5.5.2 to 5.5.4: types, container, chain, signature,
 * content, device; pin and domainID follow from the chain. */
idv_rc idvi_masa_open(struct idvi_masa_call *c) IDV_CHECKED;
/* Section 5.5.5: the pledge's request inside, if any; sets assertion. */
idv_rc idvi_masa_evidence(struct idvi_masa_call *c) IDV_CHECKED;
/* The whole answers. */
idv_rc idvi_masa_voucher(struct idvi_masa_call *c) IDV_CHECKED;
idv_rc idvi_masa_auditlog(struct idvi_masa_call *c) IDV_CHECKED;

#endif
