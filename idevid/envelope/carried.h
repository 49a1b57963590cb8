/* SPDX-License-Identifier: Apache-2.0 */
/* A container in a request's body: as it is, or in base64 as older clients have
 * it, and the answer in the same form. */
#ifndef IDEVID_ENVELOPE_CARRIED_H
#define IDEVID_ENVELOPE_CARRIED_H

#include <idevid/machine.h>

/* Zeroed before; bytes are borrowed from the body or from decoded. */
struct idvi_carried {
    struct idv_bytes bytes;
    struct idv_buf decoded;
    bool base64; /* so it came, and so it is answered */
};
void idvi_carried_free(struct idvi_carried *c);

/* IDV_E_FORMAT: base64 that is malformed. */
idv_rc idvi_carried_take(struct idvi_carried *c,
                         const struct idv_buf *body) IDV_CHECKED;
/* 200 with these bytes. */
idv_rc idvi_carried_reply(const struct idvi_carried *c, struct idv_msg *reply,
                          const char *media,
                          struct idv_bytes bytes) IDV_CHECKED;

#endif
