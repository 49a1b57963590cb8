/* SPDX-License-Identifier: Apache-2.0 */
/* Priorities and weights of SRV records. */
#include "net/dnssd_order.h"

/* the first of what is left, by priority alone */
static uint16_t least(const struct idvi_server *s, const size_t *left, size_t n)
{
    uint16_t p = UINT16_MAX;
    for (size_t i = 0; i < n; i++) {
        if (s[left[i]].priority < p)
            p = s[left[i]].priority;
    }
    return p;
}

/* the place in left of one of that priority, by lot; weights are counted one
 * higher so that nobody is without a chance */
static size_t draw(const struct idvi_server *s, const size_t *left, size_t n,
                   uint16_t priority, uint32_t lot)
{
    uint32_t sum = 0, run = 0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++)
        sum += s[left[i]].priority == priority ? s[left[i]].weight + 1U : 0;
    for (size_t i = 0; i < n; i++) {
        if (s[left[i]].priority != priority)
            continue;
        last = i;
        run += s[left[i]].weight + 1U;
        if (run > lot % sum)
            break;
    }
    return last;
}

void idvi_servers_order(const struct idvi_server *servers, size_t n,
                        const struct idv_env *env,
                        size_t order[static IDVI_SERVERS_MAX])
{
    size_t left[IDVI_SERVERS_MAX];
    uint32_t lots[IDVI_SERVERS_MAX] = {0};
    /* (without randomness they come as the server named them) */
    if (idv_random(env, (uint8_t *)lots, sizeof(lots)) != IDV_OK)
        idv_note_clear();
    for (size_t i = 0; i < n; i++)
        left[i] = i;
    for (size_t to = 0; to < n; to++) {
        size_t m = n - to;
        size_t i = draw(servers, left, m, least(servers, left, m), lots[to]);
        order[to] = left[i];
        for (; i + 1 < m; i++)
            left[i] = left[i + 1];
    }
}
