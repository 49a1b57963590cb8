/* SPDX-License-Identifier: Apache-2.0 */
/* What of the registrar's configuration does not go together. */
#include <idevid/text.h>

#include "idevid/net/announce.h"
#include "registrar_conf.h"

static idv_rc check_announce(const struct registrar_conf *c)
{
    if ((c->announce_grasp || c->announce_mdns) &&
        idv_list_count(c->announce_on) == 0)
        return idv_fail(IDV_E_ARG, "announce.interfaces: where is not said");
    if (c->announce_mdns && !idv_announce_mdns_built())
        return idv_fail(IDV_E_ARG, "announce.mdns: built without avahi");
    return IDV_OK;
}

idv_rc registrar_check_conf(const void *conf)
{
    return check_announce(conf);
}
