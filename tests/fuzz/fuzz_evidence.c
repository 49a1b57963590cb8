/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence: one file for each, and never proof of anything without a root. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/evidence.h>

#include "tests/fuzz/fuzz.h"

/* DER is written as it was read, and so is the DER inside a PEM. */
static void check_again(const struct idv_evidence *e, const uint8_t *data,
                        size_t n)
{
    IDV_AUTO(buf) der = {0};
    PROMISE(idv_evidence_to_der(e, &der) == IDV_OK);
    if (data[0] == 0x30)
        PROMISE(der.n == n && memcmp(der.p, data, n) == 0);
}

static void check_report(const struct idv_evidence_report *r)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_json) json = NULL;
    PROMISE(r->facts[IDV_EVIDENCE_CHAIN].standing == IDV_EVIDENCE_NOT_ASKED);
    PROMISE(r->facts[IDV_EVIDENCE_FUSED].standing != IDV_EVIDENCE_PROVED);
    PROMISE(idv_evidence_report_to_text(r, &text) == IDV_OK);
    PROMISE(idv_evidence_report_to_json(r, &json) == IDV_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_evidence e = {0};
    struct idv_evidence_policy nothing = {0};
    struct idv_evidence_report r;
    idv_note_clear();
    if (idv_evidence_from_bytes(idv_bytes(data, n), &e) != IDV_OK) {
        PROMISE(*idv_note());
        return 0;
    }
    check_again(&e, data, n);
    PROMISE(idv_evidence_verify(&e, &nothing, &r) == IDV_E_REJECT);
    PROMISE(*idv_note() && r.verdict != IDV_EVIDENCE_SOUND);
    check_report(&r);
    idv_evidence_free(&e);
    return 0;
}
