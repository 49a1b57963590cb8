/* SPDX-License-Identifier: Apache-2.0 */
/* Members of what is asked of a service and of what it answers. */
#include <idevid/codec.h>

#include "idevid/admin/admin.h"

idv_rc idv_admin_text(const struct idv_json *in, const char *name,
                      const char **out)
{
    const struct idv_json *v = idv_json_get(in, name);
    if (v && !idv_json_text(v))
        return idv_fail(IDV_E_FORMAT, "%s is not a text", name);
    *out = v ? idv_json_text(v) : "";
    return IDV_OK;
}

idv_rc idv_admin_need(const struct idv_json *in, const char *name,
                      const char **out)
{
    const char *text = "";
    IDV_TRY(idv_admin_text(in, name, &text));
    if (!*text)
        return idv_fail(IDV_E_ARG, "%s is missing", name);
    *out = text;
    return IDV_OK;
}

idv_rc idv_admin_int(const struct idv_json *in, const char *name,
                     int64_t fallback, int64_t *out)
{
    const struct idv_json *v = idv_json_get(in, name);
    if (v)
        return idv_json_int(v, name, out);
    *out = fallback;
    return IDV_OK;
}

idv_rc idv_admin_bool(const struct idv_json *in, const char *name, bool *out)
{
    const struct idv_json *v = idv_json_get(in, name);
    if (v)
        return idv_json_bool(v, name, out);
    *out = false;
    return IDV_OK;
}

idv_rc idv_admin_put_text(struct idv_json *out, const char *name,
                          const char *text)
{
    if (!text || !*text)
        return IDV_OK;
    return idv_json_set(out, name, idv_json_new_text(idv_str(text)));
}

idv_rc idv_admin_put_time(struct idv_json *out, const char *name, int64_t when)
{
    char text[IDV_TIME_TEXT];
    if (when == 0)
        return IDV_OK;
    IDV_TRY(idv_time_to_text(when, text));
    return idv_admin_put_text(out, name, text);
}

idv_rc idv_admin_put_int(struct idv_json *out, const char *name, int64_t v)
{
    return idv_json_set(out, name, idv_json_new_int(v));
}

idv_rc idv_admin_put_bool(struct idv_json *out, const char *name, bool v)
{
    return idv_json_set(out, name, idv_json_new_bool(v));
}
