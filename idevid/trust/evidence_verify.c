/* SPDX-License-Identifier: Apache-2.0 */
/* What evidence proves: one statement after the other, up to a refusal. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "trust/evidence_priv.h"

idv_rc idvi_evidence_refuse(struct idvi_proof *p, enum idv_evidence_verdict v,
                            const char *fmt, ...)
{
    char why[IDV_EVIDENCE_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    p->report.verdict = v;
    p->at->standing = IDV_EVIDENCE_REFUSED;
    idvi_evidence_say(p->at, "%s", why);
    return idv_fail(IDV_E_REJECT, "evidence: %s", why);
}

void idvi_evidence_say(struct idv_evidence_statement *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->text, sizeof(s->text), fmt, args);
    va_end(args);
}

/* --- the parts --- */

static idv_rc malformed(struct idvi_proof *p, const char *what, idv_rc rc)
{
    char why[IDV_EVIDENCE_TEXT];
    if (rc != IDV_E_FORMAT)
        return rc;
    snprintf(why, sizeof(why), "%s", idv_note());
    idv_note_clear();
    return idvi_evidence_refuse(p, IDV_EVIDENCE_MALFORMED, "%s: %s", what, why);
}

static idv_rc read_item(struct idvi_proof *p, const char *what,
                        const struct idv_evidence_item *item,
                        struct idvi_attest *attest, struct hwk_nv *nv)
{
    IDV_TRY(malformed(p, what,
                      idvi_attest_from_bytes(idv_view(&item->attest),
                                             IDVI_ATTEST_NV, attest)));
    return malformed(p, what, idvi_nv_from_bytes(idv_view(&item->index), nv));
}

static idv_rc check_form(struct idvi_proof *p, struct idv_evidence_statement *s)
{
    const struct idv_evidence *e = p->e;
    struct idv_evidence_report *r = &p->report;
    idv_note_clear();
    p->profile = idvi_evidence_profile(e->profile);
    if (!p->profile)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_NO_PROFILE,
                                    "the profile '%.15s' has no evidence",
                                    e->profile);
    p->leaf = sk_X509_value(e->chain, 0);
    if (!p->leaf)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_MALFORMED,
                                    "no certificate of the signer");
    snprintf(r->profile, sizeof(r->profile), "%s", p->profile->name);
    snprintf(r->signer, sizeof(r->signer), "%s", idv_cert_subject(p->leaf));
    IDV_TRY(read_item(p, "anchor", &e->anchor, &p->anchor, &p->anchor_nv));
    IDV_TRY(read_item(p, "counter", &e->counter, &p->counter, &p->counter_nv));
    IDV_TRY(malformed(
        p, "signer",
        idvi_tpm_public_from_bytes(idv_view(&e->signer), &p->signer)));
    idvi_evidence_say(s,
                      "it is evidence of the profile '%s', whole and well "
                      "formed",
                      p->profile->name);
    return IDV_OK;
}

/* --- the statements --- */

static idv_rc check_policy(struct idvi_proof *p,
                           struct idv_evidence_statement *s)
{
    return p->profile->policy(p, s);
}

static const struct {
    const char *name;
    idvi_evidence_check *check;
    bool by_word;  /* true only of a signer that is what it says */
    bool optional; /* sound without */
} facts[IDV_EVIDENCE_FACTS] = {
    [IDV_EVIDENCE_FORM] = {"form", check_form, false, false},
    [IDV_EVIDENCE_KEY] = {"key", idvi_evidence_key, false, false},
    [IDV_EVIDENCE_KIND] = {"kind", idvi_evidence_kind, true, false},
    [IDV_EVIDENCE_CERTIFIED] = {"certified", idvi_evidence_certified, true,
                                false},
    [IDV_EVIDENCE_CHAIN] = {"chain", idvi_evidence_chain, false, false},
    [IDV_EVIDENCE_SIGNED] = {"signed", idvi_evidence_signed, false, false},
    [IDV_EVIDENCE_FRESH] = {"fresh", idvi_evidence_fresh, true, false},
    [IDV_EVIDENCE_NAMES] = {"names", idvi_evidence_names, true, false},
    [IDV_EVIDENCE_PLACES] = {"places", idvi_evidence_places, true, false},
    [IDV_EVIDENCE_WHOLE] = {"whole", idvi_evidence_whole, true, false},
    [IDV_EVIDENCE_LOCKED] = {"locked", idvi_evidence_locked, true, false},
    [IDV_EVIDENCE_RECORD] = {"record", idvi_evidence_record, true, false},
    [IDV_EVIDENCE_POLICY] = {"policy", check_policy, true, false},
    [IDV_EVIDENCE_FUSED] = {"fused", idvi_evidence_fused, true, false},
    [IDV_EVIDENCE_BOOT] = {"boot", idvi_evidence_boot, true, false},
    [IDV_EVIDENCE_PIN] = {"pin", idvi_evidence_pin, true, true},
};

const char *idv_evidence_fact_to_text(enum idv_evidence_fact f)
{
    return (unsigned)f < IDV_EVIDENCE_FACTS ? facts[f].name : "unknown";
}

static idv_rc look_at_all(struct idvi_proof *p)
{
    for (size_t i = 0; i < IDV_EVIDENCE_FACTS; i++)
        idvi_evidence_say(&p->report.facts[i], "not looked at");
    for (size_t i = 0; i < IDV_EVIDENCE_FACTS; i++) {
        struct idv_evidence_statement holds = {.standing = IDV_EVIDENCE_PROVED};
        p->at = &p->report.facts[i];
        IDV_TRY(facts[i].check(p, &holds));
        *p->at = holds;
    }
    return IDV_OK;
}

/* What rests on a certificate that nobody stands for is only claimed. */
static void weigh(struct idv_evidence_report *r)
{
    bool chain = r->facts[IDV_EVIDENCE_CHAIN].standing == IDV_EVIDENCE_PROVED;
    for (size_t i = 0; i < IDV_EVIDENCE_FACTS; i++) {
        struct idv_evidence_statement *s = &r->facts[i];
        if (!chain && facts[i].by_word && s->standing == IDV_EVIDENCE_PROVED)
            s->standing = IDV_EVIDENCE_CLAIMED;
    }
}

static idv_rc conclude(struct idv_evidence_report *r)
{
    for (size_t i = 0; i < IDV_EVIDENCE_FACTS; i++) {
        const struct idv_evidence_statement *s = &r->facts[i];
        if (s->standing != IDV_EVIDENCE_NOT_ASKED || facts[i].optional)
            continue;
        r->verdict = IDV_EVIDENCE_INCOMPLETE;
        return idv_fail(IDV_E_REJECT, "evidence: incomplete: %s", s->text);
    }
    return IDV_OK;
}

idv_rc idv_evidence_verify(const struct idv_evidence *e,
                           const struct idv_evidence_policy *policy,
                           struct idv_evidence_report *out)
{
    struct idvi_proof p = {.e = e, .policy = policy};
    idv_rc rc = look_at_all(&p);
    if (rc != IDV_OK && rc != IDV_E_REJECT)
        return rc;
    weigh(&p.report);
    if (rc == IDV_OK)
        rc = conclude(&p.report);
    *out = p.report;
    return rc;
}
