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

static idv_rc mem_read(void *self, bool *found, struct idv_buf *record)
{
    struct anchor_mem *a = self;
    if (hit(a))
        return broken();
    *found = a->found;
    return a->found ? idv_buf_put(record, idv_bytes(a->record, a->n)) : IDV_OK;
}

static idv_rc mem_write(void *self, struct idv_bytes record)
{
    struct anchor_mem *a = self;
    const bool fails = hit(a);
    if (fails && !a->after)
        return broken();
    if (a->found)
        return idv_fail(IDV_E_STATE, "anchor: locked");
    memcpy(a->record, record.p, record.n);
    a->n = record.n;
    a->found = true;
    if (a->from)
        rename(a->from, a->to);
    return fails ? broken() : IDV_OK;
}

static idv_rc mem_reset(void *self)
{
    struct anchor_mem *a = self;
    const bool fails = hit(a);
    if (fails && !a->after)
        return broken();
    a->found = false;
    return fails ? broken() : IDV_OK;
}

struct idv_anchor anchor_mem(struct anchor_mem *a)
{
    static const struct idv_anchor_ops ops = {
        .read = mem_read,
        .write = mem_write,
        .reset = mem_reset,
        .assurance = "none",
    };
    return (struct idv_anchor){.ops = &ops, .self = a};
}
