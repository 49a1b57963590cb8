/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside: what is read is written, and read the same again. */
#include <idevid/auto.h>
#include <idevid/json.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_json *v = NULL, *again = NULL;
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) back = {0};
    idv_note_clear();
    if (idv_json_parse(idv_bytes(data, n), 0, &v) != IDV_OK) {
        PROMISE(v == NULL);
        return 0;
    }
    for (size_t i = 0; i < idv_json_count(v); i++)
        PROMISE(idv_json_at(v, i, NULL) != NULL);
    PROMISE(idv_json_dump(v, false, &text) == IDV_OK);
    /* escapes may take more room than what they stand for */
    PROMISE(idv_json_parse(idv_view(&text), 1u << 20, &again) == IDV_OK);
    PROMISE(idv_json_dump(again, false, &back) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&text), idv_view(&back)));
    idv_json_free(v);
    idv_json_free(again);
    return 0;
}
