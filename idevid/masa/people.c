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

idv_rc idv_masa_device_issuer(const struct idv_masa_device *d,
                              bool sequence_only, struct idv_buf *out)
{
    const uint8_t n = (uint8_t)d->keyid_n;
    const uint8_t octets[] = {4, n + 4};
    const uint8_t sequence[] = {0x30, n + 2, 0x80, n};
    if (!sequence_only)
        IDV_TRY(idv_buf_put(out, idv_bytes(octets, sizeof(octets))));
    IDV_TRY(idv_buf_put(out, idv_bytes(sequence, sizeof(sequence))));
    return idv_buf_put(out, idv_bytes(d->keyid, n));
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
