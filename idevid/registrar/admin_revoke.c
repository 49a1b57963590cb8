/* SPDX-License-Identifier: Apache-2.0 */
/* Revokes certificates on a person's word. */
#include <string.h>

#include <idevid/auto.h>

#include "idevid/registrar/admin.h"

#define MOST 256 /* certificates of one device in force at once */

struct gathered {
    uint8_t sha256[MOST][32];
    size_t n;
    bool over;
};

static bool gather(void *arg, const struct idv_issued *i)
{
    struct gathered *g = arg;
    if (i->state != IDV_ISSUED_VALID)
        return true;
    g->over = g->n == MOST;
    if (!g->over)
        memcpy(g->sha256[g->n++], i->cert_sha256, 32);
    return !g->over;
}

/* a listing changes nothing while it runs */
static idv_rc of_device(const struct idv_registrar_admin *a, const char *serial,
                        struct gathered *g)
{
    IDV_TRY(a->people.issued(a->people.self, serial, gather, g));
    return g->over ? idv_fail(IDV_E_LIMIT, "more than %d certificates of %s",
                              MOST, serial)
                   : IDV_OK;
}

static idv_rc of_hash(const char *hex, struct gathered *g)
{
    IDV_AUTO(buf) raw = {.max = 32};
    if (idv_hex_to_bytes(idv_str(hex), &raw) != IDV_OK || raw.n != 32)
        return idv_fail_within(IDV_E_ARG, "sha256: not 64 hex digits");
    memcpy(g->sha256[g->n++], raw.p, 32);
    return IDV_OK;
}

static idv_rc find(const struct idv_registrar_admin *a,
                   const struct idv_admin_call *c, struct gathered *g)
{
    const char *serial = "", *hex = "";
    IDV_TRY(idv_admin_text(c->in, "serial-number", &serial));
    IDV_TRY(idv_admin_text(c->in, "sha256", &hex));
    if (!*serial == !*hex)
        return idv_fail(IDV_E_ARG, "one of serial-number and sha256 is needed");
    return *hex ? of_hash(hex, g) : of_device(a, serial, g);
}

static idv_rc revoke(const struct idv_registrar_admin *a,
                     const struct idv_admin_call *c, int reason,
                     struct gathered *g, int64_t *n)
{
    for (size_t i = 0; i < g->n; i++) {
        bool done = false;
        IDV_TRY(a->issued.revoke(a->issued.self, g->sha256[i], reason, c->now,
                                 &done));
        *n += done;
    }
    return IDV_OK;
}

idv_rc idvi_reg_admin_revoke(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const char *word = "";
    struct gathered g = {0};
    int64_t n = 0;
    IDV_TRY(idv_admin_text(c->in, "reason", &word));
    const int reason = *word ? idv_crl_reason_from_text(word) : 0;
    if (reason < 0)
        return idv_fail(IDV_E_ARG, "reason: '%.40s' is none of RFC 5280's",
                        word);
    IDV_TRY(find(a, c, &g));
    IDV_TRY(revoke(a, c, reason, &g, &n));
    if (!n)
        return idv_fail(IDV_E_STATE, "no such certificate is in force");
    return idv_admin_put_int(c->out, "revoked", n);
}
