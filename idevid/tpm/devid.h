/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the TCG says the public areas of a TPM's own identities are: IDevID and
 * IAK ("TPM 2.0 Keys for Device Identity and Attestation" 7.3.4), EK ("TCG EK
 * Credential Profile", annex B). Policies are computed from what they are made
 * of, not copied.
 */
#ifndef IDEVID_TPM_DEVID_H
#define IDEVID_TPM_DEVID_H

#include "tpm/public.h"

enum idvi_devid { IDVI_DEVID_EK, IDVI_DEVID_IAK, IDVI_DEVID_IDEVID };

/* Which template a public area is of. */
struct idvi_devid_found {
    const char *kind; /* "H-1" to "H-4"; of EKs "L-1", "L-2", "H-1" to "H-4",
                         "H-6", "H-7" */
    const char *type; /* "RSA-2048", "P-256", ... */
    bool no_scheme;   /* an EC IDevID that signs by any scheme: a fourth way
                         to write it */
};
/*
 * Whether pub is what a TPM makes from TCG's template, no bit of it another
 * (unique is the key by then). IDV_E_REJECT says first what differs most: of
 * which key, and what: "IDevID: fixedTPM is clear", "IAK: authPolicy is not
 * TCG's", "EK: of a key of 1024 bits there is no template".
 */
idv_rc idvi_devid_check(enum idvi_devid what, const struct idvi_tpm_public *pub,
                        struct idvi_devid_found *out) IDV_CHECKED;

/*
 * Templates of IDevID and IAK, from which a TPM makes the key: unique holds
 * "IDEVID" or "IAK", in ways that differ, and each is another key for life:
 * "swtpm" (ours: all in x), "keylime" (in x and in y), "wolftpm" (one half in
 * each), and, for an IDevID on a curve, the same with "-null", without a
 * scheme. An RSA key has no dialects. That of a key that is made is seen in
 * nothing any more: try all.
 *
 * Appends TPMT_PUBLIC. kind "H-1" to "H-4"; dialect NULL: ours. IDV_E_ARG:
 * there is none such.
 */
idv_rc idvi_devid_template(enum idvi_devid what, const char *kind,
                           const char *dialect,
                           struct idv_buf *out) IDV_CHECKED;

/* The authPolicy that TCG's template has, for keys with Names by alg (SHA-256,
 * -384, -512; others: IDV_E_ARG); of EKs that of the high range, and of the low
 * range (PolicyA) when low. Appends the digest. */
idv_rc idvi_devid_policy(enum idvi_devid what, uint16_t alg, bool low,
                         struct idv_buf *out) IDV_CHECKED;

#endif
