/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes of the device, for those who ask for them by name. */
#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "provider/op.h"

#define AT_ONCE 65536
#define STRENGTH 256

struct hwk_rand {
    struct hwk_core *core;
    char *uri; /* of the device; NULL: the first there is */
    int state;
};

static void *rand_new(void *core, void *parent, const OSSL_DISPATCH *calls)
{
    struct hwk_rand *r = OPENSSL_zalloc(sizeof(*r));

    (void)parent;
    (void)calls;
    if (r == NULL) {
        hwk_raise(HWK_R_MEMORY, "random");
        return NULL;
    }
    r->core = core;
    r->state = EVP_RAND_STATE_UNINITIALISED;
    return r;
}

static void rand_free(void *ctx)
{
    struct hwk_rand *r = ctx;

    if (r == NULL)
        return;
    if (r->uri != NULL)
        OPENSSL_clear_free(r->uri, strlen(r->uri));
    OPENSSL_free(r);
}

/* --- parameters --- */

static int set_params(void *ctx, const OSSL_PARAM params[])
{
    struct hwk_rand *r = ctx;
    const OSSL_PARAM *p =
        params != NULL ? OSSL_PARAM_locate_const(params, HWK_PARAM_KEY_URI)
                       : NULL;
    char *uri = NULL;

    if (p == NULL)
        return 1;
    if (!OSSL_PARAM_get_utf8_string(p, &uri, HWK_URI_MAX))
        return hwk_raise(HWK_R_PARAM, "uri: not a string of a URI's length");
    if (r->uri != NULL)
        OPENSSL_clear_free(r->uri, strlen(r->uri));
    r->uri = uri;
    return 1;
}

static const OSSL_PARAM *settable(void *ctx, void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_URI, NULL, 0), OSSL_PARAM_END};

    (void)ctx;
    (void)core;
    return list;
}

static int get_params(void *ctx, OSSL_PARAM params[])
{
    const struct hwk_rand *r = ctx;
    OSSL_PARAM *p;

    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
    if (p != NULL && !OSSL_PARAM_set_int(p, r->state))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
    if (p != NULL && !OSSL_PARAM_set_uint(p, STRENGTH))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
    return p == NULL || OSSL_PARAM_set_size_t(p, AT_ONCE);
}

static const OSSL_PARAM *gettable(void *ctx, void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
        OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
        OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL), OSSL_PARAM_END};

    (void)ctx;
    (void)core;
    return list;
}

/* --- bytes --- */

static int instantiate(void *ctx, unsigned strength, int prediction_resistance,
                       const unsigned char *pstr, size_t n,
                       const OSSL_PARAM params[])
{
    struct hwk_rand *r = ctx;

    (void)prediction_resistance;
    (void)pstr;
    (void)n;
    if (strength > STRENGTH || !set_params(r, params))
        return 0;
    r->state = EVP_RAND_STATE_READY;
    return 1;
}

static int uninstantiate(void *ctx)
{
    struct hwk_rand *r = ctx;

    r->state = EVP_RAND_STATE_UNINITIALISED;
    return 1;
}

static int from_device(struct hwk_rand *r, const struct hwk_uri *uri,
                       uint8_t *out, size_t n)
{
    struct hwk_device_slot *slot =
        hwk_registry_use(r->core->registry, uri->scheme);
    const struct hwk_backend *t;
    int ok;

    if (slot == NULL)
        return 0;
    t = hwk_slot_table(slot);
    ok = t->random != NULL ? t->random(hwk_slot_state(slot), uri, out, n)
                           : hwk_raise(HWK_R_UNSUPPORTED,
                                       "%s gives no random bytes", t->name);
    hwk_slot_give(slot);
    return ok;
}

static int generate(void *ctx, unsigned char *out, size_t n, unsigned strength,
                    int prediction_resistance, const unsigned char *adin,
                    size_t adin_n)
{
    struct hwk_rand *r = ctx;
    const char *any = r->core->cfg.pkcs11_module != NULL ? "pkcs11:" : "tpm2:";
    struct hwk_uri uri;
    int ok;

    (void)prediction_resistance;
    (void)adin;
    (void)adin_n;
    if (strength > STRENGTH)
        return hwk_raise(HWK_R_ARGUMENT, "strength of more than %d bits",
                         STRENGTH);
    hwk_mark();
    ok = hwk_uri_parse(r->uri != NULL ? r->uri : any, &uri) &&
         from_device(r, &uri, out, n);
    hwk_uri_clear(&uri);
    if (!hwk_settle(ok))
        OPENSSL_cleanse(out, n);
    return ok;
}

/* nothing here is shared that devices do not lock for themselves */
static int no_lock(void *ctx)
{
    (void)ctx;
    return 1;
}

static void no_unlock(void *ctx)
{
    (void)ctx;
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_RAND_##name, (void (*)(void))(fn)                            \
    }
const OSSL_DISPATCH hwk_rand[] = {
    F(NEWCTX, rand_new),
    F(FREECTX, rand_free),
    F(INSTANTIATE, instantiate),
    F(UNINSTANTIATE, uninstantiate),
    F(GENERATE, generate),
    F(ENABLE_LOCKING, no_lock),
    F(LOCK, no_lock),
    F(UNLOCK, no_unlock),
    F(SET_CTX_PARAMS, set_params),
    F(SETTABLE_CTX_PARAMS, settable),
    F(GET_CTX_PARAMS, get_params),
    F(GETTABLE_CTX_PARAMS, gettable),
    {0, NULL},
};
