/* SPDX-License-Identifier: Apache-2.0 */
/* What was shown of the revocation of a registrar's certificates. */
#ifndef IDEVID_VOUCHER_REVOCATION_H
#define IDEVID_VOUCHER_REVOCATION_H

#include <idevid/voucher.h>

struct idvi_shown {
    const STACK_OF(X509) * path;  /* leaf to pin; NULL: none is known */
    const STACK_OF(X509) * chain; /* as the server showed it */
    const X509 *pin;              /* NULL: a key is pinned */
    struct idv_bytes staple;      /* of the leaf; empty: none */
    bool check_time;
    int64_t now;
};

/*
 * checks: domain-cert-revocation-checks, 1, 0 or -1 (absent). A staple that
 * says revoked counts unless checks are forbidden; that there is none, or no
 * good one, only when they are demanded and good, the caller's word for all of
 * them, is not given. IDV_E_REJECT, with a note.
 */
idv_rc idvi_revocation(int checks, bool good,
                       const struct idvi_shown *shown) IDV_CHECKED;

#endif
