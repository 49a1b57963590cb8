/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the CAs that a pin led to: what is read is written the same. */
#include <idevid/auto.h>

#include "tests/fuzz/fuzz.h"
#include "trust/trust_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t record[IDV_RECORD_SIZE];
    struct idvi_rollover e = {0}, f = {0};
    IDV_AUTO(buf) one = {0};
    IDV_AUTO(buf) two = {0};
    idv_note_clear();
    if (idvi_rollover_from_json(idv_bytes(data, n), record, &e) != IDV_OK) {
        PROMISE(!e.crosses && !e.roots && *idv_note());
        return 0;
    }
    PROMISE(idvi_rollover_to_json(&e, record, &one) == IDV_OK);
    PROMISE(idvi_rollover_from_json(idv_view(&one), record, &f) == IDV_OK);
    PROMISE(idvi_rollover_to_json(&f, record, &two) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&one), idv_view(&two)));
    idvi_rollover_free(&e);
    idvi_rollover_free(&f);
    return 0;
}
