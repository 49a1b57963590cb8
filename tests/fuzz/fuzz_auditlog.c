/* SPDX-License-Identifier: Apache-2.0 */
/* An audit log from outside: read, judged, written, read again. */
#include <idevid/auto.h>
#include <idevid/voucher.h>

#include "tests/fuzz/fuzz.h"

static void same(const struct idv_audit_log *a, const struct idv_audit_log *b)
{
    PROMISE(a->n == b->n && a->version == b->version);
    PROMISE(a->arbitrary == b->arbitrary);
    for (size_t i = 0; i < a->n; i++)
        PROMISE(a->events[i].date == b->events[i].date &&
                a->events[i].truncated == b->events[i].truncated &&
                a->events[i].assertion == b->events[i].assertion);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const known[] = {"BduJhdHPpfhQLyponf48JzXSGZ8=", NULL};
    struct idv_audit_policy policy = {known, true, false};
    struct idv_audit_log log, again;
    IDV_AUTO(buf) json = {0};
    idv_note_clear();
    if (idv_audit_log_from_json(idv_bytes(data, n), &log) != IDV_OK)
        return 0;
    PROMISE(log.n <= IDV_MAX_AUDIT_EVENTS);
    (void)!idv_audit_log_judge(&log, &policy);
    PROMISE(idv_audit_log_to_json(&log, &json) == IDV_OK);
    PROMISE(idv_audit_log_from_json(idv_view(&json), &again) == IDV_OK);
    same(&log, &again);
    idv_audit_log_free(&log);
    idv_audit_log_free(&again);
    return 0;
}
