/* SPDX-License-Identifier: Apache-2.0 */
/* What was proved and what was not, for people and for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/evidence.h>

const char *idv_evidence_verdict_to_text(enum idv_evidence_verdict v)
{
    static const char *const names[IDV_EVIDENCE_VERDICTS] = {
        [IDV_EVIDENCE_SOUND] = "sound",
        [IDV_EVIDENCE_INCOMPLETE] = "incomplete",
        [IDV_EVIDENCE_MALFORMED] = "malformed",
        [IDV_EVIDENCE_NO_PROFILE] = "no-profile",
        [IDV_EVIDENCE_OTHER_KEY] = "other-key",
        [IDV_EVIDENCE_WEAK_KEY] = "weak-key",
        [IDV_EVIDENCE_UNRESTRICTED] = "unrestricted",
        [IDV_EVIDENCE_UNCERTIFIED] = "uncertified",
        [IDV_EVIDENCE_NO_CHAIN] = "no-chain",
        [IDV_EVIDENCE_BAD_SIGNATURE] = "bad-signature",
        [IDV_EVIDENCE_OTHER_NONCE] = "other-nonce",
        [IDV_EVIDENCE_OTHER_INDEX] = "other-index",
        [IDV_EVIDENCE_OTHER_PLACE] = "other-place",
        [IDV_EVIDENCE_CUT] = "cut",
        [IDV_EVIDENCE_UNLOCKED] = "unlocked",
        [IDV_EVIDENCE_BAD_RECORD] = "bad-record",
        [IDV_EVIDENCE_OTHER_POLICY] = "other-policy",
        [IDV_EVIDENCE_NOT_FUSED] = "not-fused",
        [IDV_EVIDENCE_RESET] = "reset",
        [IDV_EVIDENCE_TWO_BOOTS] = "two-boots",
        [IDV_EVIDENCE_OTHER_PIN] = "other-pin",
    };
    return (unsigned)v < IDV_EVIDENCE_VERDICTS ? names[v] : "unknown";
}

const char *idv_evidence_standing_to_text(enum idv_evidence_standing s)
{
    switch (s) {
    case IDV_EVIDENCE_NOT_ASKED:
        return "not asked";
    case IDV_EVIDENCE_CLAIMED:
        return "claimed";
    case IDV_EVIDENCE_PROVED:
        return "proved";
    case IDV_EVIDENCE_REFUSED:
        return "refused";
    }
    return "unknown";
}

/* Is what the fact is about known, be it only claimed? */
static bool known(const struct idv_evidence_report *r, enum idv_evidence_fact f)
{
    enum idv_evidence_standing s = r->facts[f].standing;
    return s == IDV_EVIDENCE_PROVED || s == IDV_EVIDENCE_CLAIMED;
}

static const char *pin_kind(const struct idv_evidence_report *r)
{
    return r->record.flags & IDV_RECORD_KEY ? "key" : "certificate";
}

/* --- lines --- */

static idv_rc put_hex(struct idv_buf *out, const char *name, const uint8_t *p,
                      size_t n)
{
    IDV_TRY(idv_buf_putf(out, "%s: ", name));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(p, n), out));
    return idv_buf_puts(out, "\n");
}

/* "" for a record without a time, or with one that no calendar has */
static void time_text(uint64_t t, char out[static IDV_TIME_TEXT])
{
    *out = 0;
    if (t && t <= INT64_MAX && idv_time_to_text((int64_t)t, out) != IDV_OK) {
        idv_note_clear();
        *out = 0;
    }
}

static idv_rc put_record_lines(const struct idv_evidence_report *r,
                               struct idv_buf *out)
{
    char when[IDV_TIME_TEXT];
    time_text(r->record.time, when);
    IDV_TRY(idv_buf_putf(
        out, "generation: %" PRIu64 "\ncounter: %" PRIu64 "\npinned: %s\n",
        r->record.generation, r->counter, pin_kind(r)));
    IDV_TRY(put_hex(out, "pin-sha256", r->record.pin_sha256, 32));
    IDV_TRY(put_hex(out, "voucher-sha256", r->record.voucher_sha256, 32));
    if (*when)
        IDV_TRY(idv_buf_putf(out, "imprinted: %s\n", when));
    IDV_TRY(put_hex(out, "anchor-name", r->anchor_name, 34));
    return put_hex(out, "counter-name", r->counter_name, 34);
}

idv_rc idv_evidence_report_to_text(const struct idv_evidence_report *r,
                                   struct idv_buf *out)
{
    IDV_TRY(idv_buf_putf(out, "verdict: %s\n",
                         idv_evidence_verdict_to_text(r->verdict)));
    for (size_t i = 0; i < IDV_EVIDENCE_FACTS; i++)
        IDV_TRY(
            idv_buf_putf(out, "%-9s  %s\n",
                         idv_evidence_standing_to_text(r->facts[i].standing),
                         r->facts[i].text));
    if (known(r, IDV_EVIDENCE_RECORD))
        IDV_TRY(put_record_lines(r, out));
    if (known(r, IDV_EVIDENCE_BOOT))
        IDV_TRY(idv_buf_putf(out,
                             "clock: %" PRIu64 "%s\nresets: %" PRIu32
                             "%s\nrestarts: %" PRIu32 "%s\n",
                             r->clock, r->safe ? "" : " (not safe)", r->resets,
                             r->plain ? "" : " (disguised)", r->restarts,
                             r->plain ? "" : " (disguised)"));
    return IDV_OK;
}

/* --- JSON --- */

static idv_rc set_text(struct idv_json *o, const char *name, const char *text)
{
    return idv_json_set(o, name, idv_json_new_text(idv_str(text)));
}

static idv_rc set_hex(struct idv_json *o, const char *name, const uint8_t *p,
                      size_t n)
{
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_hex_from_bytes(idv_bytes(p, n), &hex));
    return idv_json_set(o, name, idv_json_new_text(idv_view(&hex)));
}

/* Counters of a TPM are 64 bits wide, numbers in JSON are not everywhere. */
static idv_rc set_u64(struct idv_json *o, const char *name, uint64_t v)
{
    char text[24];
    if (v <= INT64_MAX)
        return idv_json_set(o, name, idv_json_new_int((int64_t)v));
    snprintf(text, sizeof(text), "%" PRIu64, v);
    return set_text(o, name, text);
}

static idv_rc set_bool(struct idv_json *o, const char *name, bool v)
{
    return idv_json_set(o, name, idv_json_new_bool(v));
}

static idv_rc add_statement(struct idv_json *list, enum idv_evidence_fact f,
                            const struct idv_evidence_statement *s)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return IDV_E_NOMEM;
    IDV_TRY(set_text(o, "fact", idv_evidence_fact_to_text(f)));
    IDV_TRY(
        set_text(o, "standing", idv_evidence_standing_to_text(s->standing)));
    IDV_TRY(set_text(o, "text", s->text));
    return idv_json_append(list, idv_steal(&o));
}

static idv_rc put_statements(const struct idv_evidence_report *r,
                             struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) list = idv_json_new_array();
    if (!list)
        return IDV_E_NOMEM;
    for (size_t i = 0; i < IDV_EVIDENCE_FACTS; i++)
        IDV_TRY(add_statement(list, (enum idv_evidence_fact)i, &r->facts[i]));
    return idv_json_set(o, "statements", idv_steal(&list));
}

static idv_rc put_signer(const struct idv_evidence_report *r,
                         struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) s = idv_json_new_object();
    if (!s)
        return IDV_E_NOMEM;
    IDV_TRY(set_text(s, "subject", r->signer));
    if (r->hierarchy[0])
        IDV_TRY(set_text(s, "primary-of", r->hierarchy));
    IDV_TRY(set_bool(s, "key-usage-aik", r->says_eku));
    IDV_TRY(set_bool(s, "policy-restricted", r->says_policy));
    return idv_json_set(o, "signer", idv_steal(&s));
}

static idv_rc put_anchor(const struct idv_evidence_report *r,
                         struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) a = idv_json_new_object();
    char when[IDV_TIME_TEXT];
    if (!a)
        return IDV_E_NOMEM;
    time_text(r->record.time, when);
    IDV_TRY(set_u64(a, "generation", r->record.generation));
    IDV_TRY(set_u64(a, "counter", r->counter));
    IDV_TRY(set_text(a, "pinned", pin_kind(r)));
    IDV_TRY(set_hex(a, "pin-sha256", r->record.pin_sha256, 32));
    IDV_TRY(set_u64(a, "pin-length", r->record.pin_length));
    IDV_TRY(set_hex(a, "voucher-sha256", r->record.voucher_sha256, 32));
    if (*when)
        IDV_TRY(set_text(a, "imprinted", when));
    IDV_TRY(set_hex(a, "anchor-name", r->anchor_name, 34));
    IDV_TRY(set_hex(a, "counter-name", r->counter_name, 34));
    return idv_json_set(o, "anchor", idv_steal(&a));
}

static idv_rc put_tpm(const struct idv_evidence_report *r, struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) t = idv_json_new_object();
    if (!t)
        return IDV_E_NOMEM;
    IDV_TRY(set_u64(t, "clock", r->clock));
    IDV_TRY(set_bool(t, "safe", r->safe));
    IDV_TRY(set_u64(t, "resets", r->resets));
    IDV_TRY(set_u64(t, "restarts", r->restarts));
    IDV_TRY(set_u64(t, "firmware", r->firmware));
    IDV_TRY(set_bool(t, "disguised", !r->plain));
    return idv_json_set(o, "tpm", idv_steal(&t));
}

static idv_rc put_all(const struct idv_evidence_report *r, struct idv_json *o)
{
    IDV_TRY(set_text(o, "verdict", idv_evidence_verdict_to_text(r->verdict)));
    if (r->profile[0])
        IDV_TRY(set_text(o, "profile", r->profile));
    IDV_TRY(put_statements(r, o));
    if (known(r, IDV_EVIDENCE_FORM))
        IDV_TRY(put_signer(r, o));
    if (known(r, IDV_EVIDENCE_RECORD))
        IDV_TRY(put_anchor(r, o));
    if (known(r, IDV_EVIDENCE_BOOT))
        IDV_TRY(put_tpm(r, o));
    return IDV_OK;
}

idv_rc idv_evidence_report_to_json(const struct idv_evidence_report *r,
                                   struct idv_json **out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_all(r, o));
    *out = idv_steal(&o);
    return IDV_OK;
}
