/* SPDX-License-Identifier: Apache-2.0 */
/* The factory's part of profile "owner": its counter is made, and taken away
 * again. */
#include "trust/anchor.h"
#include "trust/owner.h"

static const struct hwk_nv_by by_owner = {.handle = IDVI_RH_OWNER};

static idv_rc places(const struct idv_anchor_conf *conf, struct idvi_owner *o)
{
    static const struct idv_anchor_conf defaults;
    const struct idv_anchor_conf *c = conf ? conf : &defaults;
    o->count_at = c->counter ? c->counter : IDV_ANCHOR_TPM2_COUNTER;
    return idvi_anchor_handle(c->uri, IDV_ANCHOR_TPM2_INDEX, &o->anchor_at);
}

static idv_rc look(const struct idvi_owner *o, bool *found, struct hwk_nv *nv)
{
    IDV_TRY(idvi_nv_look(o->dev, o->count_at, found, nv, NULL));
    if (*found && (nv->attributes & ~IDVI_NV_WRITTEN) != IDVI_OWNER_COUNTER)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X, the generation, is not ours "
                        "(attributes 0x%08X)",
                        o->count_at, nv->attributes);
    return IDV_OK;
}

static idv_rc create(struct idvi_owner *o)
{
    struct hwk_nv nv;
    bool found;
    IDV_TRY(look(o, &found, &nv));
    if (found && nv.attributes & IDVI_NV_WRITTEN)
        return IDV_OK;
    nv = idvi_owner_counter(o);
    nv.attributes &= ~IDVI_NV_WRITTEN;
    if (!found)
        IDV_TRY(idvi_nv_define(o->dev, &nv, IDVI_RH_OWNER, NULL));
    return idvi_nv_increment(o->dev, &nv, &by_owner, NULL);
}

static idv_rc take_away(struct idvi_owner *o)
{
    struct hwk_nv nv;
    bool found;
    IDV_TRY(idvi_nv_look(o->dev, o->anchor_at, &found, &nv, NULL));
    if (found)
        return idv_fail(IDV_E_STATE,
                        "NV index 0x%08X: there is an anchor, which has to be "
                        "reset first",
                        o->anchor_at);
    IDV_TRY(look(o, &found, &nv));
    return found ? idvi_nv_undefine(o->dev, &nv, &by_owner, NULL) : IDV_OK;
}

static idv_rc run(struct idv_device *dev, const struct idv_anchor_conf *conf,
                  idv_rc (*act)(struct idvi_owner *o))
{
    struct idvi_owner o = {.dev = dev};
    IDV_TRY(places(conf, &o));
    IDV_TRY(idvi_nv_enter(dev, NULL));
    idv_rc rc = act(&o);
    idvi_nv_leave(dev);
    return rc;
}

idv_rc idv_owner_create(struct idv_device *dev,
                        const struct idv_anchor_conf *conf)
{
    return run(dev, conf, create);
}

idv_rc idv_owner_delete(struct idv_device *dev,
                        const struct idv_anchor_conf *conf)
{
    return run(dev, conf, take_away);
}
