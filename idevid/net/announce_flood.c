/* SPDX-License-Identifier: Apache-2.0 */
/* The M_FLOOD of a registrar. Written without libcbor, as each item has one
 * form; grasp.c reads it. */
#include <netinet/in.h>
#include <string.h>

#include "net/announce_int.h"

#define M_FLOOD 9
#define O_IPV6_LOCATOR 103
#define F_SYNCH 4

enum { UINT = 0, BYTES = 2, TEXT = 3, ARRAY = 4 };

/* RFC 8949 section 3: the kind, and a number in its shortest form */
static idv_rc put_head(struct idv_buf *out, unsigned kind, uint32_t n)
{
    uint8_t b[5] = {(uint8_t)(kind << 5)};
    size_t size = n < 24 ? 0 : n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : 4;
    static const uint8_t code[] = {[1] = 24, [2] = 25, [4] = 26};
    b[0] |= (uint8_t)(size ? code[size] : n);
    for (size_t i = 0; i < size; i++)
        b[1 + i] = (uint8_t)(n >> 8 * (size - 1 - i));
    return idv_buf_put(out, idv_bytes(b, 1 + size));
}

static idv_rc put_text(struct idv_buf *out, const char *text)
{
    IDV_TRY(put_head(out, TEXT, (uint32_t)strlen(text)));
    return idv_buf_puts(out, text);
}

static idv_rc put_address(struct idv_buf *out, const struct in6_addr *a)
{
    IDV_TRY(put_head(out, BYTES, sizeof(*a)));
    return idv_buf_put(out, idv_bytes(a, sizeof(*a)));
}

static idv_rc put_objective(struct idv_buf *out, unsigned as)
{
    static const struct objective {
        const char *name, *value; /* NULL: has none */
        uint32_t loops;
    } known[] = {
        [IDV_ANNOUNCE_REGISTRAR] = {"AN_join_registrar", "EST-TLS", 255},
        [IDV_ANNOUNCE_PROXY] = {"AN_Proxy", "", 1},
        [IDV_ANNOUNCE_EST] = {"SRV.est", NULL, 255},
    };
    const struct objective *o = &known[as];
    IDV_TRY(put_head(out, ARRAY, o->value ? 4 : 3));
    IDV_TRY(put_text(out, o->name));
    IDV_TRY(put_head(out, UINT, F_SYNCH));
    IDV_TRY(put_head(out, UINT, o->loops));
    return o->value ? put_text(out, o->value) : IDV_OK;
}

static idv_rc put_locator(struct idv_buf *out, const struct idvi_notice *n)
{
    IDV_TRY(put_head(out, ARRAY, 4));
    IDV_TRY(put_head(out, UINT, O_IPV6_LOCATOR));
    IDV_TRY(put_address(out, &n->at));
    IDV_TRY(put_head(out, UINT, IPPROTO_TCP));
    return put_head(out, UINT, n->port);
}

idv_rc idvi_flood_to_bytes(const struct idvi_notice *notice, uint32_t session,
                           uint32_t ttl_ms, struct idv_buf *out)
{
    IDV_TRY(put_head(out, ARRAY, 5));
    IDV_TRY(put_head(out, UINT, M_FLOOD));
    IDV_TRY(put_head(out, UINT, session));
    IDV_TRY(put_address(out, &notice->at));
    IDV_TRY(put_head(out, UINT, ttl_ms));
    IDV_TRY(put_head(out, ARRAY, 2));
    IDV_TRY(put_objective(out, notice->as));
    return put_locator(out, notice);
}
