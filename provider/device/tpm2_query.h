/* SPDX-License-Identifier: Apache-2.0 */
/* One search in a TPM: what find was asked, as its parts share it. */
#ifndef HWK_TPM2_QUERY_H
#define HWK_TPM2_QUERY_H

#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_nv.h"

struct hwk_tpm_query {
    struct hwk_tpm *tpm;
    const struct hwk_uri *uri;
    unsigned want;
    const struct hwk_pin_ask *pin;
    hwk_found_fn *each;
    void *arg;
    unsigned *given; /* how often each was called */
};

/* Gives found to each, and lets go of what each did not keep. What each gave:
 * 1, 0 or -1, as the functions below, which give -1 with a reason besides. */
int hwk_tpm_give(const struct hwk_tpm_query *q, struct hwk_found *found);

/* What an NV index holds of what is wanted (tpm2_findnv.c): certificates,
 * public keys, key files. An index that is not there: 1 without a call; other
 * bytes in it likewise. */
int hwk_tpm_find_nv(const struct hwk_tpm_query *q, TPM2_HANDLE index,
                    const struct hwk_tpm_nv_how *how);

#endif
