/* SPDX-License-Identifier: Apache-2.0 */
/* The device table of the provider, with our errors and buffers. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/provider.h>

#include <idevid/limits.h>

#include "provider/device.h"

#include "key/key.h"

struct idv_device {
    const struct hwk_device_ops *ops;
    struct hwk_device *dev;
    struct idv_pin pin;
    char uri[HWK_OBJECT_URI_MAX]; /* for notes */
};

const struct hwk_device_ops *idvi_device_ops(const struct idv_device *dev)
{
    return dev->ops;
}

struct hwk_device *idvi_device_door(const struct idv_device *dev)
{
    return dev->dev;
}

const char *idvi_device_uri(const struct idv_device *dev)
{
    return dev->uri;
}

bool idvi_device_is_tpm(const struct idv_device *dev)
{
    return strncasecmp(dev->uri, "tpm2:", 5) == 0;
}

const struct idv_pin *idvi_device_pin(const struct idv_device *dev)
{
    return dev->pin.get ? &dev->pin : NULL;
}

struct door {
    const struct hwk_device_ops *ops;
    void *ctx;
};

static int look(OSSL_PROVIDER *provider, void *arg)
{
    struct door *door = arg;
    void *ops = NULL, *ctx = NULL;
    if (strcmp(OSSL_PROVIDER_get0_name(provider), IDVI_HWKEY) != 0)
        return 1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_ptr(HWK_PARAM_DEVICE_OPS, &ops, 0),
        OSSL_PARAM_construct_octet_ptr(HWK_PARAM_DEVICE_CTX, &ctx, 0),
        OSSL_PARAM_construct_end()};
    if (OSSL_PROVIDER_get_params(provider, params) == 1) {
        door->ops = ops;
        door->ctx = ctx;
    }
    return 0;
}

static bool find_door(struct door *door)
{
    *door = (struct door){0};
    OSSL_PROVIDER_do_all(NULL, look, door);
    return door->ops && door->ops->version == HWK_DEVICE_OPS_VERSION;
}

static int ask_pin(void *arg, const char *what, char *out, size_t max,
                   size_t *n)
{
    const struct idv_pin *pin = arg;
    return pin->get(pin->arg, what, out, max, n);
}

idv_rc idv_device_open(const char *uri, const struct idv_pin *pin,
                       struct idv_device **out)
{
    struct door door;
    if (!idv_uri_is_device(uri))
        return idv_fail(IDV_E_ARG, "'%s': not the URI of a device",
                        idvi_uri_shown(uri).text);
    IDV_TRY(idvi_device_begin(uri));
    if (!find_door(&door))
        return idv_fail(IDV_E_DEVICE,
                        "the provider hwkey is of another version");
    struct idv_device *dev = calloc(1, sizeof(*dev));
    if (!dev)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    dev->ops = door.ops;
    snprintf(dev->uri, sizeof(dev->uri), "%s", uri);
    if (pin)
        dev->pin = *pin;
    struct hwk_pin_source source = {ask_pin, &dev->pin};
    if (!dev->ops->open(door.ctx, uri, dev->pin.get ? &source : NULL,
                        &dev->dev)) {
        free(dev);
        return idvi_device_failed(uri, NULL);
    }
    *out = dev;
    return IDV_OK;
}

void idv_device_close(struct idv_device *dev)
{
    if (!dev)
        return;
    dev->ops->close(dev->dev);
    OPENSSL_cleanse(dev, sizeof(*dev));
    free(dev);
}

#define COPY(to, from) snprintf((to), sizeof(to), "%s", (from))

idv_rc idv_device_info(struct idv_device *dev, struct idv_device_info *out)
{
    struct hwk_device_info info = {0};
    ERR_clear_error();
    if (!dev->ops->info(dev->dev, &info))
        return idvi_device_failed(dev->uri, NULL);
    *out = (struct idv_device_info){.tpm = info.kind == HWK_DEVICE_TPM2,
                                    .in_lockout = info.in_lockout,
                                    .nv_max = info.nv_max};
    COPY(out->maker, info.maker);
    COPY(out->model, info.model);
    COPY(out->label, info.label);
    COPY(out->serial, info.serial);
    COPY(out->firmware, info.firmware);
    return IDV_OK;
}

struct lister {
    bool (*each)(void *arg, const struct idv_object *o);
    void *arg;
};

static void take_object(const struct hwk_object_info *info,
                        struct idv_object *o)
{
    *o = (struct idv_object){.type = (enum idv_object_type)info->type,
                             .size = info->size,
                             .attributes = info->attributes,
                             .write_locked = info->write_locked,
                             .never_extractable = info->never_extractable,
                             .hidden = info->hidden,
                             .fleeting = info->fleeting,
                             .kept = info->kept};
    COPY(o->uri, info->uri);
    COPY(o->label, info->label);
    COPY(o->algorithm, info->algorithm);
}

static int list_one(void *arg, const struct hwk_object_info *info)
{
    const struct lister *l = arg;
    struct idv_object o;
    take_object(info, &o);
    return l->each(l->arg, &o);
}

idv_rc idv_device_list(struct idv_device *dev,
                       bool (*each)(void *arg, const struct idv_object *o),
                       void *arg)
{
    struct lister l = {each, arg};
    ERR_clear_error();
    if (!dev->ops->list(dev->dev, list_one, &l))
        return idvi_device_failed(dev->uri, NULL);
    return IDV_OK;
}

/* absence is an answer, not a failure: an older note stays, ours goes */
static idv_rc absent(const char *uri)
{
    int reason;
    const bool older = *idv_note();
    idv_rc rc = idvi_device_failed(uri, &reason);
    if (reason != HWK_R_NOT_FOUND)
        return rc;
    if (!older)
        idv_note_clear();
    return IDV_OK;
}

static idv_rc read_object(struct idv_device *dev, const char *uri, bool *found,
                          struct hwk_object_info *info, struct idv_buf *out)
{
    size_t n = 0;
    *found = false;
    ERR_clear_error();
    if (!dev->ops->read(dev->dev, uri, NULL, &n, info))
        return absent(uri);
    if (n > IDV_MAX_FILE)
        return idv_fail(IDV_E_LIMIT, "%s: more than %d bytes",
                        idvi_uri_shown(uri).text, IDV_MAX_FILE);
    uint8_t *p;
    idv_rc rc = idv_buf_room(out, n, &p);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", idvi_uri_shown(uri).text);
    size_t room = n;
    if (!dev->ops->read(dev->dev, uri, p, &n, info) || n > room)
        return absent(uri);
    out->n += n;
    *found = true;
    return IDV_OK;
}

idv_rc idv_device_read(struct idv_device *dev, const char *uri, bool *found,
                       struct idv_buf *out)
{
    return read_object(dev, uri, found, NULL, out);
}

idv_rc idv_device_inspect(struct idv_device *dev, const char *uri, bool *found,
                          struct idv_object *object, struct idv_buf *out)
{
    struct hwk_object_info info;
    IDV_TRY(read_object(dev, uri, found, &info, out));
    if (*found)
        take_object(&info, object);
    return IDV_OK;
}

idv_rc idv_device_write(struct idv_device *dev, const char *uri,
                        struct idv_bytes data, unsigned flags)
{
    unsigned theirs = (flags & IDV_WRITE_NEW ? HWK_WRITE_NEW : 0) |
                      (flags & IDV_WRITE_LOCK ? HWK_WRITE_LOCK : 0) |
                      (flags & IDV_WRITE_KEEP ? HWK_WRITE_KEEP : 0) |
                      (flags & IDV_WRITE_SO ? HWK_WRITE_SO : 0) |
                      (flags & IDV_WRITE_BLIND ? HWK_WRITE_BLIND : 0);
    ERR_clear_error();
    if (!dev->ops->write(dev->dev, uri, data.p, data.n, theirs))
        return idvi_device_failed(uri, NULL);
    return IDV_OK;
}

idv_rc idv_device_erase(struct idv_device *dev, const char *uri)
{
    ERR_clear_error();
    return dev->ops->erase(dev->dev, uri) ? IDV_OK : absent(uri);
}

idv_rc idv_device_count(struct idv_device *dev, bool *offered, uint64_t *value,
                        bool *was_reset)
{
    ERR_clear_error();
    *offered = dev->ops->count(dev->dev, value, was_reset);
    return *offered ? IDV_OK : absent(dev->uri);
}

idv_rc idv_tpm_reach(const char *tcti)
{
    struct door door;
    IDV_TRY(idvi_device_begin("tpm2:"));
    if (!find_door(&door))
        return idv_fail(IDV_E_DEVICE,
                        "the provider hwkey is of another version");
    return door.ops->reach(door.ctx, tcti) ? IDV_OK
                                           : idvi_device_failed("tpm2:", NULL);
}

idv_rc idv_tokens_again(void)
{
    struct door door;
    IDV_TRY(idvi_device_begin("pkcs11:"));
    if (!find_door(&door))
        return idv_fail(IDV_E_DEVICE,
                        "the provider hwkey is of another version");
    return door.ops->again(door.ctx) ? IDV_OK
                                     : idvi_device_failed("pkcs11:", NULL);
}

void idv_device_stats(struct idv_device_stats *out)
{
    struct hwk_stats s = {0};
    struct door door;
    if (find_door(&door))
        door.ops->stats(door.ctx, &s);
    *out =
        (struct idv_device_stats){s.tpm_commands, s.pkcs11_calls, s.signatures};
}
