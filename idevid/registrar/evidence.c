/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of the pledge's sealed anchor in its enrollment status. */
#include <stdio.h>
#include <string.h>

#include <idevid/codec.h>
#include <idevid/evidence.h>
#include <idevid/json.h>

#include "idevid/registrar/registrar_call.h"

static idv_rc read_text(const struct idvi_reg_call *c, struct idv_buf *der)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idv_json_parse(idv_view(&c->call->req.body), 0, &root));
    const struct idv_json *context = idv_json_get(root, "reason-context");
    const struct idv_json *v = idv_json_get(context, "imprint-evidence");
    const char *text = idv_json_text(v);
    if (!v)
        return IDV_OK;
    if (!text)
        return idv_fail(IDV_E_FORMAT, "evidence: not a string");
    return idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, der);
}

/* What the voucher that was relayed pins is what must be in the anchor. */
static void expected_pin(const struct idvi_reg_call *c, struct idv_voucher *v)
{
    const struct idv_session *s = &c->session;
    IDV_AUTO(opened) o = {0};
    idv_voucher_init(v, IDV_VOUCHER);
    if (idv_envelope_open(s->media, idv_view(&s->voucher), &o) != IDV_OK ||
        idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER, v) !=
            IDV_OK)
        idv_note_clear();
}

static const struct idv_registrar_maker *maker_of(const struct idvi_reg_call *c)
{
    for (size_t i = 0; i < c->reg->conf.n_makers; i++) {
        if (strcmp(c->reg->conf.makers[i].name, c->session.maker) == 0)
            return &c->reg->conf.makers[i];
    }
    return NULL;
}

/* By the maker's word on the key that signed, for this very request, of an
 * anchor with the pin that our voucher has; and no less. */
static idv_rc judge(struct idvi_reg_call *c, struct idv_bytes der,
                    struct idv_evidence_report *report)
{
    const struct idv_registrar_maker *maker = maker_of(c);
    struct idv_evidence e = {0};
    IDV_AUTO(voucher) v;
    expected_pin(c, &v);
    struct idv_evidence_policy policy = {
        .nonce = idv_bytes(c->session.pvr_sha256, 32),
        .pin = idv_view(v.pinned_domain_cert.n ? &v.pinned_domain_cert
                                               : &v.pinned_domain_pubk),
        .pin_sha256 = v.pinned_domain_pubk_sha256.n == 32
                          ? v.pinned_domain_pubk_sha256.p
                          : NULL,
        .serial_number = c->session.serial_number,
        .check_time = idv_clock_trusted(c->reg->env),
        .now = c->now,
    };
    if (!maker)
        return idv_fail(IDV_E_REJECT, "evidence: its maker is not known now");
    policy.approval_key = maker->approval_key;
    policy.anchors =
        maker->evidence_anchors ? maker->evidence_anchors : maker->anchors;
    idv_rc rc = idv_evidence_from_bytes(der, &e);
    if (rc == IDV_OK)
        rc = idv_evidence_verify(&e, &policy, report);
    idv_evidence_free(&e);
    return rc;
}

static idv_rc keep(struct idvi_reg_call *c, struct idv_kept_evidence *kept,
                   bool good)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    memcpy(kept->pvr_sha256, c->session.pvr_sha256, 32);
    kept->date = c->now;
    idv_log(c->reg->env, good ? IDV_LOG_INFO : IDV_LOG_ERROR, "evidence",
            "device=%s verdict=%s detail=%s",
            idv_log_value(c->session.serial_number), kept->verdict,
            idv_log_value(kept->detail));
    IDV_TRY(store->evidence_put(store->self, kept));
    if (good)
        return IDV_OK;
    return idvi_reg_found(c, "evidence", "%s: %s", kept->verdict, kept->detail);
}

static bool is_judgement(idv_rc rc)
{
    return rc == IDV_OK || rc == IDV_E_FORMAT || rc == IDV_E_LIMIT ||
           rc == IDV_E_REJECT || rc == IDV_E_CRYPTO;
}

static void fill(struct idv_kept_evidence *kept, idv_rc rc,
                 const struct idv_evidence_report *report)
{
    const char *verdict = rc == IDV_OK || report->verdict != IDV_EVIDENCE_SOUND
                              ? idv_evidence_verdict_to_text(report->verdict)
                              : "unreadable";
    snprintf(kept->verdict, sizeof(kept->verdict), "%s", verdict);
    snprintf(kept->detail, sizeof(kept->detail), "%s",
             rc == IDV_OK ? "" : idv_note());
    idv_note_clear();
}

idv_rc idvi_reg_take_evidence(struct idvi_reg_call *c, bool *good)
{
    struct idv_kept_evidence kept = {.evidence.max = IDV_EVIDENCE_MAX};
    struct idv_evidence_report report;
    memset(&report, 0, sizeof(report));
    idv_rc rc = read_text(c, &kept.evidence);
    bool any = rc != IDV_OK || kept.evidence.n > 0;
    *good = !any && c->reg->conf.evidence != IDV_EVIDENCE_REQUIRE;
    if (any && rc == IDV_OK)
        rc = judge(c, idv_view(&kept.evidence), &report);
    if (!any)
        rc = *good ? IDV_OK : idvi_reg_found(c, "evidence", "missing");
    else if (is_judgement(rc)) {
        *good = rc == IDV_OK;
        fill(&kept, rc, &report);
        rc = keep(c, &kept, *good);
    }
    idv_buf_free(&kept.evidence);
    return rc;
}
