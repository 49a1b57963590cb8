/* SPDX-License-Identifier: Apache-2.0 */
/* What discovery finds becomes a candidate of the pledge. */
#include <idevid/auto.h>
#include <idevid/discover.h>

#include "pledge.h"
#include "pledge_find.h"

static const char *const *listed(char **list)
{
    return list && *list ? (const char *const *)list : NULL;
}

idv_rc pledge_find_methods(bool named, unsigned *methods)
{
    const char *const *m = listed(pledge_configuration.find.methods);
    *methods = m || named ? 0 : idv_discovery_methods();
    for (; m && *m; m++)
        IDV_TRY(find_method(*m, methods));
    return IDV_OK;
}

static void on_offer(void *arg, const struct idv_offer *offer)
{
    struct pledge_find *f = arg;
    idv_log(f->env, IDV_LOG_INFO, offer->gone ? "gone" : "found",
            "origin=%s host=%s port=%u", idv_origin_name(offer->origin),
            idv_log_value(offer->host), offer->port);
    idv_rc rc = idv_pledge_offer(f->pledge, offer);
    if (rc != IDV_OK)
        idv_log_failure(f->env, "not-a-candidate", rc);
}

static void on_link(void *arg, const char *interface)
{
    struct pledge_find *f = arg;
    (void)interface;
    idv_pledge_link_up(f->pledge);
}

idv_rc pledge_find_start(struct pledge_find *f, unsigned methods)
{
    const struct idv_discovery_conf conf = {
        .env = f->env,
        .methods = methods,
        .interfaces = listed(pledge_configuration.find.interfaces),
        .domains = listed(pledge_configuration.find.domains),
        .registrars = pledge_configuration.find.registrars,
        .offer = on_offer,
        .link_up = on_link,
        .arg = f,
    };
    return methods ? idv_discovery_new(&conf, &f->discovery) : IDV_OK;
}

const struct idv_watch *pledge_find_watch(const struct pledge_find *f)
{
    return f->discovery ? idv_discovery_watch(f->discovery) : NULL;
}

void pledge_find_end(struct pledge_find *f)
{
    idv_discovery_free(idv_steal(&f->discovery));
}
