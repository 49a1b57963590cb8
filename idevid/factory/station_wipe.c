/* SPDX-License-Identifier: Apache-2.0 */
/* What a station put into a device is taken out again: the certificate first,
 * so that nothing half-wiped passes for an identity; random values last. */
#include <string.h>

#include <idevid/maker.h>
#include <idevid/trust.h>

#include "factory/station_int.h"

#define RH_OWNER 0x40000001u
#define RH_LOCKOUT 0x4000000au

/* --- keys and certificates -------------------------------------------------
 */

/* Only TCG's key is ours to evict: *gone when one of that type was there. */
static idv_rc evict_type(struct idv_station *s, enum hwk_devid what,
                         enum idv_key_type type, uint32_t handle, bool *gone)
{
    struct idvi_station_key k = {0};
    IDV_TRY(idvi_station_make(s, what, type, 0, handle, &k));
    *gone = !k.born.fresh;
    if (*gone)
        idvi_station_key_clear(&k);
    else
        idvi_station_drop(s, &k);
    return *gone ? idvi_devid_keep(s->dev, NULL, handle, NULL) : IDV_OK;
}

static idv_rc evict(struct idv_station *s, enum hwk_devid what, uint32_t handle)
{
    static const enum idv_key_type types[] = {IDV_KEY_P256, IDV_KEY_P384,
                                              IDV_KEY_RSA2048};
    bool gone;
    IDV_TRY(evict_type(s, what, s->c.type, handle, &gone));
    for (size_t i = 0; !gone && i < sizeof(types) / sizeof(*types); i++)
        if (types[i] != s->c.type)
            IDV_TRY(evict_type(s, what, types[i], handle, &gone));
    return IDV_OK;
}

static idv_rc wipe_tpm(struct idv_station *s)
{
    IDV_TRY(idvi_station_nv_drop(s, IDVI_STATION_IDEVID_CERT));
    IDV_TRY(idvi_station_nv_drop(s, IDVI_STATION_IAK_CERT));
    idvi_station_drop(s, &s->iak);
    idvi_station_drop(s, &s->key);
    IDV_TRY(evict(s, HWK_DEVID_IDEVID, IDVI_STATION_IDEVID));
    return evict(s, HWK_DEVID_IAK, IDVI_STATION_IAK);
}

static idv_rc wipe_soft(struct idv_station *s)
{
    IDV_TRY(idv_device_erase(s->dev, s->cert_uri));
    EVP_PKEY_free(s->soft);
    s->soft = NULL;
    return idv_device_erase(s->dev, s->key_uri);
}

/* --- what lockdown made ----------------------------------------------------
 */

static idv_rc wipe_anchors(struct idv_station *s)
{
    const struct idv_lockdown *l = s->c.lockdown;
    if (!s->tpm)
        return l && l->maker_anchors
                   ? idv_device_erase(s->dev, IDV_MAKER_P11_URI)
                   : IDV_OK;
    if (l && l->platform_anchor) {
        const struct idv_anchor_conf conf = {
            .profile = IDV_ANCHOR_PLATFORM,
            .approval_key = l->approval_key,
            .serial = s->seen.known ? s->seen.device.serial_number
                                    : s->c.serial_number};
        IDV_TRY(idv_platform_delete(s->dev, &conf));
    }
    if (l && l->anchor_counter)
        IDV_TRY(idv_owner_delete(s->dev, NULL));
    if (!l || !l->maker_anchors)
        return IDV_OK;
    IDV_TRY(idvi_station_nv_drop(s, IDV_MAKER_PLATFORM_INDEX));
    return idvi_station_nv_drop(s, IDV_MAKER_OWNER_INDEX);
}

static bool has_values(const struct idv_station *s)
{
    return s->tpm && s->seen.device.escrow.n > 0;
}

/* Before anything is taken out: to try without the value costs a try, after
 * which the TPM takes not even the right one for a while. */
static idv_rc values_known(struct idv_station *s, struct hwk_tpm_facts *f)
{
    *f = (struct hwk_tpm_facts){.owner_auth_set = false};
    if (!has_values(s))
        return IDV_OK;
    IDV_TRY(idvi_nv_facts(s->dev, HWK_FACTS_STATE, f, NULL));
    if (f->owner_auth_set && !f->owner_auth_known)
        return idv_fail(IDV_E_REJECT,
                        "the TPM's owner hierarchy has a value, which is in "
                        "escrow, and [device] owner-pin-file does not say it: "
                        "nothing was changed");
    if (f->lockout_auth_set && !f->lockout_auth_known)
        return idv_fail(IDV_E_REJECT,
                        "the TPM's lockout hierarchy has a value, which is in "
                        "escrow, and [device] lockout-pin-file does not say "
                        "it: nothing was changed, and no try was spent");
    return IDV_OK;
}

/* by the values there are, as configured; that it takes them shows that they
 * were right */
static idv_rc wipe_values(struct idv_station *s, const struct hwk_tpm_facts *f)
{
    const struct idv_bytes empty = {(const uint8_t *)"", 0};
    int why = 0;
    if (f->owner_auth_set)
        IDV_TRY(idvi_devid_set_auth(s->dev, RH_OWNER, empty, NULL));
    if (!f->lockout_auth_set)
        return IDV_OK;
    idv_rc rc = idvi_devid_set_auth(s->dev, RH_LOCKOUT, empty, &why);
    if (rc == IDV_OK || (why != HWK_R_AUTH && why != HWK_R_LOCKOUT))
        return rc;
    if (f->lockout_recovery_s == 0)
        return idv_fail_within(rc, "the TPM takes no other try before it is "
                                   "started again");
    return idv_fail_within(rc, "the TPM takes the next try in %u s",
                           f->lockout_recovery_s);
}

/* --- all of it -------------------------------------------------------------
 */

static idv_rc note(struct idv_station *s, enum idv_factory_why *why)
{
    struct idv_factory_device *d = &s->seen.device;
    const enum idv_factory_state from = d->state;
    if (!s->seen.known || from == IDV_DEVICE_WIPED)
        return IDV_OK;
    d->state = IDV_DEVICE_WIPED;
    d->changed = idv_now(s->c.env);
    idv_buf_clear(&d->escrow);
    return idvi_station_put(s, d, from, "wiped", why);
}

static idv_rc wipe(struct idv_station *s, enum idv_factory_why *why)
{
    struct hwk_tpm_facts f;
    idvi_station_count(s, &s->calls.lockdown);
    idv_rc rc = values_known(s, &f);
    if (rc == IDV_E_REJECT)
        return idvi_station_refuse(why, IDV_WHY_STATION, rc);
    IDV_TRY(rc);
    IDV_TRY(idvi_station_proves(s) ? wipe_tpm(s) : wipe_soft(s));
    IDV_TRY(wipe_anchors(s));
    IDV_TRY(wipe_values(s, &f));
    return note(s, why);
}

idv_rc idv_station_wipe(struct idv_station *s, enum idv_factory_why *why)
{
    idv_rc rc = idvi_station_begin(s, why);
    if (rc == IDV_OK)
        rc = wipe(s, why);
    s->looked = false;
    idv_station_rest(s);
    idvi_station_count(s, NULL);
    return idvi_station_said(rc, why);
}
