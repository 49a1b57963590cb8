/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds of anchors have in common. */
#ifndef IDEVID_TRUST_ANCHOR_H
#define IDEVID_TRUST_ANCHOR_H

#include <idevid/trust.h>

/* Each makes out, or leaves it alone. info is of dev; conf is complete and
 * judged, but for the URI, whose defaults are each one's own. */
idv_rc idvi_anchor_owner(struct idv_device *dev,
                         const struct idv_anchor_conf *conf,
                         struct idv_anchor *out) IDV_CHECKED;
idv_rc idvi_anchor_token(struct idv_device *dev,
                         const struct idv_device_info *info,
                         const struct idv_anchor_conf *conf,
                         struct idv_anchor *out) IDV_CHECKED;

idv_rc idvi_anchor_platform(struct idv_device *dev,
                            const struct idv_anchor_conf *conf,
                            struct idv_anchor *out) IDV_CHECKED;
/* Has the platform made what conf->uri (or its default) names? */
idv_rc idvi_anchor_platform_is_there(struct idv_device *dev,
                                     const struct idv_anchor_conf *conf,
                                     bool *there) IDV_CHECKED;

/* The NV index that uri (tpm2:handle=0x01...) names; NULL: fallback.
 * IDV_E_ARG. */
idv_rc idvi_anchor_handle(const char *uri, uint32_t fallback,
                          uint32_t *out) IDV_CHECKED;

#endif
