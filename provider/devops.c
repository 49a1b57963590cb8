/* SPDX-License-Identifier: Apache-2.0 */
/* device.h's table: finds the row that serves the URI and asks it. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/devops.h"

static int open_on(struct hwk_registry *reg, const struct hwk_uri *uri,
                   struct hwk_device *d)
{
    const struct hwk_backend *t;
    struct hwk_pin_ask ask = {hwk_registry_config(reg), uri,
                              d->prompt.get != NULL ? &d->prompt : NULL};

    d->cfg = ask.cfg;
    d->slot = hwk_registry_use(reg, uri->scheme);
    if (d->slot == NULL)
        return 0;
    t = hwk_slot_table(d->slot);
    if (t->dev_open == NULL
            ? hwk_raise(HWK_R_UNSUPPORTED, "%s has no objects", t->name)
            : t->dev_open(hwk_slot_state(d->slot), uri, &ask, &d->dev))
        return 1;
    hwk_slot_give(d->slot);
    return 0;
}

static int dev_open(void *ctx, const char *text,
                    const struct hwk_pin_source *pin, struct hwk_device **out)
{
    struct hwk_device *d = OPENSSL_zalloc(sizeof(*d));
    struct hwk_uri uri;
    int ok;

    if (d == NULL)
        return hwk_raise(HWK_R_MEMORY, "device");
    if (pin != NULL)
        d->prompt = *pin;
    hwk_mark();
    ok = hwk_settle(hwk_uri_parse(text, &uri) && open_on(ctx, &uri, d));
    hwk_uri_clear(&uri);
    if (ok)
        *out = d;
    else
        OPENSSL_free(d);
    return ok;
}

static void dev_close(struct hwk_device *d)
{
    if (d == NULL)
        return;
    hwk_slot_table(d->slot)->dev_close(hwk_slot_state(d->slot), d->dev);
    hwk_slot_give(d->slot);
    OPENSSL_free(d);
}

static int dev_info(struct hwk_device *d, struct hwk_device_info *out)
{
    return hwk_slot_ready(d->slot) && hwk_slot_table(d->slot)->dev_info(
                                          hwk_slot_state(d->slot), d->dev, out);
}

static int dev_list(struct hwk_device *d,
                    int (*each)(void *arg, const struct hwk_object_info *o),
                    void *arg)
{
    return hwk_slot_ready(d->slot) &&
           hwk_slot_table(d->slot)->dev_list(hwk_slot_state(d->slot), d->dev,
                                             each, arg);
}

static int parse_for(struct hwk_device *d, const char *text,
                     struct hwk_uri *uri)
{
    int scheme_ok;

    if (!hwk_slot_ready(d->slot) || !hwk_uri_parse(text, uri))
        return 0;
    scheme_ok = hwk_table_serves(hwk_slot_table(d->slot), uri->scheme);
    if (!scheme_ok) {
        hwk_uri_clear(uri);
        return hwk_raise(HWK_R_BAD_URI, "of another kind of device");
    }
    return 1;
}

static int dev_read(struct hwk_device *d, const char *text, uint8_t *out,
                    size_t *n, struct hwk_object_info *info)
{
    struct hwk_uri uri;
    int ok;

    if (!parse_for(d, text, &uri))
        return 0;
    hwk_mark();
    ok = hwk_settle(hwk_slot_table(d->slot)->dev_read(
        hwk_slot_state(d->slot), d->dev, &uri, out, n, info));
    hwk_uri_clear(&uri);
    return ok;
}

static int dev_write(struct hwk_device *d, const char *text,
                     const uint8_t *data, size_t n, unsigned flags)
{
    struct hwk_uri uri;
    int ok;

    if (!parse_for(d, text, &uri))
        return 0;
    hwk_mark();
    ok = hwk_settle(hwk_slot_table(d->slot)->dev_write(
        hwk_slot_state(d->slot), d->dev, &uri, data, n, flags));
    hwk_uri_clear(&uri);
    return ok;
}

static int dev_erase(struct hwk_device *d, const char *text)
{
    struct hwk_uri uri;
    int ok;

    if (!parse_for(d, text, &uri))
        return 0;
    hwk_mark();
    ok = hwk_settle(hwk_slot_table(d->slot)->dev_erase(hwk_slot_state(d->slot),
                                                       d->dev, &uri));
    hwk_uri_clear(&uri);
    return ok;
}

static int dev_count(struct hwk_device *d, uint64_t *value, bool *was_reset)
{
    const struct hwk_backend *t = hwk_slot_table(d->slot);

    if (!hwk_slot_ready(d->slot))
        return 0;
    if (t->dev_count == NULL)
        return hwk_raise(HWK_R_NOT_FOUND, "%s has no such counter", t->name);
    hwk_mark();
    return hwk_settle(
        t->dev_count(hwk_slot_state(d->slot), d->dev, value, was_reset));
}

static void dev_stats(void *ctx, struct hwk_stats *out)
{
    (void)ctx;
    out->tpm_commands = atomic_load(&hwk_counters.tpm_commands);
    out->tpm_sessions = atomic_load(&hwk_counters.tpm_sessions);
    out->pkcs11_calls = atomic_load(&hwk_counters.pkcs11_calls);
    out->signatures = atomic_load(&hwk_counters.signatures);
}

static int dev_reach(void *ctx, const char *tcti)
{
    return hwk_registry_reach(ctx, tcti);
}

static int dev_again(void *ctx)
{
    return hwk_registry_again(ctx);
}

const struct hwk_device_ops hwk_device_ops_table = {
    HWK_DEVICE_OPS_VERSION,
    dev_open,
    dev_close,
    dev_info,
    dev_list,
    dev_read,
    dev_write,
    dev_erase,
    dev_stats,
    &hwk_nv_ops_table,
    &hwk_devid_ops_table,
    dev_count,
    dev_reach,
    dev_again,
};
