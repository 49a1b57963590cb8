/* SPDX-License-Identifier: Apache-2.0 */
/* What device and maker say to each other of an anchor: what is read is
 * written the same. */
#include <idevid/approval.h>
#include <idevid/auto.h>

#include "tests/fuzz/fuzz.h"

static bool in_nv(const struct idv_anchor_index *i)
{
    return i->index >> 24 == 0x01 && i->name[0] == 0x00 && i->name[1] == 0x0b;
}

static void read_request(struct idv_bytes json)
{
    struct idv_approval_request r, s;
    IDV_AUTO(buf) one = {0};
    IDV_AUTO(buf) two = {0};
    bool mine = false;
    if (idv_approval_request_from_json(json, &mine, &r) != IDV_OK) {
        PROMISE(mine && *idv_note());
        return;
    }
    PROMISE(!*idv_note());
    if (!mine)
        return;
    PROMISE(r.generation >= 1 && r.generation <= IDV_MAX_GENERATION);
    PROMISE(in_nv(&r.anchor) && in_nv(&r.counter));
    PROMISE(r.anchor.index != r.counter.index);
    PROMISE(idv_approval_request_to_json(&r, &one) == IDV_OK);
    PROMISE(idv_approval_request_from_json(idv_view(&one), &mine, &s) ==
            IDV_OK);
    PROMISE(mine && idv_approval_request_to_json(&s, &two) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&one), idv_view(&two)));
}

static bool is_signature(const struct idv_approval_signature *s)
{
    return s->n >= 1 && s->n <= sizeof(s->p);
}

static void read_approval(struct idv_bytes json)
{
    struct idv_approval a, b;
    IDV_AUTO(buf) one = {0};
    IDV_AUTO(buf) two = {0};
    bool mine = false;
    if (idv_approval_from_json(json, &mine, &a) != IDV_OK) {
        PROMISE(mine && *idv_note());
        return;
    }
    PROMISE(!*idv_note());
    if (!mine)
        return;
    PROMISE(a.generation >= 1 && a.generation <= IDV_MAX_GENERATION);
    PROMISE(is_signature(&a.write) && is_signature(&a.fuse) &&
            is_signature(&a.reset));
    PROMISE(idv_approval_to_json(&a, &one) == IDV_OK);
    PROMISE(idv_approval_from_json(idv_view(&one), &mine, &b) == IDV_OK);
    PROMISE(mine && idv_approval_to_json(&b, &two) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&one), idv_view(&two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct idv_bytes json = idv_bytes(data, n);
    idv_note_clear();
    read_request(json);
    idv_note_clear();
    read_approval(json);
    return 0;
}
