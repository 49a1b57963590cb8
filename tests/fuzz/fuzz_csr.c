/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate request from outside. */
#include <idevid/auto.h>
#include <idevid/x509.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO(buf) challenge = {0};
    bool found;
    idv_note_clear();
    if (idv_csr_from_der(idv_bytes(data, n), &req, &key) != IDV_OK) {
        PROMISE(req == NULL && key == NULL);
        return 0;
    }
    if (idv_csr_challenge(req, &found, &challenge) == IDV_OK)
        PROMISE(found || challenge.n == 0);
    return 0;
}
