/* SPDX-License-Identifier: Apache-2.0 */
/* One search in a TPM: what find was asked, as its parts share it. */
#ifndef HWK_TPM2_QUERY_H
#define HWK_TPM2_QUERY_H

#include "provider/device/tpm2_find.h"

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
/* The same of a key that hwk_tpm_found_key described: as a pair, or no more
 * than its public half where that is wanted. */
int hwk_tpm_give_key(const struct hwk_tpm_query *q, struct hwk_found *found);

/* One object by its handle; one that is not there: 1 without a call. */
int hwk_tpm_find_at(const struct hwk_tpm_query *q, TPM2_HANDLE handle);

/* What an NV index holds of what is wanted (tpm2_findnv.c): certificates,
 * public keys, key files. One that is not there: 1 without a call; other bytes
 * in it likewise. named: the URI names the index: what is in the way of reading
 * it is an error, and a value in the URI may be its own. Otherwise nothing is
 * tried that could count as a wrong try. */
int hwk_tpm_find_nv(const struct hwk_tpm_query *q, TPM2_HANDLE index,
                    bool named);

/*
 * The key that tpm2:idevid or tpm2:iak names (tpm2_finddev.c): the one at its
 * persistent handle, or, without one and always when the URI has template=, one
 * made again from a template of tpm2_devid.h, transient. Which template is
 * told by the certificate in NV: those of its kind are tried until the public
 * key is the certificate's. The one that was is remembered, so that the next
 * time costs one CreatePrimary. Without a certificate it is what template=
 * says, H-2 by default, in our own dialect. None fits: -1 with HWK_R_KEY and
 * what was tried. Then the certificate.
 */
int hwk_tpm_find_devid(const struct hwk_tpm_query *q);

/* The key that object=FILE holds or names: see tpm2_file.h. One that is in the
 * file (a key file, a saved context) is found again by its path. */
int hwk_tpm_find_file(struct hwk_tpm_query *q);

#endif
