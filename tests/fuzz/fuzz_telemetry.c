/* SPDX-License-Identifier: Apache-2.0 */
/* A status report from outside: what is read can be written and read again. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/voucher.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_telemetry t, again;
    IDV_AUTO(buf) json = {0};
    idv_note_clear();
    if (idv_telemetry_from_json(idv_bytes(data, n), &t) != IDV_OK)
        return 0;
    PROMISE(idv_telemetry_to_json(&t, &json) == IDV_OK);
    PROMISE(idv_telemetry_from_json(idv_view(&json), &again) == IDV_OK);
    PROMISE(t.version == again.version && t.status == again.status);
    PROMISE(strcmp(t.reason, again.reason) == 0);
    PROMISE(strcmp(t.detail, again.detail) == 0);
    return 0;
}
