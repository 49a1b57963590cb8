/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and data objects of a token, for device.h's table: the device,
 * and what it is asked. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "provider/device/p11_dev.h"

/* --- the device --- */

/* the URI's PIN is read now and kept for when a login is needed */
static int keep_pin(struct p11_dev *d, const struct hwk_pin_ask *pin)
{
    struct hwk_pin_ask quiet = {NULL, pin->uri, NULL};

    d->prompt = pin->prompt;
    return !hwk_pin_at_hand(&quiet) || hwk_pin_get(&quiet, "token", &d->pin);
}

void p11_dev_close(void *state, void *dev)
{
    struct p11_dev *d = dev;

    (void)state;
    if (d == NULL)
        return;
    hwk_uri_clear(&d->uri);
    hwk_secret_free(d->pin);
    OPENSSL_free(d);
}

static int only_one(int n)
{
    if (n > 1)
        return hwk_raise(HWK_R_BAD_URI,
                         "several tokens fit: name one by token= or serial=");
    return n == 1;
}

int p11_dev_open(void *state, const struct hwk_uri *uri,
                 const struct hwk_pin_ask *pin, void **dev)
{
    struct p11_dev *d = OPENSSL_zalloc(sizeof(*d));
    struct p11_token *t[2];

    if (d == NULL)
        return hwk_raise(HWK_R_MEMORY, "device");
    d->st = state;
    if (!only_one(p11_tokens(state, uri, t, 2)) ||
        !hwk_uri_copy(uri, &d->uri) || !keep_pin(d, pin)) {
        p11_dev_close(state, d);
        return 0;
    }
    d->t = t[0];
    *dev = d;
    return 1;
}

int p11_dev_login(struct p11_dev *d, const struct hwk_uri *uri)
{
    struct hwk_uri with = {0};
    struct hwk_pin_ask ask = {d->st->cfg, uri, d->prompt};
    struct hwk_pin_ask none = {NULL, uri, NULL};

    if (!hwk_pin_at_hand(&none) && d->pin != NULL) {
        with.pin_value.p = (uint8_t *)d->pin->p;
        with.pin_value.n = d->pin->n;
        ask.uri = &with;
    }
    return p11_login(d->t, &ask, P11_ANY_SCAN);
}

static void copy(char out[static HWK_LABEL_MAX], const char *from)
{
    snprintf(out, HWK_LABEL_MAX, "%s", from);
}

int p11_dev_info(void *state, void *dev, struct hwk_device_info *out)
{
    struct p11_dev *d = dev;
    CK_TOKEN_INFO info;
    CK_RV rv;

    (void)state;
    if (!p11_module_ready(d->t->module))
        return 0;
    memset(out, 0, sizeof(*out));
    rv = P11(d->t->module, C_GetTokenInfo, d->t->slot_id, &info);
    if (rv != CKR_OK)
        return p11_raise("C_GetTokenInfo", rv);
    out->kind = HWK_DEVICE_PKCS11;
    copy(out->maker, d->t->manufacturer);
    copy(out->model, d->t->model);
    copy(out->label, d->t->label);
    copy(out->serial, d->t->serial);
    snprintf(out->firmware, sizeof(out->firmware), "%u.%u",
             info.firmwareVersion.major, info.firmwareVersion.minor);
    out->in_lockout = (info.flags & CKF_USER_PIN_LOCKED) != 0;
    return 1;
}

/* --- describing objects --- */

static int kind_of(const struct p11_object *o, enum hwk_object_type *out)
{
    static const enum hwk_object_type kinds[] = {
        HWK_OBJ_DATA, HWK_OBJ_CERT, HWK_OBJ_PUBLIC, HWK_OBJ_PRIVATE};

    if (o->class > CKO_PRIVATE_KEY)
        return 0;
    *out = kinds[o->class];
    return 1;
}

static bool describe(const struct p11_token *t, const struct p11_object *o,
                     size_t size, struct hwk_object_info *out)
{
    memset(out, 0, sizeof(*out));
    if (!kind_of(o, &out->type))
        return false;
    p11_object_uri(t, o, out->uri);
    memcpy(out->label, o->label,
           o->label_len < sizeof(out->label) ? o->label_len
                                             : sizeof(out->label) - 1);
    if (o->has_pub)
        hwk_pub_describe(&o->pub, out->algorithm, sizeof(out->algorithm));
    out->size = size;
    out->write_locked = !o->modifiable;
    out->never_extractable = o->never_extractable;
    return true;
}

static bool has_private(const struct p11_object *o, size_t n,
                        const struct p11_object *pub)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (o[i].class == CKO_PRIVATE_KEY && pub->id_len > 0 &&
            o[i].id_len == pub->id_len &&
            memcmp(o[i].id, pub->id, pub->id_len) == 0)
            return true;
    return false;
}

/* --- reading --- */

/* value of o in a session of its own, and how lasting it is (info may be
 * NULL) */
static int value_of(struct p11_dev *d, const struct p11_object *o,
                    uint8_t **out, size_t *n, struct hwk_object_info *info)
{
    struct p11_session s;
    CK_RV rv;

    if (!p11_session_get(d->t, false, &s))
        return 0;
    rv = p11_value(d->t, s.h, o->h, out, n);
    if (rv == CKR_OK && info != NULL &&
        (rv = p11_lasting(d->t, s.h, o->h, info)) != CKR_OK) {
        OPENSSL_free(*out);
        *out = NULL;
    }
    if (p11_lost(rv))
        p11_token_lost(d->t, s.epoch, rv);
    p11_session_put(d->t, &s, false, rv != CKR_OK);
    return rv == CKR_OK || p11_raise("C_GetAttributeValue", rv);
}

static int size_of(struct p11_dev *d, const struct p11_object *o, size_t *n)
{
    uint8_t *value;

    *n = 0;
    if (o->class != CKO_CERTIFICATE && o->class != CKO_DATA)
        return 1;
    if (!value_of(d, o, &value, n, NULL))
        return 0;
    OPENSSL_clear_free(value, *n);
    return 1;
}

int p11_dev_list(void *state, void *dev,
                 int (*each)(void *arg, const struct hwk_object_info *),
                 void *arg)
{
    struct p11_dev *d = dev;
    struct hwk_pin_ask ask = {d->st->cfg, NULL, d->prompt};
    struct hwk_object_info info;
    struct p11_object *o;
    size_t i, n, size;
    int ok = 1;

    (void)state;
    if ((d->pin != NULL || hwk_pin_at_hand(&ask)) && !p11_dev_login(d, NULL))
        return 0;
    if (!p11_search_once(d->t, NULL, NULL, &o, &n))
        return 0;
    for (i = 0; i < n && ok; i++) {
        if (o[i].class == CKO_PUBLIC_KEY && has_private(o, n, &o[i]))
            continue;
        ok = size_of(d, &o[i], &size);
        if (ok && describe(d->t, &o[i], size, &info) && !each(arg, &info))
            break;
    }
    OPENSSL_free(o);
    return ok;
}

int p11_class_of(const struct hwk_uri *uri, CK_OBJECT_CLASS *out)
{
    switch (uri->type) {
    case HWK_CLASS_CERT:
        *out = CKO_CERTIFICATE;
        return 1;
    case HWK_CLASS_DATA:
        *out = CKO_DATA;
        return 1;
    case HWK_CLASS_PRIVATE:
        *out = CKO_PRIVATE_KEY;
        return 1;
    case HWK_CLASS_PUBLIC:
        *out = CKO_PUBLIC_KEY;
        return 1;
    default:
        return hwk_raise(HWK_R_BAD_URI, "type: say what kind of object");
    }
}

int p11_named(const struct hwk_uri *uri)
{
    if (uri->object.p == NULL && uri->id.p == NULL)
        return hwk_raise(HWK_R_BAD_URI, "object: say which one");
    if (uri->type == HWK_CLASS_DATA && uri->id.p != NULL)
        return hwk_raise(HWK_R_BAD_URI, "id: a data object has none");
    return 1;
}

/* The objects that uri names: without a login when they show themselves, with
 * one otherwise, if it may. */
static int locate(struct p11_dev *d, const struct hwk_uri *uri, bool login,
                  CK_OBJECT_CLASS *class, struct p11_object **o, size_t *n)
{
    struct hwk_pin_ask ask = {d->st->cfg, uri, d->prompt};

    if (!p11_class_of(uri, class) || !p11_named(uri) ||
        !p11_search_once(d->t, class, uri, o, n))
        return 0;
    if (*n > 0 || !login || atomic_load(&d->t->logged_in) ||
        (d->pin == NULL && !hwk_pin_at_hand(&ask)))
        return 1;
    return p11_dev_login(d, uri) && p11_search_once(d->t, class, uri, o, n);
}

int p11_missing(const struct hwk_uri *uri)
{
    return hwk_raise(HWK_R_NOT_FOUND, "no object '%s' on that token",
                     uri->object.p != NULL ? (char *)uri->object.p : "(by id)");
}

static int hand_out(const uint8_t *value, size_t size, uint8_t *out, size_t *n)
{
    size_t room = *n;

    *n = size;
    if (out == NULL)
        return 1;
    if (size > room)
        return hwk_raise(HWK_R_ARGUMENT, "the object has %zu bytes", size);
    memcpy(out, value, size);
    return 1;
}

int p11_dev_read(void *state, void *dev, const struct hwk_uri *uri,
                 uint8_t *out, size_t *n, struct hwk_object_info *info)
{
    struct p11_dev *d = dev;
    struct p11_object *o = NULL;
    CK_OBJECT_CLASS class;
    struct hwk_object_info lasting;
    uint8_t *value = NULL;
    size_t count = 0, size = 0;
    int ok;

    (void)state;
    if (!locate(d, uri, info == NULL, &class, &o, &count))
        return 0;
    if (class != CKO_CERTIFICATE && class != CKO_DATA)
        ok = hwk_raise(HWK_R_UNSUPPORTED, "keys are not read");
    else if (class == CKO_DATA && count > 1) /* which one is meant? */
        ok = hwk_raise(HWK_R_BAD_URI, "%zu objects are named so", count);
    else
        ok = count > 0 ? value_of(d, &o[0], &value, &size,
                                  info != NULL ? &lasting : NULL)
                       : p11_missing(uri);
    if (ok && info != NULL) {
        describe(d->t, &o[0], size, info);
        info->hidden = lasting.hidden;
        info->fleeting = lasting.fleeting;
        info->kept = lasting.kept;
    }
    ok = ok && hand_out(value, size, out, n);
    OPENSSL_free(value);
    OPENSSL_free(o);
    return ok;
}
