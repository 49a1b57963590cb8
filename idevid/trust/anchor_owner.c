/* SPDX-License-Identifier: Apache-2.0 */
/* Profile "owner": the record in a TPM, written once and fused by a counter. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trust/anchor.h"
#include "trust/owner.h"

static const struct hwk_nv_by by_owner = {.handle = IDVI_RH_OWNER};

/* --- turns ---------------------------------------------------------------- */

static idv_rc enter(void *self)
{
    struct idvi_owner *o = self;
    return idvi_nv_enter(o->dev, NULL);
}

static void leave(void *self)
{
    struct idvi_owner *o = self;
    idvi_nv_leave(o->dev);
}

/* --- before --------------------------------------------------------------- */

/* Somebody may have made it since it was looked for. */
static idv_rc make_counter(struct idvi_owner *o, const struct hwk_nv *nv,
                           struct idvi_owner_state *s)
{
    int why;
    idv_rc rc = idvi_nv_define(o->dev, nv, IDVI_RH_OWNER, &why);
    if (why != HWK_R_EXISTS)
        return rc;
    idv_note_clear();
    return idvi_owner_look(o, false, s);
}

static idv_rc begin_counter(struct idvi_owner *o, struct idvi_owner_state *s)
{
    struct hwk_nv nv = idvi_owner_counter(o);
    nv.attributes &= ~IDVI_NV_WRITTEN;
    o->looked = false;
    if (!s->counter_there)
        IDV_TRY(make_counter(o, &nv, s));
    if (s->value)
        return IDV_OK;
    IDV_TRY(idvi_nv_increment(o->dev, &nv, &by_owner, NULL));
    IDV_TRY(idvi_owner_count(o, s));
    return s->value ? IDV_OK
                    : idv_fail(IDV_E_DEVICE, "NV index 0x%08X does not count",
                               o->count_at);
}

static idv_rc undefine(struct idvi_owner *o, const struct hwk_nv *nv)
{
    return idvi_nv_undefine(o->dev, nv, &by_owner, NULL);
}

static idv_rc fill(struct idvi_owner *o, uint64_t generation,
                   struct idv_anchor_memo *memo)
{
    struct idv_anchor_memo m = {.profile = "owner", .cap = "reboot"};
    struct hwk_tpm_facts facts;
    m.generation = generation;
    m.pcrs = o->gate;
    for (unsigned i = 0; i < 24; i++) {
        if (o->cap >> i & 1)
            snprintf(m.cap, sizeof(m.cap), "pcr:%u", i);
    }
    if (o->gate)
        IDV_TRY(idvi_nv_pcr_read(o->dev, o->gate, m.pcr_digest, NULL));
    IDV_TRY(idvi_nv_facts(o->dev, HWK_FACTS_CLOCK, &facts, NULL));
    m.reset_count = facts.reset_count;
    *memo = m;
    return IDV_OK;
}

/* An index that was defined for an imprint and never written is in the way. */
static idv_rc clear_place(struct idvi_owner *o,
                          const struct idvi_owner_state *s)
{
    if (s->written)
        return idv_fail(IDV_E_STATE, "NV index 0x%08X holds a record already",
                        o->anchor_at);
    return s->anchor_there ? undefine(o, &s->anchor) : IDV_OK;
}

static idv_rc prepare_within(struct idvi_owner *o, struct idv_anchor_memo *memo)
{
    struct idvi_owner_state s;
    IDV_TRY(idvi_owner_look_again(o, &s));
    IDV_TRY(clear_place(o, &s));
    if (!s.value)
        IDV_TRY(begin_counter(o, &s));
    return fill(o, s.value, memo);
}

static idv_rc prepare(void *self, struct idv_anchor_memo *memo)
{
    struct idvi_owner *o = self;
    IDV_TRY(idvi_nv_enter(o->dev, NULL));
    idv_rc rc = prepare_within(o, memo);
    idvi_nv_leave(o->dev);
    return rc;
}

/* --- the record ----------------------------------------------------------- */

static idv_rc read_state(void *self, const struct idv_anchor_memo *memo,
                         struct idv_anchor_seen *out)
{
    struct idvi_owner *o = self;
    struct idvi_owner_state s;
    IDV_TRY(idvi_owner_look(o, true, &s));
    return idvi_owner_judge(o, &s, memo, out);
}

static idv_rc write_within(struct idvi_owner *o,
                           const struct idv_anchor_memo *memo,
                           struct idv_anchor_seen *out)
{
    uint8_t legs[2][IDVI_DIGEST];
    struct idvi_owner_state s;
    const struct hwk_nv nv = idvi_owner_anchor(o, memo, legs);
    IDV_TRY(idvi_nv_define(o->dev, &nv, IDVI_RH_OWNER, NULL));
    IDV_TRY(idvi_owner_seal(o, NULL, memo));
    IDV_TRY(idvi_owner_look_back(o, memo, &s));
    IDV_TRY(idvi_owner_judge(o, &s, memo, out));
    if (out->found != IDV_ANCHOR_SEALED ||
        memcmp(out->record, memo->record, sizeof(out->record)) != 0)
        return idv_fail(IDV_E_DEVICE, "anchor: sealed, and yet it is not");
    return IDV_OK;
}

static idv_rc write_record(void *self, const struct idv_anchor_memo *memo,
                           struct idv_anchor_seen *out)
{
    struct idvi_owner *o = self;
    IDV_TRY(idvi_nv_enter(o->dev, NULL));
    idv_rc rc = write_within(o, memo, out);
    idvi_nv_leave(o->dev);
    return rc;
}

static idv_rc finish_within(struct idvi_owner *o, struct idv_anchor_memo *memo)
{
    struct idvi_owner_state s;
    struct idv_anchor_seen seen;
    struct hwk_tpm_facts facts;
    IDV_TRY(idvi_owner_look(o, false, &s));
    IDV_TRY(idvi_owner_judge(o, &s, memo, &seen));
    if ((seen.found != IDV_ANCHOR_UNFINISHED &&
         seen.found != IDV_ANCHOR_SEALED) ||
        memcmp(seen.record, memo->record, sizeof(seen.record)) != 0)
        return idv_fail(IDV_E_REJECT, "anchor: not the record that was begun");
    IDV_TRY(idvi_owner_seal(o, &s, memo));
    IDV_TRY(idvi_nv_facts(o->dev, HWK_FACTS_CLOCK, &facts, NULL));
    memo->reset_count = facts.reset_count;
    return IDV_OK;
}

static idv_rc finish(void *self, struct idv_anchor_memo *memo)
{
    struct idvi_owner *o = self;
    IDV_TRY(idvi_nv_enter(o->dev, NULL));
    idv_rc rc = finish_within(o, memo);
    idvi_nv_leave(o->dev);
    return rc;
}

static idv_rc discard(void *self)
{
    struct idvi_owner *o = self;
    struct idvi_owner_state s;
    struct idv_anchor_seen seen;
    IDV_TRY(idvi_owner_look(o, true, &s));
    if (!s.anchor_there)
        return IDV_OK;
    IDV_TRY(idvi_owner_judge(o, &s, NULL, &seen));
    if (seen.found == IDV_ANCHOR_SEALED)
        return idv_fail(IDV_E_STATE, "anchor: it is sealed");
    return undefine(o, &s.anchor);
}

/* --- the end -------------------------------------------------------------- */

/* Is there a counter of ours? What the last look found, else the TPM. */
static idv_rc counts(struct idvi_owner *o, bool *out)
{
    struct hwk_nv nv;
    bool found;
    *out = o->counts && !o->ended;
    if (o->looked)
        return IDV_OK;
    IDV_TRY(idvi_nv_look(o->dev, o->count_at, &found, &nv, NULL));
    if (found && (nv.attributes & ~IDVI_NV_WRITTEN) != IDVI_OWNER_COUNTER)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X, the generation, is not ours "
                        "(attributes 0x%08X)",
                        o->count_at, nv.attributes);
    *out = found && (nv.attributes & IDVI_NV_WRITTEN);
    return IDV_OK;
}

/* Only what was made to hold a record is taken away. */
static idv_rc remove_anchor(struct idvi_owner *o)
{
    struct hwk_nv nv;
    bool found;
    IDV_TRY(idvi_nv_look(o->dev, o->anchor_at, &found, &nv, NULL));
    if (!found)
        return IDV_OK;
    if ((nv.attributes & ~(IDVI_NV_WRITTEN | IDVI_NV_WRITELOCKED)) !=
            IDVI_OWNER_ANCHOR ||
        nv.size != IDV_RECORD_SIZE)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X is in use by somebody else "
                        "(attributes 0x%08X, %u bytes): left alone",
                        o->anchor_at, nv.attributes, nv.size);
    return undefine(o, &nv);
}

static idv_rc reset_within(struct idvi_owner *o)
{
    const struct hwk_nv counter = idvi_owner_counter(o);
    bool there;
    IDV_TRY(counts(o, &there));
    o->looked = false;
    if (there) /* from here on the record, and what is bound to it, is dead */
        IDV_TRY(idvi_nv_increment(o->dev, &counter, &by_owner, NULL));
    return remove_anchor(o);
}

static idv_rc reset(void *self)
{
    struct idvi_owner *o = self;
    IDV_TRY(idvi_nv_enter(o->dev, NULL));
    idv_rc rc = reset_within(o);
    idvi_nv_leave(o->dev);
    return rc;
}

static idv_rc capped(void *self, const struct idv_anchor_memo *memo, bool *out)
{
    struct idvi_owner *o = self;
    struct hwk_tpm_facts facts;
    *out = strncmp(memo->cap, "pcr:", 4) == 0;
    if (*out)
        return IDV_OK;
    IDV_TRY(idvi_nv_facts(o->dev, HWK_FACTS_CLOCK, &facts, NULL));
    *out = facts.reset_count != memo->reset_count;
    return IDV_OK;
}

/* The owner can undefine both and begin anew, which cannot be prevented, but
 * not with the same generation: whoever remembers that one sees it. */
static const struct idv_anchor_ops ops = {
    .profile = "owner",
    .assurance = "detect",
    .enter = enter,
    .leave = leave,
    .prepare = prepare,
    .write = write_record,
    .read = read_state,
    .finish = finish,
    .discard = discard,
    .reset = reset,
    .capped = capped,
    .close = free,
};

idv_rc idvi_anchor_owner(struct idv_device *dev,
                         const struct idv_anchor_conf *conf,
                         struct idv_anchor *out)
{
    uint32_t at;
    IDV_TRY(idvi_anchor_handle(conf->uri, IDV_ANCHOR_TPM2_INDEX, &at));
    struct idvi_owner *o = calloc(1, sizeof(*o));
    if (!o)
        return idv_fail(IDV_E_NOMEM, "anchor");
    *o = (struct idvi_owner){
        .dev = dev,
        .anchor_at = at,
        .count_at = conf->counter ? conf->counter : IDV_ANCHOR_TPM2_COUNTER,
        .cap = conf->cap,
        .gate = conf->gate,
    };
    *out = (struct idv_anchor){&ops, o};
    return IDV_OK;
}
