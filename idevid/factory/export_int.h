/* SPDX-License-Identifier: Apache-2.0 */
/* What the exports share: devices of one moment, members of their objects. */
#ifndef IDEVID_FACTORY_EXPORT_INT_H
#define IDEVID_FACTORY_EXPORT_INT_H

#include <idevid/export.h>
#include <idevid/json.h>

struct idvi_export {
    const struct idv_factory_store *store;
    const struct idv_export *to;
    const char *maker; /* of the feed, or NULL */
    /* appends a device's line, or nothing */
    idv_rc (*device)(const struct idvi_export *x,
                     const struct idv_factory_device *d, struct idv_buf *line);
};
/* Hands on a line for each device, within a view of the store. */
idv_rc idvi_export_devices(const struct idvi_export *x, const char *head,
                           const char *order) IDV_CHECKED;

/* The device has its identity, or had it. A certificate that was issued and
 * never arrived may be for a key that no TPM holds: it is nobody's to see. */
static inline bool idvi_has_identity(const struct idv_factory_device *d)
{
    return d->cert.n && d->state >= IDV_DEVICE_INSTALLED;
}

/* Sets a member: nothing of an empty text, of empty bytes or a hash of zeros.
 */
idv_rc idvi_member_text(struct idv_json *o, const char *name,
                        const char *text) IDV_CHECKED;
idv_rc idvi_member_base64(struct idv_json *o, const char *name,
                          const struct idv_buf *bytes) IDV_CHECKED;
idv_rc idvi_member_hash(struct idv_json *o, const char *name,
                        const uint8_t hash[static 32]) IDV_CHECKED;
/* What the order knows of it; *out NULL when it is in none. */
idv_rc idvi_ordered(const struct idvi_export *x,
                    const struct idv_factory_device *d,
                    struct idv_json **out) IDV_CHECKED;
/* The feed's members. */
idv_rc idvi_feed_members(const struct idvi_export *x,
                         const struct idv_factory_device *d,
                         struct idv_json *o) IDV_CHECKED;
/* Appends o and a newline. */
idv_rc idvi_json_line(const struct idv_json *o,
                      struct idv_buf *line) IDV_CHECKED;

#endif
