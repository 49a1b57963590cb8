/* SPDX-License-Identifier: Apache-2.0 */
/* Names of nodes of an Autonomic Control Plane (RFC 8994). */
#include <string.h>

#include <idevid/auto.h>

#include "idevid/est/profile.h"

#define NUMBER_MAX 0x7fff /* 15 bits; the last bit is for virtual systems */

/* 40 bits of the SHA-256 of the routing subdomain in lower case. */
static idv_rc hash_domain(const struct idv_est_profile *p,
                          uint8_t out[static 5])
{
    IDV_AUTO(buf) name = {.max = 512};
    uint8_t hash[32];
    if (p->acp_rsub)
        IDV_TRY(idv_buf_putf(&name, "%s.", p->acp_rsub));
    IDV_TRY(idv_buf_puts(&name, p->acp_domain));
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] >= 'A' && name.p[i] <= 'Z')
            name.p[i] |= 0x20;
    }
    IDV_TRY(idv_sha256(idv_bytes(name.p, name.n), hash));
    memcpy(out, hash, 5);
    return IDV_OK;
}

/* fd | hash | type 00, Z 0, zone 0 | registrar | number, V 0 */
static idv_rc make_address(const struct idv_est_profile *p, int64_t number,
                           uint8_t out[static 16])
{
    memset(out, 0, 16);
    if (number < 1 || number > NUMBER_MAX)
        return idv_fail(IDV_E_LIMIT, "ACP: the registrar has no more numbers");
    out[0] = 0xfd;
    IDV_TRY(hash_domain(p, out + 1));
    memcpy(out + 8, p->acp_registrar, 6);
    out[14] = (uint8_t)(number >> 7);
    out[15] = (uint8_t)(number << 1);
    return IDV_OK;
}

idv_rc idv_est_acp_name(const struct idv_est_profile *p, int64_t number,
                        struct idv_buf *out)
{
    uint8_t address[16];
    IDV_TRY(make_address(p, number, address));
    for (size_t i = 0; i < sizeof(address); i++)
        IDV_TRY(idv_buf_putf(out, "%02x", address[i]));
    if (p->acp_rsub)
        IDV_TRY(idv_buf_putf(out, "+%s", p->acp_rsub));
    return idv_buf_putf(out, "@%s", p->acp_domain);
}
