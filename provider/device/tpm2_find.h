/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates of a TPM by URI. */
#ifndef HWK_TPM2_FIND_H
#define HWK_TPM2_FIND_H

#include "provider/device/tpm2_key.h"

/* As find of backend.h. */
int hwk_tpm_find(struct hwk_tpm *tpm, const struct hwk_uri *uri, unsigned want,
                 const struct hwk_pin_ask *pin, hwk_found_fn *each, void *arg);

/* Whether the URI says that there is an authorization value. */
bool hwk_tpm_says_auth(const struct hwk_uri *uri,
                       const struct hwk_pin_ask *pin);
/* The authorization value that the URI says there is: *out NULL when it says
 * nothing of one. Not between begin and end: it may ask the application. */
int hwk_tpm_ask_auth(const struct hwk_uri *uri, const struct hwk_pin_ask *pin,
                     TPM2_HANDLE handle, struct hwk_secret **out);

/* Describes a private key that is there; takes key (it is out->ref). */
int hwk_tpm_found_key(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                      struct hwk_found *out);

/* The handle a URI names, 0 when it names none; pure except for
 * object=FILE, which is read and has to be a serialised handle. */
int hwk_tpm_uri_handle(const struct hwk_uri *uri, TPM2_HANDLE *out);

/* Which template a certificate's key was of is to be found out anew: NV indices
 * changed. The TPM's lock is held. */
void hwk_tpm_devid_forget(struct hwk_tpm *tpm);

#endif
