/* SPDX-License-Identifier: Apache-2.0 */
/* A voucher-request from outside: the container or its payload, and the
 * request of the pledge inside that of the registrar. */
#include <openssl/err.h>

#include <idevid/auto.h>
#include <idevid/voucher.h>

#include "tests/fuzz/fuzz.h"

static void payload(struct idv_bytes json);

static void container(struct idv_bytes sealed)
{
    IDV_AUTO(opened) o = {0};
    const char *media = idv_envelope_guess(sealed);
    if (media && idv_envelope_open(media, sealed, &o) == IDV_OK)
        payload(idv_view(&o.payload));
}

/* each level is smaller than the one around it, so this ends */
static void payload(struct idv_bytes json)
{
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) again = {0};
    if (idv_voucher_from(IDV_MEDIA_VOUCHER_CMS, json, IDV_VOUCHER_REQUEST,
                         &v) != IDV_OK)
        return;
    PROMISE(v.pinned_domain_cert.n == 0 && v.revocation_checks == -1);
    PROMISE(v.last_renewal_date == IDV_TIME_ABSENT);
    if (v.nonce[0])
        v.expires_on = IDV_TIME_ABSENT;
    PROMISE(idv_voucher_to_json(&v, &again) == IDV_OK);
    container(idv_view(&v.prior_signed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    idv_note_clear();
    container(idv_bytes(data, n));
    idv_note_clear();
    payload(idv_bytes(data, n));
    PROMISE(ERR_peek_error() == 0);
    return 0;
}
