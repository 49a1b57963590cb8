/* SPDX-License-Identifier: Apache-2.0 */
/* Profile "owner": what the TPM has, and whether it fits together. */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "trust/owner.h"

static uint64_t get_be64(const uint8_t p[static 8])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* --- what is at the two places -------------------------------------------- */

static idv_rc check_counter(const struct hwk_nv *nv)
{
    const uint32_t is = nv->attributes & ~IDVI_NV_WRITTEN;
    if ((is & IDVI_NV_TYPE) != IDVI_NV_COUNTER)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X, the generation, is no counter "
                        "(attributes 0x%08X): somebody else's, or a fake",
                        nv->index, nv->attributes);
    if (is != IDVI_OWNER_COUNTER || nv->size != 8 || nv->policy_n != 0 ||
        nv->name_alg != IDVI_ALG_SHA256)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X, the generation, is another counter "
                        "than ours (attributes 0x%08X, not 0x%08X)",
                        nv->index, nv->attributes, IDVI_OWNER_COUNTER);
    return IDV_OK;
}

static idv_rc check_anchor(const struct hwk_nv *nv)
{
    const uint32_t is =
        nv->attributes & ~(IDVI_NV_WRITTEN | IDVI_NV_WRITELOCKED);
    if (nv->size != IDV_RECORD_SIZE || nv->policy_n != IDVI_DIGEST ||
        nv->name_alg != IDVI_ALG_SHA256)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X is in use by somebody else "
                        "(attributes 0x%08X, %u bytes)",
                        nv->index, nv->attributes, nv->size);
    if (is != IDVI_OWNER_ANCHOR)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X, the anchor, has other attributes "
                        "than ours (0x%08X, not 0x%08X)",
                        nv->index, nv->attributes, IDVI_OWNER_ANCHOR);
    return IDV_OK;
}

static idv_rc read_all(struct idvi_owner *o, const struct hwk_nv *nv, bool last,
                       uint8_t *out)
{
    bool found;
    IDV_TRY((last ? idvi_nv_read_last : idvi_nv_read)(o->dev, nv, &found, out,
                                                      NULL));
    if (!found)
        return idv_fail(IDV_E_DEVICE,
                        "NV index 0x%08X went away while it was read",
                        nv->index);
    return IDV_OK;
}

static idv_rc read_counter(struct idvi_owner *o, bool last,
                           struct idvi_owner_state *s)
{
    uint8_t raw[8];
    IDV_TRY(read_all(o, &s->counter, last, raw));
    s->value = get_be64(raw);
    return IDV_OK;
}

static idv_rc find_counter(struct idvi_owner *o, struct idvi_owner_state *s)
{
    IDV_TRY(idvi_nv_look(o->dev, o->count_at, &s->counter_there, &s->counter,
                         NULL));
    return s->counter_there ? check_counter(&s->counter) : IDV_OK;
}

static idv_rc find_anchor(struct idvi_owner *o, struct idvi_owner_state *s)
{
    IDV_TRY(
        idvi_nv_look(o->dev, o->anchor_at, &s->anchor_there, &s->anchor, NULL));
    if (!s->anchor_there)
        return IDV_OK;
    IDV_TRY(check_anchor(&s->anchor));
    s->written = s->anchor.attributes & IDVI_NV_WRITTEN;
    return IDV_OK;
}

static idv_rc read_both(struct idvi_owner *o, bool last,
                        struct idvi_owner_state *s)
{
    if (s->counter_there && s->counter.attributes & IDVI_NV_WRITTEN)
        IDV_TRY(read_counter(o, last && !s->written, s));
    return s->written ? read_all(o, &s->anchor, last, s->record) : IDV_OK;
}

static void found(struct idvi_owner *o, const struct idvi_owner_state *s)
{
    o->looked = true;
    o->counts = s->value > 0;
    o->occupied = s->counter_there;
    o->ended = false;
}

static idv_rc look(struct idvi_owner *o, bool last, struct idvi_owner_state *s)
{
    IDV_TRY(find_counter(o, s));
    IDV_TRY(find_anchor(o, s));
    return read_both(o, last, s);
}

idv_rc idvi_owner_look(struct idvi_owner *o, bool last,
                       struct idvi_owner_state *out)
{
    struct idvi_owner_state s = {0};
    o->looked = false;
    IDV_TRY(idvi_nv_enter(o->dev, NULL));
    idv_rc rc = look(o, last, &s);
    idvi_nv_leave(o->dev);
    IDV_TRY(rc);
    found(o, &s);
    *out = s;
    return IDV_OK;
}

idv_rc idvi_owner_look_again(struct idvi_owner *o, struct idvi_owner_state *out)
{
    struct idvi_owner_state s = {.counter_there = o->counts};
    if (!o->looked || o->occupied != o->counts)
        return idvi_owner_look(o, false, out);
    if (o->counts)
        s.counter = idvi_owner_counter(o);
    o->looked = false;
    IDV_TRY(find_anchor(o, &s));
    if (read_both(o, false, &s) != IDV_OK) {
        idv_note_clear();
        return idvi_owner_look(o, false, out);
    }
    found(o, &s);
    *out = s;
    return IDV_OK;
}

idv_rc idvi_owner_count(struct idvi_owner *o, struct idvi_owner_state *s)
{
    s->counter_there = true;
    s->counter = idvi_owner_counter(o);
    IDV_TRY(read_counter(o, false, s));
    found(o, s);
    return IDV_OK;
}

/* --- what they must be ---------------------------------------------------- */

struct hwk_nv idvi_owner_counter(const struct idvi_owner *o)
{
    struct hwk_nv nv = {.index = o->count_at,
                        .attributes = IDVI_OWNER_COUNTER | IDVI_NV_WRITTEN,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = 8};
    idvi_nv_name(&nv);
    return nv;
}

struct hwk_nv idvi_owner_anchor(const struct idvi_owner *o,
                                const struct idv_anchor_memo *memo,
                                uint8_t legs[static 2][IDVI_DIGEST])
{
    const struct hwk_nv counter = idvi_owner_counter(o);
    struct hwk_nv nv = {.index = o->anchor_at,
                        .attributes = IDVI_OWNER_ANCHOR,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = IDV_RECORD_SIZE,
                        .policy_n = IDVI_DIGEST};
    memset(legs, 0, 2 * sizeof(*legs));
    if (memo->pcrs)
        idvi_policy_pcr(legs[0], memo->pcrs, memo->pcr_digest);
    idvi_policy_nv(legs[0], counter.name, idv_bytes(memo->record + 8, 8), 0,
                   IDVI_EO_EQ);
    SHA256(memo->record, sizeof(memo->record), legs[1]);
    idvi_policy_or(nv.policy, (const uint8_t(*)[IDVI_DIGEST])legs, 2);
    idvi_nv_name(&nv);
    return nv;
}

idv_rc idvi_owner_look_back(struct idvi_owner *o,
                            const struct idv_anchor_memo *memo,
                            struct idvi_owner_state *out)
{
    uint8_t legs[2][IDVI_DIGEST];
    struct idvi_owner_state s = {.counter_there = true,
                                 .anchor_there = true,
                                 .written = true,
                                 .counter = idvi_owner_counter(o),
                                 .anchor = idvi_owner_anchor(o, memo, legs)};
    s.anchor.attributes |= IDVI_NV_WRITTEN | IDVI_NV_WRITELOCKED;
    idvi_nv_name(&s.anchor);
    o->looked = false;
    IDV_TRY(read_both(o, true, &s));
    found(o, &s);
    *out = s;
    return IDV_OK;
}

/* --- whether they are ----------------------------------------------------- */

static idv_rc check_policy(const struct idvi_owner *o,
                           const struct idvi_owner_state *s,
                           const struct idv_anchor_memo *memo)
{
    uint8_t legs[2][IDVI_DIGEST];
    if (!memo || memcmp(memo->record, s->record, sizeof(s->record)) != 0)
        return IDV_OK;
    const struct hwk_nv want = idvi_owner_anchor(o, memo, legs);
    if (memcmp(want.policy, s->anchor.policy, sizeof(legs[0])) != 0)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X, the anchor, was not made for this "
                        "record and generation (its policy is another)",
                        o->anchor_at);
    return IDV_OK;
}

static idv_rc relate(const struct idvi_owner *o,
                     const struct idvi_owner_state *s, uint64_t generation,
                     enum idv_anchor_found *out)
{
    if (!s->value)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X, the generation counter, is missing",
                        o->count_at);
    if (s->value < generation)
        return idv_fail(IDV_E_REJECT,
                        "the generation counter is behind: it says %llu, the "
                        "record %llu",
                        (unsigned long long)s->value,
                        (unsigned long long)generation);
    if (s->value == generation + 1 &&
        !(s->anchor.attributes & IDVI_NV_WRITELOCKED))
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X, the anchor, is not locked",
                        o->anchor_at);
    *out = s->value == generation       ? IDV_ANCHOR_UNFINISHED
           : s->value == generation + 1 ? IDV_ANCHOR_SEALED
                                        : IDV_ANCHOR_ENDED;
    return IDV_OK;
}

static struct idv_anchor_index index_of(const struct hwk_nv *nv)
{
    struct idv_anchor_index i = {.index = nv->index};
    memcpy(i.name, nv->name, sizeof(i.name));
    return i;
}

idv_rc idvi_owner_judge(struct idvi_owner *o, const struct idvi_owner_state *s,
                        const struct idv_anchor_memo *memo,
                        struct idv_anchor_seen *out)
{
    struct idv_anchor_seen seen = {.counter = s->value};
    struct idv_record record;
    if (s->counter_there)
        seen.count = index_of(&s->counter);
    if (s->written) {
        IDV_TRY(idv_record_from_bytes(idv_bytes(s->record, sizeof(s->record)),
                                      &record));
        IDV_TRY(check_policy(o, s, memo));
        IDV_TRY(relate(o, s, record.generation, &seen.found));
        memcpy(seen.record, s->record, sizeof(seen.record));
        seen.anchor = index_of(&s->anchor);
    }
    o->ended = seen.found == IDV_ANCHOR_ENDED;
    *out = seen;
    return IDV_OK;
}
