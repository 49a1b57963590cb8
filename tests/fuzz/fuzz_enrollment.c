/* SPDX-License-Identifier: Apache-2.0 */
/* The enrollment's file: what is read is written the same. */
#include <idevid/auto.h>

#include "tests/fuzz/fuzz.h"
#include "trust/trust_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t record[IDV_RECORD_SIZE];
    struct idv_enrollment e = {0}, f = {0};
    IDV_AUTO(buf) one = {0};
    IDV_AUTO(buf) two = {0};
    idv_note_clear();
    if (idvi_bundle_from_json(idv_bytes(data, n), record, &e) != IDV_OK) {
        PROMISE(!e.ldevid && !e.anchors && *idv_note());
        return 0;
    }
    PROMISE(idvi_bundle_to_json(&e, record, &one) == IDV_OK);
    PROMISE(idvi_bundle_from_json(idv_view(&one), record, &f) == IDV_OK);
    PROMISE(idvi_bundle_to_json(&f, record, &two) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&one), idv_view(&two)));
    idv_enrollment_free(&e);
    idv_enrollment_free(&f);
    return 0;
}
