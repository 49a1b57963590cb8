/* SPDX-License-Identifier: Apache-2.0 */
/* OSSL_STORE: keys, certificates and their names by URI. */
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/store.h>

#include "provider/op_store.h"

struct item {
    struct item *next;
    struct hwk_key *key; /* or a certificate: */
    uint8_t *der;
    size_t der_n;
    char *name, *about; /* or a name */
};

struct store {
    struct hwk_core *core;
    struct hwk_device_slot *slot;
    struct hwk_uri uri;
    struct hwk_criteria criteria;
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
    OPENSSL_free(item->name);
    OPENSSL_free(item->about);
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
    hwk_criteria_clear(&s->criteria);
    OPENSSL_free(s);
    return 1;
}

static const OSSL_PARAM *store_settable(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, NULL),
        OSSL_PARAM_octet_string(OSSL_STORE_PARAM_SUBJECT, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_STORE_PARAM_ISSUER, NULL, 0),
        OSSL_PARAM_BN(OSSL_STORE_PARAM_SERIAL, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_STORE_PARAM_ALIAS, NULL, 0),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

static int store_set_params(void *ctx, const OSSL_PARAM params[])
{
    struct store *s = ctx;
    const OSSL_PARAM *p;

    if (params == NULL)
        return 1;
    p = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_EXPECT);
    return (p == NULL || OSSL_PARAM_get_int(p, &s->expect)) &&
           hwk_criteria_set(&s->criteria, params);
}

/* --- searching --- */

static bool names_only(const struct store *s)
{
    return s->uri.list_names || s->expect == OSSL_STORE_INFO_NAME;
}

static unsigned wanted(const struct store *s)
{
    unsigned want = 0;

    if (names_only(s))
        want = HWK_WANT_ANY | HWK_WANT_NAMES;
    else if (s->expect == 0)
        want = HWK_WANT_ANY;
    else if (s->expect == OSSL_STORE_INFO_PKEY)
        want = HWK_WANT_PRIVATE;
    else if (s->expect == OSSL_STORE_INFO_PUBKEY)
        want = HWK_WANT_PUBLIC;
    else if (s->expect == OSSL_STORE_INFO_CERT)
        want = HWK_WANT_CERT;
    if (hwk_criteria_only_certs(&s->criteria))
        want &= HWK_WANT_CERT | HWK_WANT_NAMES;
    return want;
}

/* "private key, EC P-256" */
static int describe(const struct hwk_found *found, char *out, size_t max)
{
    static const char *const types[] = {
        "", "private key", "public key", "certificate", "data", "counter"};
    char algorithm[32] = "";
    int n;

    if (found->type <= HWK_OBJ_PUBLIC && found->pub.type != 0)
        hwk_pub_describe(&found->pub, algorithm, sizeof(algorithm));
    n = snprintf(out, max, "%s%s%s", types[found->type],
                 *algorithm != 0 ? ", " : "", algorithm);
    return n > 0;
}

static int fill(struct store *s, struct hwk_found *found, struct item *item)
{
    char about[64];

    if (names_only(s)) {
        item->name = OPENSSL_strdup(found->uri);
        if (describe(found, about, sizeof(about)))
            item->about = OPENSSL_strdup(about);
        return item->name != NULL && item->about != NULL;
    }
    if (found->type == HWK_OBJ_CERT) {
        item->der = OPENSSL_memdup(found->der, found->der_len);
        item->der_n = found->der_len;
        return item->der != NULL;
    }
    item->key =
        hwk_key_new(s->core, s->slot, found, found->type == HWK_OBJ_PRIVATE);
    return item->key != NULL;
}

static int append(struct store *s, struct item *item)
{
    *s->last = item;
    s->last = &item->next;
    return 1;
}

static int keep(void *arg, struct hwk_found *found)
{
    struct store *s = arg;
    struct item *item;

    if (!hwk_criteria_fit(&s->criteria, found))
        return 1;
    item = OPENSSL_zalloc(sizeof(*item));
    if (item == NULL)
        return hwk_raise(HWK_R_MEMORY, "store") - 1;
    if (fill(s, found, item))
        return append(s, item);
    item_free(item);
    return -1;
}

static int keep_device(void *arg, const char *uri, const char *about)
{
    struct store *s = arg;
    struct item *item = OPENSSL_zalloc(sizeof(*item));

    if (item == NULL)
        return hwk_raise(HWK_R_MEMORY, "store") - 1;
    item->name = OPENSSL_strdup(uri);
    item->about = OPENSSL_strdup(about);
    return append(s, item);
}

/* "pkcs11:" alone is a directory of tokens, unless keys or certificates are
 * expected of it, or a search is on */
static bool is_directory(const struct store *s)
{
    const struct hwk_uri *u = &s->uri;

    return hwk_slot_table(s->slot)->devices != NULL &&
           (s->expect == 0 || s->expect == OSSL_STORE_INFO_NAME) &&
           !u->list_names && !hwk_criteria_only_certs(&s->criteria) &&
           s->criteria.alias == NULL && !hwk_uri_names_token(u) &&
           u->object.p == NULL && u->id.p == NULL && u->type == HWK_CLASS_ANY;
}

static int search(struct store *s, OSSL_PASSPHRASE_CALLBACK *cb, void *arg)
{
    struct hwk_passphrase passphrase = {cb, arg};
    struct hwk_pin_source prompt = {hwk_passphrase_get, &passphrase};
    struct hwk_pin_ask ask = {&s->core->cfg, &s->uri, &prompt};
    unsigned want = wanted(s);
    const struct hwk_backend *t;
    void *state;
    int ok;

    s->searched = true;
    if (want == 0)
        return 1;
    hwk_mark();
    s->slot = hwk_registry_use(s->core->registry, s->uri.scheme);
    if (s->slot == NULL)
        return hwk_settle(0);
    t = hwk_slot_table(s->slot);
    state = hwk_slot_state(s->slot);
    ok = is_directory(s) ? t->devices(state, &s->uri, keep_device, s)
                         : t->find(state, &s->uri, want, &ask, keep, s);
    hwk_slot_give(s->slot);
    return hwk_settle(ok);
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

static int give_name(struct item *item, OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_NAME;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA, item->name, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DESC, item->about,
                                         0),
        OSSL_PARAM_construct_end()};

    return cb(params, arg);
}

static int give(struct item *item, OSSL_CALLBACK *cb, void *arg)
{
    if (item->name != NULL)
        return give_name(item, cb, arg);
    return item->key != NULL ? give_key(item, cb, arg)
                             : give_cert(item, cb, arg);
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
    ok = give(item, cb, arg);
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
