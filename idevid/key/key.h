/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef IDVI_KEY_H
#define IDVI_KEY_H

#include <openssl/ui.h>

#include <idevid/auto.h>
#include <idevid/key.h>

#define IDVI_HWKEY "hwkey"
#define IDVI_HWKEY_PROPS "provider=" IDVI_HWKEY

/* A URI for a note: the value of pin-value is not shown, and it is cut. */
struct idvi_uri_shown {
    char text[160];
};
struct idvi_uri_shown idvi_uri_shown(const char *uri);

/* Starts an operation on a device: the error queue is emptied, and IDV_E_DEVICE
 * says so when there is no provider. */
idv_rc idvi_device_begin(const char *uri) IDV_CHECKED;
/*
 * Ends one that failed: reads the error queue, gives the class that fits the
 * provider's reason (IDV_E_DEVICE when it has none of its own) and notes
 * "uri: what the provider said". The PIN in a URI is not shown. With *reason
 * (NULL is fine) comes enum hwk_public_reason or 0.
 */
idv_rc idvi_device_failed(const char *uri, int *reason);

/* What is behind a device: the provider's table, its device, its URI. */
struct hwk_device;
struct hwk_device_ops;
const struct hwk_device_ops *idvi_device_ops(const struct idv_device *dev);
struct hwk_device *idvi_device_door(const struct idv_device *dev);
const char *idvi_device_uri(const struct idv_device *dev);
bool idvi_device_is_tpm(const struct idv_device *dev); /* by its URI */
const struct idv_pin *idvi_device_pin(const struct idv_device *dev); /* NULL */

/* Asks pin, as libcrypto's callbacks want it. NULL pin: nobody to ask. */
UI_METHOD *idvi_pin_ui(void);

#endif
