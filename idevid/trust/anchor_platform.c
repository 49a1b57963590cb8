/* SPDX-License-Identifier: Apache-2.0 */
/* Profile platform: the TPM itself demands the maker's approval of exactly this
 * record at exactly this generation. */
#include <string.h>

#include <idevid/auto.h>

#include "trust/anchor.h"
#include "trust/anchor_platform.h"

/* --- what is there -------------------------------------------------------- */

static void name_index(const struct hwk_nv *nv, struct idv_anchor_index *out)
{
    out->index = nv->index;
    memcpy(out->name, nv->name, sizeof(out->name));
}

/* By how far the counter is ahead of the record. One that was reset stays where
 * it is until the next is written over it: it is none. */
static idv_rc judge(const struct idvi_platform_seen *s,
                    struct idv_anchor_seen *out)
{
    struct idv_record r;
    if (!s->written)
        return IDV_OK;
    IDV_TRY(idv_record_from_bytes(idv_bytes(s->record, sizeof(s->record)), &r));
    if (r.generation > s->value)
        return idv_fail(IDV_E_REJECT,
                        "platform counter: behind the record, at %llu and not "
                        "%llu",
                        (unsigned long long)s->value,
                        (unsigned long long)r.generation);
    if (s->value - r.generation > 1)
        return IDV_OK;
    out->found =
        s->value == r.generation ? IDV_ANCHOR_UNFINISHED : IDV_ANCHOR_SEALED;
    memcpy(out->record, s->record, sizeof(out->record));
    return IDV_OK;
}

static idv_rc describe(const struct idvi_platform_seen *s,
                       struct idv_anchor_seen *out)
{
    struct idv_anchor_seen seen = {.found = IDV_ANCHOR_NOTHING};
    IDV_TRY(judge(s, &seen));
    seen.counter = s->value;
    name_index(&s->anchor, &seen.anchor);
    name_index(&s->counter, &seen.count);
    *out = seen;
    return IDV_OK;
}

static idv_rc see(struct idvi_platform *p, bool last,
                  struct idvi_platform_seen *s, struct idv_anchor_seen *out)
{
    IDV_TRY(idvi_platform_look(p, last, s));
    return describe(s, out);
}

static idv_rc platform_read(void *self, const struct idv_anchor_memo *memo,
                            struct idv_anchor_seen *out)
{
    struct idvi_platform_seen s;
    (void)memo;
    return see(self, true, &s, out);
}

static idv_rc platform_enter(void *self)
{
    struct idvi_platform *p = self;
    return idvi_nv_enter(p->dev, NULL);
}

static void platform_leave(void *self)
{
    struct idvi_platform *p = self;
    idvi_nv_leave(p->dev);
}

/* --- imprint -------------------------------------------------------------- */

static idv_rc platform_prepare(void *self, struct idv_anchor_memo *memo)
{
    struct idvi_platform_seen s;
    struct idv_anchor_seen seen;
    IDV_TRY(idvi_platform_look_again(self, &s));
    IDV_TRY(describe(&s, &seen));
    if (seen.found == IDV_ANCHOR_SEALED)
        return idv_fail(IDV_E_STATE, "platform anchor: it has a record");
    strcpy(memo->profile, "platform");
    strcpy(memo->cap, "none");
    memo->generation = s.value;
    return IDV_OK;
}

static idv_rc platform_statement(void *self, struct idv_approval_request *out)
{
    struct idvi_platform_seen s;
    struct idv_anchor_seen seen;
    IDV_TRY(see(self, true, &s, &seen));
    out->generation = s.value;
    out->anchor = seen.anchor;
    out->counter = seen.count;
    return IDV_OK;
}

/* By what was found before: nothing but the TPM itself has the last word. */
static idv_rc platform_approve(void *self, const struct idv_approval *approval,
                               const struct idv_record *record)
{
    struct idvi_platform *p = self;
    struct idvi_platform_seen *s = &p->last;
    struct idv_approval_request r = {.generation = approval->generation};
    uint8_t raw[IDV_RECORD_SIZE];
    p->approved = false;
    if (!p->looked)
        IDV_TRY(idvi_platform_look(p, false, s));
    name_index(&s->anchor, &r.anchor);
    name_index(&s->counter, &r.counter);
    idv_record_to_bytes(record, raw);
    IDV_TRY(idvi_approval_verify(approval, &r, record, p->verifier, &p->ref,
                                 !s->written ||
                                     memcmp(s->record, raw, sizeof(raw)) != 0));
    p->approval = *approval;
    p->record = *record;
    p->approved = true;
    return IDV_OK;
}

static idv_rc confirm(struct idvi_platform *p,
                      const struct idvi_platform_seen *s,
                      const uint8_t record[static IDV_RECORD_SIZE],
                      struct idv_anchor_seen *out)
{
    struct idvi_platform_seen now;
    struct idv_anchor_seen seen;
    IDV_TRY(idvi_platform_look_back(p, s, &now));
    IDV_TRY(describe(&now, &seen));
    if (seen.found != IDV_ANCHOR_SEALED ||
        memcmp(seen.record, record, IDV_RECORD_SIZE) != 0)
        return idv_fail(IDV_E_DEVICE, "platform anchor: what was written is "
                                      "not what it has");
    if (out)
        *out = seen;
    return IDV_OK;
}

static idv_rc check_record(const struct idvi_platform *p,
                           const struct idv_anchor_memo *memo)
{
    uint8_t raw[IDV_RECORD_SIZE];
    idv_record_to_bytes(&p->record, raw);
    if (!p->approved || memcmp(raw, memo->record, sizeof(raw)) != 0)
        return idv_fail(IDV_E_REJECT, "platform anchor: the maker did not "
                                      "approve this record");
    return IDV_OK;
}

/* By what prepare found: the policies are for those Names and that value, and
 * the TPM refuses what is so no more. The approval is for record; the fuse
 * makes it last. */
static idv_rc write_turn(struct idvi_platform *p,
                         const struct idv_anchor_memo *memo,
                         struct idv_anchor_seen *out)
{
    struct idvi_platform_seen s = p->last;
    if (!p->looked)
        IDV_TRY(idvi_platform_look(p, false, &s));
    p->looked = false;
    IDV_TRY(idvi_platform_step(p, &s, IDV_APPROVE_WRITE));
    IDV_TRY(idvi_platform_step(p, &s, IDV_APPROVE_FUSE));
    return confirm(p, &s, memo->record, out);
}

static idv_rc platform_write(void *self, const struct idv_anchor_memo *memo,
                             struct idv_anchor_seen *out)
{
    struct idvi_platform *p = self;
    IDV_TRY(check_record(p, memo));
    IDV_TRY(idvi_nv_enter(p->dev, NULL));
    idv_rc rc = write_turn(p, memo, out);
    idvi_nv_leave(p->dev);
    return rc;
}

static idv_rc finish_turn(struct idvi_platform *p,
                          const struct idv_anchor_memo *memo)
{
    struct idvi_platform_seen s;
    struct idv_anchor_seen seen;
    IDV_TRY(see(p, false, &s, &seen));
    if (seen.found == IDV_ANCHOR_SEALED)
        return IDV_OK;
    IDV_TRY(check_record(p, memo));
    p->looked = false;
    IDV_TRY(idvi_platform_step(p, &s, IDV_APPROVE_FUSE));
    return confirm(p, &s, memo->record, NULL);
}

static idv_rc platform_finish(void *self, struct idv_anchor_memo *memo)
{
    struct idvi_platform *p = self;
    IDV_TRY(idvi_nv_enter(p->dev, NULL));
    idv_rc rc = finish_turn(p, memo);
    idvi_nv_leave(p->dev);
    return rc;
}

/* Nobody can take it away. It is no anchor as long as nobody fuses it, and the
 * next imprint writes over it. */
static idv_rc platform_discard(void *self)
{
    struct idvi_platform *p = self;
    p->approved = false;
    return IDV_OK;
}

/* --- reset ---------------------------------------------------------------- */

static idv_rc by_platform(struct idvi_platform *p,
                          const struct idvi_platform_seen *s)
{
    const struct hwk_nv_by by = {.handle = IDVI_RH_PLATFORM};
    struct hwk_tpm_facts facts;
    IDV_TRY(idvi_nv_facts(p->dev, HWK_FACTS_STATE, &facts, NULL));
    if (!facts.platform_enabled)
        return idv_fail(IDV_E_REJECT,
                        "platform anchor: a reset needs the approval that came "
                        "with its voucher, a new one by the maker, or the "
                        "platform hierarchy, which is disabled");
    return idvi_nv_increment(p->dev, &s->counter, &by, NULL);
}

/* Where an older record was written over the one of this generation, that one
 * could be put back as long as the counter stays. */
static idv_rc platform_reset(void *self)
{
    struct idvi_platform *p = self;
    struct idvi_platform_seen s;
    struct idv_anchor_seen seen;
    IDV_TRY(see(p, true, &s, &seen));
    const bool sealed_so = p->approved && p->approval.generation + 1 == s.value;
    if (!sealed_so && seen.found != IDV_ANCHOR_SEALED)
        return IDV_OK;
    idv_rc rc = sealed_so ? idvi_platform_step(p, &s, IDV_APPROVE_RESET)
                          : by_platform(p, &s);
    if (rc == IDV_OK)
        p->approved = false;
    return rc;
}

static void platform_close(void *self)
{
    idvi_platform_free(self);
}

/* --- opening -------------------------------------------------------------- */

#define OPS(how)                                                               \
    {                                                                          \
        .profile = "platform", .assurance = (how), .enter = platform_enter,    \
        .leave = platform_leave, .prepare = platform_prepare,                  \
        .write = platform_write, .read = platform_read,                        \
        .finish = platform_finish, .discard = platform_discard,                \
        .reset = platform_reset, .statement = platform_statement,              \
        .approve = platform_approve, .close = platform_close                   \
    }
/* The platform hierarchy can take the indices away and make others. Firmware
 * disables it before anybody else runs; as long as it did not, a changed anchor
 * is noticed and no more. */
static const struct idv_anchor_ops enforced = OPS("enforce");
static const struct idv_anchor_ops open_door = OPS("detect");

idv_rc idvi_anchor_platform(struct idv_device *dev,
                            const struct idv_anchor_conf *conf,
                            struct idv_anchor *out)
{
    struct hwk_tpm_facts facts;
    struct idvi_platform *p = calloc(1, sizeof(*p));
    if (!p)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = idvi_platform_init(p, dev, conf);
    if (rc == IDV_OK)
        rc = idvi_nv_facts(dev, HWK_FACTS_STATE, &facts, NULL);
    if (rc != IDV_OK) {
        idvi_platform_free(p);
        return rc;
    }
    *out = (struct idv_anchor){
        .ops = facts.platform_enabled ? &open_door : &enforced, .self = p};
    return IDV_OK;
}

idv_rc idvi_anchor_platform_is_there(struct idv_device *dev,
                                     const struct idv_anchor_conf *conf,
                                     bool *there)
{
    struct hwk_nv nv;
    uint32_t index;
    IDV_TRY(idvi_anchor_handle(conf->uri, IDV_ANCHOR_PLATFORM_INDEX, &index));
    IDV_TRY(idvi_nv_look(dev, index, there, &nv, NULL));
    *there = *there && (nv.attributes & IDVI_NV_PLATFORMCREATE);
    return IDV_OK;
}
