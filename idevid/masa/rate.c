/* SPDX-License-Identifier: Apache-2.0 */
/* How much one device, one registrar and one domain may ask for (R-M-34). */
#include "idevid/masa/masa_call.h"

#define MINUTE_S 60
#define HOUR_S 3600
#define DEVICE_HOURLY 60

static idv_rc busy(struct idvi_masa_call *c, int status, const char *why,
                   int seconds)
{
    idv_rc rc = idvi_refuse(&c->no, status, why, "too many requests");
    c->no.retry_after = seconds;
    return rc;
}

idv_rc idvi_masa_key_of(const X509 *cert, uint8_t sha256[static 32])
{
    IDV_AUTO(buf) spki = {0};
    IDV_TRY(idvi_masa_put_key(cert, &spki));
    return idv_sha256(idv_view(&spki), sha256);
}

/* whose requests are counted together: of one key, to one maker */
static idv_rc counted_as(const struct idvi_masa_call *c, uint8_t out[static 32])
{
    IDV_AUTO(buf) all = {0};
    const char *tenant = c->masa->conf.tenant;
    IDV_TRY(idvi_masa_put_key(c->opened.signer, &all));
    if (tenant)
        IDV_TRY(idv_buf_puts(&all, tenant));
    return idv_sha256(idv_view(&all), out);
}

/* Who has proved that the key is theirs: nobody else's requests count. */
idv_rc idvi_masa_limit_registrar(struct idvi_masa_call *c)
{
    const struct idv_masa_conf *conf = &c->masa->conf;
    uint8_t who[32];
    if (!conf->registrar_minute || !conf->asked)
        return IDV_OK;
    IDV_TRY(counted_as(c, who));
    if (conf->asked(conf->asked_arg, who) <= conf->registrar_minute)
        return IDV_OK;
    return busy(c, 429, "registrar-rate", MINUTE_S);
}

/* Those with evidence are not counted and not refused. */
static idv_rc limit_device(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    const int64_t most = c->policy.device_hourly;
    unsigned n = 0;
    if (c->assertion != IDV_ASSERT_LOGGED)
        return IDV_OK;
    IDV_TRY(store->event_count(store->self, c->device.id, IDV_ASSERT_LOGGED,
                               c->now - HOUR_S, &n));
    if (n < (most ? most : DEVICE_HOURLY))
        return IDV_OK;
    return busy(c, 503, "rate", IDV_MAX_RETRY_AFTER);
}

static idv_rc limit_domain(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    struct idv_masa_quota *q = &c->quota;
    int64_t n = 0;
    q->most = c->masa->conf.domain_hourly;
    if (!q->most)
        return IDV_OK;
    q->hour = c->now / HOUR_S;
    IDV_TRY(idvi_masa_key_of(c->pin, q->key_sha256));
    IDV_TRY(store->quota_used(store->self, q, &n));
    return n < q->most ? IDV_OK : idvi_masa_quota_over(c);
}

idv_rc idvi_masa_quota_over(struct idvi_masa_call *c)
{
    return busy(c, 429, "domain-rate", (int)(HOUR_S - c->now % HOUR_S));
}

idv_rc idvi_masa_limit_rate(struct idvi_masa_call *c)
{
    IDV_TRY(limit_device(c));
    return limit_domain(c);
}
