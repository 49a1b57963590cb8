/* SPDX-License-Identifier: Apache-2.0 */
/* An M_FLOOD as CBOR. */
#include "net/grasp.h"

#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "codec/cbor.h"
#include "net/variation.h"

IDV_AUTO_PTR_DEFINE(idvi_cbor, idvi_cbor_free)

#define M_FLOOD 9
#define O_IPV6_LOCATOR 103
#define F_SYNCH (1U << 2)

bool idvi_grasp_built(void)
{
    return true;
}

/* [name, flags, loop-count, ?value] */
static bool is_proxy(const idvi_cbor *objective)
{
    size_t n;
    uint64_t flags, loops;
    struct idv_bytes name, value;
    if (!idvi_cbor_array(objective, &n) || n < 3 || n > 4)
        return false;
    if (!idvi_cbor_text(idvi_cbor_at(objective, 0), &name) ||
        !idv_text_eq(name, "AN_Proxy"))
        return false;
    if (!idvi_cbor_uint(idvi_cbor_at(objective, 1), UINT8_MAX, &flags) ||
        !(flags & F_SYNCH))
        return false;
    if (!idvi_cbor_uint(idvi_cbor_at(objective, 2), UINT8_MAX, &loops) ||
        loops != 1)
        return false;
    return !idvi_cbor_text(idvi_cbor_at(objective, 3), &value) ||
           !idvi_variation_foreign(value);
}

/* [O_IPv6_LOCATOR, address, transport, port] */
static bool is_place(const idvi_cbor *locator, struct in6_addr *address,
                     uint16_t *port)
{
    size_t n;
    uint64_t v;
    struct idv_bytes a;
    if (!idvi_cbor_array(locator, &n) || n != 4)
        return false;
    if (!idvi_cbor_uint(idvi_cbor_at(locator, 0), O_IPV6_LOCATOR, &v) ||
        v != O_IPV6_LOCATOR)
        return false;
    if (!idvi_cbor_bytes(idvi_cbor_at(locator, 1), &a) ||
        a.n != sizeof(*address))
        return false;
    if (!idvi_cbor_uint(idvi_cbor_at(locator, 2), UINT8_MAX, &v) ||
        v != IPPROTO_TCP)
        return false;
    if (!idvi_cbor_uint(idvi_cbor_at(locator, 3), UINT16_MAX, &v) || v == 0)
        return false;
    memcpy(address, a.p, sizeof(*address));
    *port = (uint16_t)v;
    return IN6_IS_ADDR_LINKLOCAL(address);
}

static void take_pair(struct idvi_flood *f, const idvi_cbor *pair)
{
    size_t n;
    if (f->n == IDVI_FLOOD_MAX || !idvi_cbor_array(pair, &n) || n != 2)
        return;
    if (is_proxy(idvi_cbor_at(pair, 0)) &&
        is_place(idvi_cbor_at(pair, 1), &f->at[f->n].address,
                 &f->at[f->n].port))
        f->n++;
}

/* a pair begins with its objective, an objective with its name */
static bool is_pair(const idvi_cbor *item)
{
    struct idv_bytes name;
    return idvi_cbor_text(idvi_cbor_at(idvi_cbor_at(item, 0), 0), &name);
}

static void take(struct idvi_flood *f, const idvi_cbor *item)
{
    size_t n;
    if (is_pair(item)) {
        take_pair(f, item);
        return;
    }
    if (!idvi_cbor_array(item, &n))
        return;
    for (size_t i = 0; i < n; i++)
        take_pair(f, idvi_cbor_at(item, i));
}

/* [M_FLOOD, session, initiator, ttl, ...] */
static bool head(const idvi_cbor *message, struct idvi_flood *f)
{
    uint64_t kind, session, ttl;
    struct idv_bytes initiator;
    if (!idvi_cbor_uint(idvi_cbor_at(message, 0), M_FLOOD, &kind) ||
        kind != M_FLOOD)
        return false;
    if (!idvi_cbor_uint(idvi_cbor_at(message, 1), UINT32_MAX, &session))
        return false;
    if (!idvi_cbor_bytes(idvi_cbor_at(message, 2), &initiator) ||
        initiator.n != sizeof(f->initiator))
        return false;
    if (!idvi_cbor_uint(idvi_cbor_at(message, 3), UINT32_MAX, &ttl))
        return false;
    f->session = (uint32_t)session;
    memcpy(&f->initiator, initiator.p, sizeof(f->initiator));
    f->ttl_ms = (uint32_t)ttl;
    return true;
}

idv_rc idvi_flood_from_bytes(struct idv_bytes datagram, struct idvi_flood *out)
{
    IDV_AUTO_PTR(idvi_cbor) message = NULL;
    struct idvi_flood f = {0};
    size_t n;
    if (datagram.n > IDVI_GRASP_MAX)
        return idv_fail(IDV_E_LIMIT, "GRASP: a message over %d bytes",
                        IDVI_GRASP_MAX);
    IDV_TRY(idvi_cbor_from_bytes(datagram, &message));
    if (!idvi_cbor_array(message, &n) || n < 5 || !head(message, &f))
        return idv_fail(IDV_E_FORMAT, "GRASP: not an M_FLOOD");
    for (size_t i = 4; i < n; i++)
        take(&f, idvi_cbor_at(message, i));
    if (f.n == 0)
        return idv_fail(IDV_E_REJECT, "GRASP: no join proxy for us in a flood");
    *out = f;
    return IDV_OK;
}
