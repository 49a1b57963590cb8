/* SPDX-License-Identifier: Apache-2.0 */
/* The parent under which a key is made. */
#ifndef HWK_TPM2_UNDER_H
#define HWK_TPM2_UNDER_H

#include "provider/device/tpm2_object.h"

/* auth of at is lent. */
struct hwk_tpm_under {
    struct hwk_tpm_parent at;
    ESYS_TR tr;
    TPM2B_PUBLIC pub;
    struct hwk_tpm_object *object; /* persistent, counted; NULL: a primary */
    const struct hwk_secret *auth; /* of tr itself; NULL: empty */
};

/*
 * The parent that uri names, a hierarchy's default primary among them; when it
 * names none, the storage root key at 0x81000001 if there is one, else the
 * owner's primary. spec has the auth values. Between begin and end, as close,
 * which flushes a primary. 1, or 0 with a reason and nothing to close.
 */
int hwk_tpm_under_open(struct hwk_tpm *tpm, const struct hwk_uri *uri,
                       const struct hwk_tpm_spec *spec,
                       struct hwk_tpm_under *out);
/* The same of a parent that is known. */
int hwk_tpm_under_at(struct hwk_tpm *tpm, const struct hwk_tpm_parent *parent,
                     struct hwk_tpm_under *out);
void hwk_tpm_under_close(struct hwk_tpm *tpm, struct hwk_tpm_under *u);

/* Is it the key that the configuration pins (salt-key), if it pins one at that
 * handle? 1, or 0 with HWK_R_BUS. */
int hwk_tpm_under_expected(const struct hwk_tpm *tpm,
                           const struct hwk_tpm_under *u);

/* The auth value of a hierarchy, as spec has it: of the parent, if that is the
 * hierarchy or is in it, or of who lets a key be kept. */
const struct hwk_secret *
hwk_tpm_under_hierarchy(const struct hwk_tpm_spec *spec,
                        const struct hwk_uri *uri, TPM2_HANDLE hierarchy);

#endif
