/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's proof of what this device is imprinted with. */
#ifndef TOOL_EVIDENCE_H
#define TOOL_EVIDENCE_H

#include <idevid/evidence.h>

#include "state.h"

/* By the restricted key iak and its certificates (NULL: as configured, or where
 * a TPM has them). Fails as idv_evidence_make does; out is the caller's to
 * free. */
idv_rc tool_evidence(const struct state *s, const char *iak,
                     const char *certificate, struct idv_bytes nonce,
                     struct idv_evidence *out) IDV_CHECKED;
/* For struct idv_pledge_conf, with the struct state as its argument: DER. */
idv_rc tool_evidence_der(void *state, struct idv_bytes nonce,
                         struct idv_buf *out) IDV_CHECKED;

#endif
