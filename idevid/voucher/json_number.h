/* SPDX-License-Identifier: Apache-2.0 */
/* Counters that published examples quote as strings: numbers of both kinds. */
#ifndef IDEVID_JSON_NUMBER_H
#define IDEVID_JSON_NUMBER_H

#include <idevid/json.h>

/* 0 to max; IDV_E_FORMAT otherwise. value NULL leaves *out as it is. */
idv_rc idvi_json_uint(const struct idv_json *value, const char *what,
                      int64_t max, int64_t *out) IDV_CHECKED;

#endif
