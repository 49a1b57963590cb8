/* SPDX-License-Identifier: Apache-2.0 */
/* Commands past ESYS that sessions authorise. */
#ifndef HWK_TPM2_AUTHCALL_H
#define HWK_TPM2_AUTHCALL_H

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/env.h"

/* One authorization: of the command's first handle, of its second. */
struct hwk_tpm_authorization {
    ESYS_TR session; /* what hwk_tpm_authorize and its like gave, just now */
    const struct hwk_secret
        *auth;              /* the value they were told of; NULL: empty */
    const TPM2B_AUTH *then; /* what the command makes of it; NULL: it stays */
};

/*
 * As hwk_tpm_call_run, of what hwk_tpm_call_start began without a password, on
 * entities of these Names: names_n of them, as many as there are handles. The
 * sessions are those of tpm2_session.h with the attributes that they were
 * handed out with; only the first may encrypt. A policy that asks for an auth
 * value is not for here: ESYS knows of it.
 *
 * What comes back is read only when every session's HMAC, over all of it and a
 * nonce that we made, is right: otherwise rc is TSS2_ESYS_RC_RSP_AUTH_FAILED,
 * or TSS2_ESYS_RC_MALFORMED_RESPONSE where it does not come to that. The first
 * parameter is decrypted then, and the authorizations behind the parameters
 * are not read any more. hwk_tpm_again is to be told, as always.
 */
TSS2_RC hwk_tpm_authcall_run(struct hwk_tpm *tpm, struct hwk_tpm_call *call,
                             const TPM2B_NAME *names, size_t names_n,
                             const struct hwk_tpm_authorization *by, size_t n);

#endif
