/* SPDX-License-Identifier: Apache-2.0 */
/* What the provider puts on the error queue, as our classes and notes. */
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/provider.h>

#include "provider/device.h"

#include "key/key.h"

/* reasons of hwkey below this are in device.h, the others are its own */
#define PUBLIC_REASONS 32

static bool from_hwkey(unsigned long e)
{
    const char *lib = ERR_lib_error_string(e);
    return lib && strcmp(lib, IDVI_HWKEY) == 0;
}

static idv_rc class_of(int reason)
{
    switch (reason) {
    case HWK_R_BAD_URI:
        return IDV_E_ARG;
    case HWK_R_EXISTS:
    case HWK_R_IN_USE:
        return IDV_E_STATE;
    default:
        return IDV_E_DEVICE;
    }
}

static void append(char *note, size_t room, unsigned long e, const char *data)
{
    size_t n = strlen(note);
    const char *reason = ERR_reason_error_string(e);
    snprintf(note + n, room - n, ": %s%s%s%s", reason ? reason : "failed",
             *data ? " (" : "", data, *data ? ")" : "");
}

/* empties the queue; what hwkey said has precedence over what followed */
static int drain(char *said, char *other, size_t room)
{
    int flags, reason = 0;
    const char *data;
    unsigned long e;
    said[0] = other[0] = 0;
    while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        if (!data || !(flags & ERR_TXT_STRING))
            data = "";
        append(from_hwkey(e) ? said : other, room, e, data);
        if (from_hwkey(e) && !reason)
            reason = ERR_GET_REASON(e);
    }
    return reason;
}

struct idvi_uri_shown idvi_uri_shown(const char *uri)
{
    static const char name[] = "pin-value=";
    struct idvi_uri_shown out;
    size_t n = 0;
    while (*uri && n < sizeof(out.text) - 1) {
        if (strncasecmp(uri, name, sizeof(name) - 1) != 0) {
            out.text[n++] = *uri++;
            continue;
        }
        int room = (int)(sizeof(out.text) - n);
        int put = snprintf(out.text + n, (size_t)room, "%s***", name);
        n += (size_t)(put < room ? put : room - 1);
        uri += sizeof(name) - 1;
        uri += strcspn(uri, "&;");
    }
    out.text[n] = 0;
    return out;
}

idv_rc idvi_device_begin(const char *uri)
{
    ERR_clear_error();
    if (OSSL_PROVIDER_available(NULL, IDVI_HWKEY))
        return IDV_OK;
    return idv_fail(IDV_E_DEVICE, "%s: the provider hwkey is not loaded",
                    idvi_uri_shown(uri).text);
}

idv_rc idvi_device_failed(const char *uri, int *reason)
{
    char said[IDV_NOTE_MAX], other[IDV_NOTE_MAX];
    int r = drain(said, other, IDV_NOTE_MAX);
    if (reason)
        *reason = r < PUBLIC_REASONS ? r : 0;
    const char *why = said[0] ? said : other[0] ? other : ": nothing found";
    return idv_fail(class_of(r), "%s%s", idvi_uri_shown(uri).text, why);
}
