/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the reader and the printer of configuration tables. */
#ifndef IDVI_CONF_H
#define IDVI_CONF_H

#include <idevid/conf.h>

void idvi_conf_clear(const struct idv_conf_entry *e, void *conf);

#endif
