/* SPDX-License-Identifier: Apache-2.0 */
/* A work order: which devices are to be made, and what is known of each. */
#ifndef IDEVID_ORDER_H
#define IDEVID_ORDER_H

#include <idevid/factory.h>
#include <idevid/json.h>

#define IDV_ORDER_DEVICES 1000000 /* at most */
#define IDV_ORDER_MACS 16         /* of one device, at most */

struct idv_order_device {
    char *serial_number; /* 1 to IDV_MAX_SERIAL, unique in the order */
    char *model, *sku;   /* NULL: the order's */
    char **macs;         /* "00:11:22:33:44:55", NULL-ended; NULL none */
    char *owner;         /* hint for the MASA (domainID, base64); NULL none */
};

struct idv_order {
    char id[IDV_FACTORY_NAME_MAX + 1];
    char *model, *sku, *customer; /* NULL absent */
    bool has_profile, has_type;   /* asked for by the order */
    enum idv_factory_profile profile;
    enum idv_key_type type;
    struct idv_order_device *devices; /* in the order of the file */
    size_t n;
    const struct idv_order_device **by_serial; /* sorted, for idv_order_find */
};

/*
 * Reads an order from CSV (RFC 4180, a header line with the columns
 * serial-number [,model][,sku][,mac...][,owner]; the order's own members in
 * lines "#order: ID", "#model: M" ... before it) or JSON:
 *   {"order":ID [,"model"][,"sku"][,"customer"][,"profile"][,"type"],
 *    "devices":[{"serial-number":S [,"model"][,"sku"][,"macs":[..]][,"owner"]}]
 *    | "pattern":"AB-{0001..0200}"}
 * IDV_E_FORMAT, IDV_E_LIMIT, IDV_E_REJECT: the note names line (or member) and
 * what is wrong: an unknown column or member, a serial number twice, a MAC
 * address twice or malformed, characters that cannot be in a serial number.
 */
idv_rc idv_order_parse(struct idv_bytes text,
                       struct idv_order **out) IDV_CHECKED;
void idv_order_free(struct idv_order *o); /* NULL is fine */
/* NULL: not in it. Faster than linear. */
const struct idv_order_device *idv_order_find(const struct idv_order *o,
                                              const char *serial_number);
/* The same order always gives the same bytes (JSON, patterns expanded). */
idv_rc idv_order_to_json(const struct idv_order *o,
                         struct idv_buf *out) IDV_CHECKED;

#endif
