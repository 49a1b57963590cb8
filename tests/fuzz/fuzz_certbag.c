/* SPDX-License-Identifier: Apache-2.0 */
/* certs-only PKCS#7 from outside: what is read can be written again. */
#include <idevid/auto.h>
#include <idevid/x509.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_AUTO_PTR(idv_certs) again = NULL;
    IDV_AUTO(buf) der = {0};
    idv_note_clear();
    if (idv_certbag_from_der(idv_bytes(data, n), &certs) != IDV_OK) {
        PROMISE(certs == NULL);
        return 0;
    }
    PROMISE(sk_X509_num(certs) > 0 && sk_X509_num(certs) <= IDV_MAX_CHAIN);
    if (idv_certbag_to_der(certs, &der) != IDV_OK || der.n > IDV_MAX_BODY)
        return 0;
    PROMISE(idv_certbag_from_der(idv_view(&der), &again) == IDV_OK);
    PROMISE(sk_X509_num(certs) == sk_X509_num(again));
    return 0;
}
