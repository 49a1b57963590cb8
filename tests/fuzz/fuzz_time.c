/* SPDX-License-Identifier: Apache-2.0 */
/* Times: what is read is written in UTC and means the same. */
#include <idevid/codec.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[IDV_TIME_TEXT];
    int64_t t, again;
    idv_note_clear();
    if (idv_time_from_text(idv_bytes(data, n), &t) != IDV_OK)
        return 0;
    PROMISE(idv_time_to_text(t, text) == IDV_OK);
    PROMISE(idv_time_from_text(idv_str(text), &again) == IDV_OK);
    PROMISE(t == again);
    return 0;
}
