/* SPDX-License-Identifier: Apache-2.0 */
/* A library that was built without c-ares. */
#include "net/dnssd.h"

bool idvi_dnssd_built(void)
{
    return false;
}

idv_rc idvi_dnssd_init(struct idvi_dnssd *s)
{
    (void)s;
    return idv_fail(IDV_E_ARG, "DNS-SD: built without c-ares");
}

void idvi_dnssd_free(struct idvi_dnssd *s)
{
    (void)s;
}

void idvi_dnssd_anew(struct idvi_dnssd *s, int64_t now_ms)
{
    (void)s, (void)now_ms;
}

size_t idvi_dnssd_fds(const struct idvi_dnssd *s, struct pollfd *out,
                      size_t max)
{
    (void)s, (void)out, (void)max;
    return 0;
}

int64_t idvi_dnssd_due(const struct idvi_dnssd *s, int64_t now_ms)
{
    (void)s, (void)now_ms;
    return IDVI_NEVER;
}

void idvi_dnssd_ready(struct idvi_dnssd *s, const struct pollfd *fds, size_t n,
                      int64_t now_ms)
{
    (void)s, (void)fds, (void)n, (void)now_ms;
}
