/* SPDX-License-Identifier: Apache-2.0 */
/* The words for what people say of devices. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/x509.h>

#include "idevid/masa/people.h"

static const char *const words[] = {
    [IDV_STANDING_NORMAL] = "normal",
    [IDV_STANDING_BLOCKED] = "blocked",
    [IDV_STANDING_STOLEN] = "stolen",
    [IDV_STANDING_TRANSFERRED] = "transferred",
    [IDV_STANDING_RETIRED] = "retired",
    [IDV_STANDING_END_OF_LIFE] = "end-of-life",
};
#define WORDS (sizeof(words) / sizeof(*words))

const char *idv_standing_to_text(enum idv_standing s)
{
    return (size_t)s < WORDS ? words[s] : words[IDV_STANDING_BLOCKED];
}

idv_rc idv_standing_from_text(const char *text, enum idv_standing *out)
{
    for (size_t i = 0; i < WORDS; i++) {
        if (strcmp(text, words[i]) != 0)
            continue;
        *out = (enum idv_standing)i;
        return IDV_OK;
    }
    return idv_fail(IDV_E_ARG, "standing '%s' is not known", text);
}

idv_rc idv_domain_id_proven(const X509 *cert, struct idv_buf *out)
{
    IDV_AUTO(buf) raw = {0};
    if (!idv_domain_id_is_proven(cert))
        return idv_fail(IDV_E_REJECT,
                        "%s: its subjectKeyIdentifier is no hash of its key, "
                        "so that others could take it for their own",
                        idv_cert_subject(cert));
    IDV_TRY(idv_domain_id(cert, &raw));
    return idv_base64_from_bytes(idv_view(&raw), 0, out);
}
