/* SPDX-License-Identifier: Apache-2.0 */
/* A voucher's container in any of the forms that people keep it in. */
#ifndef TOOL_SEALED_H
#define TOOL_SEALED_H

#include <idevid/buf.h>

/*
 * Takes the container out of file: as it is, base64, or base64 between lines of
 * PEM. *sealed false: it is JSON, not sealed, and moved as it stands.
 * IDV_E_FORMAT: none of these.
 */
idv_rc tool_unwrap(struct idv_buf *file, bool *sealed,
                   struct idv_buf *out) IDV_CHECKED;

#endif
