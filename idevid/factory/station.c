/* SPDX-License-Identifier: Apache-2.0 */
/* A station: one device in a fixture, its turn, and what it costs. */
#include <stdlib.h>
#include <string.h>

#include "factory/station_int.h"

/* --- what the profile means ------------------------------------------------
 */

bool idvi_station_proves(const struct idv_station *s)
{
    return s->c.profile == IDV_PROFILE_TCG ||
           s->c.profile == IDV_PROFILE_LEAN ||
           s->c.profile == IDV_PROFILE_DIRECT;
}

bool idvi_station_has_iak(const struct idv_station *s)
{
    return s->c.profile == IDV_PROFILE_TCG || s->c.profile == IDV_PROFILE_LEAN;
}

bool idvi_station_keeps(const struct idv_station *s)
{
    return s->c.profile == IDV_PROFILE_TCG ||
           s->c.profile == IDV_PROFILE_PLAIN || s->c.type == IDV_KEY_RSA2048;
}

bool idvi_station_locks(const struct idv_station *s)
{
    return s->c.profile == IDV_PROFILE_TCG ||
           (s->c.lockdown && s->c.lockdown->lock_certs);
}

bool idvi_station_by_platform(const struct idv_station *s)
{
    return idvi_station_proves(s) && !s->c.owner_nv;
}

/* --- what it costs ---------------------------------------------------------
 */

static uint64_t calls_now(void)
{
    struct idv_device_stats n;
    idv_device_stats(&n);
    return n.tpm_commands + n.pkcs11_calls;
}

void idvi_station_count(struct idv_station *s, uint64_t *bucket)
{
    const uint64_t now = calls_now();
    if (s->counting)
        *s->counting += now - s->counted;
    s->counted = now;
    s->counting = bucket;
}

void idv_station_calls(const struct idv_station *s,
                       struct idv_station_calls *out)
{
    *out = s->calls;
}

/* --- its life --------------------------------------------------------------
 */

static idv_rc check_conf(const struct idv_station_conf *c)
{
    if (!c->device || !c->order || !c->station || !c->operator_ || !c->store ||
        !c->env)
        return idv_fail(IDV_E_ARG, "station: device, order, station, operator "
                                   "and book are needed");
    if (c->type != IDV_KEY_P256 && c->type != IDV_KEY_P384 &&
        c->type != IDV_KEY_RSA2048)
        return idv_fail(IDV_E_ARG, "station: no IDevIDs of %s",
                        idv_key_type_to_text(c->type));
    const struct idv_lockdown *l = c->lockdown;
    if (l && (l->lockout_auth || l->owner_auth) && !l->escrow)
        return idv_fail(IDV_E_ARG, "lockdown: a random value is set only with "
                                   "an escrow certificate");
    if (l && l->owner_auth && !l->platform_anchor)
        return idv_fail(IDV_E_ARG, "lockdown: a value of the owner's hierarchy "
                                   "needs the anchor of profile platform");
    if (l && l->platform_anchor && !l->approval_key)
        return idv_fail(IDV_E_ARG, "lockdown: an anchor of profile platform "
                                   "needs an approval key");
    return IDV_OK;
}

idv_rc idv_station_new(const struct idv_station_conf *conf,
                       struct idv_station **out)
{
    IDV_TRY(check_conf(conf));
    struct idv_station *s = calloc(1, sizeof(*s));
    if (!s)
        return idv_fail(IDV_E_NOMEM, "station");
    s->c = *conf;
    s->tpm = conf->profile != IDV_PROFILE_TOKEN;
    idv_rc rc = idvi_station_places(s);
    if (rc == IDV_OK)
        rc = idv_device_open(conf->device, conf->pin, &s->dev);
    if (rc != IDV_OK) {
        idv_station_free(s);
        return rc;
    }
    *out = s;
    return IDV_OK;
}

void idv_station_is(struct idv_station *s, const char *order,
                    const char *serial_number, const char *model)
{
    s->c.order = order;
    s->c.serial_number = serial_number;
    s->c.model = model;
}

void idv_station_has(struct idv_station *s, const char *sku, const char *mac)
{
    s->c.sku = sku;
    s->c.mac = mac;
}

void idv_station_rest(struct idv_station *s)
{
    if (!s->held)
        return;
    idvi_nv_leave(s->dev);
    s->held = false;
    idvi_station_key_clear(&s->ek);
    idvi_station_key_clear(&s->iak);
    idvi_station_key_clear(&s->key);
}

void idv_station_free(struct idv_station *s)
{
    if (!s)
        return;
    idv_station_rest(s);
    EVP_PKEY_free(s->soft);
    X509_free(s->ek_cert);
    idv_station_seen_free(&s->seen);
    idv_device_close(s->dev);
    free(s);
}

/* --- what every call begins and ends with ----------------------------------
 */

idv_rc idvi_station_begin(struct idv_station *s, enum idv_factory_why *why)
{
    *why = IDV_WHY_NONE;
    if (s->tpm && !s->held) {
        idvi_station_count(s, &s->calls.look);
        IDV_TRY(idvi_nv_enter(s->dev, NULL));
        s->held = true;
    }
    return s->looked ? IDV_OK : idvi_station_look(s, why);
}

idv_rc idvi_station_refuse(enum idv_factory_why *why,
                           enum idv_factory_why which, idv_rc rc)
{
    *why = which;
    return rc;
}

idv_rc idvi_station_said(idv_rc rc, enum idv_factory_why *why)
{
    if (rc != IDV_OK && *why == IDV_WHY_NONE)
        *why = rc == IDV_E_IO || rc == IDV_E_STATE ? IDV_WHY_STORE
                                                   : IDV_WHY_DEVICE;
    return rc;
}

void idv_station_seen_free(struct idv_station_seen *s)
{
    idv_factory_device_free(&s->device);
    memset(s, 0, sizeof(*s));
}
