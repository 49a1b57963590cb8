/* SPDX-License-Identifier: Apache-2.0 */
/* The seal record: what is read is written the same, to the byte. */
#include <string.h>

#include <idevid/trust.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_record r;
    uint8_t raw[IDV_RECORD_SIZE];
    idv_note_clear();
    if (idv_record_from_bytes(idv_bytes(data, n), &r) != IDV_OK) {
        PROMISE(*idv_note());
        return 0;
    }
    PROMISE(n == sizeof(raw) && r.version == 1);
    idv_record_to_bytes(&r, raw);
    PROMISE(memcmp(raw, data, n) == 0);
    return 0;
}
