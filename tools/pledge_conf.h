/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's configuration. */
#ifndef PLEDGE_CONF_H
#define PLEDGE_CONF_H

#include <idevid/conf.h>

#include "tool.h"

struct pledge_conf {
    char *uri, *key, *certificate, *chain, *anchors, *directory;
    char *anchor_object, *ldevid_key;
    char **registrars;
    struct tool_device_conf device;
    int key_type;
    bool refuse_nonceless;
    int64_t attempts;
};
extern const struct idv_conf_table pledge_table;

#endif
