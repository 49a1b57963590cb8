/* SPDX-License-Identifier: Apache-2.0 */
/* A library that was built without avahi. */
#include "net/mdns.h"

bool idvi_mdns_built(void)
{
    return false;
}

idv_rc idvi_mdns_new(char *const *interfaces, bool registrars,
                     struct idvi_mdns **out)
{
    (void)interfaces, (void)registrars, (void)out;
    return idv_fail(IDV_E_ARG, "mDNS: built without avahi");
}

void idvi_mdns_free(struct idvi_mdns *m)
{
    (void)m;
}

int idvi_mdns_fd(const struct idvi_mdns *m)
{
    (void)m;
    return -1;
}

void idvi_mdns_ready(struct idvi_mdns *m, const struct idv_env *env,
                     struct idvi_book *book)
{
    (void)m, (void)env, (void)book;
}

void idvi_mdns_anew(struct idvi_mdns *m)
{
    (void)m;
}
