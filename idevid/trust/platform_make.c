/* SPDX-License-Identifier: Apache-2.0 */
/* The factory's part: counter and anchor are made, and taken away again. */
#include <string.h>

#include <idevid/auto.h>

#include "trust/anchor.h"
#include "trust/anchor_platform.h"

static idv_rc define(struct idvi_platform *p, bool counter)
{
    struct hwk_nv nv;
    bool found;
    IDV_TRY(idvi_platform_index(p, counter, &found, &nv));
    if (found)
        return IDV_OK;
    idvi_approval_index(&p->guard, counter ? p->counter : p->anchor,
                        (counter ? IDV_PLATFORM_COUNTER_ATTRIBUTES
                                 : IDV_PLATFORM_ANCHOR_ATTRIBUTES) &
                            ~IDV_NV_WRITTEN,
                        counter ? 8 : IDV_RECORD_SIZE, &nv);
    return idvi_nv_define(p->dev, &nv, IDVI_RH_PLATFORM, NULL);
}

/* The first increment makes it a counter that can be compared. */
static idv_rc begin_counter(struct idvi_platform *p)
{
    const struct hwk_nv_by by = {.handle = IDVI_RH_PLATFORM};
    struct hwk_nv nv;
    bool found;
    IDV_TRY(idvi_platform_index(p, true, &found, &nv));
    if (found && (nv.attributes & IDV_NV_WRITTEN))
        return IDV_OK;
    return idvi_nv_increment(p->dev, &nv, &by, NULL);
}

static idv_rc create(struct idvi_platform *p)
{
    struct idvi_platform_seen s;
    IDV_TRY(define(p, true));
    IDV_TRY(begin_counter(p));
    IDV_TRY(define(p, false));
    return idvi_platform_look(p, true, &s);
}

static idv_rc undefine(struct idvi_platform *p, bool counter)
{
    struct hwk_policy_step steps[3] = {
        {.code = IDVI_CC_POLICY_SECRET, .handle = IDVI_RH_PLATFORM},
        {.code = IDVI_CC_POLICY_COMMAND,
         .command = IDVI_CC_NV_UNDEFINE_SPECIAL},
        {.code = IDVI_CC_POLICY_OR,
         .branches = {{p->guard.branches[0], IDVI_DIGEST},
                      {p->guard.branches[1], IDVI_DIGEST}},
         .branches_n = 2}};
    const struct hwk_nv_by by = {
        .handle = IDVI_RH_PLATFORM, .steps = steps, .n = 3};
    struct hwk_nv nv;
    bool found;
    IDV_TRY(idvi_platform_index(p, counter, &found, &nv));
    return found ? idvi_nv_undefine(p->dev, &nv, &by, NULL) : IDV_OK;
}

static idv_rc take_away(struct idvi_platform *p)
{
    IDV_TRY(undefine(p, false));
    return undefine(p, true);
}

static idv_rc run(struct idv_device *dev, const struct idv_anchor_conf *conf,
                  idv_rc (*act)(struct idvi_platform *p))
{
    struct idvi_platform *p = calloc(1, sizeof(*p));
    if (!p)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = idvi_platform_init(p, dev, conf);
    if (rc == IDV_OK)
        rc = act(p);
    idvi_platform_free(p);
    return rc;
}

idv_rc idv_platform_create(struct idv_device *dev,
                           const struct idv_anchor_conf *conf)
{
    return run(dev, conf, create);
}

idv_rc idv_platform_delete(struct idv_device *dev,
                           const struct idv_anchor_conf *conf)
{
    return run(dev, conf, take_away);
}
