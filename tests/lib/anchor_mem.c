/* SPDX-License-Identifier: Apache-2.0 */
/* A device that keeps the anchor record in memory and fails when told to. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/anchor_mem.h"

static bool hit(struct anchor_mem *a)
{
    a->calls++;
    return a->fail_at &&
           (a->dead ? a->calls >= a->fail_at : a->calls == a->fail_at);
}

static idv_rc broken(void)
{
    return idv_fail(IDV_E_DEVICE, "anchor: the device failed");
}

static void look(const struct anchor_mem *a, struct idv_anchor_seen *out)
{
    memset(out, 0, sizeof(*out));
    out->found = a->found;
    out->counter = a->counter;
    if (a->found != IDV_ANCHOR_NOTHING)
        memcpy(out->record, a->record, sizeof(out->record));
}

static idv_rc mem_prepare(void *self, struct idv_anchor_memo *memo)
{
    struct anchor_mem *a = self;
    if (hit(a))
        return broken();
    if (a->found != IDV_ANCHOR_NOTHING)
        return idv_fail(IDV_E_STATE, "anchor: holds a record already");
    strcpy(memo->profile, "memory");
    strcpy(memo->cap, "none");
    memo->generation = a->counter;
    return IDV_OK;
}

static idv_rc mem_read(void *self, const struct idv_anchor_memo *memo,
                       struct idv_anchor_seen *out)
{
    struct anchor_mem *a = self;
    (void)memo;
    if (hit(a))
        return broken();
    look(a, out);
    return IDV_OK;
}

/* the fuse */
static void seal(struct anchor_mem *a)
{
    a->found = IDV_ANCHOR_SEALED;
    if (a->counter)
        a->counter++;
}

static idv_rc mem_write(void *self, const struct idv_anchor_memo *memo,
                        struct idv_anchor_seen *out)
{
    struct anchor_mem *a = self;
    const bool fails = hit(a);
    if (fails && !a->after)
        return broken();
    if (a->found != IDV_ANCHOR_NOTHING)
        return idv_fail(IDV_E_STATE, "anchor: locked");
    memcpy(a->record, memo->record, sizeof(a->record));
    a->found = IDV_ANCHOR_UNFINISHED;
    if (!a->half)
        seal(a);
    if (a->from)
        rename(a->from, a->to);
    look(a, out);
    return fails || a->half ? broken() : IDV_OK;
}

static idv_rc mem_finish(void *self, struct idv_anchor_memo *memo)
{
    struct anchor_mem *a = self;
    if (hit(a))
        return broken();
    a->finished++;
    memo->reset_count = a->resets;
    if (a->stuck)
        return idv_fail(IDV_E_REJECT, "anchor: its policy does not hold");
    if (a->found == IDV_ANCHOR_UNFINISHED)
        seal(a);
    return IDV_OK;
}

static idv_rc mem_discard(void *self)
{
    struct anchor_mem *a = self;
    if (hit(a))
        return broken();
    a->found = IDV_ANCHOR_NOTHING;
    return IDV_OK;
}

static idv_rc mem_reset(void *self)
{
    struct anchor_mem *a = self;
    const bool fails = hit(a);
    if (fails && !a->after)
        return broken();
    if (a->counter && a->found == IDV_ANCHOR_SEALED)
        a->counter++;
    a->found = IDV_ANCHOR_NOTHING;
    return fails ? broken() : IDV_OK;
}

struct idv_anchor anchor_mem(struct anchor_mem *a)
{
    static const struct idv_anchor_ops ops = {
        .profile = "memory",
        .assurance = "none",
        .prepare = mem_prepare,
        .write = mem_write,
        .read = mem_read,
        .finish = mem_finish,
        .discard = mem_discard,
        .reset = mem_reset,
    };
    return (struct idv_anchor){.ops = &ops, .self = a};
}
