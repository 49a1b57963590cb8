/* SPDX-License-Identifier: Apache-2.0 */
/* A status report, or the answer to one, from outside: what is read can be
 * written and read again. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/voucher.h>

#include "tests/fuzz/fuzz.h"

static void evidence(struct idv_bytes in)
{
    struct idv_telemetry t = {.version = 1, .status = true};
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) again = {0};
    if (idv_telemetry_evidence(in, &der) != IDV_OK)
        return;
    PROMISE(der.n <= IDV_MAX_REPORTED);
    t.evidence = idv_view(&der);
    PROMISE(idv_telemetry_to_json(&t, &json) == IDV_OK);
    PROMISE(idv_telemetry_evidence(idv_view(&json), &again) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&der), idv_view(&again)));
}

static void answer(struct idv_bytes in)
{
    struct idv_status_answer a = {0}, again = {0};
    IDV_AUTO(buf) json = {0};
    if (idv_status_answer_from_json(in, &a) != IDV_OK)
        return;
    PROMISE(idv_status_answer_to_json(&a, &json) == IDV_OK);
    PROMISE(idv_status_answer_from_json(idv_view(&json), &again) == IDV_OK);
    PROMISE(a.evidence == again.evidence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_telemetry t, again;
    IDV_AUTO(buf) json = {0};
    evidence(idv_bytes(data, n));
    answer(idv_bytes(data, n));
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
