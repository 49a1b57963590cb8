/* SPDX-License-Identifier: Apache-2.0 */
/* When a new CRL is due, and who makes it. */
#include <string.h>

#include "idevid/est/crl_int.h"

#define LIFETIME_S (7 * (int64_t)24 * 3600)
#define CLAIM_S 60 /* a maker that is silent for so long is dead */

void idv_crl_free(struct idv_crl *c)
{
    idv_buf_free(&c->der);
    memset(c, 0, sizeof(*c));
}

static const char *const reasons[] = {
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    NULL, /* certificateHold: not for good */
    NULL,
    NULL, /* removeFromCRL */
    "privilegeWithdrawn",
    "aACompromise",
};
#define REASONS ((int)(sizeof(reasons) / sizeof(*reasons)))

int idv_crl_reason_from_text(const char *word)
{
    for (int i = 0; i < REASONS; i++) {
        if (reasons[i] && strcmp(reasons[i], word) == 0)
            return i;
    }
    return -1;
}

const char *idv_crl_reason_to_text(int reason)
{
    return reason >= 0 && reason < REASONS && reasons[reason] ? reasons[reason]
                                                              : reasons[0];
}

/* the clock may have been set back since */
static bool will_do(const struct idv_crl *c, int64_t now, int64_t revocations)
{
    const int64_t half = (c->next_update - c->made) / 2;
    return c->revocations == revocations && now >= c->made &&
           now < c->made + half;
}

static idv_rc make(const struct idv_crl_maker *m, const struct idv_env *env,
                   const uint8_t ca[static 32], int64_t revocations,
                   struct idv_crl *c)
{
    const int64_t life = m->lifetime_s ? m->lifetime_s : LIFETIME_S;
    idv_buf_clear(&c->der);
    c->number++;
    c->made = idv_now(env);
    c->next_update = c->made + life;
    c->revocations = revocations;
    IDV_TRY(idvi_crl_sign(m, c));
    IDV_TRY(m->store.put(m->store.self, ca, c));
    idv_log(env, IDV_LOG_INFO, "crl-made", "number=%lld bytes=%zu",
            (long long)c->number, c->der.n);
    return IDV_OK;
}

static idv_rc current(const struct idv_crl_maker *m, const struct idv_env *env,
                      bool again, bool *found, struct idv_crl *c)
{
    const struct idv_crl_store *s = &m->store;
    const int64_t now = idv_now(env);
    int64_t revocations = 0;
    uint8_t ca[32];
    bool mine = false;
    IDV_TRY(idv_cert_sha256(m->cert, ca));
    IDV_TRY(s->revocations(s->self, &revocations));
    IDV_TRY(s->get(s->self, ca, found, c));
    if (*found && !again && will_do(c, now, revocations))
        return IDV_OK;
    IDV_TRY(s->claim(s->self, ca, now, now - CLAIM_S, &mine));
    if (!mine) {
        *found = *found && c->next_update > now;
        return IDV_OK;
    }
    /* it may have been made between the look and the claim */
    IDV_TRY(s->get(s->self, ca, found, c));
    *found = true;
    return make(m, env, ca, revocations, c);
}

idv_rc idv_crl_current(const struct idv_crl_maker *m, const struct idv_env *env,
                       bool again, bool *found, struct idv_crl *out)
{
    struct idv_crl c = {.der = {.max = IDV_MAX_CRL}};
    bool is = false;
    idv_rc rc = current(m, env, again, &is, &c);
    if (rc != IDV_OK || !is)
        idv_crl_free(&c);
    else
        *out = c;
    if (rc == IDV_OK)
        *found = is;
    return rc;
}

idv_rc idv_crl_renew(const struct idv_crl_maker *m, const struct idv_env *env)
{
    struct idv_crl c = {.der = {.max = IDV_MAX_CRL}};
    uint8_t ca[32];
    bool found = false;
    IDV_TRY(idv_cert_sha256(m->cert, ca));
    idv_rc rc = m->store.get(m->store.self, ca, &found, &c);
    idv_crl_free(&c);
    if (rc != IDV_OK || !found)
        return rc;
    rc = idv_crl_current(m, env, false, &found, &c);
    idv_crl_free(&c);
    return rc;
}
