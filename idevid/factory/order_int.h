/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of orders share. */
#ifndef IDEVID_FACTORY_ORDER_INT_H
#define IDEVID_FACTORY_ORDER_INT_H

#include <idevid/order.h>

#define IDVI_ORDER_TEXT ((size_t)256 << 20) /* bytes of an order at most */

/* A member of the order itself, by its name: "order", "model", "sku",
 * "customer", "profile", "type". IDV_E_FORMAT: unknown, twice, or a value that
 * it cannot have. */
idv_rc idvi_order_member(struct idv_order *o, const char *name,
                         struct idv_bytes value) IDV_CHECKED;
/* Another device, empty, the order's. NULL with a note. */
struct idv_order_device *idvi_order_add(struct idv_order *o);
/* One of its members: "serial-number", "model", "sku", "owner", "mac" (one or
 * several with blanks or ';' between). An empty value is an absent one. */
idv_rc idvi_order_set(struct idv_order_device *d, const char *name,
                      struct idv_bytes value) IDV_CHECKED;
/* "AB-{0001..0200}": all of them. */
idv_rc idvi_order_pattern(struct idv_order *o,
                          struct idv_bytes pattern) IDV_CHECKED;

idv_rc idvi_order_from_csv(struct idv_bytes text,
                           struct idv_order *o) IDV_CHECKED;
idv_rc idvi_order_from_json(struct idv_bytes text,
                            struct idv_order *o) IDV_CHECKED;

#endif
