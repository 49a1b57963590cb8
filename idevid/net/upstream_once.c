/* SPDX-License-Identifier: Apache-2.0 */
/* One request elsewhere, waited for, as the services make theirs. */
#include <event2/event.h>

#include <idevid/auto.h>

#include "net/server_int.h"

struct once {
    struct event_base *base;
    struct idv_msg *reply;
    idv_rc rc;
    char note[IDV_NOTE_MAX];
};

static void done(void *arg, struct idv_told *told)
{
    struct once *o = arg;
    o->rc = told->kind == IDV_TOLD_REPLY ? IDV_OK : told->rc;
    memcpy(o->note, told->note, sizeof(o->note));
    if (o->rc == IDV_OK)
        idv_msg_move(o->reply, &told->msg);
    event_base_loopbreak(o->base);
}

static idv_rc go(struct once *o, struct idv_upstream *what,
                 const struct idv_server_conf *conf)
{
    struct idvi_upstreams *all = NULL;
    IDV_TRY(idvi_upstreams_new(o->base, conf, &all));
    idv_rc rc = idvi_upstream_start(all, what, done, o);
    if (rc == IDV_OK && event_base_dispatch(o->base) < 0)
        rc = idv_fail(IDV_E_STATE, "event loop");
    idvi_upstreams_free(all);
    return rc;
}

idv_rc idv_upstream_once(struct idv_upstream *what, const struct idv_env *env,
                         struct idv_msg *reply)
{
    const struct idv_server_conf conf = {.env = env, .max_upstream = 1};
    struct once o = {.base = event_base_new(),
                     .reply = reply,
                     .rc = IDV_E_NET,
                     .note = "no answer"};
    if (!o.base)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = go(&o, what, &conf);
    event_base_free(o.base);
    if (rc != IDV_OK)
        return rc;
    return o.rc == IDV_OK ? IDV_OK : idv_fail(o.rc, "%s", o.note);
}
