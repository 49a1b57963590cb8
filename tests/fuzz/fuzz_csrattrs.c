/* SPDX-License-Identifier: Apache-2.0 */
/* What a server wants in a request: what is understood is written the same. */
#include <idevid/auto.h>
#include <idevid/est.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_csrattrs a = {0}, b = {0};
    IDV_AUTO(buf) one = {0};
    IDV_AUTO(buf) two = {0};
    idv_note_clear();
    if (idv_csrattrs_from_der(idv_bytes(data, n), &a) != IDV_OK) {
        PROMISE(!a.extensions && *idv_note());
        return 0;
    }
    PROMISE(*idv_note() == 0);
    /* a digest that goes with no key of ours cannot be written */
    if (idv_csrattrs_to_der(&a, &one) == IDV_OK) {
        PROMISE(idv_csrattrs_from_der(idv_view(&one), &b) == IDV_OK);
        PROMISE(idv_csrattrs_to_der(&b, &two) == IDV_OK);
        PROMISE(idv_bytes_eq(idv_view(&one), idv_view(&two)));
    }
    idv_csrattrs_free(&a);
    idv_csrattrs_free(&b);
    return 0;
}
