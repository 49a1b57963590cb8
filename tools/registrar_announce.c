/* SPDX-License-Identifier: Apache-2.0 */
/* What idevid-registrar run has announced, as it is configured when each of
 * the processes for that begins. */
#include "idevid/net/announce.h"
#include "registrar.h"

static struct idv_announce configured(struct tool *t)
{
    return (struct idv_announce){
        .env = t->env,
        .interfaces = registrar_conf.announce_on,
        .grasp = (unsigned)registrar_conf.announce_grasp |
                 (registrar_conf.announce_est ? IDV_ANNOUNCE_EST : 0u),
        .mdns = (unsigned)registrar_conf.announce_mdns,
        .period_s = (int)registrar_conf.announce_period,
    };
}

static bool wants_grasp(void *tool)
{
    (void)tool;
    return registrar_conf.announce_grasp != 0 || registrar_conf.announce_est;
}

static bool wants_mdns(void *tool)
{
    (void)tool;
    return registrar_conf.announce_mdns != 0;
}

static idv_rc grasp(void *tool, const struct idv_server_bound *bound, size_t n)
{
    struct idv_announce a = configured(tool);
    return idv_announce_grasp(&a, bound, n);
}

static idv_rc mdns(void *tool, const struct idv_server_bound *bound, size_t n)
{
    struct idv_announce a = configured(tool);
    return idv_announce_mdns(&a, bound, n);
}

void registrar_announce(struct tool *t, struct idv_server_aside out[static 2])
{
    out[0] = (struct idv_server_aside){.name = "announce-grasp",
                                       .run = grasp,
                                       .wanted = wants_grasp,
                                       .arg = t};
    out[1] = (struct idv_server_aside){
        .name = "announce-mdns", .run = mdns, .wanted = wants_mdns, .arg = t};
}
