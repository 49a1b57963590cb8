/* SPDX-License-Identifier: Apache-2.0 */
/* A build without avahi. */
#include "net/announce.h"

bool idv_announce_mdns_built(void)
{
    return false;
}

idv_rc idv_announce_mdns(void *announce, const struct idv_server_bound *bound,
                         size_t n)
{
    (void)announce, (void)bound, (void)n;
    return idv_fail(IDV_E_ARG, "mDNS: built without avahi");
}
