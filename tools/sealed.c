/* SPDX-License-Identifier: Apache-2.0 */
/* A voucher's container in any of the forms that people keep it in. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/envelope.h>
#include <idevid/text.h>

#include "sealed.h"

/* What stands between the armour lines, or the whole text. */
static struct idv_bytes unarmour(struct idv_bytes text)
{
    const char *s = (const char *)text.p;
    const char *begin = strstr(s, "-----BEGIN ");
    const char *body = begin ? strchr(begin, '\n') : NULL;
    const char *end = body ? strstr(body, "-----END ") : NULL;
    if (!end)
        return text;
    return idv_bytes(body, (size_t)(end - body));
}

static bool is_text(const struct idv_buf *file)
{
    return file->n && !memchr(file->p, 0, file->n);
}

idv_rc tool_unwrap(struct idv_buf *file, bool *sealed, struct idv_buf *out)
{
    struct idv_bytes text = idv_text_trim(idv_view(file));
    bool json = text.n > 0 && text.p[0] == '{';
    *sealed = !json || idv_envelope_guess(text) != NULL;
    if (json || (text.n > 0 && text.p[0] == 0x30)) {
        idv_buf_move(out, file);
        return IDV_OK;
    }
    if (!is_text(file) ||
        idv_base64_to_bytes(unarmour(idv_view(file)), IDV_BASE64_LAX, out) !=
            IDV_OK ||
        out->n == 0) {
        idv_note_clear();
        return idv_fail(IDV_E_FORMAT, "neither DER, PEM, base64 nor JSON");
    }
    return IDV_OK;
}
