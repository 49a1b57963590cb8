/* SPDX-License-Identifier: Apache-2.0 */
/* The store table of a line's book. */
#include "idevid/db/factory_store.h"

static idv_rc view(void *self, bool open)
{
    return open ? idvi_view(self) : idvi_end(self, IDV_OK);
}

struct idv_factory_store idv_db_factory_store(struct idv_db *db)
{
    return (struct idv_factory_store){
        .self = db,
        .view = view,
        .find = idvi_factory_find,
        .put = idvi_factory_put,
        .note = idvi_factory_note,
        .order_add = idvi_factory_order_add,
        .order_device = idvi_factory_order_device,
        .each_order = idvi_factory_each_order,
        .order_next = idvi_factory_order_next,
        .challenge_add = idvi_factory_challenge_add,
        .challenge_find = idvi_factory_challenge_find,
        .each_device = idvi_factory_each_device,
        .each_entry = idvi_factory_each_entry,
        .seq_since = idvi_factory_seq_since,
        .head = idvi_factory_head,
        .batch_add = idvi_factory_batch_add,
        .batch_last = idvi_factory_batch_last,
        .each_batch = idvi_factory_each_batch,
    };
}
