/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the reader and the printer of configuration tables. */
#ifndef IDVI_CONF_H
#define IDVI_CONF_H

#include <idevid/conf.h>

/* Puts one value into its field; IDV_E_ARG with a note that names neither
 * file nor line. Lists grow, anything else replaces. */
idv_rc idvi_conf_set(const struct idv_conf_entry *e, const char *dir,
                     struct idv_bytes value, void *conf) IDV_CHECKED;
void idvi_conf_clear(const struct idv_conf_entry *e, void *conf);

#endif
