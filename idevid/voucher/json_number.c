/* SPDX-License-Identifier: Apache-2.0 */
/* Counters that published examples quote as strings. */
#include <string.h>

#include "voucher/json_number.h"

static bool digits(const char *text, int64_t *out)
{
    size_t n = strlen(text);
    *out = 0;
    if (n == 0 || n > 18 || strspn(text, "0123456789") != n)
        return false;
    for (size_t i = 0; i < n; i++)
        *out = *out * 10 + (text[i] - '0');
    return true;
}

idv_rc idvi_json_uint(const struct idv_json *value, const char *what,
                      int64_t max, int64_t *out)
{
    int64_t n = 0;
    if (!value)
        return IDV_OK;
    const char *text = idv_json_text(value);
    if (!text)
        IDV_TRY(idv_json_int(value, what, &n));
    else if (!digits(text, &n))
        return idv_fail(IDV_E_FORMAT, "%s: not a number", what);
    if (n < 0 || n > max)
        return idv_fail(IDV_E_FORMAT, "%s: out of range", what);
    *out = n;
    return IDV_OK;
}
