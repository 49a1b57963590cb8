/* SPDX-License-Identifier: Apache-2.0 */
/* OSSL_STORE: keys and certificates by URI. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/store.h>

#include "provider/op.h"

struct item {
    struct item *next;
    struct hwk_key *key; /* or a certificate: */
    uint8_t *der;
    size_t der_n;
};

struct store {
    struct hwk_core *core;
    struct hwk_device_slot *slot;
    struct hwk_uri uri;
    int expect;
    bool searched, failed;
    struct item *first, **last;
};

static void *store_open(void *core, const char *text)
{
    struct store *s;

    if (!hwk_uri_ours(text))
        return NULL;
    s = OPENSSL_zalloc(sizeof(*s));
    if (s == NULL) {
        hwk_raise(HWK_R_MEMORY, "store");
        return NULL;
    }
    s->core = core;
    s->last = &s->first;
    if (!hwk_uri_parse(text, &s->uri)) {
        OPENSSL_free(s);
        return NULL;
    }
    return s;
}

static void item_free(struct item *item)
{
    hwk_key_free(item->key);
    OPENSSL_free(item->der);
    OPENSSL_free(item);
}

static int store_close(void *ctx)
{
    struct store *s = ctx;

    while (s->first != NULL) {
        struct item *item = s->first;

        s->first = item->next;
        item_free(item);
    }
    hwk_uri_clear(&s->uri);
    OPENSSL_free(s);
    return 1;
}

static const OSSL_PARAM *store_settable(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, NULL), OSSL_PARAM_END};

    (void)core;
    return list;
}

static int store_set_params(void *ctx, const OSSL_PARAM params[])
{
    struct store *s = ctx;
    const OSSL_PARAM *p =
        params != NULL
            ? OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_EXPECT)
            : NULL;

    return p == NULL || OSSL_PARAM_get_int(p, &s->expect);
}

/* --- searching --- */

static unsigned wanted(int expect)
{
    switch (expect) {
    case 0:
        return HWK_WANT_ANY;
    case OSSL_STORE_INFO_PKEY:
        return HWK_WANT_PRIVATE;
    case OSSL_STORE_INFO_PUBKEY:
        return HWK_WANT_PUBLIC;
    case OSSL_STORE_INFO_CERT:
        return HWK_WANT_CERT;
    default:
        return 0;
    }
}

static int keep(void *arg, struct hwk_found *found)
{
    struct store *s = arg;
    struct item *item = OPENSSL_zalloc(sizeof(*item));

    if (item == NULL)
        return hwk_raise(HWK_R_MEMORY, "store") - 1;
    if (found->type == HWK_OBJ_CERT) {
        item->der = OPENSSL_memdup(found->der, found->der_len);
        item->der_n = found->der_len;
    } else {
        item->key = hwk_key_new(s->core, s->slot, found,
                                found->type == HWK_OBJ_PRIVATE);
    }
    if (item->der == NULL && item->key == NULL) {
        item_free(item);
        return -1;
    }
    *s->last = item;
    s->last = &item->next;
    return 1;
}

static int search(struct store *s, OSSL_PASSPHRASE_CALLBACK *cb, void *arg)
{
    struct hwk_passphrase passphrase = {cb, arg};
    struct hwk_pin_source prompt = {hwk_passphrase_get, &passphrase};
    struct hwk_pin_ask ask = {&s->core->cfg, &s->uri, &prompt};
    unsigned want = wanted(s->expect);

    s->searched = true;
    if (want == 0)
        return 1;
    hwk_mark();
    s->slot = hwk_registry_use(s->core->registry, s->uri.scheme);
    return hwk_settle(s->slot != NULL && hwk_slot_table(s->slot)->find(
                                             hwk_slot_state(s->slot), &s->uri,
                                             want, &ask, keep, s));
}

/* --- handing over --- */

static char *lent(const char *s)
{
    union {
        const char *c;
        char *p;
    } u = {s};

    return u.p;
}

static int give_key(struct item *item, OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_PKEY, ok;
    const char *name = hwk_pub_type_name(&item->key->pub);
    struct hwk_handover ref = hwk_handover(item->key);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                         lent(name), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &ref,
                                          sizeof(ref)),
        OSSL_PARAM_construct_end()};

    ok = cb(params, arg);
    item->key = ref.key;
    return ok;
}

static int give_cert(struct item *item, OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_CERT;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, item->der,
                                          item->der_n),
        OSSL_PARAM_construct_end()};

    return cb(params, arg);
}

static int store_load(void *ctx, OSSL_CALLBACK *cb, void *arg,
                      OSSL_PASSPHRASE_CALLBACK *pw, void *pw_arg)
{
    struct store *s = ctx;
    struct item *item;
    int ok;

    if (!s->searched && !search(s, pw, pw_arg)) {
        s->failed = true;
        return 0;
    }
    item = s->first;
    if (item == NULL)
        return 0;
    s->first = item->next;
    if (s->first == NULL)
        s->last = &s->first;
    ok = item->key != NULL ? give_key(item, cb, arg) : give_cert(item, cb, arg);
    item_free(item);
    return ok;
}

/* libcrypto asks right after a failed load whether this was the end or an
 * error: an error it is, once; then the end, for loops that only look here */
static int store_eof(void *ctx)
{
    struct store *s = ctx;

    if (s->failed) {
        s->failed = false;
        return 0;
    }
    return s->searched && s->first == NULL;
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_STORE_##name, (void (*)(void))(fn)                           \
    }
const OSSL_DISPATCH hwk_store[] = {
    F(OPEN, store_open),
    F(SETTABLE_CTX_PARAMS, store_settable),
    F(SET_CTX_PARAMS, store_set_params),
    F(LOAD, store_load),
    F(EOF, store_eof),
    F(CLOSE, store_close),
    {0, NULL},
};
